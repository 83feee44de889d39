"""Every object key of the system, built here and nowhere else.

A key is a function of what the object is, so that a task that runs twice writes the same object. Names from outside
(titles, file names, URLs) never become part of a key; source and shard names are checked.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

from lvbag.errors import LvbagError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class KeyNameError(LvbagError):
    """A name that may not stand in an object key."""


class Bucket(StrEnum):
    """The five buckets by role; the store puts its prefix before the role."""

    RAW = "raw"
    CURATED = "curated"
    DATASETS = "datasets"
    MODELS = "models"
    REPORTS = "reports"


@dataclass(frozen=True, order=True)
class Ref:
    """Where an object stands: a bucket's role and a key."""

    bucket: Bucket
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}:{self.key}"


# ------------------------------------------------------------------ raw


def plan(night: dt.date) -> Ref:
    """The night's plan: shards with their products and budgets (JSON)."""
    return Ref(Bucket.RAW, f"plans/{_night(night)}/plan.json")


def listings(night: dt.date, source: str, shard: str) -> Ref:
    """One row a listing (`schemas.LISTINGS`)."""
    return Ref(Bucket.RAW, f"{listings_prefix(night)}{_name(source)}/{_name(shard)}.parquet")


def listings_prefix(night: dt.date) -> str:
    """All listing tables of a night, in the raw bucket."""
    return f"listings/{_night(night)}/"


def fetches(night: dt.date, source: str, shard: str) -> Ref:
    """One row an image fetch, kept or refused (`schemas.FETCHES`)."""
    return Ref(Bucket.RAW, f"{fetches_prefix(night)}{_name(source)}/{_name(shard)}.parquet")


def fetches_prefix(night: dt.date) -> str:
    """All fetch tables of a night, in the raw bucket."""
    return f"fetches/{_night(night)}/"


def all_listings_prefix() -> str:
    """The listing tables of all nights, in the raw bucket."""
    return "listings/"


def all_fetches_prefix() -> str:
    """The fetch tables of all nights, in the raw bucket."""
    return "fetches/"


def seen(night: dt.date, source: str) -> Ref:
    """What the source had shown up to and with this night: URLs with validators and digests (`schemas.SEEN`)."""
    return Ref(Bucket.RAW, f"seen/{_night(night)}/{_name(source)}.parquet")


def seen_prefix() -> str:
    """All `seen` tables, in the raw bucket."""
    return "seen/"


def raw_image(sha256: str, extension: str) -> Ref:
    """The bytes as fetched; the extension tells the format that the content has."""
    return Ref(Bucket.RAW, f"{raw_images_prefix()}{_digest(sha256)[:2]}/{sha256}.{_name(extension)}")


def raw_images_of(sha256: str) -> str:
    """An image as fetched, whatever format its name tells, in the raw bucket."""
    return f"{raw_images_prefix()}{_digest(sha256)[:2]}/{sha256}."


def raw_images_prefix() -> str:
    """All pictures as fetched, in the raw bucket."""
    return "images/"


def page(night: dt.date, source: str, shard: str, sha256: str) -> Ref:
    """A page that no parser understood, compressed with zstandard."""
    return Ref(Bucket.RAW, f"pages/{_night(night)}/{_name(source)}/{_name(shard)}/{_digest(sha256)}.html.zst")


def pages_prefix(night: dt.date, source: str, shard: str) -> str:
    """The pages of a shard that no parser understood, in the raw bucket."""
    return f"pages/{_night(night)}/{_name(source)}/{_name(shard)}/"


def shard_summary(night: dt.date, source: str, shard: str) -> Ref:
    """What a shard did besides its rows: requests, pages of results, what was dropped, searches completed (JSON)."""
    return Ref(Bucket.RAW, f"{shard_summaries_prefix(night)}{_name(source)}/{_name(shard)}.json")


def shard_summaries_prefix(night: dt.date) -> str:
    """All summaries of a night, in the raw bucket."""
    return f"shards/{_night(night)}/"


def journal(night: dt.date, source: str, shard: str, segment: str) -> Ref:
    """What a running shard has done so far, so that a killed one goes on; gone once its tables stand."""
    return Ref(Bucket.RAW, f"{journal_prefix(night, source, shard)}{_name(segment)}.json.zst")


