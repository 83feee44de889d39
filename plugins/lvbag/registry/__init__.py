"""Versions of the two models, the champion, its history, and the gate that a challenger must pass.

Everything stands in the models bucket, readable by name; nothing is edited in place but the alias `champion.json`,
which is flipped by compare-and-swap. The functions are imported when they are first used, so that a DAG file may name
this package for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.registry.cards import model_card
    from lvbag.registry.comparing import compare_versions
    from lvbag.registry.errors import RegistryError
    from lvbag.registry.exporting import export_to_store, export_version
    from lvbag.registry.files import fetch_file, verify_model
    from lvbag.registry.gate import decide
    from lvbag.registry.judging import judge
    from lvbag.registry.promotion import promote, rollback
    from lvbag.registry.reading import champion, list_history, list_versions, load_evaluation, load_version
    from lvbag.registry.versions import publish_version, reserve_version

__all__ = [
    "RegistryError",
    "champion",
    "compare_versions",
    "decide",
    "export_to_store",
    "export_version",
    "fetch_file",
    "judge",
    "list_history",
    "list_versions",
    "load_evaluation",
    "load_version",
    "model_card",
    "promote",
    "publish_version",
    "reserve_version",
    "rollback",
    "verify_model",
]

_HOME = {
    "RegistryError": "errors",
    "champion": "reading",
    "compare_versions": "comparing",
    "decide": "gate",
    "export_to_store": "exporting",
    "export_version": "exporting",
    "fetch_file": "files",
    "judge": "judging",
    "list_history": "reading",
    "list_versions": "reading",
    "load_evaluation": "reading",
    "load_version": "reading",
    "model_card": "cards",
    "promote": "promotion",
    "publish_version": "versions",
    "reserve_version": "versions",
    "rollback": "promotion",
    "verify_model": "files",
}

__getattr__ = lazy_exports(__name__, _HOME)
