"""Reading back what is stored, a sample or everything, and comparing it with the digests that were recorded.

Changes nothing. Of any number of objects only a few are in memory, and the same seed draws the same sample.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lvbag.care.checks import Check, Finding, choose, found, run_checks
from lvbag.care.errors import CareError
from lvbag.care.verify_models import model_checks, registry_checks, version_checks
from lvbag.care.verify_pictures import crop_checks, raw_checks
from lvbag.care.verify_snapshots import snapshot_checks
from lvbag.care.verify_tables import table_checks
from lvbag.registry import load_version
from lvbag.registry.reading import CONFIG
from lvbag.store import CorruptObject, ModelKind, Store, keys
from lvbag.tombstones import Tombstones, read_tombstones

log = logging.getLogger(__name__)

AREAS = ("raw", "crops", "tables", "snapshots", "models")

SAMPLE = 200
"""Objects of each area that are read when nothing else is said."""


@dataclass(frozen=True)
class Verified:
    """How much was checked, by area, and everything that was found."""

    checked: dict[str, int]
    findings: tuple[Finding, ...]


def verify_store(
    store: Store,
    what: Sequence[str] = AREAS,
    *,
    sample: int | None = SAMPLE,
    seed: int = 0,
    on_progress: Callable[[str, int, int], None] | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> Verified:
    """Check these areas; `sample` objects of each, or all for None. Raises `CareError` for an area that there is not.

    `on_progress` hears of the area, of checks made in it, and of how many there will be.
    """
    for area in what:
        if area not in AREAS:
            raise CareError(f"there is nothing called {area!r} to verify; name some of {', '.join(AREAS)}")
    checked: dict[str, int] = {}
    everything: list[Finding] = []
    for area in what:
        if sample is None:
            checks, total = _checks(store, area), sum(1 for _ in _checks(store, area))
        else:
            chosen = list(choose(_checks(store, area), sample, seed))
            checks, total = iter(chosen), len(chosen)
        checked[area] = 0
        for findings in run_checks(checks):
            checked[area] += 1
            everything += _told(findings, on_finding)
            if on_progress is not None:
                on_progress(area, checked[area], total)
        log.info("care.verify done area=%s checked=%d findings=%d", area, checked[area], len(everything))
    return Verified(checked, tuple(everything))


def verify_registry(
    store: Store,
    kinds: Iterable[ModelKind] = tuple(ModelKind),
    number: int | None = None,
    on_finding: Callable[[Finding], None] | None = None,
) -> Verified:
    """Read everything of the registry back, or all of one version; raises `RegistryError` where there is none such."""
    checked: dict[str, int] = {}
    everything: list[Finding] = []
    for kind in kinds:
        if number is not None and not store.exists(keys.version_file(kind, number, CONFIG)):
            load_version(store, kind, number)  # says why there is none
        checks = registry_checks(store, kind) if number is None else version_checks(store, kind, number)
        checked[kind.value] = 0
        for findings in run_checks(checks):
            checked[kind.value] += 1
            everything += _told(findings, on_finding)
    return Verified(checked, tuple(everything))


def _told(findings: list[Finding], on_finding: Callable[[Finding], None] | None) -> list[Finding]:
    for finding in findings:
        log.warning("care.finding kind=%s uri=%s problem=%s", finding.kind, finding.uri, finding.problem)
        if on_finding is not None:
            on_finding(finding)
    return findings


def _checks(store: Store, area: str) -> Iterator[Check]:
    if area == "tables":
        yield from table_checks(store)
    elif area == "models":
        yield from model_checks(store)
    else:
        struck = Tombstones()
        try:
            struck = read_tombstones(store)
        except CorruptObject as error:
            remedy = "restore it from a backup; until then nothing is crawled"
            yield found(Finding("tombstone_unreadable", "tombstones", str(error), remedy))
        pictures = {"raw": raw_checks, "crops": crop_checks, "snapshots": snapshot_checks}
        yield from pictures[area](store, struck)
