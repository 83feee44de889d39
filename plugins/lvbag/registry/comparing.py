"""Two versions side by side: their figures, what they were made of, and the newest evaluation that measured both.

The figures of two trainings are comparable only where the data is the same; those of one evaluation always are.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from lvbag.registry.errors import RegistryError
from lvbag.registry.reading import load_evaluation, load_version
from lvbag.registry.records import Evaluation, Measured, VersionRecord
from lvbag.store import Bucket, ModelKind, Store, keys
from lvbag.store.keys import version_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Figure:
    """A figure of both versions; None where one was not measured by it. `change` is b less a."""

    name: str
    a: float | None
    b: float | None

    @property
    def change(self) -> float | None:
        """How much more b has than a."""
        return None if self.a is None or self.b is None else round(self.b - self.a, 9)


@dataclass(frozen=True)
class Difference:
    """Something that the two versions do not have in common, in words."""

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class ProductChange:
    """A product of the test set of which b gets another number of images right than a."""

    style_code: str
    images: int
    a: int
    b: int


@dataclass(frozen=True)
class Together:
    """One evaluation that measured both: its figures, and the products that changed, the greatest loss first."""

    key: str
    data: str
    test_images: int
    figures: tuple[Figure, ...]
    products: tuple[ProductChange, ...]


@dataclass(frozen=True)
class Comparison:
    """Two versions of a kind. `together` is None where no evaluation measured both."""

    kind: ModelKind
    a: int
    b: int
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    together: Together | None


def compare_versions(store: Store, kind: ModelKind, a: int, b: int) -> Comparison:
    """Compare two versions; raises `RegistryError` where one does not exist."""
    first, second = load_version(store, kind, a), load_version(store, kind, b)
    evaluation = newest_evaluation_of(store, kind, a, b)
    return Comparison(
        kind,
        a,
        b,
        figures(first.metrics, second.metrics),
        differences(first, second),
        None if evaluation is None else together(evaluation, a, b),
    )


def newest_evaluation_of(store: Store, kind: ModelKind, a: int, b: int) -> Evaluation | None:
    """The evaluation written last among those that measured both versions; unreadable ones are passed over."""
    prefix = keys.evaluations_prefix(kind)
    found = [item for item in store.list_objects(Bucket.MODELS, prefix) if item.ref.key.count("/") == prefix.count("/")]
    oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
    for item in sorted(found, key=lambda item: item.modified or oldest, reverse=True):
        name = item.ref.key.removeprefix(prefix).removesuffix(".json")
        try:
            evaluation = load_evaluation(store, kind, name)
        except (RegistryError, keys.KeyNameError) as error:
            log.warning("registry.evaluation passed over kind=%s name=%s: %s", kind, name, error)
            continue
        if {a, b} <= {item.version for item in _measured(evaluation)}:
            return evaluation
    return None


def figures(a: Mapping[str, float], b: Mapping[str, float]) -> tuple[Figure, ...]:
    """The figures of both, by name."""
    return tuple(Figure(name, a.get(name), b.get(name)) for name in sorted({*a, *b}))


def differences(a: VersionRecord, b: VersionRecord) -> tuple[Difference, ...]:
    """What the two were made of, where it differs."""
    before, now = _made_of(a), _made_of(b)
    found = [Difference(name, before[name], now[name]) for name in before if before[name] != now[name]]
    if set(a.model.classes) != set(b.model.classes):
        lost = [name for name in a.model.classes if name not in b.model.classes]
        new = [name for name in b.model.classes if name not in a.model.classes]
        found.append(Difference("only here", ", ".join(lost) or "nothing", ", ".join(new) or "nothing"))
    return tuple(found)


def together(evaluation: Evaluation, a: int, b: int) -> Together:
    """What one evaluation says of both."""
    by_version = {item.version: item for item in _measured(evaluation)}
    first, second = by_version[a], by_version[b]
    changed = [
        ProductChange(code, images, first.right.get(code, 0), second.right.get(code, 0))
        for code, images in evaluation.products.items()
        if first.right.get(code, 0) != second.right.get(code, 0)
    ]
    changed.sort(key=lambda item: (item.b - item.a, item.style_code))
    return Together(
        evaluation.key,
        evaluation.data,
        evaluation.test_images,
        figures(first.metrics, second.metrics),
        tuple(changed),
    )


def _measured(evaluation: Evaluation) -> list[Measured]:
    return [item for item in (evaluation.champion, *evaluation.challengers) if item is not None]


def _made_of(record: VersionRecord) -> dict[str, str]:
    return {
        "data": record.data,
        "recipe": f"{record.recipe} (sha256 {record.recipe_sha256[:12]})",
        "seed": str(record.seed),
        "network": f"{record.model.architecture}, {record.model.image_side_px} px",
        "classes": str(len(record.model.classes)),
        "started from": record.start,
        "parent": "none" if record.parent is None else version_name(record.parent),
        "detector": record.detector or "none",
        "code": record.code_version,
    }
