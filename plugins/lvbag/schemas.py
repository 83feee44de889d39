"""The columns of every table, in order, with their types. A table that differs is refused (`lvbag.store.tables`).

Verdict columns hold `kept` or `refused`; a refused row says why in its `reason`, written `<rule>: <what was seen>` or
just `<rule>`. Where a column may be null, its comment says so.
"""

from __future__ import annotations

import polars as pl

TIME = pl.Datetime("us", "UTC")

ADDED_LATER = frozenset(
    {
        *("brand", "sku", "gtin", "condition", "availability"),
        *("seller_key", "flip64", "flip256", "chroma", "rule"),
        *("crop_phash64", "crop_phash256", "crop_flip64", "crop_flip256", "crop_thumb"),
        *("crop_cluster", "crop_representative", "crop_distance64", "crop_distance256", "crop_distance_colour"),
        *("crop_rule", "picture_url", "nearest_rule", "rule_margin"),
    }
)
"""Columns that tables of earlier releases lack: they read as null. A table that is written has them all."""

LISTINGS = pl.Schema(
    {
        "night": pl.Date(),
        "source": pl.String(),
        "shard": pl.String(),
        "listing_id": pl.String(),  # the shop's own identifier, else a digest of the URL
        "url": pl.String(),
        "query": pl.String(),  # the style code whose search found it; the query is not the label
        "title": pl.String(),  # null when the page was not understood
        "price": pl.Float64(),  # null when the page states none
        "currency": pl.String(),  # ISO 4217, null when the page states none
        "seller": pl.String(),  # null when the page states none
        "image_urls": pl.List(pl.String()),
        "style_code": pl.String(),  # the product that the title matches; null when none or two do
        "match_confidence": pl.Float64(),
        "match_reason": pl.String(),
        "etag": pl.String(),  # validators of the item page, null when it gave none
        "last_modified": pl.String(),
        "changed": pl.Boolean(),  # False: the page is the one that an earlier night saw
        "verdict": pl.String(),
        "reason": pl.String(),  # null when kept
        "fetched_at": TIME,
        "brand": pl.String(),  # this and the rest as the page words it; null when it states none
        "sku": pl.String(),
        "gtin": pl.String(),
        "condition": pl.String(),
        "availability": pl.String(),  # as in schema.org, such as InStock
    }
)
"""One row a listing of a night. Key: (source, listing_id)."""

FETCHES = pl.Schema(
    {
        "night": pl.Date(),
        "source": pl.String(),
        "shard": pl.String(),
        "listing_id": pl.String(),
        "image_url": pl.String(),
        "position": pl.Int32(),  # of the picture in its listing, from 0
        "verdict": pl.String(),  # kept | unchanged | duplicate_url | refused
        "reason": pl.String(),  # null unless refused
        "http_status": pl.Int32(),  # null when no answer came
        "bytes": pl.Int64(),  # null when nothing was read
        "format": pl.String(),  # jpg | png | webp | avif, by content; null when refused
        "sha256": pl.String(),  # of the bytes as fetched; known for kept, unchanged and duplicate_url
        "etag": pl.String(),
        "last_modified": pl.String(),
        "fetched_at": TIME,
    }
)
"""One row an image fetch. Key: (source, listing_id, position)."""

SEEN = pl.Schema(
    {
        "kind": pl.String(),  # page | image
        "url": pl.String(),
        "listing_id": pl.String(),
        "etag": pl.String(),
        "last_modified": pl.String(),
        "sha256": pl.String(),  # of the image; null for a page
        "format": pl.String(),  # of the image; null for a page
        "night": pl.Date(),  # when it was last seen changed
        "shard": pl.String(),  # the listing table in which a page's row stands
    }
)
"""What a source has shown up to a night: one row a URL. The next night asks only for what is new."""

STAGE_EXACT = pl.Schema(
    {
        "night": pl.Date(),
        "source": pl.String(),
        "listing_id": pl.String(),
        "image_url": pl.String(),
        "position": pl.Int32(),
        "sha256": pl.String(),
        "format": pl.String(),
        "style_code": pl.String(),  # null when the listing's title matched no product or two
        "seller_key": pl.String(),  # digest of source and seller (`lvbag.tombstones.seller_key`); null when not stated
        "first_night": pl.Date(),  # of these bytes; earlier than night: known already
        "verdict": pl.String(),
        "reason": pl.String(),
    }
)
"""One row a fetched picture of a night (kept or unchanged), after exact duplicates are marked."""

