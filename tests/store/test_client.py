from __future__ import annotations

import errno
import threading
from pathlib import Path

import polars as pl
import pytest

from lvbag import schemas
from lvbag.settings import StoreSettings
from lvbag.store import (
    Bucket,
    CorruptObject,
    DiskFull,
    ObjectMissing,
    PreconditionFailed,
    Ref,
    Store,
    StoreError,
    StoreUnavailable,
    json_bytes,
)
from lvbag.store.tables import SchemaError, read_table, write_table

REF = Ref(Bucket.MODELS, "classifier/champion.json")


def body(n: int) -> bytes:
    return json_bytes({"n": n, "nonce": f"nonce-{n}"})


def test_an_object_comes_back_as_it_was_put(store: Store) -> None:
    info = store.put(REF, b"hello")
    assert store.get_with_etag(REF) == (b"hello", info.etag)
    assert [item.ref for item in store.list_objects(Bucket.MODELS, "classifier/")] == [REF]
    store.delete(REF)
    assert store.head(REF) is None
    with pytest.raises(ObjectMissing, match=r"champion\.json does not exist"):
        store.get(REF)


def test_a_put_whose_checksum_is_wrong_is_refused_by_the_server(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvbag.store.client.base64.b64encode", lambda _: b"A" * 43 + b"=")
    with pytest.raises(StoreError, match=r"BadDigest|XAmzContentChecksumMismatch"):
        store.put(REF, b"hello")


def test_put_if_absent_writes_once_and_knows_its_own_retry(store: Store) -> None:
    assert store.put_if_absent(REF, body(1))
    assert not store.put_if_absent(REF, body(2))
    assert store.put_if_absent(REF, body(1)), "the same nonce is the same write"
    assert store.get(REF) == body(1)


def test_compare_and_swap_has_one_winner_among_sixteen(store: Store) -> None:
    etag = store.compare_and_swap(REF, body(0), None)
    won: list[int] = []
    barrier = threading.Barrier(16)

    def race(number: int) -> None:
        barrier.wait()
        try:
            store.compare_and_swap(REF, body(number), etag)
        except PreconditionFailed:
            return
        won.append(number)

    threads = [threading.Thread(target=race, args=(n,)) for n in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.get(REF) == body(won[0])


def test_compare_and_swap_on_a_missing_object_fails(store: Store) -> None:
    with pytest.raises(PreconditionFailed):
        store.compare_and_swap(REF, body(1), "0123")


def test_the_probe_accepts_this_store_and_refuses_one_that_ignores_conditions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.probe()
    monkeypatch.setattr(store, "_accepts", lambda ref, header: True)
    with pytest.raises(StoreError, match="ignores conditional writes"):
        store.probe()


def test_large_objects_stream_and_a_changed_digest_leaves_no_file(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(b"0123456789abcdef" * 1024 * 1200)
    ref = Ref(Bucket.DATASETS, "x/shards/00000.tar")
    store.upload(ref, source)
    target = store.download(ref, tmp_path / "back")
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(CorruptObject, match="was changed after it was written"):
        store.download(ref, tmp_path / "bad", sha256="0" * 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "large"]


def test_a_store_that_is_down_is_named_with_the_remedy(settings_down: StoreSettings) -> None:
    with pytest.raises(StoreUnavailable, match=r"127.0.0.1:9/ does not answer.*lvbag up"):
        Store(settings_down).get(REF)


@pytest.fixture
def settings_down() -> StoreSettings:
    return StoreSettings.model_validate(
        {"endpoint": "http://127.0.0.1:9", "retries": 1, "access_key": "a", "secret_key": "b"}
    )


def test_a_table_that_does_not_fit_is_refused_with_the_columns_name(store: Store) -> None:
    ref = Ref(Bucket.RAW, "seen/x.parquet")
    frame = schemas.SEEN.to_frame()
    write_table(store, ref, frame, schemas.SEEN)
    assert read_table(store, ref, schemas.SEEN).equals(frame)
    with pytest.raises(SchemaError, match="column 'etag' is missing"):
        write_table(store, ref, frame.drop("etag"), schemas.SEEN)
    with pytest.raises(SchemaError, match="column 'night' has type String"):
        write_table(store, ref, frame.cast({"night": pl.String}), schemas.SEEN)
    with pytest.raises(SchemaError, match="column 'more' is not in the schema"):
        write_table(store, ref, frame.with_columns(more=pl.lit(1)), schemas.SEEN)
    store.put(ref, b"no parquet")
    with pytest.raises(CorruptObject, match="not a readable Parquet table"):
        read_table(store, ref, schemas.SEEN)


def test_a_disk_that_runs_full_stops_the_write_before_the_store_loses_it(store: Store, tmp_path: Path) -> None:
    store.put(REF, b"before")
    watched = Store(store.settings.model_copy(update={"disk": tmp_path, "min_free_mb": 10**12}))
    for write in (
        lambda: watched.put(REF, b"after"),
        lambda: watched.put_if_absent(REF, body(1)),
        lambda: watched.compare_and_swap(REF, body(1), None),
    ):
        with pytest.raises(DiskFull, match=r"champion\.json was not written: .* store\.min_free_mb is"):
            write()
    assert watched.get(REF) == b"before"


def test_a_full_disk_here_is_named_and_leaves_no_half_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(REF, b"x" * 1000)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lvbag.store.client.os.fdopen", full)
    with pytest.raises(DiskFull, match=r"no space left on this machine's disk .*champion\.json"):
        store.download(REF, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
