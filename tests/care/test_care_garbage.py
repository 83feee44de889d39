"""Collecting garbage: what goes, what never does, and that everything still fits together after it."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from care_frames import AT, FIRST, everything, finish, manifest, members, offer, pictures, publish
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from curate.curate_frames import Shop, curate_uncropped, digest, jpeg, photo
from lvbag import schemas
from lvbag.care import CareError, Limits, Reason, collect, listing_target, plan_collection, plan_takedown, take_down
from lvbag.care.garbage import GarbagePlan
from lvbag.care.kept_snapshots import reasons
from lvbag.care.verify import verify_store
from lvbag.crawl.journal import PICTURE, open_journal
from lvbag.curate import build_snapshot, newest_snapshot
from lvbag.images.fingerprints import VERSION
from lvbag.learn.classifier.data import read_snapshot
from lvbag.outliers import MODEL, SCORES, WEIGHTS
from lvbag.registry import reserve_version
from lvbag.registry.records import Evaluation
from lvbag.settings import Settings
from lvbag.store import Bucket, CorruptObject, ModelKind, Ref, Store, StoreError, keys
from lvbag.store.tables import read_table, write_table

NOVEMBER = [f"2026-11-{day:02d}" for day in range(1, 20)]
NIGHTS = [FIRST + dt.timedelta(days=day) for day in range(5)]
DAYS = Limits(older_than_days=1, keep_snapshots=1)


def later(days: float = 40) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


def grow(store: Store, chosen: Settings, nights: list[dt.date]) -> list[str]:
    """A snapshot each night, each with two listings more."""
    names = []
    for number, night in enumerate(nights):
        offer(store, night, range(10 + 2 * number)).close()
        names.append(finish(store, chosen, night))
    return names


def plan(store: Store, chosen: Settings, limits: Limits = DAYS, now: dt.datetime | None = None) -> GarbagePlan:
    return plan_collection(store, chosen, limits, now or later())


def kinds(planned: GarbagePlan) -> dict[str, list[str]]:
    return {kind.kind: [item.ref.key for item in kind.objects] for kind in planned.kinds if kind.objects}


def test_a_dry_run_changes_nothing_and_the_plan_is_what_goes(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:4])
    before = everything(store)
    planned = plan(store, chosen)
    assert everything(store) == before
    assert planned.objects > 0
    removed = collect(store, chosen, planned)
    after = everything(store)
    assert set(before) - set(after) == {str(item.ref) for kind in planned.kinds for item in kind.objects}
    assert {name: before[name] for name in after} == after
    assert removed == {kind.kind: len(kind.objects) for kind in planned.kinds}
    assert plan(store, chosen).objects == 0, "nothing is left for a second call"


def test_old_snapshots_go_with_their_pointers_and_the_newest_stay_usable(store: Store, chosen: Settings) -> None:
    names = grow(store, chosen, NIGHTS)
    planned = plan(store, chosen, Limits(1, 2))
    assert set(planned.kept_snapshots) == set(names[2:]), "two, and the one before them"
    assert planned.kept_snapshots[names[2]] == f"stood before night {NIGHTS[3]}, whose snapshot stays"
    order = [item.ref.key for kind in planned.kinds for item in kind.objects]
    for number in (0, 1):
        pointer = order.index(f"nights/{NIGHTS[number]}.json")
        commit = order.index(f"{names[number]}/manifest.parquet")
        rest = [order.index(key) for key in order if key.startswith(f"{names[number]}/") and "manifest" not in key]
        assert pointer < commit < min(rest)
    places = {name: manifest(store, name) for name in names}

    collect(store, chosen, planned)

    assert {item.ref.key.split("/")[0] for item in store.list_objects(Bucket.DATASETS, "2026")} == set(names[2:])
    assert newest_snapshot(store) == names[4]
    for name in names[2:]:
        assert len(read_snapshot(store, name, 32, chosen.images).rows) == places[name].height
    offer(store, NIGHTS[4] + dt.timedelta(days=1), range(24)).close()
    grown = manifest(store, finish(store, chosen, NIGHTS[4] + dt.timedelta(days=1)))
    for before in places.values():
        both = before.join(grown, on="sha256", suffix="_now")
        assert both.height
        assert (both["split"] == both["split_now"]).all(), "what was placed once stays"
    assert verify_store(store, sample=None).findings == ()


def test_whatever_a_model_or_an_evaluation_names_stays(store: Store, chosen: Settings, tmp_path: Path) -> None:
    names = grow(store, chosen, NIGHTS)
    publish(store, tmp_path, names[0])
    evaluation = Evaluation(
        kind=ModelKind.CLASSIFIER, key="e", data=names[1], test_images=1, classes=2, champion=None, challengers=()
    )
    store.put_json(keys.evaluation(ModelKind.CLASSIFIER, "e"), evaluation.model_dump(mode="json"))
    store.put(keys.evaluation_predictions(ModelKind.CLASSIFIER, "e"), b"what stands beside it is no evaluation")
    planned = plan(store, chosen)
    assert set(planned.kept_snapshots) == {names[0], names[1], names[3], names[4]}
    assert planned.kept_snapshots[names[0]] == "classifier version 0001 was trained on it"
    assert planned.kept_snapshots[names[1]] == "evaluation e was made on it"
    collect(store, chosen, planned)
    assert verify_store(store, sample=None).findings == ()
    assert len(read_snapshot(store, names[0], 32, chosen.images).rows) == 20


def test_while_a_training_may_be_reading_no_snapshot_goes(store: Store, chosen: Settings) -> None:
    names = grow(store, chosen, NIGHTS[:3])
    reserve_version(store, ModelKind.CLASSIFIER, "under-way")
    soon = later(1.1)
    planned = plan(store, chosen, now=soon)
    assert planned.kept_snapshots[names[0]] == "classifier version 0001 may be in training"
    assert set(planned.kept_snapshots) == set(names)
    assert names[0] not in plan(store, chosen).kept_snapshots, "a reservation of long ago was given up"


def test_what_cannot_be_read_could_name_anything_so_nothing_goes(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:3])
    before = everything(store)
    config = keys.version_file(ModelKind.CLASSIFIER, 1, "config.json")
    for ref, message in (
        (config, "classifier version 0001 cannot be read"),
        (keys.evaluation(ModelKind.CLASSIFIER, "e"), "evaluations/e.json cannot be read"),
        (keys.journal(NIGHTS[0], "shop", "shop.000", "s"), "is no readable journal"),
        (keys.fetches(NIGHTS[0], "shop", "broken"), "fetches/.*broken.parquet"),
        (keys.newest_places(), "newest-places.json"),
    ):
        standing = store.get(ref) if store.exists(ref) else None
        store.put(ref, b"{}")
        with pytest.raises((CareError, CorruptObject, StoreError), match=message):
            plan(store, chosen)
        store.put(ref, standing) if standing is not None else store.delete(ref)
    assert everything(store) == before


def test_a_snapshot_that_comes_into_use_after_the_plan_stays(store: Store, chosen: Settings) -> None:
    names = grow(store, chosen, NIGHTS[:3])
    planned = plan(store, chosen)
    store.put_json(keys.snapshot_of_night(NIGHTS[4]), {"snapshot": names[0]})
    before = everything(store)
    with pytest.raises(CareError, match=f"snapshot {names[0]} has come into use since"):
        collect(store, chosen, planned)
    assert everything(store) == before


def test_what_was_written_again_after_the_plan_stays(store: Store, chosen: Settings) -> None:
    sha256 = digest(b"an orphan")
    ref = keys.raw_image(sha256, "jpg")
    store.put(ref, b"an orphan")
    planned = plan(store, chosen)
    assert kinds(planned) == {"raw image": [ref.key]}
    listed = planned.kinds[5].objects[0]
    old = type(listed)(listed.ref, listed.size, listed.etag, listed.modified - dt.timedelta(days=30))
    stale = GarbagePlan(
        planned.limits, planned.now, (type(planned.kinds[5])("raw image", "", "", (old,)),), planned.kept_snapshots
    )
    assert collect(store, chosen, stale) == {"raw image": 0}
    assert store.exists(ref)


def test_nothing_that_was_written_in_the_last_days_goes(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:3])
    store.put(keys.raw_image(digest(b"x"), "jpg"), b"x")
    assert plan(store, chosen, Limits(30, 1), later(20)).objects == 0
    assert plan(store, chosen, Limits(30, 1), later(31)).objects > 0
    with pytest.raises(CareError, match="give 1 or more"):
        plan(store, chosen, Limits(0, 1))


def test_pictures_go_only_where_no_table_and_no_journal_names_them(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:1])
    orphan, journalled, seen = b"orphan", b"journalled", b"seen"
    for data in (orphan, journalled, seen):
        store.put(keys.raw_image(digest(data), "jpg"), data)
    with open_journal(store, NIGHTS[1], "shop", "shop.000") as journal:
        journal.note(PICTURE, "https://shop.test/x.jpg", {"sha256": digest(journalled)}, 1)
        journal.note(PICTURE, "https://shop.test/y.jpg", {"sha256": None}, 2)
        journal.settle()
    row = {"kind": "image", "url": "u", "listing_id": "l", "sha256": digest(seen), "format": "jpg", "night": NIGHTS[0]}
    write_table(store, keys.seen(NIGHTS[0], "shop"), pl.DataFrame([row], schema=schemas.SEEN), schemas.SEEN)
    store.put(Ref(Bucket.RAW, "images/strange"), b"left alone")

    assert kinds(plan(store, chosen))["raw image"] == [keys.raw_image(digest(orphan), "jpg").key]

    store.put_json(keys.night_manifest(NIGHTS[1]), {"night": str(NIGHTS[1]), "tables": {}})  # closed without a salvage
    found = kinds(plan(store, chosen))
    assert len(found["journal"]) == 1
    assert len(found["raw image"]) == 2


def test_crops_go_only_where_no_table_and_no_snapshot_that_stays_names_them(store: Store, chosen: Settings) -> None:
    names = grow(store, chosen, NIGHTS[:1])
    wanted = digest(pictures(0)[0])
    store.put(keys.crop("0001", wanted), b"of an older detector")
    assert kinds(plan(store, chosen))["crop"] == [keys.crop("0001", wanted).key]
    rows = manifest(store, names[0]).with_columns(pl.lit("0001").alias("detector"))
    write_table(store, keys.snapshot("2026-11-23-other", "manifest.parquet"), rows, schemas.MANIFEST)
    store.put_json(keys.snapshot_of_night(NIGHTS[1]), {"snapshot": "2026-11-23-other"})
    assert "crop" not in kinds(plan(store, chosen))


def test_step_tables_go_when_the_night_is_done_and_the_one_to_clean_from_stays(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:1])
    write_cleaned(store, NIGHTS[0])
    offer(store, NIGHTS[1], range(12)).close()
    curate_uncropped(store, chosen, NIGHTS[1])  # without a report
    gone = ("clean/part-0000.parquet", "exact.parquet", "near.parquet")
    assert kinds(plan(store, chosen))["step table"] == [f"stages/night={NIGHTS[0]}/{name}" for name in gone]


def write_cleaned(store: Store, night: dt.date) -> None:
    """What cleaning wrote before its crops were compared."""
    rows = read_table(store, keys.curated_images(night, 0), schemas.IMAGES).select(list(schemas.CLEANED))
    write_table(store, keys.cleaned(night, 0), rows, schemas.CLEANED)


def test_notes_of_old_nights_go_and_what_the_next_night_reads_stays(store: Store, chosen: Settings) -> None:
    now = dt.datetime.now(dt.UTC)
    old = [(now - dt.timedelta(days=day)).date() for day in (50, 45, 40)]
    for night in (*old, now.date()):
        write_table(store, keys.seen(night, "shop"), schemas.SEEN.to_frame(), schemas.SEEN)
        store.put_json(keys.watermarks(night, "shop"), {})
        store.put_json(keys.lease(night, "a1"), {})
        store.put_json(keys.robots(night, "a1"), {})
    write_table(store, keys.seen(old[0], "other"), schemas.SEEN.to_frame(), schemas.SEEN)
    for version in ("1", VERSION, f"{VERSION}-crops"):
        store.put(keys.refreshed(version, old[0]), b"x")
    found = kinds(plan(store, chosen, Limits(30, 1), now + dt.timedelta(days=31)))
    cut = [f"night={night}" for night in old]
    assert found["superseded memory"] == [
        *(f"seen/{night}/shop.parquet" for night in cut),
        *(f"watermarks/{night}/shop.json" for night in cut),
    ], "the newest of each source stays"
    assert {key.split("/")[1] for key in found["lease or robots.txt"]} == {*cut, f"night={now.date()}"}
    assert found["fingerprints"] == [keys.refreshed("1", old[0]).key]
    # nights since the limit still begin with the last one before it
    assert "superseded memory" not in kinds(plan(store, chosen, Limits(30, 1), now))


def test_checkpoints_of_trainings_that_nobody_went_on_with_go(store: Store, chosen: Settings) -> None:
    names = [keys.checkpoint(ModelKind.DETECTOR, "old", name) for name in ("epoch-0003-ab.safetensors", "newest.json")]
    for ref in names:
        store.put(ref, b"{}")
    assert kinds(plan(store, chosen, now=later(0.5))) == {}
    assert kinds(plan(store, chosen)) == {"checkpoint": [ref.key for ref in reversed(names)]}
    collect(store, chosen, plan(store, chosen))
    assert not [ref for ref in names if store.exists(ref)]


def test_of_old_autoencoders_the_scores_stay_and_only_the_last_weights(store: Store, chosen: Settings) -> None:
    now = later(0)
    nights = [now.date() - dt.timedelta(days=days) for days in (40, 35, 33, 5)]
    for night in nights:
        for name in (WEIGHTS, SCORES, MODEL):
            store.put(keys.outliers(night, name), b"x")

    found = kinds(plan(store, chosen, Limits(30, 1), now + dt.timedelta(days=31)))
    assert found["autoencoder's weights"] == [keys.outliers(night, WEIGHTS).key for night in nights[:-1]]
    # objects are young today, though their nights are old
    assert "autoencoder's weights" not in kinds(plan(store, chosen, Limits(30, 1), now))


def test_builds_that_were_stopped_go_unless_something_names_them(store: Store, chosen: Settings) -> None:
    names = grow(store, chosen, NIGHTS[:2])
    store.put(keys.snapshot_shard("2026-11-20-stopped", 0), b"x")
    store.put(keys.snapshot_shard("2026-11-20-named", 0), b"x")
    store.put_json(keys.snapshot_of_night(NIGHTS[0] - dt.timedelta(days=3)), {"snapshot": "2026-11-20-named"})
    assert kinds(plan(store, chosen))["unfinished snapshot"] == ["2026-11-20-stopped/shards/00000.tar"]
    assert names[1] in plan(store, chosen).kept_snapshots


def test_stopped_at_any_moment_nothing_dangles_and_a_second_call_ends_it(
    store: Store, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(store, chosen, NIGHTS[:4])
    delete, left = Store.delete, random.Random(0)
    for _ in range(60):
        allowed = left.randint(1, 4)

        def stop(self: Store, ref: Ref) -> None:
            nonlocal allowed
            allowed -= 1
            if allowed < 0:
                raise StoreError("the machine lost its power")
            delete(self, ref)

        monkeypatch.setattr(Store, "delete", stop)
        try:
            collect(store, chosen, plan(store, chosen))
            break
        except StoreError:
            assert verify_store(store, ("snapshots", "crops", "tables"), sample=None).findings == ()
    else:
        pytest.fail("it never ended")
    assert plan(store, chosen).objects == 0


@given(
    st.dictionaries(st.sampled_from(NOVEMBER), st.sampled_from("abcdefgh")),
    st.integers(1, 9),
)
def test_the_newest_stay_and_no_pointer_that_stays_dangles(pointers: dict[str, str], keep: int) -> None:
    kept = reasons(pointers, keep)
    nights = sorted(pointers)
    newest = list(dict.fromkeys(pointers[night] for night in reversed(nights)))[:keep]
    assert set(newest) <= set(kept)
    assert len(kept) <= keep + 1
    left = [night for night in nights if pointers[night] in kept]
    if nights:
        assert left[-1] == nights[-1]
        oldest = min(night for night in nights if pointers[night] in newest)
        before = [night for night in nights if night < oldest]
        assert not before or pointers[before[-1]] in kept


@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_after_a_collection_everything_that_stays_can_be_verified_and_read(
    settings: Settings, chosen: Settings, data: Any
) -> None:
    prefix = f"g{data.draw(st.integers(0, 10**9))}{random.SystemRandom().randint(0, 10**6)}"
    mine = chosen.model_copy(update={"store": chosen.store.model_copy(update={"bucket_prefix": prefix[:20]})})
    store = Store(mine.store)
    store.ensure_buckets()
    names = []
    for number, night in enumerate(NIGHTS[: data.draw(st.integers(2, 4))]):
        shop = offer(store, night, range(10 + 2 * number * data.draw(st.integers(0, 1))))
        if data.draw(st.booleans()):
            shop.listing(f"copy{number}", [jpeg(photo(1006), 40 + number)], style_code="M41108")
        shop.close()
        names.append(finish(store, mine, night))
        if data.draw(st.booleans()):
            store.put(keys.raw_image(digest(b"%d" % number), "jpg"), b"%d" % number)
            store.put(keys.crop(f"000{number}", digest(pictures(0)[0])), b"%d" % number)
        if data.draw(st.booleans()):
            parts = curate_uncropped(store, mine, night)
            build_snapshot(store, mine, night, parts)
    if data.draw(st.booleans()):
        take_down(store, mine, plan_takedown(store, listing_target("shop/l3")), Reason("asked", "a test", AT))
    limits = Limits(1, data.draw(st.integers(1, 3)))
    planned = plan(store, mine, limits)
    before = everything(store)
    collect(store, mine, planned)
    after = everything(store)
    assert set(before) - set(after) == {str(item.ref) for kind in planned.kinds for item in kind.objects}
    assert verify_store(store, sample=None).findings == ()
    assert newest_snapshot(store) == names[-1]
    for name in planned.kept_snapshots:
        rows = read_snapshot(store, name, 32, mine.images).rows
        assert set(rows["sha256"]) == set(members(store, name))
    assert plan(store, mine, limits).objects == 0


def test_a_takedown_after_a_collection_still_finds_everything(store: Store, chosen: Settings) -> None:
    grow(store, chosen, NIGHTS[:2])
    shop = Shop(store, NIGHTS[2])
    shop.listing("smaller", [jpeg(photo(1006), 40)], style_code="M41108")
    shop.close()
    finish(store, chosen, NIGHTS[2])
    collect(store, chosen, plan(store, chosen))
    removed = take_down(store, chosen, plan_takedown(store, listing_target("shop/l3")), Reason("asked", "a test", AT))
    assert (removed.raw_images, removed.reports) == (3, (str(NIGHTS[2]),))
    assert b"<img " not in store.get(keys.night_report(NIGHTS[2]))
    assert verify_store(store, sample=None).findings == ()
