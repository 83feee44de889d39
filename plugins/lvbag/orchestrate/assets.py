"""The assets by which the DAGs start one another. One event a run, sent by its last task.

An event's `extra` carries names and counts, never data. The addresses name the default buckets and are identities
only: a renamed bucket prefix (`store.bucket_prefix`) changes nothing here.
"""

from __future__ import annotations

from airflow.sdk import Asset

from lvbag.orchestrate.names import LABELS_ASSET

LISTINGS = Asset(name="listings", uri="s3://lvbag-raw/nights")
"""A night was crawled and something changed: `{"night", "uri", "counts"}`. From lvbag_crawl, starts lvbag_curate."""

DATASET = Asset(name="dataset", uri="s3://lvbag-datasets/nights")
"""A snapshot was made: `{"snapshot", "night", "counts"}`. From lvbag_curate, starts lvbag_train."""

LABELS = Asset(name=LABELS_ASSET, uri="s3://lvbag-curated/labels")
"""A label set was imported: `{"labels"}`. From `lvbag labels import`, starts lvbag_train_detector."""

MODEL = Asset(name="model", uri="s3://lvbag-models/classifier/champion.json")
"""Another classifier is champion: `{"kind", "version"}`. From lvbag_train and lvbag_operate."""

DETECTOR = Asset(name="detector", uri="s3://lvbag-models/detector/champion.json")
"""Another detector is champion: `{"kind", "version"}`. From lvbag_train_detector and lvbag_operate."""
