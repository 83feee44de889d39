"""Two small nights for tests of faults: the first curated to its end, the second step by step, with every object kept.

`Nights` remembers what stood before and after each step of an undisturbed second night, so that a test can begin any
step again and again from the same objects, disturb it, and compare.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from curate_frames import Shop, jpeg, photo, small
from PIL import Image
from pydantic import AnyHttpUrl

from cutting_store import CuttingStore
from lvbag import curate, schemas
from lvbag.crawl import close_night
from lvbag.settings import Settings, StoreSettings
from lvbag.store import Bucket, Ref, Store, keys
from lvbag.store.tables import read_table, write_table

FIRST, SECOND, THIRD = (dt.date(2026, 11, day) for day in (23, 24, 25))
PARTS = (0, 1)
KEY, SECRET = "111122223333", "a-secret-of-the-tests"  # of the MiniStack that tests/store_server.py starts
OTHER = "N41358"

Step = Callable[[Store, Settings], object]
Objects = Mapping[Ref, bytes]

STEPS: dict[str, Step] = {
    "close": partial(close_night, night=SECOND),
    "exact": partial(curate.mark_exact, night=SECOND),
    "near": partial(curate.mark_near, night=SECOND),
    "validate": partial(curate.validate_night, night=SECOND),
    "plan": partial(curate.plan_cleaning, night=SECOND),
    "clean-0": partial(curate.clean_part, night=SECOND, part=0, detector="none"),
    "clean-1": partial(curate.clean_part, night=SECOND, part=1, detector="none"),
    "crops": partial(curate.mark_crops, night=SECOND, parts=PARTS),
    "snapshot": partial(curate.build_snapshot, night=SECOND, parts=PARTS),
    "report": partial(curate.report_night, night=SECOND),
}
"""Every step of the second night, in order."""

REMEDY = re.compile(r"(?s)(s3://|store at http).*[;,] .*\b(run|start|restore|remove|delete|crawl|clean|build|check)\b")
"""A message that says where and what to do."""


def fresh(endpoint: str) -> Settings:
    """Settings for nights of two parts and snapshots of two shards, over a fresh set of buckets."""
    place = {"endpoint": endpoint, "access_key": KEY, "secret_key": SECRET, "timeout_s": 20, "retries": 2}
    place["bucket_prefix"] = f"t{uuid.uuid4().hex[:10]}"
    settings = small(Settings(store=StoreSettings.model_validate(place)))
    Store(settings.store).ensure_buckets()
    changed = settings.curate.model_copy(update={"images_per_shard": 3, "shard_images": 8})
    return settings.model_copy(update={"curate": changed})


def at(settings: Settings, endpoint: str, retries: int) -> Settings:
    """The same settings over another address of the store."""
    changed = settings.store.model_copy(update={"endpoint": AnyHttpUrl(endpoint), "retries": retries})
    return settings.model_copy(update={"store": changed})


@dataclass(frozen=True)
class Nights:
    """`before` and `after`: all objects by step; `store` and `settings` are the undisturbed ones.

    `requests`: what each step asked the store for, such as `GET /bucket/key`.
    """

    store: Store
    settings: Settings
    before: Mapping[str, Objects]
    after: Mapping[str, Objects]
    requests: Mapping[str, list[str]]

    def begin(self, step: str) -> None:
        """Make everything as it was before a step."""
        put_back(self.store, self.before[step])

    def wrong(self, step: str) -> dict[str, str]:
        """What is not as the undisturbed step left it; empty where all is."""
        return differences(tags(self.store), tags_of(self.after[step]))

    def wrong_so_far(self, step: str) -> dict[str, str]:
        """What is neither as it was before the step nor as it is after it; empty where nothing was lost or spoilt."""
        now, before, after = tags(self.store), tags_of(self.before[step]), tags_of(self.after[step])
        kept = before.keys() & after.keys()
        found = {str(ref): "lost" for ref in kept - now.keys()}
        strange = (ref for ref, tag in now.items() if tag not in (before.get(ref), after.get(ref)))
        return found | {str(ref): "neither" for ref in strange}


def undisturbed(settings: Settings, proxy: CuttingStore) -> Nights:
    """Crawl both nights, curate the first, and then the second step by step, seen by a proxy that cuts nothing."""
    store, seen = Store(settings.store), at(settings, proxy.endpoint, retries=0)
    offer_first(store)
    curate_whole(store, settings, FIRST)
    offer_second(store)
    before, after, asked = {}, {}, {}
    for name, step in STEPS.items():
        before[name] = objects(store)
        proxy.begin()
        step(Store(seen.store), seen)
        asked[name] = proxy.asked
        after[name] = objects(store)
    return Nights(store, settings, before, after, asked)


def offer_first(store: Store, night: dt.date = FIRST) -> None:
    """Two products of six listings with a picture each, one of them shown twice."""
    shop = Shop(store, night)
    for number in range(6):
        shop.listing(f"a{number}", [jpeg(photo(number))], seller=f"seller {number % 4}")
        shop.listing(f"b{number}", [jpeg(photo(100 + number))], style_code=OTHER)
    shop.listing("a9", [jpeg(photo(0))])
    close_shop(shop)


def offer_second(store: Store, night: dt.date = SECOND) -> None:
    """Two new listings a product, a better copy of one of the first night, mirrored and known pictures, refusals."""
    shop = Shop(store, night)
    for number in range(2):
        shop.listing(f"c{number}", [jpeg(photo(200 + number))])
        shop.listing(f"d{number}", [jpeg(photo(300 + number))], style_code=OTHER)
    shop.listing("e0", [jpeg(photo(3, (320, 240)))])
    shop.listing("e1", [jpeg(photo(4).transpose(Image.Transpose.FLIP_LEFT_RIGHT))])
    shop.listing("a0", [jpeg(photo(0))])
    shop.listing("f0", [jpeg(photo(400))], style_code=None)
    shop.failed_fetch("c0", "too_large: 99 MB")
    close_shop(shop)


def close_shop(shop: Shop) -> None:
    """Write the shop's tables and the plan that asked for them."""
    shop.close()
    shard = {"name": "shop.000", "source": "shop", "products": ["M41108", OTHER], "requests": [9, 9]}
    shop.store.put_json(keys.plan(shop.night), {"night": shop.night.isoformat(), "shards": [shard]})


