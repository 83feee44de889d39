"""Two versions side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from registry_makers import KIND, publish, put_evaluation, record

from lvbag.registry import RegistryError, compare_versions
from lvbag.registry.comparing import Difference, Figure, ProductChange, differences
from lvbag.registry.records import Evaluation, Measured, ModelSpec
from lvbag.store import Store, keys

PRODUCTS = {"M40620": 10, "M41108": 20, "M45000": 5}


def evaluation(key: str, **right: dict[str, int]) -> Evaluation:
    """Versions `v1`, `v2` … with what each gets right of `PRODUCTS`."""
    measured = tuple(
        Measured(version=int(name[1:]), metrics={"top1": sum(found.values()) / 35}, right=found)
        for name, found in right.items()
    )
    return Evaluation(
        kind=KIND, key=key, data="s-1", test_images=35, classes=3, champion=measured[0], challengers=measured[1:],
        products=PRODUCTS,
    )  # fmt: skip


def test_what_two_versions_were_made_of_is_told_where_it_differs() -> None:
    a = record(1, "a", start="scratch", detector="0001")
    spec = ModelSpec(architecture="efficientnet_b1", image_side_px=64, classes=("M41108", "M50000", "M50001"))
    b = record(2, "b", start="classifier 0001", detector="0002", parent=1, seed=3, model=spec, recipe_sha256="cd" * 32)
    assert differences(a, a) == ()
    assert differences(a, b) == (
        Difference("recipe", "efficientnet_b0 (sha256 abababababab)", "efficientnet_b0 (sha256 cdcdcdcdcdcd)"),
        Difference("seed", "0", "3"),
        Difference("network", "efficientnet_b0, 32 px", "efficientnet_b1, 64 px"),
        Difference("classes", "2", "3"),
        Difference("started from", "scratch", "classifier 0001"),
        Difference("parent", "none", "0001"),
        Difference("detector", "0001", "0002"),
        Difference("only here", "M40620", "M50000, M50001"),
    )


def test_figures_stand_side_by_side_and_the_newest_common_evaluation_counts(store: Store, tmp_path: Path) -> None:
    for key in ("a", "b", "c"):
        publish(store, tmp_path, key)
    put_evaluation(store, evaluation("e1", v1={"M40620": 1}, v2={"M40620": 2}))
    put_evaluation(store, evaluation("e2", v1={"M40620": 9, "M41108": 10, "M45000": 5}, v2=PRODUCTS))
    put_evaluation(store, evaluation("e3", v1={"M40620": 3}, v3={"M40620": 4}))
    store.put(keys.evaluation(KIND, "broken"), b"{}")

    found = compare_versions(store, KIND, 2, 1)

    assert found.figures == (Figure("top1", 0.9, 0.9),)
    assert found.figures[0].change == 0.0
    assert found.together is not None
    assert (found.together.key, found.together.test_images) == ("e2", 35)
    assert found.together.figures == (Figure("top1", 1.0, 24 / 35),)
    assert found.together.products == (ProductChange("M41108", 20, 20, 10), ProductChange("M40620", 10, 10, 9))
    assert compare_versions(store, KIND, 2, 3).together is None
    with pytest.raises(RegistryError, match="0009 does not exist"):
        compare_versions(store, KIND, 1, 9)
