"""Label sets that cannot be believed are refused with the reason; sound ones are not."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from label_exports import Box, random_box, row, scene, scenes, ultralytics

from lvbag.labels import LabelError, check_labels, import_labels, newest_labels
from lvbag.labels import belief as belief_module
from lvbag.labels.belief import Labelled, boxes_fit, judge_labels, overlap
from lvbag.labels.sampling import Sample
from lvbag.settings import DetectorSettings, LabelSettings, Settings
from lvbag.store import Store
from shared_data import SHARED_DATA


def test_a_sound_set_of_a_hundred_is_believed(store: Store, settings: Settings, tmp_path: Path) -> None:
    report = check_labels(settings, scenes(tmp_path))
    assert (report.images, report.boxes, report.why) == (100, 100, None)
    assert report.fit is not None
    assert report.fit > 0.75
    assert import_labels(store, settings, tmp_path).images == 100


@pytest.mark.parametrize("how", ["random", "shuffled"])
def test_boxes_that_were_not_drawn_on_their_pictures_are_refused(
    store: Store, settings: Settings, tmp_path: Path, how: str
) -> None:
    own = [scene(seed)[1] for seed in range(100)]
    boxes = [random_box(seed) for seed in range(100)] if how == "random" else random.Random(3).sample(own, 100)
    folder = scenes(tmp_path, boxes)
    with pytest.raises(LabelError, match=r"boxes do not suit their pictures: .* labels\.min_fit is 62%"):
        import_labels(store, settings, folder)
    assert newest_labels(store) is None
    assert "50% is chance" in str(check_labels(settings, folder).why)


def test_one_and_the_same_box_everywhere_is_refused(settings: Settings, tmp_path: Path) -> None:
    boxes: list[Box] = [(0.5, 0.5, 0.4, 0.4)] * 60 + [scene(seed)[1] for seed in range(60, 100)]
    assert "60% of the boxes are one and the same" in str(check_labels(settings, scenes(tmp_path, boxes)).why)


def test_copies_whose_boxes_do_not_agree_are_refused(settings: Settings, tmp_path: Path) -> None:
    drawn = [scene(seed) for seed in range(8)]
    pictures = {f"{n}.jpg": data for n, (data, _) in enumerate(drawn)}
    pictures |= {f"again{n}.jpg": data + b"\0" for n, (data, _) in enumerate(drawn)}
    texts = {f"{n}.txt": row(box) for n, (_, box) in enumerate(drawn)}
    far = {f"again{n}.txt": row((0.1, 0.1, 0.1, 0.1)) for n in range(8)}
    same = {f"again{n}.txt": row(box) for n, (_, box) in enumerate(drawn)}
    yaml = "train: images\nnames: [Bag]\n"
    why = check_labels(settings, ultralytics(tmp_path / "far", pictures, texts | far, yaml)).why
    assert "8 pairs of copies of one photo overlap by 0." in str(why)
    agreeing = check_labels(settings, ultralytics(tmp_path / "same", pictures, texts | same, yaml))
    assert (agreeing.why, agreeing.agreement) == (None, 1.0)


def test_too_few_labels_are_not_judged(settings: Settings, tmp_path: Path) -> None:
    report = check_labels(settings, scenes(tmp_path, [random_box(seed) for seed in range(20)], 20))
    assert (report.fit, report.same_boxes, report.agreement, report.why) == (None, None, None, None)


def test_a_set_of_which_defects_leave_out_most_is_refused(settings: Settings, tmp_path: Path) -> None:
    folder = scenes(tmp_path)
    for number in range(70):
        (folder / "labels" / f"{number:03d}.txt").write_text("0 2 2 2 2\n")
    assert "defects leave out 70% of 100 images" in str(check_labels(settings, folder).why)


def test_bags_that_all_fill_the_middle_are_not_asked_for_more_than_that() -> None:
    middle = Labelled(np.zeros((64, 64, 3), dtype=np.uint8), ((0.1, 0.1, 0.9, 0.9),), "")
    pictures = [Labelled(middle.pixels, middle.boxes, str(number)) for number in range(40)]
    assert boxes_fit(pictures) is None


def test_boxes_on_near_duplicates_are_not_learnt_from_one_another() -> None:
    """Each scene ten times with one random box: knowing the copies would tell the box at once."""
    pictures = []
    for seed in range(30):
        pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        cx, cy, wide, high = random_box(seed)
        box = (cx - wide / 2, cy - high / 2, cx + wide / 2, cy + high / 2)
        pictures += [Labelled(pixels, (box,), str(seed))] * 10
    fit = boxes_fit(pictures)
    assert fit is not None
    assert fit < LabelSettings().min_fit


def test_an_answer_does_not_depend_on_when_it_is_asked(tmp_path: Path, settings: Settings) -> None:
    folder = scenes(tmp_path, count=40)
    assert check_labels(settings, folder) == check_labels(settings, folder)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 1, 1), (0, 0, 1, 1)) == 1
    assert overlap((0, 0, 0.5, 1), (0.5, 0, 1, 1)) == 0
    assert overlap((0, 0, 1, 1), (0, 0, 1, 0.5)) == pytest.approx(0.5)


def test_a_sample_is_the_same_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from lvbag.labels import sampling
    from lvbag.labels.grouping import Print

    monkeypatch.setattr(sampling, "SAMPLE", 5)
    prints = [Print(f"{n}.jpg", f"{n:064x}", 1, 1, 0, bytes(32)) for n in range(20)]
    chosen = []
    for order in (prints, prints[::-1]):
        sample = Sample()
        for print_ in order:
            sample.offer(print_, [], lambda: np.zeros((1, 1, 3), dtype=np.uint8))
        chosen.append([seen[0].path for seen in sample.pictures()])
    assert chosen[0] == chosen[1] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_nothing_to_judge_is_believed() -> None:
    assert judge_labels([], [], LabelSettings()).why == ""


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared real inputs are absent")
class TestRealPhotographs:
    def chosen(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"detector": DetectorSettings(class_map={"backpack": "Bag"})})

    def test_real_boxes_are_believed_and_copies_between_subsets_are_named(self, settings: Settings) -> None:
        report = check_labels(self.chosen(settings), SHARED_DATA / "photos" / "backpack_yolo")
        assert report.why is None
        assert report.fit is not None
        assert report.fit > 0.85
        assert sum(defect.kind == "in-two-subsets" for defect in report.defects) > 20

    def test_a_hundred_of_them_are_believed_and_with_random_boxes_refused(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        source = SHARED_DATA / "photos" / "backpack_yolo" / "valid"
        folder = Path(shutil.copytree(source, tmp_path / "set"))
        for path in sorted((folder / "images").iterdir())[100:]:
            path.unlink()
        (folder / "data.yaml").write_text("train: images\nnames: [backpack]\n")
        assert check_labels(self.chosen(settings), folder).why is None
        for number, path in enumerate(sorted((folder / "labels").glob("*.txt"))):
            path.write_text(row(random_box(number)))
        assert "boxes do not suit" in str(check_labels(self.chosen(settings), folder).why)


def test_few_boxes_are_enough_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the set, `MAX_BOXES` are looked at."""
    asked = []
    monkeypatch.setattr(belief_module, "_preferred", lambda rows, own, fold, at: asked.append(int(own.sum())) or 0.9)
    pictures = [
        Labelled(np.zeros((64, 64, 3), dtype=np.uint8), ((x / 1000, 0.1, x / 1000 + 0.1, 0.3),) * 3, str(x))
        for x in range(300)
    ]
    assert boxes_fit(pictures) == 0.9
    assert asked == [belief_module.MAX_BOXES]
