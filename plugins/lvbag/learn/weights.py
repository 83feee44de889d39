"""What a training starts from: nothing, the champion, or weights that somebody brought in."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from lvbag.learn.classifier.recipe import ClassifierRecipe
from lvbag.learn.detector.recipe import NETWORKS, DetectorRecipe
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import Start, WeightsJob
from lvbag.learn.launch import run_job
from lvbag.nights import night_of
from lvbag.registry import champion, load_version
from lvbag.registry.records import SCRATCH, VersionRecord
from lvbag.registry.weights import ClassifierWeights, Weights, load_classifier_weights, load_weights
from lvbag.settings import Settings
from lvbag.store import ModelKind, ObjectMissing, Store, keys

log = logging.getLogger(__name__)

SIDE_PX = 640
"""Of the ONNX file's input: what COCO weights were trained at."""


def add_weights(
    store: Store, settings: Settings, file: Path, network: str | None = None, side_px: int = SIDE_PX
) -> Weights:
    """Bring a `.pt` or `.safetensors` file in as the weights of a network (by default the one the file is named after).

    Weights of the same network that stood before are replaced. Raises `LearnError`.
    """
    named = network or file.stem
    if named not in NETWORKS:
        raise LearnError(f"{named} is no network of a recipe; name one with --network: {', '.join(NETWORKS)}")
    if not file.is_file():
        raise LearnError(f"{file} does not exist")
    return _bring_in(store, settings, named, file.resolve(), side_px)


def fetch_weights(store: Store, settings: Settings, network: str, side_px: int = SIDE_PX) -> Weights:
    """Bring a network's COCO weights in from the hub of ultralytics; raises `LearnError` unless `train.pretrained`."""
    if network not in NETWORKS:
        raise LearnError(f"{network} is no network of a recipe: {', '.join(NETWORKS)}")
    if not settings.train.pretrained:
        raise LearnError(
            f"weights from the hub are not allowed: set train.pretrained to true, or fetch {network}.pt yourself and "
            f"bring it in with `lvbag detector weights add {network}.pt`"
        )
    return _bring_in(store, settings, network, None, side_px)


def add_classifier_weights(
    store: Store, settings: Settings, file: Path, network: str | None = None
) -> ClassifierWeights:
    """Bring a `.safetensors` file in as the weights of a model of timm (by default the one the file is named after).

    Weights of the same model that stood before are replaced. Raises `LearnError`.
    """
    if not file.is_file():
        raise LearnError(f"{file} does not exist")
    if file.suffix != ".safetensors":
        raise LearnError(f"{file.name} is no .safetensors file; a file of another kind may run code when it is opened")
    return _bring_in_classifier(store, settings, network or file.stem, file.resolve())


def fetch_classifier_weights(store: Store, settings: Settings, network: str) -> ClassifierWeights:
    """Bring a model's weights in from the hub of Hugging Face; raises `LearnError` unless `train.pretrained`."""
    if not settings.train.pretrained:
        raise LearnError(
            f"weights from the hub are not allowed: set train.pretrained to true, or fetch the .safetensors of "
            f"{network} yourself and bring it in with `lvbag classifier weights add FILE --network {network}`"
        )
    return _bring_in_classifier(store, settings, network, None)


def choose_start(
    store: Store,
    settings: Settings,
    recipe: ClassifierRecipe | DetectorRecipe,
    key_of: Callable[[str], str],
    snapshot: str | None = None,
) -> Start | None:
    """What the recipe starts from, None for scratch; `key_of` gives the training key for a start's name.

    A recipe that starts from the champion starts from scratch while there is none, or none of its network. Where the
    champion is what this very training made, its own start is returned, so that a run that is repeated finds its
    version. Raises `LearnError` when there are no weights.
    """
    if recipe.start == "scratch":
        return None
    if recipe.start == "outliers":
        return _from_outliers(store, snapshot)
    if recipe.start == "pretrained":
        if isinstance(recipe, ClassifierRecipe):
            return _pretrained_classifier(store, settings, recipe.model)
        return _pretrained_detector(store, settings, recipe.model)
    kind = ModelKind.CLASSIFIER if isinstance(recipe, ClassifierRecipe) else ModelKind.DETECTOR
    alias = champion(store, kind)
    if alias is None:
        _scratch(recipe, "there is no champion yet")
        return None
    record = load_version(store, kind, alias.version)
    if record.training_key == key_of(record.start):
        if record.parent is None or record.start == SCRATCH:
            return None
        record = load_version(store, kind, record.parent)
    if isinstance(recipe, ClassifierRecipe) and record.model.architecture.partition(".")[0] != recipe.architecture:
        _scratch(recipe, f"the champion is a {record.model.architecture}, not a {recipe.model}")
        return None
    return _from_version(record)


