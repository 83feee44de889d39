"""`lvbag curate duplicates` over folders of files: what is found, what is told, what is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lvbag.cli import app
from lvbag.images.fingerprints import VIEWS
from shared_data import SHARED_DATA


def photo(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)


def run(*arguments: str | Path, status: int = 0) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(app, ["curate", "duplicates", "--json", *map(str, arguments)])
    assert result.exit_code == status, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return {row["file"]: row for row in rows}


def test_copies_are_linked_to_the_best_one_by_rule_and_distance(tmp_path: Path) -> None:
    photo(1, (640, 480)).save(tmp_path / "large.png")
    (tmp_path / "again.png").write_bytes((tmp_path / "large.png").read_bytes())
    (tmp_path / "below").mkdir()
    photo(1, (640, 480)).resize((320, 240)).save(tmp_path / "below" / "small.jpg", quality=70)
    photo(1, (640, 480)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 225)).save(tmp_path / "mirror.webp")
    photo(2).save(tmp_path / "other.jpg")
    rows = run(tmp_path)
    assert list(rows) == ["again.png", "below/small.jpg", "large.png", "mirror.webp", "other.jpg"]
    assert set(rows["large.png"]) == {
        *("file", "cluster", "representative", "distance64", "distance256", "distance_colour", "rule")
    }
    assert [row["rule"] for row in rows.values()] == [None, "near", "exact", "near_mirrored", None]
    assert {row["representative"] for row in rows.values()} == {"again.png", "other.jpg"}
    assert rows["large.png"]["distance256"] == 0
    assert rows["other.jpg"]["cluster"] != rows["large.png"]["cluster"]


def test_what_is_no_picture_is_told_and_no_failure(tmp_path: Path) -> None:
    photo(1).save(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "fake.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    rows = run(tmp_path)
    assert rows["notes.txt"]["refused"] == "not_an_image"
    assert str(rows["fake.jpg"]["refused"]).startswith(("truncated", "broken"))
    assert str(rows["tiny.png"]["refused"]).startswith("too_small")
    assert rows["gone.jpg"]["refused"] == "not_a_file"
    assert rows["a.jpg"]["rule"] is None


def test_a_file_that_cannot_be_read_is_named_and_gives_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(1).save(tmp_path / "a.jpg")
    photo(2).save(tmp_path / "locked.jpg")
    real = Path.open

    def locked(path: Path, *arguments: object, **names: object) -> object:
        if path.name == "locked.jpg":
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **names)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", locked)
    rows = run(tmp_path, status=1)
    assert rows["locked.jpg"]["refused"] == "unreadable: Permission denied"
    assert rows["a.jpg"]["rule"] is None


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    photo(1).save(outside / "secret.jpg")
    photo(2).save(inside / "own.jpg")
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    assert list(run(inside)) == ["own.jpg"]


def test_the_sheet_draws_a_row_a_cluster(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, seed, side in (("a", 1, 320), ("b", 1, 240), ("c", 2, 320), ("d", 3, 320), ("e", 3, 200)):
        photo(seed, (640, 480)).resize((side, side * 3 // 4)).save(folder / f"{name}.png")
    run(folder, "--sheet", tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        rows = sheet.height // (128 + 34)
        drawn = np.asarray(sheet.convert("L"))
    assert rows == 2
    assert drawn[:, 8 : 2 * 128 - 8].std() > 20
    assert drawn[10:, 3 * 128 :].min() > 150  # nothing but the lines between rows beyond the second column


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "is no folder"), (["--sheet", "sheet.gif", "."], "ends in .jpg or .png")],
)
def test_a_wrong_argument_is_named(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(
        app, ["curate", "duplicates", *(str(tmp_path / arguments[0]) if a == "nowhere" else a for a in arguments)]
    )
    assert result.exit_code != 0
    assert message in str(result.exception)


@pytest.mark.skipif(not (SHARED_DATA / "neardup").is_dir(), reason="no shared data")
def test_real_edits_are_one_cluster_and_real_turns_say_which() -> None:
    mods = run(SHARED_DATA / "neardup" / "bridge-mods")
    assert len({row["cluster"] for row in mods.values()}) == 1
    turned = run(SHARED_DATA / "neardup" / "dih")
    assert len({row["cluster"] for row in turned.values()}) == 1
    assert {row["rule"] for row in turned.values()} == {None, *(f"near_{view}" for view in VIEWS[1:])}


@pytest.mark.skipif(not (SHARED_DATA / "photos").is_dir(), reason="no shared data")
def test_the_exact_duplicates_of_real_photos_are_found() -> None:
    folder = SHARED_DATA / "photos" / "bag_types10"
    rows = run(folder)
    by_bytes: dict[bytes, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            by_bytes.setdefault(path.read_bytes(), []).append(path.relative_to(folder).as_posix())
    equal = [names for names in by_bytes.values() if len(names) > 1 and "refused" not in rows[names[0]]]
    assert equal
    for names in equal:
        assert len({rows[name]["cluster"] for name in names}) == 1
        assert "exact" in {rows[name]["rule"] for name in names}
