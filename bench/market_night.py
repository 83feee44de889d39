"""A night of the demo's marketplace, and how far cleaning agrees with what the market knows of its own pictures.

A detector is trained by the demo's recipe on the market's label export (a quarter of the first night's pictures), gated
and promoted; then a night is crawled and curated as ever. Compared are the pictures that came to cleaning: what is left
of the night after duplicates and validation. Positive is what cleaning keeps, right is what shows a bag. Those that the
detector was trained on are told apart by nobody, so the second night, which holds none of them, is measured as well.

    python bench/market_night.py                    both nights; trains at the first time (a few minutes)
    python bench/market_night.py --sheet FILE.png   draws what cleaning refused, a row a rule

The store stays in .run/bench/market_night; remove the folder to begin anew.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
from peers.installing import WORK
from PIL import Image, ImageDraw

from crawl import KEY, running, wait_for
from lvbag import schemas
from lvbag.catalog import load_catalog
from lvbag.crawl import close_night, crawl_shard, plan_night
from lvbag.curate import curate_night
from lvbag.curate.reasons import rule_of
from lvbag.curate.rules import RULES
from lvbag.curated import curated_tables
from lvbag.demo.configuration import write_configuration
from lvbag.demo.labels import write_labels
from lvbag.demo.listings import Truth
from lvbag.demo.market import Market
from lvbag.demo.server import MarketServer
from lvbag.images import decode
from lvbag.labels import import_labels
from lvbag.learn import evaluate_detectors, train_detector
from lvbag.registry import champion, judge, promote
from lvbag.services.object_store import endpoint, environment
from lvbag.services.ports import free_port
from lvbag.settings import Settings, load_settings
from lvbag.store import ModelKind, Store, keys, open_store
from lvbag.store.tables import read_tables

FOLDER = WORK / "market_night"
FIRST = dt.date(2026, 11, 22)
AT = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
NIGHTS = (1, 2)
TARGET = 0.97
THUMB_PX, COLUMNS = 120, 14


@dataclass(frozen=True)
class Judged:
    """A picture that came to cleaning: what it shows, and the reason for which it was refused."""

    truth: Truth
    reason: str | None
    sha256: str
    format: str

    @property
    def is_right(self) -> bool:
        return self.truth.is_bag == (self.reason is None)


@contextmanager
def market_with_detector(seed: int) -> Iterator[tuple[Store, Settings, MarketServer]]:
    """The store of this bench, with a detector that is champion, and the shop."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ.update(LVBAG_HOME=str(FOLDER / "home"), LVBAG_CONFIG_DIR=str(FOLDER / "home" / "config"))
    port = free_port()
    os.environ.update(LVBAG_STORE__ENDPOINT=endpoint(port), LVBAG_STORE__ACCESS_KEY=KEY, LVBAG_STORE__SECRET_KEY=KEY)
    with (
        running([sys.executable, "-m", "ministack"], environment(port, FOLDER / "store", KEY, KEY)),
        MarketServer(Market(seed), FOLDER / "market") as shop,
    ):
        wait_for(f"{endpoint(port)}/_ministack/health")
        write_configuration(FOLDER / "home", shop.port, None)
        settings = load_settings()
        store = open_store(settings)
        store.ensure_buckets()
        if champion(store, ModelKind.DETECTOR) is None:
            train(store, settings, seed)
        yield store, settings, shop


def work(seed: int, sheet: Path | None) -> bool:
    """Crawl and curate what is missing, print the figures; whether both reach the target on every night."""
    refused: list[Judged] = []
    good = True
    with market_with_detector(seed) as (store, settings, shop):
        for number in NIGHTS:
            market = Market(seed, number)
            night = crawl_and_curate(store, settings, shop, market)
            found = judged(store, night, market)
            good &= tell(night, found)
            refused += [one for one in found if one.reason is not None]
        if sheet is not None:
            draw(store, settings, refused, sheet)
    return good


