"""`lvbag images inspect`: what is told of files that are pictures and of those that are not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.images import ImageRefused, read_file
from lvbag.settings import ImageSettings


def photo(size: tuple[int, int] = (240, 200)) -> Image.Image:
    patches = np.random.default_rng(1).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def run(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["images", "inspect", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.stdout


def rows(*arguments: str | Path, status: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in run("--json", *arguments, status=status).splitlines()]


def test_a_picture_is_told_by_one_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "bag.jpg"  # the extension lies
    photo().save(file, "PNG")
    (row,) = rows(file)
    assert list(row) == [
        *("file", "format", "width", "height", "sha256", "phash64", "phash256", "fingerprint", "quality")
    ]
    assert (row["file"], row["format"], row["width"], row["height"]) == (str(file), "png", 240, 200)
    assert row["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert row["phash64"] == str(imagehash.phash(photo()))
    assert row["phash256"] == str(imagehash.phash(photo(), hash_size=16))
    quality = row["quality"]
    assert isinstance(quality, dict)
    assert set(quality) == {
        *("size", "aspect", "blur", "brightness", "contrast", "entropy", "greyscale", "chroma", "white_background")
    }
    assert (quality["size"], quality["aspect"], quality["greyscale"]) == (48000, 1.2, False)


def test_hashes_have_all_their_digits(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), (9, 9, 9)).save(tmp_path / "plain.png")
    (row,) = rows(tmp_path / "plain.png")
    assert (len(str(row["phash64"])), len(str(row["phash256"]))) == (16, 64)
    assert row["phash64"] == str(row["phash64"]).lower()


def test_the_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo().save(tmp_path / "turned.jpg", exif=exif)
    (row,) = rows(tmp_path / "turned.jpg")
    assert (row["width"], row["height"]) == (200, 240)


def test_what_cannot_be_taken_is_told_with_its_reason_and_the_others_are_answered(tmp_path: Path) -> None:
    photo().save(tmp_path / "good.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "good.jpg").read_bytes()[:-9])
    photo((64, 48)).save(tmp_path / "small.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    names = ["text.jpg", "empty.jpg", "cut.jpg", "small.jpg", "missing.jpg", "loop.jpg", "pipe.jpg", ".", "good.jpg"]
    found = rows(*(tmp_path / name for name in names), status=1)
    assert [row.get("refused") for row in found] == [
        "not_an_image",
        "not_an_image",
        "truncated",
        "too_small: 64x48 px, images.min_side_px is 96",
        "unreadable: No such file or directory",
        "unreadable: Too many levels of symbolic links",
        "unreadable: not a regular file",
        "unreadable: a folder, name the files in it",
        None,
    ]
    assert all(set(row) == {"file", "refused"} for row in found[:-1])
    assert found[-1]["format"] == "jpg"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path: Path) -> None:
    photo().save(tmp_path / "secret.jpg")
    (tmp_path / "secret.jpg").chmod(0)
    (row,) = rows(tmp_path / "secret.jpg", status=1)
    assert row["refused"] == "unreadable: Permission denied"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(50_000_000_000)  # a hole: takes no room on the disk
    (row,) = rows(tmp_path / "huge.jpg", status=1)
    assert row["refused"] == "too_many_bytes: 50000000000, images.max_bytes is 20000000"
    photo().save(tmp_path / "good.jpg")
    monkeypatch.setenv("LVBAG_IMAGES__MAX_BYTES", "1000")
    (row,) = rows(tmp_path / "good.jpg", status=1)
    assert str(row["refused"]).endswith("images.max_bytes is 1000")


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc")
def test_a_file_that_does_not_tell_its_size_is_read_up_to_the_limit() -> None:
    with pytest.raises(ImageRefused, match=r"too_many_bytes: 101, images\.max_bytes is 100"):
        read_file(Path("/proc/self/status"), ImageSettings(max_bytes=100))


def test_without_json_a_person_reads_the_same(tmp_path: Path) -> None:
    photo().save(tmp_path / "[red]bag.png")
    (tmp_path / "text.png").write_text("no picture")
    text = run(tmp_path / "[red]bag.png", tmp_path / "text.png", status=1)
    assert "[red]bag.png  png, 240 x 200 px" in text
    assert str(imagehash.phash(photo())) in text
    assert "text.png  not_an_image" in text


def test_a_name_that_is_no_text_is_told_all_the_same(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    photo().save(os.fsdecode(name), "PNG")
    command = [os.fsencode(Path(sys.executable).with_name("lvbag")), b"images", b"inspect", b"--json", name]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["file"].endswith("caf\\xe9.png")
