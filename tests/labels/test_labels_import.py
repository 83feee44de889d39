"""Importing label exports into a real store."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lvbag.labels import LabelError, import_labels, newest_labels, read_labels
from lvbag.labels import exports as exports_module
from lvbag.labels.grouping import Print, group_near
from lvbag.settings import DetectorSettings, Settings
from lvbag.store import Bucket, Store, keys
from shared_data import SHARED_DATA


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((120, 90))
    ImageDraw.Draw(image).ellipse((seed * 9, 10, seed * 9 + 40, 60), fill=(seed * 30 % 255, 80, 160))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def export_files(**more: bytes | str) -> dict[str, bytes | str]:
    files: dict[str, bytes | str] = {
        "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
        "obj.names": "BigBag\nSmallBag\n",
        "train.txt": "".join(f"data/obj_train_data/{name}.png\r\n" for name in ("a b", "50% off", "none")),
        "obj_train_data/a b.png": picture(1),
        "obj_train_data/a b.txt": "0 0.5 0.5 0.2 0.2\n1 0.25 0.25 0.1 0.1\n",
        "obj_train_data/50% off.png": picture(2),
        "obj_train_data/50% off.txt": "1 0.5 0.5 0.4 0.4\r\n",
        "obj_train_data/none.png": picture(3),
        "obj_train_data/none.txt": "",
    }
    return files | {name.replace("__", "."): value for name, value in more.items()}


def zipped(files: dict[str, bytes | str], path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def defects(store: Store, name: str) -> set[tuple[str, int, str]]:
    return {(d.file, d.line, d.kind) for d in read_labels(store, name).defects}


def test_a_zip_and_its_folder_are_the_same_label_set_with_merged_classes(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    assert newest_labels(store) is None
    archive = zipped(export_files(), tmp_path / "export.zip")
    labels = import_labels(store, settings, archive)
    assert (labels.images, labels.boxes, labels.classes, labels.defects) == (3, 3, ("Bag",), 0)
    assert labels.uri == store.uri(keys.labels(labels.name, "labels.json"))
    assert store.get(keys.labels(labels.name, "export.zip")) == archive.read_bytes()
    before = {item.ref: item.etag for item in store.list_objects(Bucket.CURATED)}
    assert import_labels(store, settings, write(tmp_path / "folder", export_files())) == labels
    assert {item.ref: item.etag for item in store.list_objects(Bucket.CURATED)} == before
    index = read_labels(store, labels.name)
    assert [(image.path, len(image.boxes)) for image in index.images] == [
        ("obj_train_data/50% off.png", 1),
        ("obj_train_data/a b.png", 2),
        ("obj_train_data/none.png", 0),
    ]
    assert (index.images[0].width, index.images[0].height) == (120, 90)
    assert newest_labels(store) == labels.name


def test_other_merging_is_another_label_set_and_the_last_import_is_the_newest(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    folder = write(tmp_path / "folder", export_files())
    first = import_labels(store, settings, folder)
    apart = DetectorSettings(class_map={"BigBag": "BigBag", "SmallBag": "SmallBag"})
    second = import_labels(store, settings.model_copy(update={"detector": apart}), folder)
    assert second.name != first.name
    assert second.classes == ("BigBag", "SmallBag")
    assert newest_labels(store) == second.name
    import_labels(store, settings, folder)
    assert newest_labels(store) == first.name


def test_a_folder_is_kept_as_the_same_bytes_each_time(settings: Settings, tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        folder = write(tmp_path / name, export_files())
        with exports_module.open_export(folder) as export, exports_module.packed(folder, export) as path:
            kept.append(path.read_bytes())
    assert kept[0] == kept[1]


def test_every_defect_is_listed_and_its_image_left_out(store: Store, settings: Settings, tmp_path: Path) -> None:
    files = export_files()
    files["obj.data"] = "classes = 3\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n"
    files["train.txt"] = "".join(
        f"data/obj_train_data/{name}.png\n" for name in ("a b", "50% off", "a b", "gone", "torn", "far", "bare")
    )
    files |= {
        "obj_train_data/torn.png": picture(4)[:200],
        "obj_train_data/torn.txt": "0 0.5 0.5 0.2 0.2",
        "obj_train_data/far.png": picture(5),
        "obj_train_data/far.txt": "0 0.5 0.5 0.2 0.2\n0 0.9 0.9 0.5 0.5\n7 0.5 0.5 0.1 0.1\nx\n",
        "obj_train_data/bare.png": picture(6),
    }
    labels = import_labels(store, settings, write(tmp_path / "folder", files))
    assert defects(store, labels.name) == {
        ("obj.data", 0, "class-count"),
        ("obj.data", 0, "missing-list"),
        ("train.txt", 3, "listed-twice"),
        ("train.txt", 4, "missing-image"),
        ("obj_train_data/torn.png", 0, "undecodable"),
        ("obj_train_data/far.txt", 2, "box-outside"),
        ("obj_train_data/far.txt", 3, "unknown-class"),
        ("obj_train_data/far.txt", 4, "bad-row"),
        ("obj_train_data/bare.png", 0, "missing-label"),
        ("obj_train_data/none.png", 0, "unlisted-image"),
    }
    assert labels.defects == 10
    assert labels.images == 2


def test_a_class_that_the_setting_does_not_know_stops_the_import(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    folder = write(tmp_path / "folder", export_files(obj__names="BigBag\nWallet\n"))
    with pytest.raises(LabelError, match=r"class 'Wallet' is not in the setting detector\.class_map"):
        import_labels(store, settings, folder)
    assert newest_labels(store) is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"readme.txt": "x"}, "neither obj.data nor obj.names"),
        ({"obj.names": "\n"}, "is empty"),
        ({"obj.data": "classes = 1\nnames = data/gone.names\n"}, "names no file with class names"),
        ({"obj.names": "Bag\n", "1.png": picture(1), "1.txt": ""}, "no usable box in 1 images"),
        ({"obj.names": "Bag\n", "train.txt": "data/1.png\n"}, "Save images"),
    ],
)
def test_an_export_without_what_is_needed_is_refused_in_words(
    store: Store, settings: Settings, tmp_path: Path, files: dict[str, bytes | str], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        import_labels(store, settings, write(tmp_path / "folder", files))


def test_what_is_no_export_is_refused_in_words(store: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(LabelError, match="is no zip archive"):
        import_labels(store, settings, tmp_path / "text.zip")
    with pytest.raises(LabelError, match="does not exist"):
        import_labels(store, settings, tmp_path / "gone.zip")


def test_names_that_lead_out_of_the_archive_and_links_are_left_out(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = zipped(export_files() | {"../evil.txt": "x", "/etc/evil.png": picture(1)}, tmp_path / "export.zip")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("obj_train_data/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    labels = import_labels(store, settings, path)
    assert {d[0] for d in defects(store, labels.name)} == {"../evil.txt", "/etc/evil.png", "obj_train_data/link.png"}
    assert not (tmp_path.parent / "evil.txt").exists()


def test_a_link_in_a_folder_is_not_followed(store: Store, settings: Settings, tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", export_files())
    outside = write(tmp_path / "outside", {"secret.png": picture(7)})
    (folder / "obj_train_data" / "secret.png").symlink_to(outside / "secret.png")
    labels = import_labels(store, settings, folder)
    assert labels.images == 3
    assert labels.defects == 0


def test_a_zip_bomb_is_refused_before_it_is_unpacked(store: Store, settings: Settings, tmp_path: Path) -> None:
    path = zipped(export_files() | {"obj_train_data/bomb.png": b"\0" * 20_000_000}, tmp_path / "bomb.zip")
    with pytest.raises(LabelError, match="unpacks to 20000000 bytes"):
        import_labels(store, settings, path)


def test_an_export_above_the_limits_is_refused(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(export_files(), tmp_path / "export.zip")
    monkeypatch.setattr(exports_module, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(LabelError, match="split the export"):
        import_labels(store, settings, path)


def test_the_same_photo_resized_falls_into_one_group_and_other_photos_do_not() -> None:
    def prints(name: str, short: int, long: bytes) -> Print:
        return Print(name, name, 10, 10, short, long)

    base, other = bytes(32), bytes([255] * 32)
    groups = group_near(
        [prints("c", 0b111, bytes([7, *bytes(31)])), prints("a", 0, base), prints("b", 2**64 - 1, other)]
    )
    assert groups == {"a": "a", "b": "b", "c": "a"}


@pytest.mark.skipif(not (SHARED_DATA / "labels").is_dir(), reason="the shared real inputs are absent")
class TestRealExports:
    def folder(self, name: str, tmp_path: Path) -> Path:
        return Path(shutil.copytree(SHARED_DATA / "labels" / name, tmp_path / "export"))

    def with_map(self, settings: Settings, *names: str) -> Settings:
        return settings.model_copy(update={"detector": DetectorSettings(class_map=dict.fromkeys(names, "Bag"))})

    def test_datumaros_export_is_read(self, store: Store, settings: Settings, tmp_path: Path) -> None:
        folder = self.folder("cvat-ai_datumaro/yolo_dataset/yolo", tmp_path)
        labels = import_labels(store, self.with_map(settings, "label_2", "label_4"), folder)
        assert (labels.images, labels.boxes, labels.classes, labels.defects) == (1, 2, ("Bag",), 0)

    def test_an_export_with_crlf_and_paths_of_another_machine_is_read(
        self, store: Store, settings: Settings, tmp_path: Path
    ) -> None:
        labels = import_labels(store, self.with_map(settings, "pen"), self.folder("pen_crlf", tmp_path))
        assert labels.images == labels.boxes > 0
        assert {kind for _, _, kind in defects(store, labels.name)} <= {
            "missing-names",
            "missing-list",
            "missing-label",
        }

    def test_lists_with_absolute_paths_and_no_pictures_are_refused_in_words(
        self, store: Store, settings: Settings, tmp_path: Path
    ) -> None:
        with pytest.raises(LabelError, match="no usable box"):
            import_labels(store, settings, self.folder("DInesh_tyres", tmp_path))
