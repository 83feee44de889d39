"""Taking things down, end to end over a real store: what goes, what stays, and what the next night does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from care_frames import (
    AT,
    FIRST,
    SECOND,
    everything,
    fetch_rows,
    finish,
    keep_versions,
    manifest,
    members,
    offer,
    pictures,
    without_notes,
)
from PIL import Image

from curate.curate_frames import Shop, digest, jpeg, photo
from lvbag.care import (
    CareError,
    Reason,
    image_target,
    listing_target,
    plan_takedown,
    seller_target,
    take_down,
    url_target,
)
from lvbag.care.targets import Target
from lvbag.curate import report_night
from lvbag.learn import enough_new
from lvbag.learn.classifier.data import read_snapshot
from lvbag.registry.records import Confusion, Evaluation, Measured
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Store, StoreError, keys
from lvbag.tombstones import Tombstones, read_holes, read_tombstones, seller_key

REASON = Reason("the owner asked", "a test", AT)


def remove(store: Store, settings: Settings, target: Target, **how: bool) -> Any:
    return take_down(store, settings, plan_takedown(store, target, **how), REASON)


def bytes_anywhere(store: Store, data: bytes) -> list[str]:
    """Every object, also in older versions, that is these bytes or holds them."""
    found = []
    for bucket in Bucket:
        name = store.bucket(bucket)
        for item in store._client.list_objects(name, recursive=True, include_version=True):
            if not item.is_delete_marker:
                response = store._client.get_object(name, str(item.object_name), version_id=item.version_id)
                found += [str(item.object_name)] if data in response.read() else []
                response.close()
                response.release_conn()
    return found


def test_a_dry_run_says_what_would_go_and_changes_nothing(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    before = everything(store, versions=True)

    plan = plan_takedown(store, listing_target("shop/l3"))

    assert everything(store, versions=True) == before
    assert (plan.removed.raw_images, plan.removed.crops, plan.removed.snapshots) == (2, 2, {snapshot: 2})
    assert plan.removed.bytes == 2 * sum(len(data) for data in pictures(3)), "the raw pictures and as many crops"
    assert plan.found.nights == {FIRST}


def test_a_listing_goes_with_its_pictures_and_everything_else_stays(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    before, crops = everything(store), members(store, snapshot)
    gone = {digest(data) for data in pictures(3)}

    removed = remove(store, chosen, listing_target("shop/l3"))

    after = everything(store)
    lost = {name for name in before if name not in after}
    assert lost == {f"raw:images/{sha[:2]}/{sha}.jpg" for sha in gone} | {
        f"curated:crops/none/{sha[:2]}/{sha}.jpg" for sha in gone
    }
    assert members(store, snapshot) == {sha: crop for sha, crop in crops.items() if sha not in gone}
    changed = {name for name, value in before.items() if name in after and after[name] != value}
    assert {name.rsplit("/", 1)[-1] for name in changed} <= {
        "preview.jpg",
        "00000.tar",
        "00001.tar",
        "00002.tar",
        "00003.tar",
    }
    assert read_holes(store, snapshot) == gone
    assert store.get_json(keys.snapshot_holes(snapshot))["images"][min(gone)] == {
        "why": "the owner asked",
        "at": AT.isoformat(),
    }
    assert manifest(store, snapshot).height == 32, "the manifest keeps its rows"
    assert fetch_rows(store).filter(pl.col("sha256").is_in(list(gone))).height == 2, "and so do the nights' tables"
    struck = read_tombstones(store)
    assert struck == Tombstones(
        frozenset({("shop", "l3")}),
        frozenset(),
        frozenset({"https://shop.test/l3", "https://shop.test/l3/0.jpg", "https://shop.test/l3/1.jpg"}),
        frozenset(gone),
    )
    record = next(store.get_json(item.ref) for item in store.list_objects(Bucket.REPORTS, "takedowns/"))
    assert (record["state"], record["removed"]) == ("done", removed.as_json())
    assert (record["why"], record["by"], record["at"]) == ("the owner asked", "a test", AT.isoformat())


def test_a_snapshot_with_holes_is_read_without_them(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    whole = read_snapshot(store, snapshot, 32, chosen.images)
    remove(store, chosen, listing_target("shop/l3"))

    left = read_snapshot(store, snapshot, 32, chosen.images)

    assert (len(whole.rows), len(left.rows), left.images.shape[0]) == (32, 30, 30)
    assert left.products == whole.products
    position = {sha256: index for index, sha256 in enumerate(whole.rows["sha256"])}
    for index, sha256 in enumerate(left.rows["sha256"]):
        assert (left.images[index] == whole.images[position[sha256]]).all()


def test_a_hole_is_no_new_image_to_train_on(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    train = manifest(store, snapshot).filter(pl.col("split") == "train")
    assert enough_new(store, chosen, snapshot).new_images == train.height
    remove(store, chosen, image_target(train["sha256"][0]))
    assert enough_new(store, chosen, snapshot).new_images == train.height - 1


def test_a_reader_of_shards_meets_a_takedown_that_begins_while_it_reads(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    download, calls = Store.download, []

    def meanwhile(self: Store, *arguments: Any, **keywords: Any) -> Any:
        if not calls:
            calls.append(1)
            remove(store, chosen, listing_target("shop/l3"))
        return download(self, *arguments, **keywords)

    monkeypatch.setattr(Store, "download", meanwhile)
    left = read_snapshot(store, snapshot, 32, chosen.images)

    assert (len(left.rows), len(left.images)) == (30, 30)
    assert not set(left.rows["sha256"]) & {digest(data) for data in pictures(3)}


def test_no_version_of_anything_keeps_the_picture_in_versioned_buckets(store: Store, chosen: Settings) -> None:
    keep_versions(store)
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    shop = offer(store, SECOND, range(18))
    shop.listing("copycat", [jpeg(photo(1006), 40)], style_code="M41108")  # near to l3's: its report shows it
    shop.close()
    finish(store, chosen, SECOND)
    gone = pictures(3)
    sha256 = digest(gone[0])
    store.put(keys.raw_image(sha256, "jpg"), gone[0])  # fetched twice
    store.put(keys.crop("0007", sha256), gone[0])  # of a detector that nobody remembers, and deleted already
    store.delete(keys.crop("0007", sha256))
    thumbnails = store.get(keys.night_report(SECOND)).count(b"<img ")
    assert thumbnails
    assert len(bytes_anywhere(store, gone[0])) >= 5

    remove(store, chosen, listing_target("shop/l3"))

    assert bytes_anywhere(store, gone[0]) == []
    assert bytes_anywhere(store, jpeg(photo(1006), 40)) == []
    assert store.get(keys.night_report(SECOND)).count(b"<img ") == thumbnails - 1
    assert len(list(store.list_versions(Bucket.REPORTS, keys.night_report(SECOND).key))) == 1
    for snapshot in {item.ref.key.split("/")[0] for item in store.list_objects(Bucket.DATASETS, "2026")}:
        assert len(read_snapshot(store, snapshot, 32, chosen.images).rows) == manifest(store, snapshot).height - 2


def test_the_preview_shows_what_is_left(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(12)).close()
    red = jpeg(Image.new("RGB", (160, 120), (250, 0, 0)))
    shop = Shop(store, FIRST)
    shop.listing("red", [red], style_code="M40156", shard="shop.001")
    shop.close()
    snapshot = finish(store, chosen, FIRST)
    ref = keys.snapshot(snapshot, "preview.jpg")

    def reds() -> int:
        pixels = Image.open(io.BytesIO(store.get(ref))).convert("RGB").get_flattened_data()
        return sum(1 for r, g, b in pixels if r > 230 and g < 20 and b < 20)

    if digest(red) not in set(manifest(store, snapshot)["sha256"]):
        pytest.fail("the red picture did not enter the snapshot")
    shown = reds()
    remove(store, chosen, image_target(digest(red)))
    assert shown > 500 > reds()


def test_a_sheet_of_confusions_that_shows_the_picture_goes_and_its_evaluation_stays(
    store: Store, chosen: Settings
) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    shown, other = digest(pictures(3)[0]), digest(pictures(5)[0])
    for key, sha256s in (("a", (other, shown)), ("b", (other, other))):
        every = tuple(
            Measured(
                version=number, metrics={}, confusions=(Confusion(truth="A", predicted="B", images=1, examples=(sha,)),)
            )
            for number, sha in enumerate(sha256s, 1)
        )
        evaluation = Evaluation(
            kind=ModelKind.CLASSIFIER, key=key, data="s", test_images=1, classes=2, champion=every[0],
            challengers=every[1:],
        )  # fmt: skip
        store.put_json(keys.evaluation(ModelKind.CLASSIFIER, key), evaluation.model_dump(mode="json"))
    for key in ("a", "b", "lost"):
        store.put(keys.evaluation_predictions(ModelKind.CLASSIFIER, key), b"a table")
        for number in (1, 2):
            store.put(keys.confusion_sheet(ModelKind.CLASSIFIER, key, number), b"a sheet")
    before = everything(store)

    removed = remove(store, chosen, listing_target("shop/l3"))

    gone = {name for name in before if name.startswith("models:")} - set(everything(store))
    sheets = ("a/confusions-0002.jpg", "lost/confusions-0001.jpg", "lost/confusions-0002.jpg")
    assert gone == {f"models:classifier/evaluations/{name}" for name in sheets}, "what cannot be said shows it"
    assert removed.confusion_sheets == 3
    assert plan_takedown(store, listing_target("shop/l3")).removed.is_empty


def test_a_photo_goes_wherever_it_stands_unless_told_otherwise(store: Store, chosen: Settings) -> None:
    shop = offer(store, FIRST, range(16))
    shop.listing("again", [pictures(3)[0]], style_code="M41108")  # the very bytes
    shop.listing("smaller", [jpeg(photo(1006), 40)], style_code="M41108")  # the same photo
    shop.close()
    finish(store, chosen, FIRST)
    own = {digest(data) for data in pictures(3)}
    near = digest(jpeg(photo(1006), 40))

    only = plan_takedown(store, listing_target("shop/l3"), with_copies=False)
    assert set(only.found.images) == own - {digest(pictures(3)[0])}
    assert only.found.spared == {digest(pictures(3)[0]): "shop/again"}
    assert "https://shop.test/again/0.jpg" not in only.found.urls

    removed = plan_takedown(store, listing_target("shop/l3"))
    assert set(removed.found.images) == own | {near}
    assert removed.found.images[near] == "a copy of the photo"
    assert removed.removed.raw_images == 3
    assert ("shop", "smaller") not in removed.found.listings, "only its photo goes"


def test_a_seller_goes_with_all_listings_and_the_name_is_written_nowhere(store: Store, chosen: Settings) -> None:
    shop = offer(store, FIRST, range(14))
    for number in range(2):
        shop.listing(f"a{number}", [jpeg(photo(7000 + number))], style_code="M40156", seller="Anna Bell")
    shop.close()
    finish(store, chosen, FIRST)

    remove(store, chosen, seller_target("shop/ anna  BELL"))

    struck = read_tombstones(store)
    assert struck.listings == {("shop", "a0"), ("shop", "a1")}
    assert struck.sellers == {seller_key("shop", "Anna Bell")}
    assert not list(store.list_objects(Bucket.RAW, keys.raw_images_of(digest(jpeg(photo(7000))))))
    notes = [item.ref for item in store.list_objects(Bucket.RAW, "tombstones/")]
    notes += [item.ref for item in store.list_objects(Bucket.REPORTS, "takedowns/")]
    assert not [ref for ref in notes if b"bell" in store.get(ref).lower()]


@pytest.mark.parametrize(
    ("url", "images"),
    [("http://SHOP.test:80/l3#photos", 2), ("https://shop.test/l3/0.jpg", 1)],
    ids=["a page", "a picture"],
)
def test_an_address_is_a_listings_page_or_a_pictures(store: Store, chosen: Settings, url: str, images: int) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    remove(store, chosen, url_target(url))
    struck = read_tombstones(store)
    assert struck.has_url(url)
    assert len(struck.images) == images
    assert struck.listings == ({("shop", "l3")} if images == 2 else frozenset())


def test_what_nobody_has_met_is_an_error_unless_it_shall_never_be_met(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    for target, named in (
        (listing_target("shop/none"), "listing shop/none"),
        (seller_target("shop/Nobody"), "seller"),
        (url_target("https://nowhere.test/x"), "url https://nowhere.test/x"),
        (image_target("0" * 64), "image 000000"),
    ):
        with pytest.raises(CareError, match=f"no night has met {named}.*--even-if-unknown"):
            plan_takedown(store, target)
        assert remove(store, chosen, target, even_if_unknown=True).is_empty
    struck = read_tombstones(store)
    assert struck.listings == {("shop", "none")}
    assert struck.sellers == {seller_key("shop", "nobody")}
    assert struck.has_url("https://nowhere.test/x")
    assert struck.images == {"0" * 64}


def test_what_is_not_said_rightly_is_refused_with_what_to_write(store: Store, chosen: Settings, tmp_path: Any) -> None:
    with pytest.raises(CareError, match="write --listing SOURCE/ID"):
        listing_target("l3")
    with pytest.raises(CareError, match="write --seller SOURCE/NAME"):
        seller_target("shop/ ")
    with pytest.raises(CareError, match="is no whole address"):
        url_target("shop.test/l3")
    with pytest.raises(CareError, match="neither a sha256"):
        image_target("abc")
    (tmp_path / "photo.jpg").write_bytes(pictures(3)[0])
    assert image_target(str(tmp_path / "photo.jpg")) == Target("image", digest(pictures(3)[0]))
    plan = plan_takedown(store, listing_target("shop/x"), even_if_unknown=True)
    with pytest.raises(CareError, match="say why listing shop/x is taken down"):
        take_down(store, chosen, plan, dataclasses.replace(REASON, why="  "))
    assert not list(store.list_objects(Bucket.RAW, "tombstones/"))


def test_the_next_night_does_not_bring_it_back(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    remove(store, chosen, listing_target("shop/l3"))
    shop = offer(store, SECOND, range(18))
    shop.listing("elsewhere", [pictures(3)[1]], style_code="M41108")  # the same bytes at another address
    shop.close()
    gone = {digest(data) for data in pictures(3)}

    snapshot = finish(store, chosen, SECOND)

    assert not set(manifest(store, snapshot)["sha256"]) & gone
    assert not set(members(store, snapshot)) & gone
    assert manifest(store, snapshot).height == 34


def test_an_unfinished_snapshot_loses_the_picture_as_well(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    snapshot = finish(store, chosen, FIRST)
    store.delete(keys.snapshot(snapshot, "manifest.parquet"))  # as if it had been stopped before its commit mark
    gone = {digest(data) for data in pictures(3)}
    remove(store, chosen, listing_target("shop/l3"))
    left = members(store, snapshot)
    assert len(left) == 30
    assert not set(left) & gone
    assert not store.exists(keys.snapshot(snapshot, "preview.jpg"))


def test_reports_whose_tables_are_gone_lose_their_pictures_and_nothing_else(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    shop = offer(store, SECOND, range(16))
    shop.listing("smaller", [jpeg(photo(1006), 40)], style_code="M41108")
    shop.close()
    finish(store, chosen, SECOND)
    before = store.get(keys.night_report(SECOND)).decode()
    store.delete(keys.stage(SECOND, "near"))
    remove(store, chosen, listing_target("shop/l3"))
    after = store.get(keys.night_report(SECOND)).decode()
    assert (before.count("<img "), after.count("<img ")) == (1, 0)
    assert "From listings to the data set" in after
    assert after.count("<tr") == before.count("<tr")


# ------------------------------------------------------------------ stopped midway


class Power(Exception):
    """The machine lost its power."""


def cut_power(monkeypatch: pytest.MonkeyPatch, at: int) -> Callable[[], int]:
    """Every change of the store from the `at`-th on fails; returns how many were tried."""
    count = 0

    def wrap(name: str) -> None:
        real = getattr(Store, name)

        def change(self: Store, *arguments: Any, **keywords: Any) -> Any:
            nonlocal count
            count += 1
            if count >= at:
                raise Power
            return real(self, *arguments, **keywords)

        monkeypatch.setattr(Store, name, change)

    for name in ("put", "upload", "_conditional_put", "_remove", "delete"):
        wrap(name)
    return lambda: count


def test_stopped_at_any_moment_it_is_completed_by_the_same_call(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_versions(store)
    offer(store, FIRST, range(10)).close()
    finish(store, chosen, FIRST)
    shop = offer(store, SECOND, range(11))
    shop.listing("smaller", [jpeg(photo(1006), 40)], style_code="M41108")
    shop.close()
    finish(store, chosen, SECOND)
    target, gone = listing_target("shop/l3"), pictures(3)
    stops = 0
    for at in range(1, 200):
        with monkeypatch.context() as patch:
            tried = cut_power(patch, at)
            try:
                remove(store, chosen, target)
                break
            except (Power, StoreError):
                stops += 1
        # each stop leaves a little more done than the last; a takedown that began is known to have begun
        assert tried() >= at
        if at > 2:
            assert plan_takedown(store, target).state in ("begun", "done")
            assert read_tombstones(store).has_url("https://shop.test/l3")
        for item in list(store.list_objects(Bucket.DATASETS, "2026")):
            if item.ref.key.endswith("manifest.parquet"):
                name = item.ref.key.split("/")[0]
                assert len(read_snapshot(store, name, 32, chosen.images).rows) >= 18, "every snapshot can be read"
    assert stops > 3
    assert bytes_anywhere(store, gone[0]) == bytes_anywhere(store, gone[1]) == []
    assert plan_takedown(store, target).removed.is_empty
    assert plan_takedown(store, target).state == "done"


def test_the_same_call_again_changes_nothing(store: Store, chosen: Settings) -> None:
    offer(store, FIRST, range(16)).close()
    finish(store, chosen, FIRST)
    remove(store, chosen, listing_target("shop/l3"))
    before = everything(store)
    again = take_down(
        store,
        chosen,
        plan_takedown(store, listing_target("shop/l3")),
        Reason("once more", "somebody else", AT + dt.timedelta(days=1)),
    )
    assert again.is_empty
    assert everything(store) == before
    report_night(store, chosen, FIRST)
    assert without_notes(everything(store)) == without_notes(before)
