"""A version for somebody who has onnxruntime and no lvbag: a folder with everything that its use needs.

`model.onnx`, `classes.json`, `preprocessing.json`, `example.py`, `README.md`, and the version's own `card.md`.
"""

from __future__ import annotations

import json
import mimetypes
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

from lvbag.registry.errors import RegistryError
from lvbag.registry.files import fetch_file
from lvbag.registry.reading import load_version
from lvbag.registry.records import UNCROPPED, VersionRecord
from lvbag.settings import Settings, home_dir
from lvbag.store import ModelKind, Ref, Store, keys
from lvbag.store.keys import version_name

_GREY = 114
_MAX_CANDIDATES = 1000
"""As `lvbag.infer.detector` has them, which this floor does not know; a test runs both on the same photo."""

_TAKEN = ("model.onnx", "card.md")


def export_version(store: Store, settings: Settings, kind: ModelKind, number: int, folder: Path) -> tuple[Path, ...]:
    """Write a version into a new or empty folder; returns the files, sorted.

    Raises `RegistryError` (no such version, or the folder holds something) and `CorruptObject`.
    """
    record = load_version(store, kind, number)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RegistryError(f"{folder} is there already and holds something; name a new folder")
    taken = {name: fetch_file(store, kind, number, name, home_dir() / "cache") for name in _names(record)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in taken.items():
        shutil.copyfile(path, folder / name)
    example = files("lvbag.registry").joinpath("handover", "example.py").read_text(encoding="utf-8")
    texts = {
        "classes.json": _json(list(record.model.classes)),
        "preprocessing.json": _json(preprocessing(record, settings)),
        "example.py": example,
        "README.md": readme(record),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return tuple(sorted(folder.iterdir()))


def export_to_store(store: Store, settings: Settings, kind: ModelKind, number: int) -> tuple[Ref, ...]:
    """The same folder in the reports bucket, below `exports/<kind>-<version>/`, where the console shows it by name.

    An export that stands there is written again: settings may have changed since. Raises as `export_version` does.
    """
    with tempfile.TemporaryDirectory(prefix="lvbag-export-") as name:
        written = export_version(store, settings, kind, number, Path(name))
        refs = []
        for path in written:
            ref = keys.export(kind, number, path.name)
            store.upload(ref, path, mimetypes.guess_type(path.name)[0] or "application/octet-stream")
            refs.append(ref)
    return tuple(refs)


def preprocessing(record: VersionRecord, settings: Settings) -> dict[str, Any]:
    """What becomes of a picture before the network sees it, and of its answer after."""
    spec = record.model
    common = {"kind": record.kind.value, "version": record.version, "side_px": spec.image_side_px}
    if record.kind is ModelKind.CLASSIFIER:
        return common | {
            "mean": list(spec.mean),
            "std": list(spec.std),
            "temperature": spec.temperature,
            "background": [255, 255, 255],
            "shrink_to_px": settings.curate.crop_side_px,
            "crop_margin": settings.curate.crop_margin,
        }
    return common | {
        "background": [_GREY, _GREY, _GREY],
        "confidence": settings.detector.confidence,
        "iou": settings.detector.iou,
        "max_candidates": _MAX_CANDIDATES,
    }


def readme(record: VersionRecord) -> str:
    """How to use the folder, for somebody who has never heard of the project."""
    name = f"{record.kind.capitalize()} {version_name(record.version)}"
    what = _CLASSIFIER if record.kind is ModelKind.CLASSIFIER else _DETECTOR
    text = what.format(name=name, count=len(record.model.classes), side=record.model.image_side_px)
    if record.kind is ModelKind.CLASSIFIER and record.detector not in (None, UNCROPPED):
        text += _CROPPED.format(detector=record.detector)
        if record.detector.isdecimal():
            text += _ITS_DETECTOR.format(detector=record.detector)
    return text + _FILES + (_CARD if "card.md" in record.files else "")


_HEAD = """# {name}

```console
$ pip install numpy pillow onnxruntime
$ python example.py photo.jpg
```

"""
_CLASSIFIER = (
    _HEAD
    + """Names the bag in a photo: one of {count} products, by style code, with a probability each.

The network takes `(batch, 3, {side}, {side})` float32 and answers with one score a product, in the order of
`classes.json`. Before: the photo upright (EXIF), transparency on white, shrunk so that the longer side has at most
`shrink_to_px`, fitted into a square of `side_px` on white without changing its shape, red, green and blue in 0 to 1,
`mean` subtracted and divided by `std`. After: scores divided by `temperature`, softmax. `example.py` does all of it in
a hundred lines; `preprocessing.json` has the numbers.
"""
)
_CROPPED = """
It was trained on bags that a detector (version {detector}) had cut out of their photos, so give it the bag alone:
`python example.py photo.jpg --box X0 Y0 X1 Y1`, in shares of the photo's width and height.
"""
_ITS_DETECTOR = """
`lvbag registry export {detector} FOLDER --kind detector` hands that detector out in the same way; its `example.py`
prints the boxes.
"""
_DETECTOR = (
    _HEAD
    + """Finds bags in a photo ({count} classes, see `classes.json`), as boxes in shares of its width and height.

The network takes `(batch, 3, {side}, {side})` float32 and answers `(batch, 4 + classes, anchors)`: centre x, centre y,
width and height in pixels of its input, then a score a class. Before: the photo upright (EXIF), transparency on white,
fitted into a square of `side_px` on grey 114 with bilinear sampling and no smoothing, red, green and blue in 0 to 1.
After: boxes from `confidence` on, and of those that overlap by more than `iou` only the best. `example.py` does all of
it; `preprocessing.json` has the numbers.
"""
)
_FILES = """
| file | what |
|---|---|
| `model.onnx` | the network |
| `classes.json` | names, in the order of its answers |
| `preprocessing.json` | the numbers that pictures and answers are prepared with |
| `example.py` | all of it as a program that needs nothing else |
"""
_CARD = "| `card.md` | what it was trained on and how good it is |\n"


def _names(record: VersionRecord) -> list[str]:
    return [name for name in _TAKEN if name in record.files or name == _TAKEN[0]]


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
