"""Labels: boxes that people drew, imported from CVAT's YOLO 1.1 exports. Nothing here trains or crawls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

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

__getattr__ = lazy_exports(__name__, _HOMES)
