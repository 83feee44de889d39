"""The check of a written snapshot: it passes what is right, and names the images of everything that is not."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from curate_frames import Shop, curate_uncropped, jpeg, photo, small
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from lvbag import schemas
from lvbag.curate import CurateError, build_snapshot
from lvbag.curate.duplicates.linking import Limits, crop_limits, near_limits, near_pairs, pack_columns
from lvbag.curate.snapshots.material import PRINTS
from lvbag.curate.snapshots.straddle import StraddleReport, check_snapshot, near_across
from lvbag.settings import CurateSettings, Settings
from lvbag.store import CorruptObject, Store, keys
from lvbag.store.tables import read_table, write_table
from lvbag.tombstones import add_holes

FIRST, SECOND = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


@dataclasses.dataclass(frozen=True)
class Built:
    """A snapshot of two nights in a store, and ways to spoil it."""

    store: Store
    settings: Settings
    name: str

    def check(self) -> StraddleReport:
        return check_snapshot(self.store, self.settings, self.name)

    def table(self, name: str, schema: pl.Schema) -> pl.DataFrame:
        return read_table(self.store, keys.snapshot(self.name, name), schema)

    def spoil(self, name: str, schema: pl.Schema, **columns: pl.Expr) -> pl.DataFrame:
        table = self.table(name, schema).with_columns(**columns)
        write_table(self.store, keys.snapshot(self.name, name), table, schema)
        return table

    def spoil_both(self, **columns: pl.Expr) -> None:
        self.spoil("manifest.parquet", schemas.MANIFEST, **columns)
        self.spoil("splits.parquet", schemas.SPLITS, **columns)

    def spoil_images(self, night: dt.date, **columns: pl.Expr) -> None:
        ref = keys.curated_images(night, 0)
        write_table(
            self.store, ref, read_table(self.store, ref, schemas.IMAGES).with_columns(**columns), schemas.IMAGES
        )

    def one_of(self, split: str) -> dict[str, object]:
        return self.table("manifest.parquet", schemas.MANIFEST).filter(split=split).row(0, named=True)


@pytest.fixture
def built(store: Store, settings: Settings) -> Built:
    chosen = small(settings)
    for night, count in ((FIRST, 16), (SECOND, 22)):
        shop = Shop(store, night)
        for seed in range(count):
            pictures = [jpeg(photo(1000 + 2 * seed + n)) for n in range(2)]
            shop.listing(f"l{seed}", pictures, style_code=("M40156", "M41108")[seed % 2], seller=f"s{seed // 2}")
        shop.close()
        result = build_snapshot(store, chosen, night, curate_uncropped(store, chosen, night))
    return Built(store, chosen, str(result.snapshot))


def test_a_sound_snapshot_passes_and_the_report_says_what_was_looked_at(built: Built) -> None:
    report = check_snapshot(built.store, built.settings, built.name)
    assert (report.images, report.pictures, report.crops, report.shards) == (44, 44, 44, 5)
    assert report.held_out > 0
    assert len(report.before) == 1
    assert report.sellers_apart == 0


def test_the_first_snapshot_has_none_to_be_compared_with(built: Built) -> None:
    first = built.store.get_json(keys.snapshot_of_night(FIRST))["snapshot"]
    assert check_snapshot(built.store, built.settings, first).before == (built.name,)


@pytest.mark.parametrize("column", ["group", "cluster"])
def test_a_group_or_cluster_in_two_splits_is_named(built: Built, column: str) -> None:
    test, train = built.one_of("test"), built.one_of("train")
    mine = pl.col("sha256") == str(train["sha256"])
    built.spoil_both(**{column: pl.when(mine).then(pl.lit(str(test[column]))).otherwise(column)})
    with pytest.raises(CurateError, match=f"{column} {test[column]} straddles splits") as error:
        built.check()
    assert str(train["sha256"]) in str(error.value)


def test_a_listing_in_two_splits_is_named(built: Built) -> None:
    one = built.one_of("test")
    built.spoil_both(
        split=pl.when(pl.col("sha256") == str(one["sha256"])).then(pl.lit("val")).otherwise("split"),
        group=pl.when(pl.col("sha256") == str(one["sha256"])).then(pl.lit("g")).otherwise("group"),
    )
    with pytest.raises(CurateError, match=f"listing shop/{one['listing_id']} straddles splits"):
        built.check()


def test_a_cluster_of_crops_in_two_splits_is_named(built: Built) -> None:
    test, train = built.one_of("test"), built.one_of("train")
    both = pl.col("sha256").is_in([test["sha256"], train["sha256"]])
    for night in (FIRST, SECOND):
        built.spoil_images(night, crop_cluster=pl.when(both).then(pl.lit("k")).otherwise("crop_cluster"))
    with pytest.raises(CurateError, match="crop cluster k straddles splits"):
        built.check()


@pytest.mark.parametrize("prefix", ["", "crop_"])
def test_near_duplicates_in_two_splits_are_found_although_no_table_knows_of_them(built: Built, prefix: str) -> None:
    test, train = built.one_of("test"), built.one_of("train")
    rows = pl.concat([read_table(built.store, keys.curated_images(n, 0), schemas.IMAGES) for n in (FIRST, SECOND)])
    copied = rows.filter(sha256=str(test["sha256"])).row(0, named=True)
    mine = pl.col("sha256") == str(train["sha256"])
    names = [f"{prefix}{name}" for name in ("phash64", "phash256", "flip64", "flip256", "thumb")]
    for night in (FIRST, SECOND):
        built.spoil_images(
            night,
            **{n: pl.when(mine).then(pl.lit(copied[n], schemas.IMAGES[n])).otherwise(n) for n in names},
        )
    with pytest.raises(CurateError, match=f"{'crops' if prefix else 'pictures'} are near-duplicates") as error:
        built.check()
    assert f"{test['sha256']} (test) and {train['sha256']} (train)" in str(error.value)


def test_an_image_elsewhere_than_in_the_snapshot_before_is_named(built: Built) -> None:
    one = built.one_of("test")
    whole = pl.col("group") == str(one["group"])
    built.spoil_both(split=pl.when(whole).then(pl.lit("train")).otherwise("split"))
    with pytest.raises(CurateError, match=f"in another split than in snapshot .*{one['sha256']}"):
        built.check()


def test_a_manifest_that_differs_from_the_places_is_named(built: Built) -> None:
    one = built.one_of("val")
    whole = pl.col("group") == str(one["group"])
    built.spoil("manifest.parquet", schemas.MANIFEST, split=pl.when(whole).then(pl.lit("test")).otherwise("split"))
    with pytest.raises(CurateError, match=r"elsewhere than splits\.parquet does"):
        built.check()


def test_shards_that_lack_hold_too_much_or_hold_something_else_are_named(built: Built) -> None:
    shards = [keys.snapshot_shard(built.name, number) for number in range(2)]
    data = [built.store.get(ref) for ref in shards]
    built.store.put(shards[0], data[1])
    with pytest.raises(CurateError, match=r"00000.tar does not hold what the manifest says.* stands where"):
        built.check()
    built.store.put(shards[0], data[0][: len(data[0]) // 2])
    with pytest.raises(CurateError, match=r"00000.tar does not hold"):
        built.check()
    spoiled = bytearray(data[0])
    spoiled[512 + 40] ^= 1
    built.store.put(shards[0], bytes(spoiled))
    with pytest.raises(CurateError, match="has another crop"):
        built.check()
    built.store.delete(shards[0])
    with pytest.raises(CurateError, match="shards are missing or too many"):
        built.check()
    built.store.put(shards[0], data[0])
    built.check()


def test_what_was_taken_down_may_be_missing_from_its_shard(built: Built) -> None:
    sound = built.check()
    shard = built.table("manifest.parquet", schemas.MANIFEST).filter(shard=4)
    built.store.put(keys.snapshot_shard(built.name, 4), b"\0" * 10240)
    with pytest.raises(CurateError, match=r"00004.tar does not hold what the manifest says"):
        built.check()
    add_holes(built.store, built.name, shard["sha256"], "asked to", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    assert built.check() == sound


def test_a_snapshot_that_is_not_there_and_a_manifest_that_is_none(built: Built) -> None:
    with pytest.raises(CurateError, match="there is no snapshot nothing; `lvbag dataset list` names them"):
        check_snapshot(built.store, built.settings, "nothing")
    built.store.put(keys.snapshot(built.name, "manifest.parquet"), b"no table")
    with pytest.raises(CorruptObject, match="is not a readable Parquet table"):
        built.check()


LIMITS = st.one_of(
    st.sampled_from((near_limits(CurateSettings()), crop_limits(CurateSettings()))),
    st.builds(Limits, st.integers(0, 14), st.integers(0, 40), st.floats(0.5, 30.0), st.none() | st.integers(0, 12)),
)
PICTURES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2**14), st.booleans(), st.sampled_from(("train", "val", "test"))),
    min_size=2,
    max_size=25,
)


@budget(max_examples=150, deadline=None)
@given(PICTURES, LIMITS)
def test_the_check_finds_what_the_builder_would_have_tied(
    pictures: list[tuple[int, int, bool, str]], limits: Limits
) -> None:
    rows = []
    for number, (base, noise, mirrored, split) in enumerate(pictures):
        steady, shaken = np.random.default_rng(base), np.random.default_rng(noise)
        hashes = [int(steady.integers(0, 2**63)) ^ (1 << int(shaken.integers(0, 60))) for _ in range(2)]
        if noise % 3 == 0:  # a mark moves many bits of 64, and few of the rest
            hashes = [int(shaken.integers(0, 2**63)) for _ in range(2)]
        long = [np.packbits(steady.integers(0, 2, 256) ^ (shaken.random(256) < 0.06)).tobytes() for _ in range(2)]
        thumb = (steady.integers(-60, 60, (8, 8, 3)) + shaken.integers(-6, 6, (8, 8, 3)) // (1 + noise % 7)).astype(
            np.int8
        )
        if mirrored:
            hashes, long, thumb = hashes[::-1], long[::-1], thumb[:, ::-1]
        rows.append((str(number), split, hashes[0], long[0], thumb.tobytes(), hashes[1], long[1]))
    schema = {"sha256": pl.String(), "split": pl.String(), **{name: schemas.IMAGES[name] for name in PRINTS}}
    prints = pl.DataFrame(rows, schema=schema, orient="row")
    packed = pack_columns(*(prints[name] for name in PRINTS))
    split = prints["split"].to_list()
    wanted = {
        (str(one), str(other))
        for one, other in near_pairs(packed, packed, limits)
        if split[one] != split[other] and split[one] != "train"
    }
    assert set(near_across(prints, limits)) == wanted


def test_the_check_looks_at_thousands_of_held_out_pictures() -> None:
    rng = np.random.default_rng(5)
    count = 6000
    codes = rng.integers(0, 2**63, (count, 2), dtype=np.uint64)
    long = rng.integers(0, 256, (count, 2, 32), dtype=np.uint8)
    thumbs = rng.integers(-60, 60, (count, 192)).astype(np.int8)
    for many in (codes, long, thumbs):
        many[-1] = many[10]
    prints = pl.DataFrame(
        {
            "sha256": [f"{number:064x}" for number in range(count)],
            "split": ["test"] * (count - 1) + ["train"],
            "phash64": codes[:, 0],
            "phash256": [row.tobytes() for row in long[:, 0]],
            "thumb": [row.tobytes() for row in thumbs],
            "flip64": codes[:, 1],
            "flip256": [row.tobytes() for row in long[:, 1]],
        }
    )
    assert near_across(prints, near_limits(CurateSettings())) == [(f"{10:064x}", f"{count - 1:064x}")]
