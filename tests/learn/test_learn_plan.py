"""Whether there is enough new, and the detector's split."""

from __future__ import annotations

import hashlib

import pytest
from builders import make_snapshot
from hypothesis import given
from hypothesis import strategies as st

from lvbag.labels.records import LabelledBox, LabelledImage
from lvbag.learn import LearnError, enough_new, evaluate_classifiers
from lvbag.learn.classifier.data import read_snapshot
from lvbag.learn.detector.data import split_groups
from lvbag.learn.plan import judge_new
from lvbag.settings import Settings
from lvbag.store import CorruptObject, Store, keys


@pytest.mark.parametrize(
    ("champion", "new", "force", "ready", "why"),
    [
        (None, 40, False, True, "no champion yet"),
        ("a", 99, False, False, "only 99 training images are new .* a; train.min_new_images asks for 100"),
        ("a", 100, False, True, "100 training images are new"),
        ("b", 0, False, False, "trained on this very snapshot b"),
        ("b", 0, True, True, "by hand"),
    ],
)
def test_training_waits_for_enough_new_images(
    champion: str | None, new: int, force: bool, ready: bool, why: str
) -> None:
    readiness = judge_new("b", champion, new, 100, force)
    assert (readiness.ready, readiness.new_images) == (ready, new)
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(readiness.why)


def test_without_a_champion_every_training_image_is_new(store: Store, settings: Settings) -> None:
    make_snapshot(store, "snap", per_product=10)
    readiness = enough_new(store, settings, "snap")
    assert (readiness.ready, readiness.new_images) == (True, 28)


def test_an_evaluation_of_nothing_is_refused(store: Store, settings: Settings) -> None:
    with pytest.raises(LearnError, match="no champion, and no challenger"):
        evaluate_classifiers(store, settings, "snap", [])


def test_a_snapshot_is_read_in_the_order_of_its_manifest(store: Store, settings: Settings) -> None:
    manifest = make_snapshot(store, "snap", per_product=10)
    snapshot = read_snapshot(store, "snap", 40, settings.images)
    assert snapshot.images.shape == (40, 40, 40, 3)
    assert snapshot.rows.equals(manifest)
    assert snapshot.labels[snapshot.indices("test")].tolist() == manifest.filter(split="test")["label"].to_list()
    red = snapshot.images[snapshot.labels == 0].reshape(-1, 3)
    assert red[:, 0].mean() > red[:, 1].mean() + 20


def test_a_changed_or_missing_crop_is_found(store: Store, settings: Settings) -> None:
    make_snapshot(store, "one", per_product=10)
    make_snapshot(store, "two", per_product=10, first=100)
    shard = keys.snapshot_shard("one", 0)
    whole = store.get(shard)
    store.put(shard, store.get(keys.snapshot_shard("two", 0)))
    with pytest.raises(CorruptObject, match="hold 0 of 40 crops"):
        read_snapshot(store, "one", 32, settings.images)
    at = whole.index(b"\xff\xd8")
    store.put(shard, whole[: at + 300] + bytes([whole[at + 300] ^ 1]) + whole[at + 301 :])
    with pytest.raises(CorruptObject, match="is not the one in the manifest"):
        read_snapshot(store, "one", 32, settings.images)
    with pytest.raises(LearnError, match="there is no snapshot 'none'"):
        read_snapshot(store, "none", 32, settings.images)


def image(number: int, group: int, boxed: bool = True) -> LabelledImage:
    name = hashlib.sha256(f"g{group}".encode()).hexdigest()
    boxes = (LabelledBox(x0=0.1, y0=0.1, x1=0.5, y1=0.5, label=0),) if boxed else ()
    return LabelledImage(path=f"{number}.jpg", sha256=name, width=10, height=10, group=name, boxes=boxes)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=60))
def test_groups_never_straddle_and_every_part_has_a_bag_if_there_are_three(items: list[tuple[int, bool]]) -> None:
    images = [image(number, group, boxed) for number, (group, boxed) in enumerate(items)]
    parts = split_groups(images, 0.1, 0.15)
    assert set(parts) == {i.group for i in images}
    boxed = {i.group for i in images if i.boxes}
    if len(boxed) >= 3:
        assert {parts[group] for group in boxed} == {"train", "val", "test"}


def test_a_picture_stays_in_its_part_when_more_are_labelled() -> None:
    few = split_groups([image(n, n) for n in range(100)], 0.1, 0.15)
    many = split_groups([image(n, n) for n in range(300)], 0.1, 0.15)
    assert {group: many[group] for group in few} == few
    share = sum(part == "test" for part in many.values()) / len(many)
    assert 0.1 < share < 0.2