def train(store: Store, settings: Settings, seed: int) -> None:
    labels = import_labels(store, settings, write_labels(Market(seed), FOLDER / "labels.zip", seed=seed))
    trained = train_detector(store, settings, labels.name, settings.detector.recipe)
    print(f"market: detector trained in {trained.seconds:.0f} s on {labels.images} pictures", flush=True)
    evaluation = evaluate_detectors(store, settings, labels.name, [trained.version])
    for decision in judge(store, settings, ModelKind.DETECTOR, evaluation.key, AT):
        print(f"market: {decision.summary}")
        promote(store, ModelKind.DETECTOR, decision, AT, "bench")


def crawl_and_curate(store: Store, settings: Settings, shop: MarketServer, market: Market) -> dt.date:
    """The market's night from the crawl to the snapshot; its date."""
    shop.shop.market = market
    night = FIRST + dt.timedelta(days=market.night_number - 1)
    catalog = load_catalog(FOLDER / "home" / "config")
    for shard in plan_night(store, settings, catalog, night).shards:
        crawl_shard(store, settings, catalog, night, shard)
    close_night(store, settings, night)
    for _ in curate_night(store, settings, night):
        pass
    return night


def judged(store: Store, night: dt.date, market: Market) -> list[Judged]:
    """The night's pictures that cleaning kept or refused, with the market's truth about them."""
    truths = {truth.path: truth for truth in market.truth()}
    rows = read_tables(store, curated_tables(store)[night], schemas.IMAGES)
    rules = {rule.name for rule in RULES}
    found = []
    for row in rows.iter_rows(named=True):
        kept = row["crop_sha256"] is not None
        if kept or rule_of(row["reason"]) in rules:
            truth = truths[urlsplit(row["image_url"]).path]
            found.append(Judged(truth, None if kept else row["reason"], row["sha256"], row["format"]))
    without = rows.filter((pl.col("verdict") == "refused") & pl.col("reason").fill_null("").eq("")).height
    if without:
        raise SystemExit(f"{without} refused pictures of {night} have no reason")
    return found


def tell(night: dt.date, found: list[Judged]) -> bool:
    kept = [one for one in found if one.reason is None]
    bags = [one for one in found if one.truth.is_bag]
    right = sum(one.truth.is_bag for one in kept)
    precision, recall = right / len(kept), right / len(bags)
    rules = Counter(rule_of(one.reason) for one in found if one.reason is not None)
    print(
        f"market: {night}: {len(found)} pictures came to cleaning, {len(bags)} of them bags; kept {len(kept)}: "
        f"precision {precision:.4f}, recall {recall:.4f}; refused {dict(sorted(rules.items()))}"
    )
    for one in found:
        if not one.is_right:
            seen = one.truth.noise or f"bag {one.truth.product}"
            print(f"market:   {one.truth.path} shows {seen}, and was {one.reason or 'kept'}")
    return min(precision, recall) >= TARGET


def draw(store: Store, settings: Settings, refused: list[Judged], path: Path) -> None:
    """What was refused, a row a rule, the first ones of each; a red frame where it was wrong."""
    by_rule = {
        rule.name: found[:COLUMNS]
        for rule in RULES
        if (found := [one for one in refused if rule_of(one.reason) == rule.name])
    }
    sheet = Image.new("RGB", (COLUMNS * THUMB_PX, len(by_rule) * (THUMB_PX + 14)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (rule, found) in enumerate(by_rule.items()):
        top = row * (THUMB_PX + 14)
        pen.text((2, top), rule, "black")
        for column, one in enumerate(found):
            image = decode(store.get(keys.raw_image(one.sha256, one.format)), settings.images)
            image.thumbnail((THUMB_PX - 6, THUMB_PX - 6))
            sheet.paste(image, (column * THUMB_PX + 3, top + 15))
            if not one.is_right:
                pen.rectangle(
                    (column * THUMB_PX, top + 12, (column + 1) * THUMB_PX - 1, top + THUMB_PX + 11), outline="red"
                )
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the market")
    parser.add_argument("--sheet", type=Path, help="draw what was refused into this file")
    parser.add_argument("--anew", action="store_true", help="forget the detector and the nights of earlier runs")
    given = parser.parse_args()
    if given.anew:
        shutil.rmtree(FOLDER, ignore_errors=True)
    if not work(given.seed, given.sheet):
        raise SystemExit(f"precision or recall is below {TARGET}")


if __name__ == "__main__":
    main()
