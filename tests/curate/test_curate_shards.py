"""Crops that stood in the snapshot before come out of its shards; whatever is wrong with those, the tar is the same."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from curate_frames import digest, jpeg, photo

from lvbag.curate import CurateError
from lvbag.curate.snapshots.earlier_crops import EarlierCrops
from lvbag.curate.snapshots.shards import write_shard
from lvbag.store import Store, keys

COUNT = 30


@pytest.fixture
def crops(store: Store) -> list[tuple[str, bytes]]:
    """sha256 and crop of pictures that were cut, in the order of manifests."""
    made = sorted((digest(b"%d" % number), jpeg(photo(number, (40, 30)))) for number in range(COUNT))
    for sha256, data in made:
        store.put(keys.crop("0001", sha256), data)
    return made


def rows(crops: list[tuple[str, bytes]], per_shard: int = 10) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sha256": [sha256 for sha256, _ in crops],
            "style_code": ["M40156"] * len(crops),
            "detector": ["0001"] * len(crops),
            "crop_sha256": [digest(data) for _, data in crops],
            "shard": [number // per_shard for number in range(len(crops))],
        }
    )


def pack(store: Store, name: str, table: pl.DataFrame, folder: Path) -> None:
    for (number,), some in table.group_by("shard", maintain_order=True):
        store.upload(keys.snapshot_shard(name, int(str(number))), write_shard(store, some, folder / "shard.tar"))


def test_crops_that_stood_in_the_snapshot_before_are_not_fetched_one_by_one(
    store: Store, crops: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    before = rows(crops[::2], per_shard=4)
    pack(store, "before", before, tmp_path)
    plain = write_shard(store, rows(crops), tmp_path / "plain.tar").read_bytes()
    for sha256, _ in crops[::2]:
        store.delete(keys.crop("0001", sha256))
    with pytest.raises(CurateError, match="does not exist; clean the image's night again"):
        write_shard(store, rows(crops), tmp_path / "fails.tar")
    earlier = EarlierCrops(store, "before", before, tmp_path)
    assert write_shard(store, rows(crops), tmp_path / "shard.tar", earlier).read_bytes() == plain
    assert earlier.found == COUNT // 2


def test_a_crop_that_was_cut_anew_is_fetched(store: Store, crops: list[tuple[str, bytes]], tmp_path: Path) -> None:
    pack(store, "before", rows(crops), tmp_path)
    changed = [(sha256, jpeg(photo(100 + number, (40, 30)))) for number, (sha256, _) in enumerate(crops)]
    for sha256, data in changed[:5]:
        store.put(keys.crop("0001", sha256), data)
    wanted = [*changed[:5], *crops[5:]]
    plain = write_shard(store, rows(wanted), tmp_path / "plain.tar").read_bytes()
    earlier = EarlierCrops(store, "before", rows(crops), tmp_path)
    assert write_shard(store, rows(wanted), tmp_path / "shard.tar", earlier).read_bytes() == plain
    assert earlier.found == COUNT - 5


@pytest.mark.parametrize("spoil", ["gone", "cut short", "no tar"])
def test_a_shard_of_the_snapshot_before_that_is_gone_or_broken_costs_only_time(
    store: Store, crops: list[tuple[str, bytes]], tmp_path: Path, spoil: str
) -> None:
    pack(store, "before", rows(crops), tmp_path)
    ref = keys.snapshot_shard("before", 1)
    data = store.get(ref)
    if spoil == "gone":
        store.delete(ref)
    else:
        store.put(ref, data[:3000] if spoil == "cut short" else b"no tar" * 1000)
    plain = write_shard(store, rows(crops), tmp_path / "plain.tar").read_bytes()
    earlier = EarlierCrops(store, "before", rows(crops), tmp_path)
    assert write_shard(store, rows(crops), tmp_path / "shard.tar", earlier).read_bytes() == plain
    assert 10 <= earlier.found < 20