def _scratch(recipe: ClassifierRecipe | DetectorRecipe, why: str) -> None:
    """Say that nothing is started from; raises `LearnError` where a recipe freezes what it starts from."""
    if isinstance(recipe, ClassifierRecipe) and recipe.freeze:
        raise LearnError(f"the recipe says freeze: true and start: champion, and {why}; train another recipe first")
    log.info("train.start %s: from scratch", why)


def _pretrained_detector(store: Store, settings: Settings, network: str) -> Start:
    kept = load_weights(store, network)
    if kept is None and settings.train.pretrained:
        kept = fetch_weights(store, settings, network)
    if kept is None:
        raise LearnError(
            f"the recipe starts from weights of {network}, and there are none: bring a file in with `lvbag "
            f"detector weights add {network}.pt`, allow the hub with train.pretrained, or set start: scratch"
        )
    return _from_outside(network, kept.sha256, kept.classes)


def _pretrained_classifier(store: Store, settings: Settings, network: str) -> Start:
    kept = load_classifier_weights(store, network)
    if kept is None and settings.train.pretrained:
        kept = fetch_classifier_weights(store, settings, network)
    if kept is None:
        raise LearnError(
            f"the recipe starts from weights of {network}, and there are none: bring a file in with `lvbag classifier "
            f"weights add FILE.safetensors --network {network}`, allow the hub with train.pretrained, or set start: "
            "scratch"
        )
    return _from_outside(network, kept.sha256, ())


def _from_outliers(store: Store, snapshot: str | None) -> Start:
    """The newest autoencoder up to the snapshot's night, so that a training that is repeated later finds the same."""
    from lvbag.learn.outliers.records import newest_weights  # reads tables, which DAG files do not wait for
    from lvbag.outliers import WEIGHTS

    night = None if snapshot is None else night_of(snapshot)
    found = newest_weights(store, None if night is None else night + dt.timedelta(days=1))
    if found is None:
        raise LearnError(
            f"the recipe starts from the autoencoder of {snapshot or 'a night'}, and no night up to it has left one: "
            "run `lvbag curate outliers`, see outliers.enabled and outliers.min_images, or choose another recipe"
        )
    trained, sha256 = found
    ref = keys.weights_file(sha256, ModelKind.CLASSIFIER)
    if not store.exists(ref):  # a copy, for nights are tidied away and versions remain
        origin = keys.outliers(trained, WEIGHTS)
        try:
            data = store.get(origin)
        except ObjectMissing:
            raise LearnError(
                f"{store.uri(origin)}, which the recipe starts from, was collected as garbage; train on a newer "
                f"snapshot, or run `lvbag curate outliers --night {trained} --again`"
            ) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise LearnError(
                f"{store.uri(origin)} is not what was recorded; run `lvbag curate outliers --night {trained} --again`"
            )
        store.put(ref, data)
    return Start(named=f"outliers of {trained} (sha256 {sha256})", sha256=sha256, classes=(), version=None)


def _from_outside(network: str, sha256: str, classes: tuple[str, ...]) -> Start:
    return Start(named=f"weights {network} (sha256 {sha256})", sha256=sha256, classes=classes, version=None)


def _from_version(record: VersionRecord) -> Start:
    return Start(
        named=f"{record.kind} {keys.version_name(record.version)}",
        sha256=record.files["model.safetensors"],
        classes=record.model.classes,
        version=record.version,
    )


def _bring_in(store: Store, settings: Settings, network: str, file: Path | None, side_px: int) -> Weights:
    def make(folder: Path, cache: Path) -> WeightsJob:
        return WeightsJob.asked(settings, folder, cache, network=network, file=file, image_side_px=side_px)

    run_job("lvbag.learn.detector.run_weights", settings, make)
    kept = load_weights(store, network)
    if kept is None:
        raise LearnError(f"weights of {network} were kept and are gone; bring them in again")
    return kept


def _bring_in_classifier(store: Store, settings: Settings, network: str, file: Path | None) -> ClassifierWeights:
    def make(folder: Path, cache: Path) -> WeightsJob:
        return WeightsJob.asked(settings, folder, cache, network=network, file=file, image_side_px=0)

    run_job("lvbag.learn.classifier.run_weights", settings, make)
    kept = load_classifier_weights(store, network)
    if kept is None:
        raise LearnError(f"weights of {network} were kept and are gone; bring them in again")
    return kept
