"""Reading back what is stored: each kind of damage is found, named and given a remedy, and nothing else is."""

from __future__ import annotations

import datetime as dt
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from care_frames import AT, FIRST, SECOND, everything, finish, manifest, offer, pictures, publish
from hypothesis import given
from hypothesis import strategies as st

from curate.curate_frames import digest
from lvbag import schemas
from lvbag.care import CareError, Reason, listing_target, plan_takedown, take_down, verify_registry, verify_store
from lvbag.care.checks import Check, Finding, choose
from lvbag.care.verify import AREAS, Verified
from lvbag.care.verify_snapshots import manifest_problems
from lvbag.registry import RegistryError, rollback
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Ref, Store, keys
from lvbag.store.tables import read_table, write_table


@pytest.fixture
def snapshot(store: Store, chosen: Settings) -> str:
    """Two nights, closed, up to a snapshot."""
    for night, seeds in ((FIRST, range(14)), (SECOND, range(16))):
        offer(store, night, seeds).close()
        name = finish(store, chosen, night)
        close(store, night)
    return name


def close(store: Store, night: dt.date) -> None:
    """The manifest of a night, with the digests of its tables."""
    prefixes = (keys.listings_prefix(night), keys.fetches_prefix(night))
    refs = [item.ref for prefix in prefixes for item in store.list_objects(Bucket.RAW, prefix)]
    tables = {ref.key: digest(store.get(ref)) for ref in refs}
    store.put_json(keys.night_manifest(night), {"night": night.isoformat(), "tables": tables})


def kinds(store: Store, *what: str, sample: int | None = None) -> list[tuple[str, str]]:
    """Kind and file name of each finding."""
    found = verify_store(store, what or AREAS, sample=sample).findings
    assert all(finding.problem and finding.remedy for finding in found)
    return sorted((finding.kind, finding.uri.split("/", 3)[3]) for finding in found)


def test_what_is_as_it_was_written_has_no_finding(store: Store, snapshot: str, tmp_path: Path) -> None:
    publish(store, tmp_path, snapshot)
    before = everything(store)
    said: list[tuple[str, int, int]] = []
    result = verify_store(store, sample=None, on_progress=lambda *heard: said.append(heard))
    assert result.findings == ()
    assert (result.checked["raw"], result.checked["crops"]) == (60, 32), "the second night fetched 28 once more"
    assert result.checked["models"] == 7, "two aliases, two histories, a lineage, two files"
    assert all(count > 0 for count in result.checked.values())
    assert said[-1][1] == said[-1][2]
    assert everything(store) == before


def damage_raw(store: Store, snapshot: str) -> None:
    store.put(keys.raw_image(digest(pictures(1)[0]), "jpg"), b"something else")
    store.delete(keys.raw_image(digest(pictures(2)[0]), "jpg"))


def damage_crops(store: Store, snapshot: str) -> None:
    store.put(keys.crop("none", digest(pictures(1)[0])), b"something else")
    store.delete(keys.crop("none", digest(pictures(2)[0])))


def damage_tables(store: Store, snapshot: str) -> None:
    store.put(keys.stage(FIRST, "near"), b"PAR1 cut off")
    rows = read_table(store, keys.curated_images(FIRST, 0), schemas.IMAGES)
    buffer = io.BytesIO()
    rows.drop("verdict").write_parquet(buffer)
    store.put(keys.curated_images(FIRST, 0), buffer.getvalue())
    fetches = keys.fetches(FIRST, "shop", "shop.000")
    write_table(store, fetches, read_table(store, fetches, schemas.FETCHES).head(3), schemas.FETCHES)
    store.delete(keys.listings(SECOND, "shop", "shop.000"))


def damage_snapshot(store: Store, snapshot: str) -> None:
    store.delete(keys.snapshot_shard(snapshot, 1))
    drop_member(store, keys.snapshot_shard(snapshot, 0))
    store.put_json(keys.snapshot_of_night(FIRST), {"snapshot": "2026-01-01-000000000000"})
    store.delete(keys.snapshot(snapshot, "card.md"))


def damage_manifest(store: Store, snapshot: str) -> None:
    ref = keys.snapshot(snapshot, "manifest.parquet")
    rows = read_table(store, ref, schemas.MANIFEST)
    swapped = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("M99999")).otherwise("style_code").alias("style_code")
    write_table(store, ref, rows.with_columns(swapped), schemas.MANIFEST)


