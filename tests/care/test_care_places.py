"""The other places where a picture may stand: label exports, pages, journals, versions; and two takedowns at once."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from care_frames import AT, FIRST, SECOND, everything, finish, keep_versions, members, offer, pictures
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curate.curate_frames import digest, jpeg, photo
from lvbag import schemas
from lvbag.care import Reason, image_target, listing_target, plan_takedown, take_down, verify_store
from lvbag.care.finding import copies
from lvbag.care.pages import speaks_of
from lvbag.crawl.journal import LISTING, PICTURE, open_journal
from lvbag.crawl.rows import FetchRow, ListingRow, to_json
from lvbag.labels import import_labels, read_labels
from lvbag.learn.classifier.data import read_snapshot
from lvbag.learn.detector.data import open_labels
from lvbag.settings import Settings
from lvbag.store import Bucket, Ref, Store, keys
from lvbag.store.tables import read_table, write_table
from lvbag.tombstones import read_holes

REASON = Reason("asked", "a test", AT)


# ------------------------------------------------------------------ labels


def export(folder: Path, photos: list[bytes]) -> Path:
    """A CVAT YOLO 1.1 export of these photos, a box each."""
    images = folder / "obj_train_data"
    images.mkdir(parents=True)
    for number, data in enumerate(photos):
        (images / f"{number}.jpg").write_bytes(data)
        (images / f"{number}.txt").write_text("0 0.5 0.5 0.6 0.6\n")
    (folder / "train.txt").write_text("".join(f"data/obj_train_data/{n}.jpg\n" for n in range(len(photos))))
    (folder / "obj.names").write_text("Bag\n")
    (folder / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n")
    return folder


def test_a_label_export_loses_the_picture_and_trains_as_before(store: Store, chosen: Settings, tmp_path: Path) -> None:
    keep_versions(store)
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    gone = pictures(3)[0]
    folder = export(tmp_path / "export", [*(jpeg(photo(5000 + n)) for n in range(8)), gone])
    name = import_labels(store, chosen, folder).name
    other = import_labels(store, chosen, export(tmp_path / "other", [jpeg(photo(6000 + n)) for n in range(8)])).name
    before = everything(store)

    plan = plan_takedown(store, image_target(digest(gone)))
    assert plan.removed.label_sets == {name: 1}
    take_down(store, chosen, plan, REASON)

    after = everything(store)
    changed = {key for key in before if key.startswith("curated:labels/") and before[key] != after[key]}
    assert changed == {f"curated:labels/{name}/export.zip", f"curated:labels/{name}/labels.json"}
    assert other != name
    assert len(read_labels(store, name).images) == 8
    assert store.purge(keys.labels(name, "export.zip"), keep_newest=True) == 0, "no older version is left"
    with open_labels(store, chosen, name) as labels:
        pictures_left = [labels.picture(image) for part in ("train", "val", "test") for image in labels.part(part)]
    assert len(pictures_left) == 8
    assert all(isinstance(picture, Image.Image) for picture in pictures_left)
    store.download(keys.labels(name, "export.zip"), tmp_path / "after.zip")
    with zipfile.ZipFile(tmp_path / "after.zip") as archive:
        assert digest(gone) not in {digest(archive.read(item)) for item in archive.namelist()}
    again = import_labels(store, chosen, folder)  # the same export once more does not bring it back
    assert len(read_labels(store, again.name).images) == 8


# ------------------------------------------------------------------ pages


def keep_page(store: Store, body: str, shard: str = "shop.000") -> Ref:
    data = body.encode()
    ref = keys.page(FIRST, "shop", shard, digest(data))
    store.put(ref, zstandard.ZstdCompressor().compress(data))
    return ref


def not_understood(store: Store, *listings: str) -> None:
    """The shard's table says that these pages were not understood."""
    ref = keys.listings(FIRST, "shop", "shop.000")
    table = read_table(store, ref, schemas.LISTINGS)
    failed = pl.col("listing_id").is_in(listings)
    reason = pl.when(failed).then(pl.lit("not_understood: no_product")).otherwise("reason").alias("reason")
    write_table(store, ref, table.with_columns(reason), schemas.LISTINGS)


