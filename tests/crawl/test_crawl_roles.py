"""A night with the rights of production: each step as its own user of a server that enforces the policies."""

from __future__ import annotations

import datetime as dt

import crawl_shop
import pytest
from crawl_shop import Shop

from lvbag.catalog import Catalog
from lvbag.crawl import close_night, crawl_shard, plan_night
from lvbag.curate import mark_exact, mark_near
from lvbag.settings import Settings
from lvbag.store import Bucket, ModelKind, Ref, Store, StoreError, keys, open_store
from lvbag.store_roles import StoreRole
from store_users import as_role

NIGHT = dt.date(2026, 11, 23)
KIND = ModelKind.CLASSIFIER


def test_a_night_needs_no_more_than_the_rights_of_its_roles(
    shop: Shop, store: Store, night_settings: Settings, catalog: Catalog
) -> None:
    crawl_shop.fill(shop)
    crawler = as_role(night_settings, StoreRole.CRAWLER)
    own = open_store(crawler)
    for shard in plan_night(own, crawler, catalog, NIGHT).shards:
        crawl_shard(own, crawler, catalog, NIGHT, shard)
        crawl_shard(own, crawler, catalog, NIGHT, shard, again=True)  # which takes the shard's tables away first
    assert close_night(own, crawler, NIGHT).images_new

    curator = as_role(night_settings, StoreRole.CURATOR)
    for step in (mark_exact, mark_near):
        assert step(open_store(curator), curator, NIGHT).kept
    assert store.exists(keys.stage(NIGHT, "near"))


DIGEST = "ab" * 32
WRITES = {
    StoreRole.CRAWLER: (keys.plan(NIGHT), keys.raw_image(DIGEST, "jpg"), keys.journal(NIGHT, "a", "a.000", "1")),
    StoreRole.CURATOR: (
        *(
            keys.crop("0001", DIGEST),
            keys.labels("a", "labels.json"),
            keys.recleaning(),
            keys.quarantine(NIGHT, "a", "b"),
        ),
        *(
            keys.snapshot_shard("s-1", 0),
            keys.newest_places(),
            keys.night_report(NIGHT),
            keys.data_doc(NIGHT, "a.html"),
        ),
    ),
    StoreRole.TRAINER: (
        *(keys.checkpoint(KIND, "t", "newest.json"), keys.flip(KIND, "f"), keys.outliers(NIGHT, "model.json")),
        keys.suspicions("s-1", "run.json"),
    ),
    StoreRole.OPERATOR: (
        *(keys.tombstone("listing-" + "0" * 8), keys.takedown("listing-" + "0" * 8), keys.flip(KIND, "f")),
        *(keys.crop("0001", DIGEST), keys.snapshot_holes("s-1")),
    ),
}


@pytest.mark.parametrize("role", WRITES)
def test_a_role_writes_and_takes_away_what_is_its_own(store: Store, settings: Settings, role: StoreRole) -> None:
    own = open_store(as_role(settings, role))
    for ref in WRITES[role]:
        own.compare_and_swap(ref, b'{"nonce": 1}', None)
        own.put(ref, b"x" * 10)
        assert own.get_sound(ref) == b"x" * 10
        assert ref in {item.ref for item in own.list_objects(ref.bucket)}
        own.delete(ref)
        assert not store.exists(ref)


@pytest.mark.parametrize(
    ("role", "ref"),
    [
        (StoreRole.CRAWLER, keys.curated_images(NIGHT, 0)),
        (StoreRole.CRAWLER, keys.champion(ModelKind.CLASSIFIER)),
        (StoreRole.CRAWLER, keys.night_report(NIGHT)),
        (StoreRole.CRAWLER, keys.tombstone("listing-" + "0" * 8)),
        (StoreRole.CURATOR, keys.raw_image("ab" * 32, "jpg")),
        (StoreRole.CURATOR, keys.champion(ModelKind.DETECTOR)),
        (StoreRole.TRAINER, keys.night_manifest(NIGHT)),
        (StoreRole.TRAINER, keys.curated_images(NIGHT, 0)),
        (StoreRole.TRAINER, keys.snapshot_of_night(NIGHT)),
        *((StoreRole.READER, Ref(bucket, "anything")) for bucket in Bucket),
    ],
)
def test_a_role_cannot_write_elsewhere(store: Store, settings: Settings, role: StoreRole, ref: Ref) -> None:
    stranger = open_store(as_role(settings, role))
    for attempt in (lambda: stranger.put(ref, b"x"), lambda: stranger.compare_and_swap(ref, b"x", None)):
        with pytest.raises(StoreError, match="refuses"):
            attempt()
    assert not store.exists(ref)


def test_the_crawler_does_not_even_see_the_models(store: Store, settings: Settings) -> None:
    champion = keys.champion(ModelKind.CLASSIFIER)
    store.put_json(champion, {"version": 1})
    crawler = open_store(as_role(settings, StoreRole.CRAWLER))
    with pytest.raises(StoreError, match="refuses the credentials"):
        crawler.get(champion)