def drop_member(store: Store, ref: Ref) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(store.get(ref))) as old, tarfile.open(fileobj=buffer, mode="w") as new:
        for member in old.getmembers()[2:]:
            new.addfile(member, old.extractfile(member))
    store.put(ref, buffer.getvalue())


@pytest.mark.parametrize(
    ("damage", "area", "found"),
    [
        (damage_raw, "raw", ["raw_corrupt", "raw_missing"]),
        (damage_crops, "crops", ["crop_corrupt", "crop_missing"]),
        (damage_tables, "tables", ["table_changed", "table_missing", "table_unfit", "table_unreadable"]),
        (damage_snapshot, "snapshots", ["pointer_dangling", "shard_content", "shard_missing", "snapshot_incomplete"]),
        (damage_manifest, "snapshots", ["snapshot_inconsistent"]),
    ],
    ids=["raw", "crops", "tables", "snapshots", "manifest"],
)
def test_each_damage_is_found_once(
    store: Store, snapshot: str, damage: Callable[[Store, str], None], area: str, found: list[str]
) -> None:
    damage(store, snapshot)
    assert sorted({kind for kind, _ in kinds(store, area)}) == found
    assert kinds(store, area), "and it names an object"


def test_a_table_that_cannot_be_read_does_not_end_the_checks_of_what_others_name(store: Store, snapshot: str) -> None:
    store.put(keys.fetches(FIRST, "shop", "shop.000"), b"nothing")
    store.delete(keys.raw_image(digest(pictures(15)[0]), "jpg"))  # of the second night
    assert [kind for kind, _ in kinds(store, "raw")] == ["table_unreadable", "raw_missing"][::-1]


def test_models_are_read_back_with_alias_and_lineage(store: Store, snapshot: str, tmp_path: Path) -> None:
    number = publish(store, tmp_path, snapshot)
    publish(store, tmp_path, "2026-01-01-000000000000", key="other")
    store.put(keys.version_file(ModelKind.CLASSIFIER, number, "model.onnx"), b"other weights")
    store.put_json(
        keys.champion(ModelKind.CLASSIFIER), {"version": 9, "since": AT.isoformat(), "event": "e", "nonce": "n"}
    )
    assert kinds(store, "models") == [
        ("alias_dangling", "classifier/champion.json"),
        ("history_incomplete", "classifier/champion.json"),
        ("lineage_broken", "classifier/versions/0002/config.json"),
        ("model_corrupt", "classifier/versions/0001/model.onnx"),
    ]


def test_a_version_whose_network_does_not_answer_as_its_record_says_is_found(
    store: Store, snapshot: str, tmp_path: Path
) -> None:
    (tmp_path / "v").mkdir()
    number = publish(store, tmp_path / "v", snapshot)
    config = keys.version_file(ModelKind.CLASSIFIER, number, "config.json")
    store.put(config, store.get(config).replace(b'"B"', b'"B", "C"'))
    assert kinds(store, "models") == [("model_unusable", "classifier/versions/0001/model.onnx")]


def test_the_registry_is_verified_whole_or_one_version_of_it(store: Store, snapshot: str, tmp_path: Path) -> None:
    for key in ("a", "b"):
        publish(store, tmp_path, snapshot, key=key)
    rollback(store, ModelKind.CLASSIFIER, 1, AT, "test", "first")
    assert verify_registry(store) == Verified({"classifier": 8, "detector": 2}, ())

    store.put(keys.version_file(ModelKind.CLASSIFIER, 2, "card.md"), b"another card")
    store.delete(next(store.list_objects(Bucket.MODELS, "classifier/history/")).ref)
    heard: list[str] = []
    result = verify_registry(store, [ModelKind.CLASSIFIER], on_finding=lambda finding: heard.append(finding.kind))
    assert heard == [finding.kind for finding in result.findings] == ["history_incomplete", "model_corrupt"]
    assert verify_registry(store, [ModelKind.CLASSIFIER], 1) == Verified({"classifier": 3}, ())
    (finding,) = verify_registry(store, [ModelKind.CLASSIFIER], 2).findings
    assert finding.uri.endswith("classifier/versions/0002/card.md")
    with pytest.raises(RegistryError, match="0009 does not exist"):
        verify_registry(store, [ModelKind.CLASSIFIER], 9)


