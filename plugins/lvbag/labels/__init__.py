"""Labels: boxes that people drew, imported from CVAT's YOLO 1.1 exports. Nothing here trains or crawls."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvbag.labels.importing import import_labels
    from lvbag.labels.records import Defect, LabelError, LabelIndex, LabelledImage, LabelSet
    from lvbag.labels.sets import newest_labels, read_labels

_HOMES = {
    "Defect": "records",
    "LabelError": "records",
    "LabelIndex": "records",
    "LabelSet": "records",
    "LabelledImage": "records",
    "import_labels": "importing",
    "newest_labels": "sets",
    "read_labels": "sets",
}

__all__ = [
    "Defect",
    "LabelError",
    "LabelIndex",
    "LabelSet",
    "LabelledImage",
    "import_labels",
    "newest_labels",
    "read_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