STAGE_NEAR = pl.Schema(
    {
        **STAGE_EXACT,
        "width": pl.Int32(),  # pixels, after EXIF orientation; null when the picture did not decode (so are all below)
        "height": pl.Int32(),
        "phash64": pl.UInt64(),
        "phash256": pl.Binary(),  # 32 bytes
        "flip64": pl.UInt64(),  # the same two of the mirrored picture
        "flip256": pl.Binary(),
        "thumb": pl.Binary(),  # a thumbnail of its colours (`lvbag.images.fingerprints.THUMB_SHAPE`)
        "fingerprint": pl.String(),  # version of the method, such as "2"
        "brightness": pl.Float64(),  # mean of grey, 0 to 1
        "contrast": pl.Float64(),  # standard deviation of grey, 0 to 1
        "blur": pl.Float64(),  # variance of the Laplacian of grey in 0 to 255: smaller is blurrier
        "entropy": pl.Float64(),  # bits of the grey histogram, 0 to 8
        "white_share": pl.Float64(),  # of border pixels that are nearly white
        "chroma": pl.Float64(),  # mean CIELAB chroma; next to 0 for a grey picture
        "cluster": pl.String(),  # sha256 of the cluster's first image, which never changes
        "representative": pl.String(),  # sha256 of the cluster's best image then; itself when it is the best
        "distance64": pl.Int32(),  # to the representative; 0 for itself
        "distance256": pl.Int32(),
        "distance_colour": pl.Float64(),
        "rule": pl.String(),  # by which it is linked (`curate.duplicates.linking`); null for the representative itself
    }
)
"""The rows of stage `exact` but those that an earlier night has judged, with fingerprints, quality and near-duplicate
links; duplicates and undecodable ones are refused."""

STAGE_VALIDATE = pl.Schema({**STAGE_NEAR})
"""The same rows after validation: what failed an expectation is refused with the expectation's name."""

STAGES = {"exact": STAGE_EXACT, "near": STAGE_NEAR, "validate": STAGE_VALIDATE}

CLEANED = pl.Schema(
    {
        **STAGE_VALIDATE,
        "detector": pl.String(),  # version that judged, such as "0002"; "none" when there was no champion
        "box": pl.List(pl.Float32()),  # x0, y0, x1, y1 as shares of width and height; null when nothing was detected
        "box_confidence": pl.Float64(),  # null when nothing was detected
        "crop_sha256": pl.String(),  # of the crop's bytes; null when refused
        "crop_width": pl.Int32(),
        "crop_height": pl.Int32(),
        "crop_phash64": pl.UInt64(),  # the crop's fingerprint, of the method that `fingerprint` names; null as above
        "crop_phash256": pl.Binary(),
        "crop_flip64": pl.UInt64(),
        "crop_flip256": pl.Binary(),
        "crop_thumb": pl.Binary(),
        "nearest_rule": pl.String(),  # of cleaning: the rule that refused, or came nearest to it; null where none did
        "rule_margin": pl.Float64(),  # how near, as a share of its border, -1 to 1; null where no detector judged
    }
)
"""The rows of one part after cleaning: what shows no bag is refused, the rest has a crop."""

IMAGES = pl.Schema(
    {
        **CLEANED,
        "crop_cluster": pl.String(),  # as cluster, of crops: finds the same photo framed otherwise; null when refused
        "crop_representative": pl.String(),
        "crop_distance64": pl.Int32(),
        "crop_distance256": pl.Int32(),
        "crop_distance_colour": pl.Float64(),
        "crop_rule": pl.String(),
    }
)
"""One row an image of a night with every verdict and its reason: what curation decided."""