def journals_prefix(night: dt.date, source: str) -> str:
    """The journals of all shards of a source, in the raw bucket; a shard's name follows."""
    return f"journal/{_night(night)}/{_name(source)}/"


def journal_prefix(night: dt.date, source: str, shard: str) -> str:
    """All segments of a shard's journal, in the raw bucket."""
    return f"{journals_prefix(night, source)}{_name(shard)}/"


def all_journals_prefix() -> str:
    """The journals of all nights, in the raw bucket."""
    return "journal/"


def lease(night: dt.date, name: str) -> Ref:
    """Who may talk to a host (or crawl a source) now, and how the host fared tonight (JSON); `name` is a digest."""
    return Ref(Bucket.RAW, f"{leases_prefix(night)}{_name(name)}.json")


def leases_prefix(night: dt.date) -> str:
    """All leases of a night, in the raw bucket."""
    return f"hosts/{_night(night)}/"


def all_leases_prefix() -> str:
    """The leases of all nights, in the raw bucket."""
    return "hosts/"


def robots(night: dt.date, name: str) -> Ref:
    """A host's robots.txt as it was read tonight, with the status of the answer (JSON); `name` is a digest."""
    return Ref(Bucket.RAW, f"robots/{_night(night)}/{_name(name)}.json")


def all_robots_prefix() -> str:
    """The robots.txt of all nights, in the raw bucket."""
    return "robots/"


def watermarks(night: dt.date, source: str) -> Ref:
    """Up to when each query of a source has been searched to its end, as of this night (JSON)."""
    return Ref(Bucket.RAW, f"watermarks/{_night(night)}/{_name(source)}.json")


def watermarks_prefix() -> str:
    """All watermarks, in the raw bucket."""
    return "watermarks/"


def night_manifest(night: dt.date) -> Ref:
    """The crawl's last word on a night: tables with their digests, and counts (JSON)."""
    return Ref(Bucket.RAW, f"nights/{_night(night)}/manifest.json")


def night_manifest_prefix() -> str:
    """All night manifests, in the raw bucket."""
    return "nights/"


def tombstone(name: str) -> Ref:
    """What was taken down for good and is never to be fetched again (JSON); `name` is `<kind>-<digest>`."""
    return Ref(Bucket.RAW, f"{tombstones_prefix()}{_name(name)}.json")


def tombstones_prefix() -> str:
    """All tombstones, in the raw bucket."""
    return "tombstones/"


# ------------------------------------------------------------------ curated


def all_stages_prefix() -> str:
    """The tables between the steps of all nights, in the curated bucket."""
    return "stages/"


def stages_prefix(night: dt.date) -> str:
    """The tables between the steps of a night, in the curated bucket."""
    return f"{all_stages_prefix()}{_night(night)}/"


def stage(night: dt.date, name: str) -> Ref:
    """A table between two steps of curation: `exact`, `near` or `validate` (`schemas.STAGES`)."""
    return Ref(Bucket.CURATED, f"{stages_prefix(night)}{_name(name)}.parquet")


def cleaned(night: dt.date, part: int) -> Ref:
    """One part after detection and cropping, before its crops are compared (`schemas.CLEANED`)."""
    return Ref(Bucket.CURATED, f"{cleaned_prefix(night)}part-{part:04d}.parquet")


def cleaned_prefix(night: dt.date) -> str:
    """All cleaned parts of a night, in the curated bucket."""
    return f"{stages_prefix(night)}clean/"


def statistics(night: dt.date) -> Ref:
    """What a night looked like, a source a row: what later nights are compared with (JSON)."""
    return Ref(Bucket.CURATED, f"{statistics_prefix()}{_night(night)}.json")


def statistics_prefix() -> str:
    """The statistics of all nights, in the curated bucket."""
    return "statistics/"


def refreshed(version: str, night: dt.date) -> Ref:
    """Fingerprints of a night's pictures by another version of the method than the night's own tables have."""
    return Ref(Bucket.CURATED, f"fingerprints/{_name(version)}/{_night(night)}.parquet")


