"""`lvbag crawl match`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lvbag.commands.crawl_match import TitlesError, match, read_titles

app = typer.Typer()
app.command()(match)


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_CONFIG_DIR", str(tmp_path))
    (tmp_path / "catalog.csv").write_text(
        "style_code,name,line,material,size,aliases\nM41108,Speedy 30,speedy,Monogram,30,\n,Speedy 35,speedy,Epi,35,\n",
        encoding="utf-8",
    )


def run(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_each_title_becomes_an_object_a_line() -> None:
    rows = [json.loads(line) for line in run("--json", "LV Speedy 30 monogram", "LV Speedy 35 épi", "LV Alma")]
    assert rows[0] == {
        "title": "LV Speedy 30 monogram",
        "style_code": "M41108",
        "product": "M41108",
        "line": "speedy",
        "confidence": 0.9,
        "reason": "name_size_material: 30 monogram",
    }
    assert (rows[1]["style_code"], rows[1]["product"]) == (None, "speedy-35-epi")
    assert (rows[2]["product"], rows[2]["line"], rows[2]["confidence"]) == (None, "alma", 0.0)


def test_without_json_a_person_reads_what_was_found() -> None:
    assert run("LV Speedy 30 monogram") == [
        "M41108  line speedy  0.9  name_size_material: 30 monogram",
        "    LV Speedy 30 monogram",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '["Alma", {"title": "Speedy 30", "price": 3}]',
        'Alma\n\n{"title": "Speedy 30"}\n',
        "\ufeffAlma\r\nSpeedy 30\r\n",
    ],
)
def test_a_file_is_a_list_or_a_title_a_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "titles.json"
    file.write_text(text, encoding="utf-8")
    assert read_titles(file) == ("Alma", "Speedy 30")
    assert [json.loads(line)["title"] for line in run("--json", "--file", str(file))] == ["Alma", "Speedy 30"]


def test_one_object_is_one_title(tmp_path: Path) -> None:
    file = tmp_path / "titles.json"
    file.write_text('{\n "title": "Alma"\n}', encoding="utf-8")
    assert read_titles(file) == ("Alma",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'["Alma", 3]', "titles.json: entry 2 is neither a title nor an object with a text under 'title'"),
        (b'[{"name": "Alma"}]', "titles.json: entry 1 is neither"),
        (b'["Alma",', "titles.json begins as a JSON list and is none"),
        (b'Alma\n{"title": ', r"titles.json:2 begins as a JSON object and is none"),
        (b'Alma\n{"title": null}', r"titles.json:2 is neither"),
        (b"\xff\xfe\x00", "titles.json is not UTF-8"),
        (b"[" * 100_000, "titles.json begins as a JSON list and is none"),
        (None, "titles.json cannot be read"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "titles.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TitlesError, match=message):
        read_titles(file)


def test_nothing_to_match_is_said() -> None:
    assert "--file" in CliRunner().invoke(app, []).output
