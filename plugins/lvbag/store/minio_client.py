"""The `minio` client without its admin client, which only `lvbag.services.provisioning` uses.

`import minio` imports both, and for the second one pycryptodome, argon2 and a parser of C: more than half of its time,
which every command would wait for. Who asks for `minio.MinioAdmin` later gets it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE, _ADMIN, _CLASS = "minio", "minio.minioadmin", "MinioAdmin"


def _import_without_admin() -> None:
    """Import the package with an empty place where the admin client stands, and take that away again."""
    if _PACKAGE in sys.modules:
        return
    place = ModuleType(_ADMIN)
    setattr(place, _CLASS, None)
    sys.modules[_ADMIN] = place
    try:
        package = import_module(_PACKAGE)
    finally:
        del sys.modules[_ADMIN]
    for name in (_CLASS, _ADMIN.rpartition(".")[2]):
        vars(package).pop(name, None)
    package.__dict__["__getattr__"] = _later


def _later(name: str) -> Any:
    if name != _CLASS:
        raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
    return getattr(import_module(_ADMIN), name)


_import_without_admin()

from minio import Minio  # noqa: E402 - it must not be the first
from minio.error import InvalidResponseError, S3Error, ServerError  # noqa: E402

__all__ = ["InvalidResponseError", "Minio", "S3Error", "ServerError"]
