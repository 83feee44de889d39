"""Recipes: where they are looked for, what is refused, and what their digest depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvbag.learn.recipes import (
    ClassifierRecipe,
    RecipeError,
    load_classifier_recipe,
    load_detector_recipe,
    recipe_digest,
)
from lvbag.settings import PROJECT_ROOT, Settings

GOOD = "kind: classifier\nmodel: test_efficientnet\n"


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "recipes"
    folder.mkdir()
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path))
    return folder


@pytest.mark.parametrize("folder", ["config/recipes", "plugins/lvbag/demo/recipes"])
def test_every_recipe_of_the_project_is_valid_and_the_defaults_are_there(
    folder: str, recipes: Path, settings: Settings
) -> None:
    names = set()
    for path in sorted((PROJECT_ROOT / folder).glob("*.yaml")):
        (recipes / path.name).write_text(path.read_text())
        names.add(path.stem)
        is_detector = "kind: detector" in path.read_text()
        (load_detector_recipe if is_detector else load_classifier_recipe)(path.stem)
    if folder == "config/recipes":
        assert {settings.detector.recipe, *settings.train.recipes} <= names
    else:
        assert load_classifier_recipe("demo_untrained").epochs == 0


def test_the_configurations_own_recipe_wins_over_the_projects(recipes: Path) -> None:
    assert load_classifier_recipe("efficientnet_b0").model == "efficientnet_b0"
    (recipes / "efficientnet_b0.yaml").write_text(GOOD)
    assert load_classifier_recipe("efficientnet_b0").model == "test_efficientnet"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "epochs: -1\n", r"epochs = -1: must be greater than or equal to 0"),
        (GOOD + "optimizer: adamm\n", r"optimizer = 'adamm': must be 'sgd', .*'adamw'"),
        (GOOD + "lr: 0.1\n", r"lr: there is no such field"),
        (GOOD + "augment: {scale: [1.0, 0.5]}\n", r"augment = .*least first"),
        (GOOD + "augment: {ratio: [2.0, 0.5]}\n", r"augment = .*ratio .*least first"),
        (GOOD + "augment: {shift: 0.7}\n", r"shift"),
        (GOOD + "model: ../../evil\n", r"model = '../../evil'"),
        (GOOD + "batch: 8\naccumulate: 5\n", r"accumulate must leave two pictures of a batch of 8 to each part"),
        (GOOD + "sampling: balanced\nlogit_adjustment: 1.0\n", r"both make up for rare products; take one of them"),
        (
            GOOD + "start: elsewhere\n",
            r"start = 'elsewhere': must be 'scratch', 'champion', 'pretrained' or 'outliers'",
        ),
        ("kind: classifier\n", r"model: is missing"),
        ("kind: detector\nmodel: yolo11n\n", r"kind = 'detector': must be 'classifier'"),
        ("- a\n- b\n", r"must hold fields by name, found list"),
        ("a: [\n", r"is not YAML"),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_field_value_and_what_is_allowed(
    recipes: Path, text: str, message: str
) -> None:
    (recipes / "mine.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        load_classifier_recipe("mine")
    assert str(recipes / "mine.yaml") in str(error.value)


def test_the_page_about_training_tells_of_every_field_and_every_recipe() -> None:
    page = (PROJECT_ROOT / "docs" / "training.md").read_text()
    fields = set(ClassifierRecipe.model_fields) - {"kind"}
    assert not [name for name in fields if f"`{name}`" not in page]
    recipes = {path.stem for path in (PROJECT_ROOT / "config" / "recipes").glob("*.yaml")}
    inner = {"efficientnet_b2", "efficientnet_b3"}  # of a row that goes from b1 to b4
    assert not [name for name in recipes - inner if "detector" not in name and name.removesuffix("4") not in page]


def test_a_missing_recipe_names_those_that_there_are(recipes: Path) -> None:
    (recipes / "mine.yaml").write_text(GOOD)
    with pytest.raises(RecipeError, match=r"no recipe 'yours'.*efficientnet_b0, .*, mine"):
        load_classifier_recipe("yours")
    with pytest.raises(RecipeError, match="is no recipe's name"):
        load_classifier_recipe("../mine")


def test_the_digest_depends_on_values_alone(recipes: Path) -> None:
    (recipes / "one.yaml").write_text(GOOD + "batch: 64\n")
    (recipes / "two.yaml").write_text("# the same\nmodel: test_efficientnet\nkind: classifier\n")
    one, two = load_classifier_recipe("one"), load_classifier_recipe("two")
    assert recipe_digest(one) == recipe_digest(two)
    values = one.model_dump() | {"batch": 32}
    assert recipe_digest(ClassifierRecipe.model_validate(values)) != recipe_digest(one)
