"""A classifier's network and its beginning: whose tensors are taken, and which are refused."""

from __future__ import annotations

import pytest

from lvbag.learn import LearnError, load_classifier_recipe
from lvbag.settings import PROJECT_ROOT

torch = pytest.importorskip("torch")

from lvbag.learn.classifier.network import Beginning, build, check_model, new_network  # noqa: E402

OLD, NEW = ("M1", "M2", "M3"), ("M0", "M2", "M3", "M4")
CLASSIFIERS = [
    path.stem
    for folder in ("config/recipes", "plugins/lvbag/demo/recipes")
    for path in sorted((PROJECT_ROOT / folder).glob("*.yaml"))
    if "kind: classifier" in path.read_text()
]


def tensors(name: str, outputs: int, side_px: int | None = None):  # type: ignore[no-untyped-def]
    torch.manual_seed(11)
    return {key: value.clone() for key, value in new_network(name, outputs, side_px).state_dict().items()}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_recipe_of_the_project_names_a_network_that_timm_has(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    import timm

    if (PROJECT_ROOT / "plugins/lvbag/demo/recipes" / f"{name}.yaml").is_file():
        monkeypatch.setenv("LVBAG_CONFIG_DIR", str(PROJECT_ROOT / "plugins/lvbag/demo"))
    recipe = load_classifier_recipe(name)
    check_model(recipe.model)
    config = timm.get_pretrained_cfg(recipe.model)
    assert not config.fixed_input_size or config.input_size[-1] == recipe.image_side_px
    assert recipe.start != "pretrained" or config.input_size[-1] == recipe.image_side_px, "the side of its weights"


def test_a_network_that_timm_has_not_is_named_with_some_that_are_near() -> None:
    with pytest.raises(LearnError, match=r"model = 'efficientnet_b99' is no network of timm .*near: efficientnet"):
        check_model("efficientnet_b99")
    with pytest.raises(LearnError, match="knows no weights 'nonsense'"):
        check_model("efficientnet_b0.nonsense")


def test_products_that_the_champion_knows_keep_their_outputs_and_new_ones_begin() -> None:
    theirs = tensors("test_efficientnet", 3)
    model, _ = build("test_efficientnet", 32, NEW, Beginning(theirs, OLD, "classifier 0003"))
    own = model.state_dict()
    assert torch.equal(own["conv_stem.weight"], theirs["conv_stem.weight"])
    for part in ("classifier.weight", "classifier.bias"):
        assert torch.equal(own[part][[1, 2]], theirs[part][[1, 2]])
        assert not own[part][[0, 3]].any()


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit"])
def test_a_new_network_holds_every_product_for_as_likely(name: str) -> None:
    side_px = 32 if name == "test_efficientnet" else 160
    for beginning in (None, Beginning(tensors(name, 10, side_px), (), "weights")):
        model, _ = build(name, side_px, NEW, beginning)
        assert not model.eval()(torch.rand(2, 3, side_px, side_px)).any()


def test_a_champion_of_another_shape_is_refused_by_name() -> None:
    theirs = tensors("test_efficientnet", 3)
    theirs["conv_stem.weight"] = theirs["conv_stem.weight"][:, :1]
    with pytest.raises(
        LearnError, match=r"classifier 0003 does not fit this recipe: 1 of .* such as conv_stem\.weight"
    ):
        build("test_efficientnet", 32, NEW, Beginning(theirs, OLD, "classifier 0003"))
    with pytest.raises(LearnError, match=r"such as pos_embed; train with its image_side_px"):
        build("test_vit", 96, NEW, Beginning(tensors("test_vit", 3), OLD, "classifier 0003"))


def test_of_weights_from_outside_all_is_taken_but_the_outputs() -> None:
    theirs = tensors("test_efficientnet", 10)
    model, normal = build("test_efficientnet", 32, NEW, Beginning(theirs, (), "weights test_efficientnet"))
    own = model.state_dict()
    assert len(own["classifier.weight"]) == 4
    for name, value in own.items():
        if not name.startswith("classifier."):
            assert torch.equal(value, theirs[name]), name
    assert len(normal.mean) == 3
    # as many outputs as there are products are other outputs all the same
    torch.manual_seed(2)
    model, _ = build("test_efficientnet", 32, NEW, Beginning(tensors("test_efficientnet", 4), (), "weights"))
    assert not torch.equal(
        model.state_dict()["classifier.weight"], tensors("test_efficientnet", 4)["classifier.weight"]
    )


def test_positions_of_another_side_are_fitted_as_timm_does() -> None:
    model, _ = build("test_vit", 96, NEW, Beginning(tensors("test_vit", 10), (), "weights test_vit"))
    assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 4)


def test_weights_of_another_shape_are_refused_by_name() -> None:
    theirs = tensors("test_efficientnet", 10)
    theirs["conv_stem.weight"] = torch.zeros(4, 3, 3, 3)
    with pytest.raises(LearnError, match=r"weights x do not fit test_efficientnet at 32 px: .*conv_stem\.weight"):
        build("test_efficientnet", 32, NEW, Beginning(theirs, (), "weights x"))