def refreshed_prefix() -> str:
    """All fingerprints that were taken again, in the curated bucket; by version, then by night."""
    return "fingerprints/"


def curated_images(night: dt.date, part: int) -> Ref:
    """One row an image with every verdict and its reason (`schemas.IMAGES`)."""
    return Ref(Bucket.CURATED, f"{curated_images_prefix(night)}part-{part:04d}.parquet")


def curated_images_prefix(night: dt.date | None = None) -> str:
    """All parts of a night, or of every night, in the curated bucket."""
    return "images/" if night is None else f"images/{_night(night)}/"


def recleaning() -> Ref:
    """From which night on nights are being cleaned again (JSON); gone once that is done."""
    return Ref(Bucket.CURATED, "recleaning.json")


def crop(detector: str, sha256: str) -> Ref:
    """The crop of an image, by the detector version that cut it (`0003`, or `none` for the whole picture)."""
    return Ref(Bucket.CURATED, f"{crops_prefix()}{_name(detector)}/{_digest(sha256)[:2]}/{sha256}.jpg")


def crops_prefix() -> str:
    """All crops, in the curated bucket."""
    return "crops/"


def quarantine(night: dt.date, source: str, name: str) -> Ref:
    """A table of a source whose night failed validation, whole: `near`, `listings` or `fetches`."""
    return Ref(Bucket.CURATED, f"{quarantine_prefix(night)}{_name(source)}/{_name(name)}.parquet")


def all_quarantine_prefix() -> str:
    """All quarantined tables, in the curated bucket."""
    return "quarantine/"


def quarantine_prefix(night: dt.date) -> str:
    """All quarantined tables of a night, in the curated bucket."""
    return f"quarantine/{_night(night)}/"


def labels(label_set: str, name: str) -> Ref:
    """A label export as it came (`export.zip`) and what was read from it (`labels.json`)."""
    return Ref(Bucket.CURATED, f"{labels_prefix()}{_name(label_set)}/{_name(name)}")


def labels_prefix() -> str:
    """All label sets, in the curated bucket."""
    return "labels/"


def newest_label_set() -> Ref:
    """Which label set was imported last (JSON)."""
    return Ref(Bucket.CURATED, f"{labels_prefix()}newest.json")


def outliers(night: dt.date, name: str) -> Ref:
    """What a night found odd: `model.safetensors`, `scores.parquet` (`schemas.OUTLIERS`) and, last, `model.json`."""
    return Ref(Bucket.CURATED, f"{outliers_prefix()}{_night(night)}/{_name(name)}")


def outliers_prefix() -> str:
    """The autoencoders and scores of all nights, in the curated bucket."""
    return "outliers/"


def suspicions(snapshot_id: str, name: str) -> Ref:
    """Which labels of a snapshot are suspicious: `scores.parquet` (`schemas.SUSPICIONS`) and, last, `run.json`."""
    return Ref(Bucket.CURATED, f"{suspicions_prefix()}{_name(snapshot_id)}/{_name(name)}")


def suspicions_prefix() -> str:
    """The suspicious labels of all snapshots, in the curated bucket."""
    return "suspicions/"


def review_decision(item: str, name: str) -> Ref:
    """What a person decided about an item (JSON, never changed); `item` is `<kind>-<sha256>`."""
    kind, _, digest = item.rpartition("-")
    return Ref(Bucket.CURATED, f"{review_decisions_prefix()}{_name(kind)}-{_digest(digest)}/{_name(name)}.json")


def review_decisions_prefix() -> str:
    """Everything that people decided, in the curated bucket; by item, then by time."""
    return "reviews/decisions/"


# ------------------------------------------------------------------ datasets


def snapshot(snapshot_id: str, name: str) -> Ref:
    """A file of a snapshot: `manifest.parquet`, `card.md`, `stats.json`, `preview.jpg`."""
    return Ref(Bucket.DATASETS, f"{_name(snapshot_id)}/{_name(name)}")


def snapshot_shard(snapshot_id: str, number: int) -> Ref:
    """A WebDataset tar of a snapshot."""
    return Ref(Bucket.DATASETS, f"{_name(snapshot_id)}/shards/{number:05d}.tar")


