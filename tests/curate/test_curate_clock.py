"""Clocks that jump and nights that come late: a night is named, never read from the clock."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import minio.time
import polars as pl
import pytest
import urllib3
from curate_frames import Shop, digest, jpeg, photo
from faulty_nights import (
    FIRST,
    KEY,
    OTHER,
    SECOND,
    SECRET,
    STEPS,
    THIRD,
    Nights,
    at,
    close_shop,
    curate_unchecked,
    differences,
    fresh,
    offer_first,
    put_back,
    snapshot_is_whole,
    tags,
    tags_of,
)

from cutting_store import Cut, CuttingStore, cutting_store
from lvbag import schemas
from lvbag.curate import newest_snapshot
from lvbag.services.object_store import environment
from lvbag.services.ports import free_port
from lvbag.settings import Settings
from lvbag.store import Store, StoreError, keys
from lvbag.store.tables import read_table, write_table

FOURTH = THIRD + dt.timedelta(days=1)
ORIGINAL, COPY = jpeg(photo(501)), jpeg(photo(501), 60)
FAKETIME = shutil.which("faketime")


class Clock:
    """The clock of a whole installation, for programs that are started with `environment`; it can be set anew."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        library = subprocess.check_output([FAKETIME or "", "-f", "+0", "printenv", "LD_PRELOAD"], text=True).strip()
        self.environment = os.environ | {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self._days = itertools.cycle(("-400d", "+400d", "-1d", "+1d"))
        self.jump()

    def jump(self) -> None:
        """A year back, a year ahead, a day back, a day ahead, and so on."""
        part = self._file.with_suffix(".part")
        part.write_text(next(self._days))
        part.replace(self._file)


@contextmanager
def store_with_clock(clock: Clock, folder: Path) -> Iterator[str]:
    """A store whose clock this is."""
    port = free_port()
    started_with = clock.environment | environment(port, folder, KEY, SECRET)
    command = [sys.executable, "-m", "ministack"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=started_with, stdout=log, stderr=log, start_new_session=True)
    try:
        http = urllib3.PoolManager(retries=urllib3.Retry(total=100, backoff_factor=0.05, backoff_max=0.2))
        http.request("GET", f"http://127.0.0.1:{port}/_ministack/health", timeout=1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.mark.skipif(FAKETIME is None, reason="faketime is not installed (Debian: faketime)")
def test_a_clock_that_jumps_by_days_and_years_within_the_steps_changes_no_byte(nights: Nights, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with store_with_clock(clock, tmp_path) as endpoint, cutting_store(endpoint) as before_it:
        settings = at(nights.settings, before_it.endpoint, retries=0)
        store = Store(settings.store)
        store.ensure_buckets()
        put_back(store, nights.before["close"])
        before_it.begin(Cut("nowhere", every=7, path="GET /", meanwhile=clock.jump))
        program = Path(__file__).with_name("step_process.py")
        told = settings.model_dump(mode="json")
        told["store"] |= {"access_key": KEY, "secret_key": SECRET}
        command = [sys.executable, str(program), json.dumps(told)]
        path = {"PYTHONPATH": str(Path(__file__).parents[1])}  # the helpers that all tests share
        done = subprocess.run(command, env=clock.environment | path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert len(before_it.asked) > 100
        assert differences(tags(store), tags_of(nights.after[list(STEPS)[-1]])) == {}


def test_a_machine_whose_clock_is_not_the_stores_is_told_so_and_loses_nothing(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = minio.time.utcnow
    for days in (1, -1):
        nights.begin("snapshot")
        with monkeypatch.context() as clock:
            clock.setattr(minio.time, "utcnow", lambda: now() + dt.timedelta(days=days))  # noqa: B023
            with pytest.raises(StoreError, match=r"s3://.*check .* clock is right"):
                STEPS["snapshot"](nights.store, nights.settings)
        assert nights.wrong_so_far("snapshot") == {}
        newest = newest_snapshot(nights.store)
        assert newest is not None
        assert snapshot_is_whole(nights.store, newest)
        STEPS["snapshot"](nights.store, nights.settings)
        assert nights.wrong("snapshot") == {}


def test_a_store_that_refuses_the_time_of_a_request_names_the_clock(nights: Nights, proxy: CuttingStore) -> None:
    body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>too large</Message></Error>"
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % len(body)
    proxy.begin(Cut("instead", once=False, instead=head + body))
    with pytest.raises(StoreError, match=r"s3://.* clock and that of this machine .* NTP"):
        Store(at(nights.settings, proxy.endpoint, retries=0).store).get(keys.stage(FIRST, "exact"))


def test_rows_from_the_future_and_the_past_count_like_all_others(nights: Nights) -> None:
    nights.begin("exact")
    for ref in [ref for ref in nights.before["exact"] if ref.key.startswith(("listings/", "fetches/"))]:
        schema = schemas.LISTINGS if ref.key.startswith("listings/") else schemas.FETCHES
        years = pl.int_range(pl.len()) % 3 * 40 - 40
        shifted = pl.col("fetched_at").dt.offset_by(pl.format("{}y", years))
        table = read_table(nights.store, ref, schema).with_columns(shifted)
        assert table["fetched_at"].dt.year().n_unique() > 1
        write_table(nights.store, ref, table, schema)
    STEPS["exact"](nights.store, nights.settings)
    raw = {str(ref) for ref in nights.before["exact"] if ref.key.startswith(("listings/", "fetches/"))}
    assert nights.wrong("exact") == dict.fromkeys(raw, "other bytes")


# ------------------------------------------------------------------ late nights


def places(store: Store) -> dict[str, str]:
    """The split of every picture of the newest snapshot; each stands there once."""
    name = newest_snapshot(store)
    assert name is not None
    manifest = read_table(store, keys.snapshot(name, "manifest.parquet"), schemas.MANIFEST)
    assert manifest["sha256"].is_unique().all()
    for column in ("cluster", "group", "listing_id"):
        assert manifest.group_by(column).agg(pl.col("split").n_unique())["split"].max() == 1
    return dict(manifest.select("sha256", "split").iter_rows())


def offer(store: Store, night: dt.date, pictures: dict[str, bytes]) -> None:
    shop = Shop(store, night)
    for name, data in pictures.items():
        shop.listing(name, [data], style_code=OTHER if name.startswith("b") else "M41108")
    close_shop(shop)


def late_night(endpoint: str) -> tuple[Store, Settings, dict[str, str]]:
    """The third night is curated before the second, which brings the same and a near copy of its pictures; the places
    of pictures by then."""
    settings = fresh(endpoint)
    store = Store(settings.store)
    offer_first(store)
    curate_unchecked(store, settings, FIRST)
    offer(store, SECOND, {"late same": jpeg(photo(500)), "late near": COPY, "late new": jpeg(photo(502))})
    offer(store, THIRD, {"a500": jpeg(photo(500)), "a501": ORIGINAL, "b503": jpeg(photo(503))})
    curate_unchecked(store, settings, THIRD)
    before = places(store)
    third = newest_snapshot(store)
    curate_unchecked(store, settings, SECOND)
    assert newest_snapshot(store) == third
    return store, settings, before


def test_a_night_that_is_curated_late_moves_no_picture_and_doubles_none(store_endpoint: str) -> None:
    store, settings, before = late_night(store_endpoint)
    offer(store, FOURTH, {"b504": jpeg(photo(504))})
    curate_unchecked(store, settings, FOURTH)
    after = places(store)
    assert {sha256: after.get(sha256) for sha256 in before} == before
    assert len(after) > len(before)
    assert after.get(digest(COPY), after[digest(ORIGINAL)]) == after[digest(ORIGINAL)]
    for night in (SECOND, THIRD, FOURTH):  # and again, in order
        curate_unchecked(store, settings, night)
        again = places(store)
        assert {sha256: split for sha256, split in again.items() if after.get(sha256, split) != split} == {}
    assert len({digest(COPY), digest(ORIGINAL)} & again.keys()) == 1


def test_a_near_copy_that_a_late_night_brings_does_not_stand_beside_the_original(store_endpoint: str) -> None:
    store, settings, _ = late_night(store_endpoint)
    offer(store, FOURTH, {"b504": jpeg(photo(504))})
    curate_unchecked(store, settings, FOURTH)
    assert len({digest(COPY), digest(ORIGINAL)} & places(store).keys()) == 1
