"""Labels: boxes that people drew, imported from exports of CVAT and its like. Nothing here trains or crawls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.labels.importing import check_labels, import_labels
    from lvbag.labels.records import Defect, LabelError, LabelIndex, LabelledImage, LabelReport, LabelSet
    from lvbag.labels.sets import newest_labels, read_labels

_HOMES = {
    "Defect": "records",
    "LabelError": "records",
    "LabelIndex": "records",
    "LabelReport": "records",
    "LabelSet": "records",
    "LabelledImage": "records",
    "check_labels": "importing",
    "import_labels": "importing",
    "newest_labels": "sets",
    "read_labels": "sets",
}

__all__ = [
    "Defect",
    "LabelError",
    "LabelIndex",
    "LabelReport",
    "LabelSet",
    "LabelledImage",
    "check_labels",
    "import_labels",
    "newest_labels",
    "read_labels",
]

__getattr__ = lazy_exports(__name__, _HOMES)
