"""What a machine keeps of snapshots: fetched and decoded once, wiped when taken down, bounded, never torn."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import make_snapshot

from lvbag.learn import LearnError
from lvbag.learn.classifier.data import Snapshot, read_snapshot
from lvbag.learn.local_cache import GB, LocalCache
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.tombstones import add_holes

MB = 10**6


@pytest.fixture
def cache(tmp_path: Path) -> LocalCache:
    return LocalCache(tmp_path / "cache", limit_gb=1.0)


def read(store: Store, settings: Settings, cache: LocalCache, side: int = 32, *splits: str) -> Snapshot:
    return read_snapshot(store, "snap", side, settings.images, splits or ("train", "val", "test"), cache=cache)


def names(cache: LocalCache, room: str) -> set[str]:
    return {path.name for path in (cache.folder / room).iterdir()}


def test_a_snapshot_is_decoded_once_and_fetched_once_for_every_side(
    store: Store, settings: Settings, cache: LocalCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_snapshot(store, "snap", per_product=10)
    plain = read_snapshot(store, "snap", 32, settings.images)
    first = read(store, settings, cache)
    assert np.array_equal(first.images[:], plain.images[:])

    def fetched(*given: object) -> None:
        raise AssertionError("nothing is fetched again")

    monkeypatch.setattr(Store, "download", fetched)
    other_side = read(store, settings, cache, 40)
    assert other_side.images.shape == (40, 40, 40, 3)
    assert len(names(cache, "squares")) == 2
    shutil.rmtree(cache.folder / "shards")  # squares are enough, also for a part of the snapshot
    again = read(store, settings, cache, 32, "test")
    assert again.rows.equals(plain.rows.filter(split="test"))
    assert np.array_equal(again.images[:], plain.images[plain.indices("test")])


def test_a_part_alone_is_decoded_alone(store: Store, settings: Settings, cache: LocalCache) -> None:
    make_snapshot(store, "snap", per_product=10)
    test = read(store, settings, cache, 32, "test")
    (entry,) = (cache.folder / "squares").iterdir()
    assert entry.stat().st_size == len(test.rows) * 32 * 32 * 3


def test_what_was_taken_down_is_not_used_any_more_and_gone_from_the_cache(
    store: Store, settings: Settings, cache: LocalCache
) -> None:
    manifest = make_snapshot(store, "snap", per_product=10)
    before = read(store, settings, cache)
    gone = manifest["sha256"][3]
    add_holes(store, "snap", [gone], "asked for", dt.datetime(2026, 11, 24, tzinfo=dt.UTC))
    after = read(store, settings, cache)
    assert gone not in set(after.rows["sha256"])
    assert len(after.images) == len(before.images) - 1
    (entry,) = (cache.folder / "squares").iterdir()
    assert (np.fromfile(entry, np.uint8).reshape(-1, 32, 32, 3)[3] == 255).all()
    rest = [index for index in range(len(before.images)) if index != 3]
    assert np.array_equal(after.images[:], before.images[np.array(rest)])


def test_a_shard_that_was_written_again_replaces_the_one_that_was_kept(
    store: Store, settings: Settings, cache: LocalCache
) -> None:
    make_snapshot(store, "snap", per_product=10)
    read(store, settings, cache)
    (before,) = names(cache, "shards")
    shard = keys.snapshot_shard("snap", 0)
    store.put(shard, store.get(shard) + bytes(10240))  # as a tar may end
    read(store, settings, cache, 40)
    (after,) = names(cache, "shards")
    assert before != after


def test_a_kept_shard_is_gone_once_something_was_taken_out_of_it(
    store: Store, settings: Settings, cache: LocalCache
) -> None:
    manifest = make_snapshot(store, "snap", per_product=10)
    read(store, settings, cache)
    shard = keys.snapshot_shard("snap", 0)
    store.put(shard, store.get(shard) + bytes(10240))
    add_holes(store, "snap", [manifest["sha256"][3]], "asked for", dt.datetime(2026, 11, 24, tzinfo=dt.UTC))
    read(store, settings, cache)
    assert names(cache, "shards") == set()


@pytest.mark.parametrize("damage", [b"", b"torn", None])
def test_a_kept_shard_that_was_damaged_is_fetched_again(
    store: Store, settings: Settings, cache: LocalCache, damage: bytes | None
) -> None:
    make_snapshot(store, "snap", per_product=10)
    read(store, settings, cache)
    (kept,) = (cache.folder / "shards").iterdir()
    whole = kept.read_bytes()
    at = whole.index(b"\xff\xd8") + 300
    kept.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] if damage is None else damage)
    again = read(store, settings, cache, 40)
    assert np.array_equal(again.images[:], read_snapshot(store, "snap", 40, settings.images).images[:])


def test_a_snapshot_that_is_removed_while_it_is_read_is_named(
    store: Store, settings: Settings, cache: LocalCache
) -> None:
    make_snapshot(store, "snap", per_product=10)
    for item in list(store.list_objects(Bucket.DATASETS, "snap/shards/")):
        store.delete(item.ref)
    with pytest.raises(LearnError, match=r"00000\.tar is gone: snapshot snap was removed while it was read"):
        read(store, settings, cache)
    assert names(cache, "squares") == set()


# ------------------------------------------------------------------ room


def put(cache: LocalCache, name: str, size: int) -> Path:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return cache.obtain("squares", name, size, make)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = LocalCache(tmp_path, limit_gb=100 * MB / GB)
    for age, name in enumerate(("old", "older", "oldest")):
        os.utime(put(cache, name, 30 * MB), (time.time() - 60 * (age + 1),) * 2)
    assert cache.find("squares", "oldest") is not None, "using it makes it the newest"
    put(cache, "new", 30 * MB)
    assert names(cache, "squares") == {"old", "oldest", "new"}


def test_what_is_larger_than_the_limit_is_refused_with_folder_bytes_and_setting(tmp_path: Path) -> None:
    cache = LocalCache(tmp_path, limit_gb=10 * MB / GB)
    small = put(cache, "small", MB)
    with pytest.raises(
        LearnError, match=rf"no room for {11 * MB} bytes in {tmp_path}: .*train\.cache_gb allows 0\.01 GB"
    ):
        put(cache, "large", 11 * MB)
    assert small.exists(), "nothing was removed for what cannot fit"


@pytest.fixture
def full_disk() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_with_folder_and_bytes_and_leaves_nothing(
    store: Store, settings: Settings, cache: LocalCache, full_disk: None
) -> None:
    make_snapshot(store, "snap", per_product=10)
    with pytest.raises(LearnError, match=rf"no room for {40 * 32 * 32 * 3} bytes in {cache.folder}"):
        read(store, settings, cache)
    assert names(cache, "squares") == set()


def test_a_disk_with_too_little_free_is_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = LocalCache(tmp_path, limit_gb=1.0)
    usage = shutil.disk_usage(tmp_path)._replace(free=501 * MB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    put(cache, "fits", MB // 2)
    with pytest.raises(LearnError, match=rf"no room for {2 * MB} bytes .*{MB} are free there"):
        put(cache, "does-not", 2 * MB)


# ------------------------------------------------------------------ two at once


def _obtain(folder: Path, made: Path) -> None:
    def make(path: Path) -> None:
        with made.open("a") as file:
            file.write("made\n")
        time.sleep(0.3)
        path.write_bytes(b"whole")

    assert LocalCache(folder, 1.0).obtain("squares", "one", 5, make).read_bytes() == b"whole"


def test_two_processes_that_want_the_same_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_obtain, args=(tmp_path / "cache", tmp_path / "made")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(20)
    assert [process.exitcode for process in both] == [0, 0]
    assert (tmp_path / "made").read_text() == "made\n"


def test_what_a_killed_process_left_is_removed_and_what_one_is_making_is_not(tmp_path: Path) -> None:
    cache = LocalCache(tmp_path, limit_gb=100 * MB / GB)
    put(cache, "kept", MB)
    left = tmp_path / "squares" / ".left"
    with left.open("wb") as file:
        file.truncate(95 * MB)

    def make(path: Path) -> None:
        path.write_bytes(bytes(10))
        put(cache, "nested", 90 * MB)  # would need the place of all others
        assert path.exists()

    cache.obtain("squares", "outer", 10, make)
    assert names(cache, "squares") == {"nested", "outer", "kept"}
    assert not left.exists()