def curate_whole(store: Store, settings: Settings, night: dt.date) -> None:
    """Every step of a night, in order."""
    for _ in curate.curate_night(store, settings, night):
        pass


def curate_unchecked(store: Store, settings: Settings, night: dt.date) -> None:
    """A night as validation leaves it that refuses nothing, without its seconds; and without a report."""
    curate.mark_exact(store, settings, night)
    curate.mark_near(store, settings, night)
    near = read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    write_table(store, keys.stage(night, "validate"), near, schemas.STAGE_VALIDATE)
    plan = curate.plan_cleaning(store, settings, night)
    for part in plan.parts:
        curate.clean_part(store, settings, night, part, plan.detector)
    curate.mark_crops(store, settings, night, plan.parts)
    curate.build_snapshot(store, settings, night, plan.parts)


# ------------------------------------------------------------------ objects


def objects(store: Store) -> dict[Ref, bytes]:
    """Every object of the installation with its bytes."""
    return {item.ref: store.get(item.ref) for bucket in Bucket for item in store.list_objects(bucket)}


def tags(store: Store) -> dict[Ref, str]:
    """Every object with its entity tag, which for objects of one piece is the MD5 of their bytes."""
    return {item.ref: item.etag for bucket in Bucket for item in store.list_objects(bucket)}


def tags_of(wanted: Objects) -> dict[Ref, str]:
    """The entity tags that these objects must have."""
    return {ref: hashlib.md5(data).hexdigest() for ref, data in wanted.items()}


def put_back(store: Store, wanted: Objects) -> None:
    """Make the store hold these objects and no others."""
    present, right = tags(store), tags_of(wanted)
    for ref in present.keys() - wanted.keys():
        store.delete(ref)
    for ref, data in wanted.items():
        if present.get(ref) != right[ref]:
            store.put(ref, data)


def differences(found: Mapping[Ref, str], wanted: Mapping[Ref, str]) -> dict[str, str]:
    """What is missing, too much or other than it should be; empty where nothing is."""
    names = {str(ref): "missing" for ref in wanted.keys() - found.keys()}
    names |= {str(ref): "too much" for ref in found.keys() - wanted.keys()}
    return names | {str(ref): "other bytes" for ref in found.keys() & wanted.keys() if found[ref] != wanted[ref]}


def snapshot_is_whole(store: Store, name: str) -> bool:
    """Whether a snapshot has everything that a reader asks it for."""
    files = ("manifest.parquet", "splits.parquet", "stats.json", "card.md", "preview.jpg")
    wanted = [*(keys.snapshot(name, file) for file in files), keys.snapshot_shard(name, 0)]
    return all(store.exists(ref) for ref in wanted)


def drawn(count: int, most: int, seed: str) -> list[int]:
    """Numbers from 1 to `count`: all where there are few, else a seeded draw, with the first and the last if it may."""
    if count <= most:
        return list(range(1, count + 1))
    ends = {1, count} if most > 2 else set()
    others = [number for number in range(1, count + 1) if number not in ends]
    return sorted(ends | set(random.Random(seed).sample(others, most - len(ends))))
