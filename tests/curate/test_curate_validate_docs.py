"""The data docs: the same bytes for the same night, nothing from elsewhere, nothing from outside unescaped."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest
from validate_frames import NIGHT, digests, fetch, listing, picture, put_history, put_night, usual

from lvbag.curate import validate_night
from lvbag.curate.validation import data_docs
from lvbag.curate.validation.docs_index import IndexPage, SourceLine, render_index
from lvbag.curate.validation.expectations import expectations
from lvbag.curate.validation.expected import SUITES, Failure
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys

HOSTILE = '<img src=x onerror="alert(1)">'


def test_data_docs_are_uploaded_equal_on_a_rerun_and_load_nothing_from_elsewhere(
    store: Store, settings: Settings
) -> None:
    put_history(store, 5, shop=usual())
    listings = [listing(number) for number in range(8)]
    listings[0] |= {"currency": HOSTILE}
    fetches = [fetch(number) for number in range(8)]
    fetches[1] |= {"image_url": f"javascript:{HOSTILE}"}
    put_night(store, [picture(number) for number in range(8)], listings, fetches)

    result = validate_night(store, settings, NIGHT)
    first = digests(store)
    store.put(keys.data_doc(NIGHT, "validations/old.html"), b"from an earlier run")
    assert validate_night(store, settings, NIGHT) == result

    assert digests(store) == first
    pages = [item.ref for item in store.list_objects(Bucket.REPORTS, keys.data_docs_prefix(NIGHT))]
    assert result.data_docs == store.uri(keys.data_doc(NIGHT, "index.html"))
    html = {page.key: store.get(page).decode() for page in pages if page.key.endswith(".html")}
    assert len(html) == 1 + 2 * len(SUITES)
    for text in html.values():
        assert "Content-Security-Policy" in text
        assert "<script" not in text and "<img src=x" not in text
        assert 'src="http' not in text and '<link rel="stylesheet" href="http' not in text
    known = {page.key for page in pages}
    for key, text in html.items():  # every link within the docs leads somewhere, relative to its page
        for target in re.findall(r'href="?([^"#> ]+)', text):
            if not target.startswith(("http", "#")):
                assert posixpath.normpath(posixpath.join(posixpath.dirname(key), target)) in known, (key, target)


def test_the_index_says_of_every_suite_and_source_how_it_fared(store: Store, settings: Settings) -> None:
    put_history(store, 5, shop=usual(), gone=usual())
    put_night(store, [picture(0), picture(1, width=50, height=50)], [listing(0), listing(1)])

    validate_night(store, settings, NIGHT)

    index = store.get(keys.data_doc(NIGHT, "index.html")).decode()
    assert index.count('href="validations/') == index.count('href="expectations/') == len(SUITES)
    for suite in SUITES:
        assert f">{suite}<br>" in index
    assert "No source was set aside." in index
    assert "6 of 6 hold" in index and "15 of 16 hold" in index  # listings and images
    assert "<td>gone</td>" in index and "<td>source_present</td>" in index
    assert '2 <span class="soft">(usually 200)</span>' in index
    assert "images.min_side_px: smaller pictures" in index


def test_the_index_escapes_what_comes_from_outside() -> None:
    declared = expectations(Settings(), [])
    line = SourceLine(HOSTILE, 1, None, 1, 2.0, 0.5, None, 3, 1, 0, f"image_digest: {HOSTILE}")
    failures = [Failure(next(one for one in declared if one.name == "image_digest"), (0,), HOSTILE)]
    page = IndexPage(NIGHT, [line], declared, failures, dict.fromkeys(SUITES, f"x/{HOSTILE}.html"))
    text = render_index(page)
    assert "<img" not in text and text.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;") >= 4


def test_settled_pages_lose_clock_identifiers_and_folder_and_keep_crawled_values() -> None:
    page = (
        "<head></head><body>"
        '<div id=x-collapse-body-4d80f10a-1f5e-4390-a79a-871ac9c3bddb><a href="#x-collapse-body-4d80f10a-1f5e-4390-'
        'a79a-871ac9c3bddb">/tmp/abc/images.parquet</a><span>20261201T101112.131415Z</span>'
        "https://shop.test/4d80f10a-1f5e-4390-a79a-871ac9c3bddb</body>"
    )
    text = data_docs.settled(page, NIGHT, "/tmp/abc")
    assert 'id=x-collapse-body-0><a href="#x-collapse-body-0">images.parquet</a>' in text
    assert "<span>20261123T000000.000000Z</span>" in text
    assert "https://shop.test/4d80f10a-1f5e-4390-a79a-871ac9c3bddb" in text


def test_pictures_that_no_page_shows_and_the_index_of_the_builder_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "index.html").write_text("<head></head><body></body>")
    (tmp_path / "page.html").write_text('<head></head><body><img src="static/shown.png"></body>')
    for name in ("shown.png", "unused.gif"):
        (tmp_path / "static" / name).write_bytes(b"x")
    data_docs.settle(tmp_path, NIGHT, tmp_path)
    assert sorted(path.name for path in (tmp_path / "static").iterdir()) == ["shown.png"]
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(("name", "kind"), [("a.html", "text/html; charset=utf-8"), ("a.png", "image/png")])
def test_a_browser_is_told_what_a_file_is(name: str, kind: str) -> None:
    assert data_docs.content_type(Path(name)) == kind