def test_pages_that_speak_of_the_listing_go_and_the_others_stay(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(6)).close()
    not_understood(store, "l3", "l4")
    speaking = [
        keep_page(store, '<a href="https://shop.test/l3/0.jpg">bag</a>'),
        keep_page(store, '{"image": "https:\\/\\/shop.test\\/l3\\/1.jpg"}'),
        keep_page(store, "a page of nobody: it could be the very one"),
    ]
    staying = [keep_page(store, '<a href="https://shop.test/l4/0.jpg">another bag</a>')]
    elsewhere = keep_page(store, "a page of nobody in a shard that understood this listing", shard="shop.001")
    plan = plan_takedown(store, listing_target("shop/l3"))
    assert {piece.ref for piece in plan.pieces if piece.kind == "page"} == set(speaking)
    take_down(store, chosen, plan, REASON)
    assert not any(store.exists(ref) for ref in speaking)
    assert all(store.exists(ref) for ref in [*staying, elsewhere])


@pytest.mark.parametrize(
    ("text", "url", "speaks"),
    [
        ('href="/item/12?x=1"', "https://shop.test/item/12?x=1", True),
        ('href="/item/12"', "https://shop.test/item/13", False),
        ("https:\\/\\/shop.test\\/item\\/12", "https://shop.test/item/12", True),
        ("/b%C3%A4g and /bäg", "https://shop.test/b%C3%A4g", True),
        ('href="/"', "https://shop.test/", False),
        ('href="http://shop.test/ab"', "https://shop.test/ab", True),
        ('href="http://shop.test/"', "https://shop.test/", False),
        ('href="/ab"', "https://shop.test/ab", False),
    ],
)
def test_a_page_speaks_of_an_address_when_it_names_its_path(text: str, url: str, speaks: bool) -> None:
    assert speaks_of(text, [url]) is speaks


# ------------------------------------------------------------------ journals


def test_what_a_killed_shard_has_fetched_goes_as_well(store: Store, chosen: Settings) -> None:
    data = jpeg(photo(9))
    nothing: dict[str, Any] = dict.fromkeys(
        ("currency", "style_code", "match_confidence", "match_reason", "etag", "last_modified", "reason")
    )
    listing = ListingRow(
        night=SECOND, source="shop", shard="shop.000", listing_id="k1", url="https://shop.test/k1", query="q",
        title="t", price=1.0, seller="Anna", image_urls=("https://shop.test/k1/0.jpg",), changed=True, verdict="kept",
        fetched_at=AT, **nothing,
    )  # fmt: skip
    picture = FetchRow(
        night=SECOND, source="shop", shard="shop.000", listing_id="k1", image_url="https://shop.test/k1/0.jpg",
        position=0, verdict="kept", reason=None, http_status=200, bytes=len(data), format="jpg", sha256=digest(data),
        etag=None, last_modified=None, fetched_at=AT,
    )  # fmt: skip
    store.put(keys.raw_image(digest(data), "jpg"), data)
    with open_journal(store, SECOND, "shop", "shop.000") as journal:
        journal.note(LISTING, listing.url, to_json(listing), 1)
        journal.note(PICTURE, picture.image_url, to_json(picture), 2)
        journal.settle()
    plan = plan_takedown(store, listing_target("shop/k1"))
    assert plan.removed.raw_images == 1
    take_down(store, chosen, plan, REASON)
    assert not store.exists(keys.raw_image(digest(data), "jpg"))


# ------------------------------------------------------------------ several at once


def test_two_takedowns_at_once_both_end_with_everything_gone(store: Store, chosen: Settings) -> None:
    settings = chosen.model_copy(update={"curate": chosen.curate.model_copy(update={"shard_images": 100})})
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, settings, FIRST)
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def run(seed: int) -> None:
        try:
            mine = Store(settings.store)
            plan = plan_takedown(mine, listing_target(f"shop/l{seed}"))
            start.wait(20)
            take_down(mine, settings, plan, REASON)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    gone = {digest(data) for seed in range(4) for data in pictures(seed)}
    assert read_holes(store, snapshot) == gone
    assert not set(members(store, snapshot)) & gone
    assert len(read_snapshot(store, snapshot, 32, settings.images).rows) == 24
    assert verify_store(store, sample=None).findings == ()


