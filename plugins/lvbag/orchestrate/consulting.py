"""What lvbag_operate tells of the registry, and what it hands out: show, compare, export. Takes the form's values.

An error of the registry fails the task at once: what does not exist is not there the second time either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from lvbag.orchestrate import context

if TYPE_CHECKING:
    from lvbag.registry.comparing import Figure
    from lvbag.settings import Settings
    from lvbag.store import ModelKind, Store

log = logging.getLogger(__name__)


def show(store: Store, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The record of a version, or those of all; the champion is marked."""
    from lvbag import registry

    kind, number = _kind(params), params["version"]
    with _said():
        current = registry.champion(store, kind)
        records = (
            registry.list_versions(store, kind) if number is None else [registry.load_version(store, kind, number)]
        )
    rows = []
    for record in records:
        is_champion = current is not None and current.version == record.version
        mark = ", champion" if is_champion else ""
        log.info(
            "%s %04d%s: recipe %s, data %s: %s", kind, record.version, mark, record.recipe, record.data, record.metrics
        )
        rows.append({**record.model_dump(mode="json"), "champion": is_champion})
    return rows


def compare(store: Store, params: Mapping[str, Any]) -> dict[str, Any]:
    """What two versions were made of, their figures, and how both did on one test set."""
    from lvbag import registry

    kind = _kind(params)
    with _said():
        a, b = _version(store, kind, params["version"]), _version(store, kind, params["other"])
        found = registry.compare_versions(store, kind, a, b)
    log.info("%s %04d and %04d", kind, a, b)
    for item in found.differences:
        log.info("%s: %s and %s", item.name, item.a, item.b)
    if found.together is None:
        log.info("no evaluation measured both on one test set")
    else:
        log.info("both on the same %d test images of %s", found.together.test_images, found.together.data)
        _tell(found.together.figures)
        for product in found.together.products:
            log.info("%s: %d and %d of %d right", product.style_code, product.a, product.b, product.images)
    log.info("each on its own data")
    _tell(found.figures)
    plain: dict[str, Any] = context.plain(found)
    return plain


def export(store: Store, settings: Settings, params: Mapping[str, Any]) -> dict[str, str]:
    """Put what somebody without lvbag needs into the reports bucket; returns the files' addresses by name."""
    from lvbag import registry
    from lvbag.store import keys

    kind = _kind(params)
    with _said():
        number = _version(store, kind, params["version"])
        if params["dry_run"]:
            record = registry.load_version(store, kind, number)
            where = store.uri(keys.export(kind, record.version, "README.md")).rpartition("/")[0]
            raise AirflowSkipException(f"dry run: {kind} {number:04d}, recipe {record.recipe}, would be put to {where}")
        written = registry.export_to_store(store, settings, kind, number)
    addresses = {ref.key.rpartition("/")[2]: store.uri(ref) for ref in written}
    for address in addresses.values():
        log.info("%s", address)
    return addresses


def _kind(params: Mapping[str, Any]) -> ModelKind:
    from lvbag.store import ModelKind

    return ModelKind(params["kind"])


def _version(store: Store, kind: ModelKind, number: int | None) -> int:
    """The number of the form; the champion's where it was left empty."""
    from lvbag import registry

    if number is not None:
        return number
    current = registry.champion(store, kind)
    if current is None:
        raise AirflowFailException(f"there is no champion {kind} yet: name a version")
    return current.version


def _tell(figures: tuple[Figure, ...]) -> None:
    for figure in figures:
        log.info("%s: %s and %s, change %s", figure.name, figure.a, figure.b, figure.change)


@contextmanager
def _said() -> Iterator[None]:
    from lvbag.registry import RegistryError

    try:
        yield
    except RegistryError as error:
        raise AirflowFailException(str(error)) from None
