"""The files of a label export, from a zip archive or a folder, read only and without trusting them.

Names inside an archive never become paths on this machine: files are read into memory one at a time. Archives that
claim or hold more than the limits below are refused before they are read (zip bombs), links are not followed.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from lvbag.labels.records import Defect, LabelError

MAX_FILES = 400_000
"""Images and label files of one export; CVAT's largest tasks hold about half."""
MAX_TOTAL_BYTES = 64 * 1024**3
"""Of all files of one export, unpacked."""
MAX_FILE_BYTES = 64 * 1024**2
"""Of one file; photographs and label files are far smaller."""
MAX_RATIO = 200
"""Unpacked to packed size of one file above a mebibyte; text packs about 10 to 1, a bomb 1000 to 1."""

MAX_NAMES_CHARACTERS = 1024**2
"""Of a `data.yaml` beside a folder; one with a thousand classes is a hundredth of that."""

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)


class Export(Protocol):
    """An export's files by their names inside it (with `/`), safe ones only, and the defects of the others."""

    files: dict[str, int]
    defects: list[Defect]

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises `LabelError` when the archive is damaged there."""
        ...


@dataclass
class _FolderExport:
    root: Path
    files: dict[str, int] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)
    added: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        return self.added[name] if name in self.added else (self.root / name).read_bytes()


@dataclass
class _ZipExport:
    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)

    def read(self, name: str) -> bytes:
        try:
            return self.archive.read(self.members[name])
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise LabelError(f"{self.archive.filename}: {name} cannot be unpacked: {error}; export it again") from None


@contextmanager
def open_export(path: Path) -> Iterator[Export]:
    """Open an export; raises `LabelError` when it is neither a folder nor a zip archive, or larger than the limits."""
    if path.is_dir():
        yield _open_folder(path)
        return
    if not path.is_file():
        raise LabelError(f"{path} does not exist; name a CVAT YOLO 1.1 export, as zip or unpacked")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise LabelError(f"{path} is no zip archive: {error}; export it from CVAT as YOLO 1.1") from None
    with archive:
        yield _open_zip(archive, path)


@contextmanager
def packed(path: Path, export: Export) -> Iterator[Path]:
    """The export as one zip file: itself, or a folder packed so that equal folders give equal bytes."""
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="lvbag-labels-") as folder:
        target = Path(folder) / "export.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(export.files):
                archive.writestr(zipfile.ZipInfo(name, _FIXED_TIME), export.read(name))
        yield target


def _open_folder(root: Path) -> Export:
    export = _FolderExport(root)
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(root.resolve()):
            export.files[path.relative_to(root).as_posix()] = path.stat().st_size
    if (names := _names_beside(root, export.files)) is not None:
        export.added["data.yaml"] = names
        export.files["data.yaml"] = len(names)
    _check_limits(root, export.files)
    return export


def _names_beside(root: Path, files: Iterable[str]) -> bytes | None:
    """A `data.yaml` for one subset of an ultralytics data set (`images` and `labels`), whose names stand beside it.

    `set/data.yaml` names the classes of `set/train` and `set/valid`; each is a label set as well.
    """
    beside = root.resolve().parent / "data.yaml"
    if any(name.endswith((".yaml", ".yml", ".names", "classes.txt", "obj.data")) for name in files):
        return None
    if not ((root / "images").is_dir() and (root / "labels").is_dir() and beside.is_file()):
        return None
    try:
        values = yaml.safe_load(beside.read_text(encoding="utf-8")[:MAX_NAMES_CHARACTERS])
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        raise LabelError(f"{beside} names the classes of {root}, and is not YAML: {str(error)[:300]}") from None
    kept = {key: values[key] for key in ("names", "nc", "kpt_shape") if isinstance(values, dict) and key in values}
    return yaml.safe_dump({**kept, "train": "images"}).encode()


def _open_zip(archive: zipfile.ZipFile, path: Path) -> Export:
    export = _ZipExport(archive)
    for member in archive.infolist():
        if member.is_dir():
            continue
        name = member.filename.replace("\\", "/")
        if not _is_safe(name) or stat.S_ISLNK(member.external_attr >> 16):
            message = "the name leads out of the archive or is a link; it is left out"
            export.defects.append(Defect(file=name[:200], line=0, kind="unsafe-name", message=message))
            continue
        if member.flag_bits & 0x1:
            raise LabelError(f"{path}: {name} is encrypted; export it without a password")
        if member.file_size > 1024**2 and member.file_size > MAX_RATIO * max(1, member.compress_size):
            raise LabelError(
                f"{path}: {name} unpacks to {member.file_size} bytes, more than {MAX_RATIO} times its size"
            )
        export.members[name] = member
        export.files[name] = member.file_size
    _check_limits(path, export.files)
    return export


def _is_safe(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and not name.startswith("/") and ".." not in parts and "\0" not in name and ":" not in parts[0]


def _check_limits(path: Path, files: dict[str, int]) -> None:
    if len(files) > MAX_FILES:
        raise LabelError(f"{path} holds {len(files)} files, more than {MAX_FILES}; split the export")
    if sum(files.values()) > MAX_TOTAL_BYTES:
        raise LabelError(f"{path} unpacks to more than {MAX_TOTAL_BYTES} bytes; split the export")
    for name, size in files.items():
        if size > MAX_FILE_BYTES:
            raise LabelError(f"{path}: {name} has {size} bytes, more than {MAX_FILE_BYTES}")