def snapshot_holes(snapshot_id: str) -> Ref:
    """The images that were taken down after the snapshot was built, and are gone from its shards (JSON)."""
    return Ref(Bucket.DATASETS, f"{_name(snapshot_id)}/taken-down.json")


def snapshot_prefix(snapshot_id: str) -> str:
    """Everything of a snapshot, in the datasets bucket."""
    return f"{_name(snapshot_id)}/"


def snapshot_of_night(night: dt.date) -> Ref:
    """Which snapshot stood after this night (JSON)."""
    return Ref(Bucket.DATASETS, f"nights/{night.isoformat()}.json")


def snapshot_of_night_prefix() -> str:
    """All night pointers, in the datasets bucket; the last one by name is the newest."""
    return "nights/"


def newest_places() -> Ref:
    """The snapshot whose `splits.parquet` knows every place ever given (JSON, changed by compare-and-swap)."""
    return Ref(Bucket.DATASETS, "newest-places.json")


# ------------------------------------------------------------------ models


class ModelKind(StrEnum):
    """The two models of the registry."""

    CLASSIFIER = "classifier"
    DETECTOR = "detector"


def version_name(number: int) -> str:
    """`7` is written `0007`, so that names sort."""
    return f"{number:04d}"


def version_file(kind: ModelKind, number: int, name: str) -> Ref:
    """A file of a version: `model.onnx`, `metrics.json`, `card.md` …"""
    return Ref(Bucket.MODELS, f"{versions_prefix(kind)}{version_name(number)}/{_name(name)}")


def versions_prefix(kind: ModelKind) -> str:
    """All versions of a kind, in the models bucket."""
    return f"{kind}/versions/"


def champion(kind: ModelKind) -> Ref:
    """The alias: which version is used (JSON, flipped by compare-and-swap)."""
    return Ref(Bucket.MODELS, f"{kind}/champion.json")


def training(kind: ModelKind, training_key: str, made_of: tuple[str, ...] = ()) -> Ref:
    """Which version number a training owns, so that a retried task finds its own (JSON).

    `made_of`: data and recipe, as folders for people; the key alone is what a training is found by.
    """
    return Ref(Bucket.MODELS, f"{trainings_prefix(kind)}{_folders(made_of)}{_name(training_key)}.json")


def trainings_prefix(kind: ModelKind) -> str:
    """All trainings that own a number, in the models bucket."""
    return f"{kind}/trainings/"


def evaluation(kind: ModelKind, evaluation_key: str) -> Ref:
    """Champion and challengers measured on one test set (JSON)."""
    return Ref(Bucket.MODELS, f"{kind}/evaluations/{_name(evaluation_key)}.json")


def evaluation_predictions(kind: ModelKind, evaluation_key: str) -> Ref:
    """What each version answered to each test image (a table)."""
    return Ref(Bucket.MODELS, f"{evaluations_prefix(kind)}{_name(evaluation_key)}/predictions.parquet")


def confusion_sheet(kind: ModelKind, evaluation_key: str, version: int) -> Ref:
    """Pictures of the products that a version takes for others (JPEG)."""
    name = f"confusions-{version_name(version)}.jpg"
    return Ref(Bucket.MODELS, f"{evaluations_prefix(kind)}{_name(evaluation_key)}/{name}")


def evaluation_card(kind: ModelKind, evaluation_key: str, version: int) -> Ref:
    """A version's card with the figures of this evaluation (Markdown)."""
    name = f"card-{version_name(version)}.md"
    return Ref(Bucket.MODELS, f"{evaluations_prefix(kind)}{_name(evaluation_key)}/{name}")


def evaluations_prefix(kind: ModelKind) -> str:
    """All evaluations of a kind, in the models bucket; records are those directly below it."""
    return f"{kind}/evaluations/"


def history(kind: ModelKind, name: str) -> Ref:
    """An event of the registry: `<time>-<event>.json`; never changed."""
    return Ref(Bucket.MODELS, f"{history_prefix(kind)}{_name(name)}.json")


def history_prefix(kind: ModelKind) -> str:
    """All events of a kind, in the models bucket."""
    return f"{kind}/history/"


