"""A detector file that no registry knows, opened by what ultralytics' export wrote into it: classes and input size."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from lvbag.infer.detector import Detector
from lvbag.infer.onnx_session import ModelError, open_session
from lvbag.settings import DetectorSettings

SUFFIX = ".onnx"
_LONGEST = 100_000
"""Characters of a value that is read; the names of a thousand classes take a tenth of it."""


def open_detector_file(path: Path, settings: DetectorSettings) -> Detector:
    """Open an ONNX file by its own metadata: `names` (classes by number) and `imgsz` (height and width in pixels).

    No pickle is ever opened: whatever does not end in `.onnx` is refused before it is read. Raises `ModelError` with
    what is missing.
    """
    if path.suffix.lower() != SUFFIX:
        raise ModelError(
            f"{path} is no {SUFFIX} file. Weights such as .pt are pickles, which run code when they are opened; export "
            "them where you trust them: yolo export model=FILE.pt format=onnx dynamic=True"
        )
    session = open_session(path)
    said = dict(session.session.get_modelmeta().custom_metadata_map)
    classes = _classes(path, said)
    side_px = _side(path, said)
    if session.side_px not in (None, side_px):
        raise ModelError(f"{path} takes pictures of {session.side_px} px and says {side_px} in its metadata `imgsz`")
    return Detector(session, side_px, classes, settings)


def _classes(path: Path, said: dict[str, str]) -> tuple[str, ...]:
    names = _value(path, said, "names")
    if isinstance(names, (list, tuple)):
        names = dict(enumerate(names))
    wanted = names and isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str)
    if not wanted:
        raise ModelError(f"{path}: its metadata `names` are no classes by number (0: …, 1: …), but {said['names']!r}")
    return tuple(str(names[number]) for number in range(len(names)))


def _side(path: Path, said: dict[str, str]) -> int:
    size = _value(path, said, "imgsz")
    sides = {size} if isinstance(size, int) else set(size) if isinstance(size, (list, tuple)) else set()
    side = sides.pop() if len(sides) == 1 else None
    if not isinstance(side, int) or side < 1:
        raise ModelError(f"{path}: its metadata `imgsz` is no side of a square in pixels, but {said['imgsz']!r}")
    return side


def _value(path: Path, said: dict[str, str], name: str) -> Any:
    """A literal of the metadata; nothing in it is run."""
    if name not in said:
        raise ModelError(
            f"{path} does not tell its `{name}`; export it with ultralytics, which writes `names` and `imgsz` into the "
            "file, or publish it as a version and name its number"
        )
    try:
        return ast.literal_eval(said[name][:_LONGEST])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ModelError(f"{path}: its metadata `{name}` cannot be read: {said[name][:80]!r}") from None
