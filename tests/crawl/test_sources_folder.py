"""Partners' folders: the table, and the files that are read beside it."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvbag.crawl.errors import Refused
from lvbag.crawl.fetching.answers import Validators
from lvbag.crawl.fetching.files import FileReader
from lvbag.crawl.sources import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Query, Results
from lvbag.crawl.sources.folder import FolderSource, address, clean_path
from lvbag.source_settings import FolderSettings
from lvbag.store import Store, StoreUnavailable

PAGES = Path(__file__).parent / "pages"
SOURCE = FolderSource(FolderSettings(kind="folder", path="/partner"))


def table(body: str | bytes) -> Results:
    content = body if isinstance(body, bytes) else body.encode()
    return SOURCE.read_results(Page(SOURCE.first_url(Query("")), content, "text/csv"))


# ------------------------------------------------------------------ the table


def test_a_table_of_excel_is_read_row_by_row_and_bad_rows_are_counted() -> None:
    found = table((PAGES / "folder_semicolon.csv").read_bytes())
    assert found.listings == (
        Listing(
            listing_id="A1",
            url="https://partner.example/a1",
            title='Speedy 30, "like new"',
            price=1500.0,
            currency="EUR",
            seller="Maison Exemple",
            image_urls=("folder:///photos/1.jpg", "folder:///photos/2%20back.jpg"),
            style_code="M41108",
        ),
        # its address is another listing's already, so it has the one of its row
        Listing(
            listing_id="A2",
            url="folder:///listings.csv?listing=A2",
            title="Noé",
            price=2300.0,
            currency="CHF",
            image_urls=("folder:///photos/n.jpg",),
        ),
        Listing(
            listing_id=None,
            url="folder:///listings.csv?file=photos%2F5.jpg",
            title="two lines",
            price=12.0,
            image_urls=("folder:///photos/5.jpg",),
        ),
    )
    assert found.dropped == {"bad_path": 1, NOT_UNDERSTOOD: 2, "contradiction": 1, "no_file_named": 1}
    assert (found.next_url, found.announced) == (None, None)


def test_bad_rows_are_logged_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    table((PAGES / "folder_semicolon.csv").read_bytes())
    assert "row=6 dropped reason=bad_path why='../secret.jpg' is no path within the folder" in caplog.text
    assert "row=9 dropped reason=contradiction why=its title is 'Speedy 25'" in caplog.text


def test_the_code_page_of_western_europe_is_read() -> None:
    (listing,) = table((PAGES / "folder_cp1252.csv").read_bytes()).listings
    assert (listing.title, listing.price, listing.currency) == ("Sac € d’occasion", 1200.0, "GBP")
    assert listing.image_urls == ("folder:///photos/caf%C3%A9.jpg",)


@pytest.mark.parametrize(
    "body",
    [
        "file,title\na.jpg,Noé\n".encode("utf-8-sig"),
        "file\ttitle\r\na.jpg\tNoé\r\n".encode("utf-16"),
        "title;File\rNoé;a.jpg\r".encode(),
        '"TITLE","file"\n"Noé","a.jpg"'.encode(),
        "file , Title\n a.jpg , Noé \n\n,,\n".encode(),
    ],
)
def test_encodings_delimiters_line_ends_and_the_order_of_columns_do_not_matter(body: bytes) -> None:
    (listing,) = table(body).listings
    assert (listing.title, listing.image_urls) == ("Noé", ("folder:///a.jpg",))


def test_a_listing_without_a_title_has_the_best_name_that_is_there() -> None:
    found = table("file,listing_id,style_code\na.jpg,,M41108\nb.jpg,B,\nc.jpg,,\n").listings
    assert [listing.title for listing in found] == ["M41108", "B", "c.jpg"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "no_table: listings.csv is empty"),
        ("\n\n", "no_table: listings.csv is empty"),
        ("title,price\nx,1\n", "no_table: listings.csv has no column `file` in its first row; it has: title, price"),
        ("<html></html>", "no_table: listings.csv has no column `file`"),
    ],
)
def test_a_table_without_files_is_refused(body: str, why: str) -> None:
    with pytest.raises(PageNotUnderstood) as caught:
        table(body)
    assert caught.value.reason.startswith(why)


@pytest.mark.parametrize(
    "path",
    ["", "..", "../a", "a/../b", "/a", "C:\\a", "c:a", "\\\\host\\a", "https://x/a", "a//b", "a/./b", "a\x00b", "a\nb"],
)
def test_paths_that_lead_elsewhere_are_none(path: str) -> None:
    assert clean_path(path) is None


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=6), st.sampled_from([",", ";", "\t"]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_table_that_a_program_writes_is_read_whole(
    rows: list[tuple[str, str, str]], delimiter: str, quoted: bool
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(("title", "file", "seller"))
    for number, (title, name, seller) in enumerate(rows):
        writer.writerow((title, f"photos/{number}{name.strip()}.jpg", seller))
    found = table(out.getvalue().encode("utf-8-sig"))
    good = [number for number, (_, name, _) in enumerate(rows) if clean_path(f"photos/{number}{name.strip()}.jpg")]
    assert len(found.listings) == len(good)
    assert sum(found.dropped.values()) == len(rows) - len(good)


@given(st.binary(max_size=200), st.text('file,";\n\r\t ab', max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_the_table(junk: bytes, text: str) -> None:
    for body in (junk, b"file,title\n" + junk, b"file;listing_id\n" + text.encode(), text.encode()):
        try:
            table(body)
        except PageNotUnderstood as error:
            assert error.reason.startswith("no_table")


# ------------------------------------------------------------------ files of a folder


@pytest.fixture
def partner(tmp_path: Path) -> Path:
    folder = tmp_path / "partner"
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / "1.jpg").write_bytes(b"picture")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return folder


def reader(path: Path | str, store: Store) -> FileReader:
    return FileReader(FolderSettings(kind="folder", path=str(path)), store)


def refusal(place: FileReader, url: str, limit: int = 1000) -> str:
    with pytest.raises(Refused) as caught:
        place.fetch(url, limit)
    return caught.value.reason


class NoStore:
    """A folder of this machine asks no store."""

    settings = None


@pytest.fixture
def local(partner: Path) -> FileReader:
    return reader(partner, NoStore())  # type: ignore[arg-type]


def test_a_file_is_read_and_unchanged_the_next_time(partner: Path, local: FileReader) -> None:
    url = address("photos/1.jpg")
    first = local.fetch(url, 1000)
    assert (first.url, first.status, first.body, first.redirect) == (url, 200, b"picture", None)
    again = local.fetch(url, 1000, first.validators)
    assert (again.status, again.body, again.validators) == (304, b"", first.validators)
    os.utime(partner / "photos" / "1.jpg", (1, 1))
    assert local.fetch(url, 1000, first.validators).status == 200
    assert local.fetch(url, 1000, Validators(last_modified="yesterday")).status == 200


def test_the_table_is_read_by_the_source_s_own_address(partner: Path, local: FileReader) -> None:
    assert refusal(local, SOURCE.first_url(Query(""))) == f"no_file: listings.csv is not in {partner}"
    (partner / "listings.csv").write_text("file\nphotos/1.jpg\n")
    answer = local.fetch(SOURCE.first_url(Query("")), 1000)
    (listing,) = SOURCE.read_results(Page(answer.url, answer.body, answer.content_type)).listings
    assert local.fetch(listing.image_urls[0], 1000).body == b"picture"


def test_a_file_over_the_limit_is_refused_with_its_size(local: FileReader) -> None:
    assert refusal(local, address("photos/1.jpg"), 6) == "too_large: photos/1.jpg has 7 bytes, the limit is 6"
    assert local.fetch(address("photos/1.jpg"), 7).body == b"picture"


@pytest.mark.parametrize(
    "url",
    [
        "folder:///../secret.jpg",
        "folder:///photos/../../secret.jpg",
        "folder:///%2e%2e/secret.jpg",
        "folder:///photos%2F..%2F..%2Fsecret.jpg",
        "folder:////etc/passwd",
        "folder:///..%5Csecret.jpg",
        "folder:///a%00b",
        "folder:///",
        "folder://host/photos/1.jpg",
        "file:///etc/passwd",
        "https://shop.example/1.jpg",
        "http://[",
    ],
)
def test_nothing_outside_of_the_folder_has_an_address(local: FileReader, url: str) -> None:
    assert refusal(local, url).startswith("bad_path: ")


def test_links_are_followed_within_the_folder_only(partner: Path, local: FileReader, tmp_path: Path) -> None:
    (partner / "inside.jpg").symlink_to(partner / "photos" / "1.jpg")
    (partner / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (partner / "up").symlink_to(tmp_path)
    (partner / "loop").symlink_to(partner / "loop")
    assert local.fetch(address("inside.jpg"), 1000).body == b"picture"
    assert refusal(local, address("outside.jpg")) == f"bad_path: outside.jpg is a link that leads out of {partner}"
    assert refusal(local, address("up/secret.jpg")).startswith("bad_path: up/secret.jpg is a link")
    assert refusal(local, address("loop")).startswith("no_access: loop")
    linked = tmp_path / "linked"
    linked.symlink_to(partner)
    assert reader(linked, NoStore()).fetch(address("photos/1.jpg"), 1000).body == b"picture"  # type: ignore[arg-type]


def test_what_is_no_regular_file_is_refused_at_once(partner: Path, local: FileReader) -> None:
    os.mkfifo(partner / "pipe.jpg")
    assert refusal(local, address("pipe.jpg")) == f"no_file: pipe.jpg in {partner} is no regular file"
    assert refusal(local, address("photos")) == f"no_file: photos in {partner} is no regular file"
    assert refusal(local, address("photos/1.jpg/x")) == f"no_file: photos/1.jpg/x is not in {partner}"
    assert refusal(local, address("a" * 300)).startswith("no_access: ")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert refusal(reader(gone, NoStore()), address("1.jpg")) == (  # type: ignore[arg-type]
        f"no_folder: {gone} is no folder of this machine (the source's setting path)"
    )


def test_accents_are_found_however_the_file_system_writes_them(partner: Path, local: FileReader) -> None:
    (partner / unicodedata.normalize("NFD", "café.jpg")).write_bytes(b"x")
    assert local.fetch(address(unicodedata.normalize("NFC", "café.jpg")), 10).body == b"x"


# ------------------------------------------------------------------ objects of the store


def test_objects_of_any_bucket_are_read_with_the_store_s_credentials(store: Store) -> None:
    bucket = f"partner-{uuid.uuid4().hex[:8]}"
    client = store._client  # the one client there is; partners' buckets are none of the pipeline's
    client.make_bucket(bucket)
    for key, body in (("sent/photos/é 1.jpg", b"picture"), ("sent/empty.jpg", b""), ("secret.jpg", b"secret")):
        client.put_object(bucket, key, io.BytesIO(body), len(body))
    place = reader(f"s3://{bucket}/sent/", store)
    first = place.fetch(address("photos/é 1.jpg"), 1000)
    assert (first.status, first.body) == (200, b"picture")
    assert place.fetch(address("photos/é 1.jpg"), 1000, first.validators).status == 304
    assert place.fetch(address("empty.jpg"), 1000).body == b""
    assert refusal(place, address("photos/é 1.jpg"), 6) == "too_large: photos/é 1.jpg has 7 bytes, the limit is 6"
    assert refusal(place, address("2.jpg")) == f"no_file: 2.jpg is not in s3://{bucket}/sent/"
    assert refusal(place, "folder:///../secret.jpg").startswith("bad_path: ")
    assert reader(f"s3://{bucket}", store).fetch(address("secret.jpg"), 10).body == b"secret"
    missing = reader(f"s3://{bucket}-none/sent", store)
    assert refusal(missing, address("2.jpg")).endswith("whose bucket is not there")


def test_a_store_that_does_not_answer_is_no_fault_of_the_file(store: Store) -> None:
    settings = store.settings.model_copy(
        update={"endpoint": type(store.settings.endpoint)("http://127.0.0.1:1"), "retries": 0}
    )
    with pytest.raises(StoreUnavailable, match="does not answer"):
        reader("s3://partner/sent", Store(settings)).fetch(address("1.jpg"), 10)
