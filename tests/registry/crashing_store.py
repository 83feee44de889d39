"""A store whose process dies at a write of the test's choice, and what must be readable then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lvbag.registry import champion, list_history, list_versions, load_version
from lvbag.store import ModelKind, Ref, Store, StoreUnavailable


class Crashing(Store):
    """A store whose process dies at its n-th write: before it, or after it with the answer lost."""

    def __init__(self, store: Store, at_write: int, is_done: bool) -> None:
        super().__init__(store.settings)
        self.left = at_write
        self.is_done = is_done

    def _write(self, write: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left == 0:
            if self.is_done:
                write()
            raise StoreUnavailable("crash")
        return write()

    def put(self, ref: Ref, data: bytes, content_type: str = "application/octet-stream") -> Any:
        return self._write(partial(super().put, ref, data, content_type))

    def put_if_absent(self, ref: Ref, data: bytes, content_type: str = "application/octet-stream") -> Any:
        return self._write(partial(super().put_if_absent, ref, data, content_type))

    def compare_and_swap(self, ref: Ref, data: bytes, etag: str | None, content_type: str = "application/json") -> Any:
        return self._write(partial(super().compare_and_swap, ref, data, etag, content_type))

    def delete(self, ref: Ref) -> None:
        self._write(partial(super().delete, ref))


def read_everything(store: Store, kind: ModelKind) -> None:
    """What `lvbag registry list`, `show` and `history` read."""
    for version in list_versions(store, kind):
        assert load_version(store, kind, version.version) == version
    list_history(store, kind)
    alias = champion(store, kind)
    assert alias is None or load_version(store, kind, alias.version)