OUTLIERS = pl.Schema(
    {
        "night": pl.Date(),  # that kept the picture
        "source": pl.String(),
        "listing_id": pl.String(),
        "image_url": pl.String(),
        "seller_key": pl.String(),  # null when not stated
        "sha256": pl.String(),  # of the original
        "format": pl.String(),
        "style_code": pl.String(),  # the product among whose pictures it was judged
        "detector": pl.String(),
        "crop_sha256": pl.String(),
        "reconstruction": pl.Float64(),  # mean squared error of the crop's pixels, 0 to 1
        "distance": pl.Float64(),  # log of the distance to its product's nearest over that to other products' nearest
        "reconstruction_z": pl.Float64(),  # the two against what the product usually has, in robust deviations
        "distance_z": pl.Float64(),
        "score": pl.Float64(),  # of both (`lvbag.learn.outliers.scores`)
        "rank": pl.Int32(),  # within the product, from 1 for the oddest that nobody has decided about; 0: decided
        "x": pl.Float64(),  # place on the product's map
        "y": pl.Float64(),
    }
)
"""One row a kept picture of a product with enough of them, sorted by sha256: how odd it is among its product's."""

SUSPICIONS = pl.Schema(
    {
        "night": pl.Date(),  # that kept the picture
        "source": pl.String(),
        "listing_id": pl.String(),
        "image_url": pl.String(),
        "seller_key": pl.String(),  # null when not stated
        "sha256": pl.String(),  # of the original
        "format": pl.String(),  # null where its night's table is gone
        "style_code": pl.String(),  # the label that is judged
        "split": pl.String(),
        "fold": pl.Int32(),  # that the network which was asked has not seen
        "predicted": pl.String(),  # what it names
        "probability": pl.Float64(),  # of that
        "own_probability": pl.Float64(),  # of the label
        "quality": pl.Float64(),  # of the label, 0 to 1 (`lvbag.learn.suspicions.scores`)
        "suspicious": pl.Boolean(),
        "rank": pl.Int32(),  # from 1 for the most suspicious that nobody has decided about; 0: no question
    }
)
"""One row an image of a snapshot whose label was judged by a network that had not seen it, sorted by sha256."""

MANIFEST = pl.Schema(
    {
        "sha256": pl.String(),  # of the original
        "style_code": pl.String(),
        "label": pl.Int32(),  # index of the style code in the sorted list of the snapshot's products
        "split": pl.String(),  # train | val | test
        "group": pl.String(),  # images of one group never straddle splits
        "cluster": pl.String(),
        "night": pl.Date(),
        "source": pl.String(),
        "listing_id": pl.String(),
        "picture_url": pl.String(),  # as it was fetched
        "seller_key": pl.String(),  # null when not stated
        "detector": pl.String(),
        "crop_sha256": pl.String(),
        "width": pl.Int32(),  # of the crop
        "height": pl.Int32(),
        "shard": pl.Int32(),  # number of the tar that holds the crop
    }
)
"""One row an image of a snapshot, sorted by sha256."""

SPLITS = pl.Schema(
    {
        "sha256": pl.String(),
        "source": pl.String(),
        "listing_id": pl.String(),
        "seller_key": pl.String(),  # null when not stated
        "cluster": pl.String(),
        "group": pl.String(),
        "split": pl.String(),
    }
)
"""One row an image that this snapshot or an earlier one held, sorted by sha256: where it belongs for ever, also when it
leaves for a while."""

PREDICTIONS = pl.Schema(
    {
        "sha256": pl.String(),
        "listing_id": pl.String(),
        "style_code": pl.String(),
        "predicted": pl.String(),
        "correct": pl.Boolean(),
        "probability": pl.Float64(),  # of the predicted product
        "rank": pl.Int32(),  # of the true product among the predictions, from 1; null when the model has never seen it
    }
)
"""One row a test image: what a version answered."""

EVALUATED = pl.Schema(
    {
        "sha256": pl.String(),
        "source": pl.String(),
        "listing_id": pl.String(),
        "style_code": pl.String(),
        "version": pl.Int32(),
        "predicted": pl.String(),
        "probability": pl.Float64(),  # of the predicted product, at the version's temperature
        "rank": pl.Int32(),  # of the true product among the predictions, from 1; null when the version does not know it
    }
)
"""One row a version and test image of an evaluation, by version, then sha256."""
