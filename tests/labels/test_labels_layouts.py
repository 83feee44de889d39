"""Layouts of exports: ultralytics' folders and lists, darknet folders, and everything that can be wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_exports import row, scene, ultralytics

from lvbag.labels import LabelError, LabelReport, check_labels
from lvbag.labels.exports import open_export, packed
from lvbag.labels.yolo import Paths, parse_rows
from lvbag.settings import DetectorSettings, Settings
from shared_data import SHARED_DATA

A, BOX = scene(1)
B, _ = scene(2)
C, _ = scene(3)
TEXT = row(BOX)


def kinds(report: LabelReport) -> set[tuple[str, int, str]]:
    return {(defect.file, defect.line, defect.kind) for defect in report.defects}


@pytest.mark.parametrize(
    "yaml",
    [
        "path: .\ntrain: images/train\nval: images/val\nnames: {0: Bag}\n",
        "train: ../train/images/train\nval: /home/somebody/set/images/val\nnc: 1\nnames: [Bag]\n",
        "path: /datasets/bags\ntrain: images//train/\nval: images\\val\nnames:\n  - Bag\n",
        "train: [images/train/a b.jpg, images/train/50%25.jpg]\nval: images/val\nnames: [Bag]\n",
        "train: lists/train.txt\nval: images/val/\nnames: [Bag]\n",
    ],
)
def test_subsets_are_folders_lists_or_images_with_anybodys_paths(settings: Settings, tmp_path: Path, yaml: str) -> None:
    folder = ultralytics(
        tmp_path,
        {"train/a b.jpg": A, "train/50%.jpg": B, "val/c.jpg": C},
        {"train/a b.txt": TEXT, "train/50%.txt": TEXT, "val/c.txt": ""},
        yaml,
    )
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text("./images/train/a b.jpg\r\n/x/images/train/50%.jpg\\n\r\n")
    report = check_labels(settings, folder)
    assert (report.images, report.boxes, report.classes, report.why) == (3, 2, ("Bag",), None)
    assert kinds(report) <= {("lists/train.txt", 2, "escaped-newline")}


def test_every_defect_of_such_a_set_is_listed(settings: Settings, tmp_path: Path) -> None:
    folder = ultralytics(
        tmp_path,
        {"train/a.jpg": A, "train/a.png": B, "train/c.jpg": C, "val/d.jpg": C + b"\0", "other/e.jpg": B},
        {"train/a.txt": TEXT, "train/c.txt": f"{TEXT.strip()}\\n{TEXT}", "val/d.txt": TEXT, "other/e.txt": TEXT},
        "train: images/train\nval: images/val\ntest: images/gone\nnc: 2\nnames: [Bag]\n",
    )
    report = check_labels(settings, folder)
    assert kinds(report) == {
        ("data.yaml", 0, "class-count"),
        ("data.yaml", 0, "missing-list"),
        ("images/other/e.jpg", 0, "unlisted-image"),
        ("labels/train/a.txt", 0, "shared-label"),
        ("labels/train/c.txt", 1, "escaped-newline"),
        ("images/val/d.jpg", 0, "in-two-subsets"),
    }
    assert (report.images, report.boxes) == (2, 3)
    assert any("images/train/a.jpg and images/train/a.png" in defect.message for defect in report.defects)


def test_a_folder_with_class_names_beside_the_images_is_a_set(settings: Settings, tmp_path: Path) -> None:
    for name, data in (("a.jpg", A), ("b.jpg", B)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.txt").write_text("")
    (tmp_path / "classes.txt").write_text("Bag\n")
    report = check_labels(settings, tmp_path)
    assert (report.images, report.boxes, report.defects) == (2, 1, ())


def test_a_subset_is_a_set_of_its_own_with_the_class_names_beside_it(settings: Settings, tmp_path: Path) -> None:
    """As data sets are published: one data.yaml, and a folder of images and labels for each subset."""
    for part, data in (("train", A), ("valid", B)):
        for kind, name, content in (("images", "a b.jpg", data), ("labels", "a b.txt", TEXT.encode())):
            (tmp_path / part / kind).mkdir(parents=True)
            (tmp_path / part / kind / name).write_bytes(content)
    (tmp_path / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['Bag']\n")
    for part in ("train", "valid"):
        report = check_labels(settings, tmp_path / part)
        assert (report.images, report.boxes, report.classes, report.defects) == (1, 1, ("Bag",), ())
    with open_export(tmp_path / "train") as export, packed(tmp_path / "train", export) as archive:
        assert check_labels(settings, archive).classes == ("Bag",)  # the names are kept with the pictures
    (tmp_path / "data.yaml").write_text("names: [\n")
    with pytest.raises(LabelError, match=r"data.yaml names the classes of .*train, and is not YAML"):
        check_labels(settings, tmp_path / "train")
    (tmp_path / "train" / "classes.txt").write_text("SmallBag\n")  # its own names come first
    assert check_labels(settings, tmp_path / "train").classes == ("Bag",)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("names: [\n", "data.yaml is not YAML"),
        ("names: 3\n", "names must be a list"),
        ("names: {a: Bag}\n", "names are not numbered"),
        ("names: {0: Bag, 2: SmallBag}\n", "class numbers must be 0 to 1"),
        ("train: images\n", "a data.yaml with names"),
    ],
)
def test_a_data_yaml_that_names_nothing_is_refused_in_words(
    settings: Settings, tmp_path: Path, yaml: str, message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        check_labels(settings, ultralytics(tmp_path, {"a.jpg": A}, {"a.txt": TEXT}, yaml))


def test_class_names_are_merged_whatever_their_case(settings: Settings, tmp_path: Path) -> None:
    folder = ultralytics(tmp_path, {"a.jpg": A}, {"a.txt": TEXT}, "train: images\nnames: [backpack]\n")
    assert check_labels(settings, folder).classes == ("Bag",)
    other = ultralytics(tmp_path, {"a.jpg": A}, {"a.txt": TEXT}, "train: images\nnames: [bicycle]\n")
    report = check_labels(settings, other)
    assert "class 'bicycle' is not in the setting detector.class_map" in str(report.why)
    assert report.classes == ("bicycle",)


@pytest.mark.parametrize(
    ("text", "keypoints", "boxes"),
    [
        ("0 0.1 0.1 0.5 0.1 0.5 0.4 0.1 0.4", 0, [(0.1, 0.1, 0.5, 0.4)]),
        ("0 0.2 0.2 0.6 0.3 0.4 0.8", 0, [(0.2, 0.2, 0.6, 0.8)]),
        ("0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.3 0.3 2", 6, [(0.4, 0.4, 0.6, 0.6)]),
        ("0 0.5 0.5 0.2 0.2 0.9", 0, []),
        ("0 0.5 0.5 0.2 0.2", 6, []),
    ],
)
def test_polygons_and_keypoints_count_as_their_boxes(text: str, keypoints: int, boxes: list[tuple[float, ...]]) -> None:
    rows, defects = parse_rows(text, "a.txt", 1, keypoints)
    assert [(row.x0, row.y0, row.x1, row.y1) for row in rows] == boxes
    assert [defect.kind for defect in defects] == ([] if boxes else ["bad-row"])


def test_a_name_is_found_as_it_stands_before_it_is_read_as_an_address() -> None:
    paths = Paths(["a%20b.jpg", "c d.jpg"], "")
    assert paths.find("x/a%20b.jpg") == "a%20b.jpg"
    assert paths.find("x/c%20d.jpg") == "c d.jpg"


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared real inputs are absent")
@pytest.mark.parametrize(
    ("name", "boxes"),
    [
        ("yolo", 2),
        ("yolov8_detection", 2),
        ("yolov8_detection_with_list_of_imgs", 2),
        ("yolov8_detection_with_list_of_names", 2),
        ("yolov8_detection_with_subset_txt", 2),
        ("yolov8_oriented_boxes", 2),
        ("yolov8_pose", 1),
        ("yolov8_pose_two_values_per_point", 1),
        ("yolov8_segmentation", 2),
    ],
)
def test_datumaros_exports_are_read(settings: Settings, name: str, boxes: int) -> None:
    names = ("skeleton_label", *(f"label_{number}" for number in range(10)))
    chosen = settings.model_copy(update={"detector": DetectorSettings(class_map=dict.fromkeys(names, "Bag"))})
    report = check_labels(chosen, SHARED_DATA / "labels" / "cvat-ai_datumaro" / "yolo_dataset" / name)
    assert (report.images, report.boxes, report.defects, report.why) == (1, boxes, (), None)