# ------------------------------------------------------------------ versions


def test_a_purge_leaves_no_version_and_a_second_one_finds_nothing(store: Store) -> None:
    ref, beside = Ref(Bucket.RAW, "images/aa/x.jpg"), Ref(Bucket.RAW, "images/aa/x.jpg.note")
    store.put(ref, b"before versions were kept")
    keep_versions(store)
    for data in (b"1", b"2"):
        store.put(ref, data)
    store.put(beside, b"another object")
    store.delete(ref)
    assert store.list_folders(Bucket.RAW, "images/") == ["aa"]
    assert store.purge(ref) == 4, "three versions and the marker"
    assert store.purge(ref) == 0
    assert [item.ref for item in store.list_versions(Bucket.RAW, "images/")] == [beside]


def test_a_purge_can_leave_what_stands_now(store: Store) -> None:
    ref = Ref(Bucket.RAW, "images/aa/x.jpg")
    keep_versions(store)
    for data in (b"1", b"2", b"3"):
        store.put(ref, data)
    assert store.purge(ref, keep_newest=True) == 2
    assert store.get(ref) == b"3"
    assert len(list(store.list_versions(Bucket.RAW, ""))) == 1


def test_a_purge_that_is_stopped_brings_no_older_version_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = Ref(Bucket.RAW, "images/aa/x.jpg")
    keep_versions(store)
    for data in (b"old", b"new"):
        store.put(ref, data)
    remove, calls = Store._remove, []

    def once(self: Store, what: Ref, version: str | None) -> None:
        calls.append(version)
        if len(calls) == 2:
            raise InterruptedError
        remove(self, what, version)

    monkeypatch.setattr(Store, "_remove", once)
    with pytest.raises(InterruptedError):
        store.purge(ref)
    assert store.get(ref) == b"new"


# ------------------------------------------------------------------ copies


NAMES = [f"{number:x}" * 64 for number in range(8)]
CROPS = st.one_of(st.none(), st.sampled_from("xyz"))
ROWS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from("abcd"), CROPS), max_size=12)


def frame(rows: list[tuple[str, str, str | None]]) -> pl.DataFrame:
    schema = {"sha256": pl.String(), "cluster": pl.String(), "crop_cluster": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_copies_are_found_by_cluster_and_by_the_cluster_of_the_crop() -> None:
    rows = frame(
        [
            (NAMES[0], "a", "x"),
            (NAMES[1], "a", None),  # the same photo, smaller
            (NAMES[2], "b", "x"),  # framed otherwise
            (NAMES[3], "b", None),  # and that one smaller
            (NAMES[4], "c", "y"),
            (NAMES[5], "d", "z"),
        ]
    )
    assert copies(rows, {NAMES[0]}) == {NAMES[1], NAMES[2], NAMES[3]}
    assert copies(rows, {NAMES[4]}) == set()
    assert copies(rows, set()) == set()


@given(ROWS, st.sets(st.sampled_from(NAMES), min_size=1, max_size=2))
def test_every_copy_shares_a_cluster_and_no_member_is_left(
    rows: list[tuple[str, str, str | None]], images: set[str]
) -> None:
    found = copies(frame(rows), images)
    assert not found & images
    mine = {cluster for sha256, cluster, _ in rows if sha256 in images}
    assert {sha256 for sha256, cluster, _ in rows if cluster in mine} - images <= found
    clusters = {cluster for sha256, cluster, _ in rows if sha256 in found | images}
    framed = {crop for sha256, _, crop in rows if sha256 in found | images and crop is not None}
    for sha256 in found:
        assert any(row[0] == sha256 and (row[1] in clusters or row[2] in framed) for row in rows)
