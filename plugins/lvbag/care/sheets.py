"""Sheets of confusions beside evaluations: the only pictures that the models bucket holds."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator

from lvbag.registry import RegistryError, load_evaluation
from lvbag.store import Bucket, ModelKind, Ref, Store, keys

log = logging.getLogger(__name__)


def sheets_with(store: Store, images: Collection[str]) -> Iterator[Ref]:
    """The sheets that show one of the images; all of an evaluation whose record cannot be read."""
    prefix = keys.evaluations_prefix(ModelKind.CLASSIFIER)
    shown: dict[str, set[Ref] | None] = {}
    for item in store.list_objects(Bucket.MODELS, prefix):
        key, slash, name = item.ref.key.removeprefix(prefix).partition("/")
        if slash and name.endswith(".jpg"):
            if key not in shown:
                shown[key] = _showing(store, key, images)
            showing = shown[key]
            if showing is None or item.ref in showing:
                yield item.ref


def _showing(store: Store, key: str, images: Collection[str]) -> set[Ref] | None:
    """The sheets of an evaluation that show one of the images; None where that cannot be said."""
    try:
        evaluation = load_evaluation(store, ModelKind.CLASSIFIER, key)
    except (RegistryError, keys.KeyNameError) as error:
        log.warning("care.sheets unsure evaluation=%s why=%s", key, error)
        return None
    every = [item for item in (evaluation.champion, *evaluation.challengers) if item is not None]
    return {
        keys.confusion_sheet(ModelKind.CLASSIFIER, key, item.version)
        for item in every
        if any(sha256 in images for pair in item.confusions for sha256 in pair.examples)
    }