def flip(kind: ModelKind, name: str) -> Ref:
    """The event that a change of the champion is about to record; gone once it stands in the history."""
    return Ref(Bucket.MODELS, f"{flips_prefix(kind)}{_name(name)}.json")


def flips_prefix(kind: ModelKind) -> str:
    """All changes of the champion that are under way, in the models bucket."""
    return f"{kind}/flips/"


def checkpoint(kind: ModelKind, training_key: str, name: str, made_of: tuple[str, ...] = ()) -> Ref:
    """The state of a training that still runs: `newest.json`, and the file that it names."""
    return Ref(Bucket.MODELS, f"{checkpoints_of(kind, training_key, made_of)}{_name(name)}")


def checkpoints_of(kind: ModelKind, training_key: str, made_of: tuple[str, ...] = ()) -> str:
    """All checkpoints of a training, in the models bucket; gone once its version is published.

    `made_of`: data and recipe, as folders for people.
    """
    return f"{checkpoints_prefix(kind)}{_folders(made_of)}{_name(training_key)}/"


def checkpoints_prefix(kind: ModelKind) -> str:
    """All checkpoints of a kind, in the models bucket."""
    return f"{kind}/checkpoints/"


def weights(name: str, kind: ModelKind = ModelKind.DETECTOR) -> Ref:
    """Which weights a training of this network may start from (JSON): digests, classes, origin."""
    return Ref(Bucket.MODELS, f"{weights_prefix(kind)}{_name(name)}.json")


def weights_file(sha256: str, kind: ModelKind = ModelKind.DETECTOR) -> Ref:
    """Weights from outside, as tensors."""
    return Ref(Bucket.MODELS, f"{weights_prefix(kind)}{_digest(sha256)}.safetensors")


def weights_prefix(kind: ModelKind = ModelKind.DETECTOR) -> str:
    """All weights that came from outside, in the models bucket."""
    return f"{kind}/weights/"


def detector_file(sha256: str) -> Ref:
    """A detector that is no version of the registry, as ONNX, by its content."""
    return Ref(Bucket.MODELS, f"{detector_files_prefix()}{_digest(sha256)}.onnx")


def detector_files_prefix() -> str:
    """All detectors that are no versions, in the models bucket."""
    return f"{ModelKind.DETECTOR}/files/"


# ------------------------------------------------------------------ reports


def export(kind: ModelKind, number: int, name: str) -> Ref:
    """A file of a version that was handed out for use without lvbag; `lvbag_operate` puts it there."""
    return Ref(Bucket.REPORTS, f"exports/{kind}-{version_name(number)}/{_name(name)}")


def night_report(night: dt.date, name: str = "index.html") -> Ref:
    """The night's page, and its figures as `funnel.json`."""
    return Ref(Bucket.REPORTS, f"nights/{night.isoformat()}/{_name(name)}")


def night_report_prefix() -> str:
    """All nights' reports, in the reports bucket."""
    return "nights/"


def data_docs_prefix(night: dt.date) -> str:
    """Great Expectations' data docs of a night, in the reports bucket."""
    return f"data-docs/{_night(night)}/"


def data_doc(night: dt.date, name: str) -> Ref:
    """A page or picture of a night's data docs, such as `index.html` or `static/styles/page.css`."""
    return Ref(Bucket.REPORTS, data_docs_prefix(night) + "/".join(_name(part) for part in name.split("/")))


def takedown(name: str) -> Ref:
    """What was removed for a tombstone, in numbers (JSON); `name` is the tombstone's."""
    return Ref(Bucket.REPORTS, f"takedowns/{_name(name)}.json")


def probe(name: str) -> Ref:
    """An object that only tests the store."""
    return Ref(Bucket.REPORTS, f".probe/{_name(name)}")


# ------------------------------------------------------------------ names


def _night(night: dt.date) -> str:
    return f"night={night.isoformat()}"


def _folders(names: tuple[str, ...]) -> str:
    return "".join(f"{_name(name)}/" for name in names)


def _name(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise KeyNameError(
            f"{name!r} may not stand in an object key: use letters, digits, '.', '_' and '-', at most 64"
        )
    return name


def _digest(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise KeyNameError(f"{sha256!r} is no sha256 in hexadecimal")
    return sha256
