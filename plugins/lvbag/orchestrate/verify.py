"""Reading back what the champions consist of: every file of both, its digest compared with the recorded one."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from lvbag import registry
from lvbag.store import CorruptObject, ModelKind, Store


@dataclass(frozen=True)
class Finding:
    """A champion's state; `problems` is empty when every file is what was published."""

    kind: str
    version: int
    files: int
    problems: tuple[str, ...]


def verify_champions(store: Store) -> list[Finding]:
    """Download and check every file of every champion; a model without champion has no finding."""
    findings = []
    for kind in ModelKind:
        alias = registry.champion(store, kind)
        if alias is not None:
            findings.append(_verify(store, kind, alias.version))
    return findings


def _verify(store: Store, kind: ModelKind, version: int) -> Finding:
    names = sorted(registry.load_version(store, kind, version).files)
    problems = []
    with tempfile.TemporaryDirectory(prefix="lvbag-verify-") as folder:
        for name in names:
            try:
                registry.fetch_file(store, kind, version, name, Path(folder))
            except CorruptObject as error:
                problems.append(str(error))
    return Finding(kind.value, version, len(names), tuple(problems))