def test_weights_and_detectors_from_outside_are_held_against_their_names(store: Store) -> None:
    whole, changed = b"tensors", b"a network"
    store.put(keys.weights_file(digest(whole)), whole)
    store.put(keys.detector_file(digest(changed)), b"another network")
    assert kinds(store, "models") == [("model_corrupt", keys.detector_file(digest(changed)).key)]


def test_what_was_taken_down_is_found_only_where_it_stands(store: Store, chosen: Settings, snapshot: str) -> None:
    plan = plan_takedown(store, listing_target("shop/l3"))
    take_down(store, chosen, plan, Reason("asked", "a test", AT))
    assert kinds(store) == []
    data = pictures(3)[0]
    store.put(keys.raw_image(digest(data), "jpg"), data)
    store.put(keys.crop("0009", digest(data)), data)
    assert kinds(store, "raw", "crops", sample=1) == [
        ("taken_down_present", f"crops/0009/{digest(data)[:2]}/{digest(data)}.jpg"),
        ("taken_down_present", f"images/{digest(data)[:2]}/{digest(data)}.jpg"),
    ]
    assert "lvbag takedown --image" in verify_store(store, ("raw",)).findings[0].remedy


def test_a_picture_that_is_left_in_a_shard_is_found(store: Store, chosen: Settings, snapshot: str) -> None:
    shards = {item.ref: store.get(item.ref) for item in store.list_objects(Bucket.DATASETS, f"{snapshot}/shards/")}
    plan = plan_takedown(store, listing_target("shop/l3"))
    take_down(store, chosen, plan, Reason("asked", "a test", AT))
    for ref, data in shards.items():
        store.put(ref, data)
    assert {kind for kind, _ in kinds(store, "snapshots")} == {"taken_down_present"}


def test_a_superseded_memory_may_be_gone_and_the_newest_may_not(store: Store, snapshot: str) -> None:
    for night in (FIRST, SECOND):
        write_table(store, keys.seen(night, "shop"), schemas.SEEN.to_frame(), schemas.SEEN)
        named = {keys.seen(night, "shop").key: digest(store.get(keys.seen(night, "shop")))}
        store.put_json(keys.night_manifest(night), {"night": night.isoformat(), "tables": named})
    store.delete(keys.seen(FIRST, "shop"))
    assert kinds(store, "tables") == []
    store.delete(keys.seen(SECOND, "shop"))
    assert [kind for kind, _ in kinds(store, "tables")] == ["table_missing"] * 2


def test_an_area_that_does_not_exist_is_an_error(store: Store) -> None:
    with pytest.raises(CareError, match="nothing called 'rows' to verify; name some of raw, crops"):
        verify_store(store, ("rows",))


def test_an_empty_store_has_nothing_wrong(store: Store) -> None:
    assert verify_store(store).findings == ()


def nothing() -> list[Finding]:
    return []


@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 5), st.randoms())
def test_a_sample_is_drawn_by_address_and_seed_alone(sample: int, count: int, seed: int, random: object) -> None:
    checks = [Check(f"object {number}", nothing) for number in range(count)]
    always = [Check("pointer", nothing, always=True)]
    shuffled = [*checks]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    drawn = list(choose([*always, *checks], sample, seed))
    assert drawn == list(choose([*shuffled, *always], sample, seed))
    assert len(drawn) == 1 + min(sample, count)
    assert drawn[0] == always[0]
    assert list(choose(checks, None, seed)) == checks


def test_two_seeds_draw_two_samples() -> None:
    checks = [Check(f"object {number}", nothing) for number in range(100)]
    assert list(choose(checks, 5, 0)) != list(choose(checks, 5, 1))


def test_what_straddles_is_said(store: Store, snapshot: str) -> None:
    rows = manifest(store, snapshot)
    splits = read_table(store, keys.snapshot(snapshot, "splits.parquet"), schemas.SPLITS)
    assert manifest_problems(snapshot, rows, splits) == []
    one_group = rows.with_columns(pl.lit("g").alias("group"))
    problems = manifest_problems(snapshot, one_group, splits)
    assert "1 groups stand in several splits, such as g" in problems
    assert problems[0].startswith("its content has the name")
    elsewhere = splits.with_columns(pl.lit("test").alias("split"))
    assert any("have another split in splits.parquet" in text for text in manifest_problems(snapshot, rows, elsewhere))
    assert any("twice" in text for text in manifest_problems(snapshot, pl.concat([rows, rows.head(1)]), splits))
    assert manifest_problems(snapshot, rows.clear(), splits) == ["it names no image"]
