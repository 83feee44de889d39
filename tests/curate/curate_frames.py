"""A shop's nights in the store: listing and fetch tables with real pictures, as the crawl leaves them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from PIL import Image

from lvbag import schemas
from lvbag.curate import mark_exact, mark_near
from lvbag.settings import Settings
from lvbag.store import Bucket, Store, keys
from lvbag.store.tables import read_table, write_table

PRINTS = ("phash64", "phash256", "flip64", "flip256", "thumb")
AT = dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC)


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A photo that looks like no other: coarse random patches of colour."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    return patches.resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Shop:
    """Collects a night's listings and fetches; `close` writes them as the crawl does."""

    store: Store
    night: dt.date
    listings: dict[str, dict[str, list[dict[str, object]]]] = field(default_factory=dict)

    def listing(
        self,
        listing_id: str,
        pictures: list[bytes],
        style_code: str | None = "M41108",
        *,
        source: str = "shop",
        shard: str = "shop.000",
        listing_verdict: str = "kept",
        verdict: str = "kept",
        title: str | None = None,
        seller: str | None = None,
    ) -> list[str]:
        """Offer a listing; returns the sha256 of its pictures."""
        tables = self.listings.setdefault(f"{source}|{shard}", {"listings": [], "fetches": []})
        tables["listings"].append(
            {
                "night": self.night,
                "source": source,
                "shard": shard,
                "listing_id": listing_id,
                "url": f"https://shop.test/{listing_id}",
                "query": "M41108",
                "title": title or f"Louis Vuitton {style_code}",
                "price": 700.0,
                "currency": "EUR",
                "seller": seller,
                "image_urls": [f"https://shop.test/{listing_id}/{n}.jpg" for n in range(len(pictures))],
                "style_code": style_code,
                "match_confidence": 1.0,
                "match_reason": "style code in the title" if style_code else "two products match",
                "changed": True,
                "verdict": listing_verdict,
                "reason": None if listing_verdict == "kept" else "sold_out",
                "fetched_at": AT,
            }
        )
        for position, data in enumerate(pictures):
            self.store.put(keys.raw_image(digest(data), "jpg"), data)
            tables["fetches"].append(
                {
                    "night": self.night,
                    "source": source,
                    "shard": shard,
                    "listing_id": listing_id,
                    "image_url": f"https://shop.test/{listing_id}/{position}.jpg",
                    "position": position,
                    "verdict": verdict,
                    "http_status": 200,
                    "bytes": len(data),
                    "format": "jpg",
                    "sha256": digest(data),
                    "fetched_at": AT,
                }
            )
        return [digest(data) for data in pictures]

    def failed_fetch(self, listing_id: str, reason: str, source: str = "shop", shard: str = "shop.000") -> None:
        """A picture that the crawl refused."""
        tables = self.listings.setdefault(f"{source}|{shard}", {"listings": [], "fetches": []})
        tables["fetches"].append(
            {
                "night": self.night,
                "source": source,
                "shard": shard,
                "listing_id": listing_id,
                "image_url": f"https://shop.test/{listing_id}/bad.jpg",
                "position": 99,
                "verdict": "refused",
                "reason": reason,
                "fetched_at": AT,
            }
        )

    def close(self) -> None:
        for name, tables in self.listings.items():
            source, shard = name.split("|")
            listings = pl.DataFrame(tables["listings"], schema=schemas.LISTINGS)
            fetches = pl.DataFrame(tables["fetches"], schema=schemas.FETCHES)
            write_table(self.store, keys.listings(self.night, source, shard), listings, schemas.LISTINGS)
            write_table(self.store, keys.fetches(self.night, source, shard), fetches, schemas.FETCHES)


def curate_uncropped(store: Store, settings: Settings, night: dt.date) -> tuple[int, ...]:
    """The night's exact and near steps, and then what validation and cleaning write when they find nothing wrong."""
    mark_exact(store, settings, night)
    mark_near(store, settings, night)
    near = read_table(store, keys.stage(night, "near"), schemas.STAGE_NEAR)
    write_table(store, keys.stage(night, "validate"), near, schemas.STAGE_VALIDATE)
    write_images(store, night, near)
    return (0,)


def write_images(store: Store, night: dt.date, near: pl.DataFrame, detector: str = "none") -> None:
    """The curated table of a night, with the raw pictures as crops."""
    crops: list[dict[str, object]] = []
    for row in near.iter_rows(named=True):
        crop: dict[str, object] = {}
        if row["verdict"] == "kept":
            data = store.get(keys.raw_image(row["sha256"], row["format"]))
            store.put(keys.crop(detector, row["sha256"]), data)
            crop = {"crop_sha256": digest(data), "crop_width": row["width"], "crop_height": row["height"]}
            crop |= {f"crop_{name}": row[name] for name in PRINTS}
            crop |= {"crop_cluster": row["sha256"], "crop_representative": row["sha256"]}
            crop |= {"crop_distance64": 0, "crop_distance256": 0, "crop_distance_colour": 0.0}
        crops.append({"detector": detector, **crop})
    added = {name: kind for name, kind in schemas.IMAGES.items() if name not in schemas.STAGE_VALIDATE}
    images = near.hstack(pl.DataFrame(crops, schema=added))
    write_table(store, keys.curated_images(night, 0), images, schemas.IMAGES)


def all_digests(store: Store) -> dict[str, str]:
    """Every object that curation writes, with the digest of its bytes."""
    return {
        str(item.ref): digest(store.get(item.ref))
        for bucket in (Bucket.CURATED, Bucket.DATASETS, Bucket.REPORTS)
        for item in store.list_objects(bucket)
    }


def small(settings: Settings) -> Settings:
    """Settings for tests: small pictures and few of them."""
    return settings.model_copy(
        update={
            "images": settings.images.model_copy(update={"min_side_px": 32}),
            "curate": settings.curate.model_copy(update={"min_images": 5, "shard_images": 10}),
        }
    )


PRODUCTS = ("M40156", "M41108")


def market(store: Store, settings: Settings, night: dt.date, seeds: range) -> tuple[int, ...]:
    """A night with a new listing of two photos for each seed, the products in turn."""
    shop = Shop(store, night)
    for seed in seeds:
        pictures = [jpeg(photo(1000 + 2 * seed + n)) for n in range(2)]
        shop.listing(f"l{seed}", pictures, style_code=PRODUCTS[seed % 2])
    shop.close()
    return curate_uncropped(store, settings, night)


def manifest(store: Store, snapshot: str) -> pl.DataFrame:
    return read_table(store, keys.snapshot(snapshot, "manifest.parquet"), schemas.MANIFEST)
