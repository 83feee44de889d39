"""Models in use: find the bag in a picture and name it, from the ONNX files of the registry.

`open_detector(path, record, settings)` gives a `Detector`, whose `detect` answers with `Detection`s;
`open_classifier(path, record)` gives a `Classifier`. Both take pictures as `lvbag.images.decode` returns them, run on
a CUDA device where there is one and else on every core, and need neither torch nor the network. Digests are the
caller's to check: `lvbag.registry.fetch_file` does it before a path comes here.

Importing this package costs nothing: onnxruntime is loaded when a model is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.infer.classifier import Classifier, open_classifier
    from lvbag.infer.detector import Detection, Detector, open_detector
    from lvbag.infer.onnx_session import ModelError

_HOMES = {
    "Classifier": "classifier",
    "Detection": "detector",
    "Detector": "detector",
    "ModelError": "onnx_session",
    "open_classifier": "classifier",
    "open_detector": "detector",
}

__all__ = ["Classifier", "Detection", "Detector", "ModelError", "open_classifier", "open_detector"]

__getattr__ = lazy_exports(__name__, _HOMES)
