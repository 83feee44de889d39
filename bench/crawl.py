"""Fetch, check and store pictures: a shard of ours beside img2dataset, from one shop on loopback, by turns.

Ours is the whole night's way: search pages, item pages, titles matched, robots.txt, leases, opt-outs, every picture
checked and put into an S3 server (MiniStack) on this machine, journal and tables written. One connection, as the crawl
keeps it to a host. img2dataset gets the same pictures' addresses in a list, with one thread, and writes them to disk;
for comparison also with four threads, and with its checks off. Its check is to decode a picture; ours reads header and
structure, and leaves decoding to the curation. Reported is the median ratio of pairs of rounds; CPU seconds are those
of the crawling process.

    python bench/crawl.py                    1,000 pictures of 1000 x 800, 100 KB each; 3 rounds
    python bench/crawl.py --memory           our peak memory at 1,000 and 50,000 small pictures

The peer is installed into an environment of its own, .run/bench/img2dataset, the first time (0.7 GB).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers.installing import WORK, peer_python

from lvbag.catalog import Catalog, Product
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import CrawlSettings, Settings, StoreSettings
from lvbag.store import Store

HERE = Path(__file__).resolve().parent
WARM_UP = 50
KEY = "111122223333"
NIGHT = dt.date(2026, 11, 23)
CATALOG = Catalog((Product("M41108", "Speedy 30", "speedy", "Monogram", "30", ()),))
PEERS = (
    ("img2dataset", "1", "decode"),
    ("img2dataset, 4 threads", "4", "decode"),
    ("img2dataset, checks off", "1", "copy"),
)
Took = dict[str, float]


# ------------------------------------------------------------------ ours, in a process of its own


def crawl(shop: str, store_url: str, pictures: int, kind: str) -> Took:
    """Crawl one shard, after a small one that is not measured."""
    from lvbag.crawl import crawl_shard, plan_night

    def shard(count: int) -> Took:
        crawl = CrawlSettings.model_validate(
            {
                "sources": {"shop": {"search_url": f"{shop}/search/{count}/{kind}?q={{query}}", "max_pages": 10_000}},
                "loopback_hosts": [shop.removeprefix("http://")],
                "max_requests": 10_000_000,
                "target_images": 10_000_000,
                "min_delay_s": 0.0,
                "delay_factor": 0.0,
            }
        )
        buckets = {"endpoint": store_url, "access_key": KEY, "secret_key": KEY, "bucket_prefix": uuid.uuid4().hex[:12]}
        settings = Settings(store=StoreSettings.model_validate(buckets), crawl=crawl)
        store = Store(settings.store)
        store.ensure_buckets()
        (name,) = plan_night(store, settings, CATALOG, NIGHT).shards
        began, began_cpu = time.perf_counter(), time.process_time()
        result = crawl_shard(store, settings, CATALOG, NIGHT, name)
        return {
            "seconds": time.perf_counter() - began,
            "cpu_s": time.process_time() - began_cpu,
            "pictures": result.kept,
        }

    shard(WARM_UP)
    return {**shard(pictures), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def ours(shop: str, store_url: str, pictures: int, kind: str = "large") -> Took:
    command = [sys.executable, __file__, "--one", shop, store_url, str(pictures), kind]
    return checked(command, pictures)


# ------------------------------------------------------------------ the peer, the shop, the store


def peer(shop: str, folder: Path, pictures: int, threads: str, mode: str) -> Took:
    urls = folder / "urls.txt"
    urls.write_text("\n".join(f"{shop}/picture/{number}/large.jpg" for number in range(pictures)))
    output = folder / "pictures"
    runner = HERE / "peers" / "img2dataset_run.py"
    try:
        return checked([str(peer_python("img2dataset")), str(runner), str(urls), str(output), threads, mode], pictures)
    finally:
        shutil.rmtree(output, ignore_errors=True)


def checked(command: list[str], pictures: int) -> Took:
    """What a process that crawls prints last, if it took every picture."""
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    took: Took = json.loads(done.stdout.splitlines()[-1])
    if took["pictures"] != pictures:
        raise SystemExit(f"{' '.join(command)} took {took['pictures']} of {pictures} pictures:\n{done.stderr[-4000:]}")
    return took


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def shop_and_store(folder: Path) -> Iterator[tuple[str, str]]:
    port = free_port()
    with (
        running([sys.executable, "-m", "ministack"], environment(port, folder, KEY, KEY)),
        running([sys.executable, str(HERE / "servers" / "shop.py")], {}) as shop,
    ):
        assert shop.stdout is not None
        shop_url = f"http://127.0.0.1:{int(shop.stdout.readline())}"
        wait_for(f"{endpoint(port)}/_ministack/health")
        yield shop_url, endpoint(port)


def wait_for(url: str) -> None:
    import requests

    for _ in range(600):
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


# ------------------------------------------------------------------ what is printed


def throughput(shop: str, store: str, folder: Path, pictures: int, rounds: int) -> None:
    peer_python("img2dataset")
    found: dict[str, list[Took]] = {"ours": [], **{name: [] for name, _, _ in PEERS}}
    for _ in range(rounds):
        found["ours"].append(ours(shop, store, pictures))
        for name, threads, mode in PEERS:
            found[name].append(peer(shop, folder, pictures, threads, mode))
    for name, rows in found.items():
        per_s = statistics.median(pictures / row["seconds"] for row in rows)
        cpu_ms = statistics.median(1000 * row["cpu_s"] / pictures for row in rows)
        print(f"crawl: {name}: {per_s:.0f} pictures/s, {cpu_ms:.1f} ms CPU a picture")
    pairs = list(zip(found["ours"], found["img2dataset"], strict=True))
    faster = statistics.median(theirs["seconds"] / own["seconds"] for own, theirs in pairs)
    thriftier = statistics.median(theirs["cpu_s"] / own["cpu_s"] for own, theirs in pairs)
    print(
        f"crawl: at equal concurrency {faster:.2f} times img2dataset's throughput, {1 / thriftier:.2f} of its CPU time"
    )


def memory(shop: str, store: str, counts: tuple[int, ...] = (1_000, 50_000)) -> None:
    peaks = []
    for count in counts:
        took = ours(shop, store, count, "small")
        peaks.append(took["peak_mb"])
        print(
            f"crawl: {count:,} small pictures: peak {took['peak_mb']:.0f} MB, {count / took['seconds']:.0f} pictures/s"
        )
    print(f"crawl: {peaks[-1] - peaks[0]:+.0f} MB from {counts[0]:,} to {counts[-1]:,} pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        shop, store, pictures, kind = given.one
        print(json.dumps(crawl(shop, store, int(pictures), kind)))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as name, shop_and_store(Path(name)) as (shop, store):
        if given.memory:
            memory(shop, store)
        else:
            throughput(shop, store, Path(name), given.pictures, given.rounds)


if __name__ == "__main__":
    main()
