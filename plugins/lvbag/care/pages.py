"""Pages that the crawl kept because no parser understood them: which of them are of a listing that is taken down.

Such a page is stored under its own digest, so only what it says tells whose it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote, urlsplit

import zstandard

from lvbag.care.finding import Failed, Shard
from lvbag.store import Bucket, CorruptObject, Ref, Store, keys

_LARGEST_PAGE = 64 * 1024 * 1024
_TELLING = 4
"""Characters that a path must have to be looked for without its host: `/` stands in every page."""


def pages_of(store: Store, shards: Mapping[Shard, Failed], urls: Collection[str]) -> Iterator[Ref]:
    """The kept pages that speak of one of these addresses.

    Where a shard did not understand a page of the target itself, pages go too that could be that one: they speak of no
    other address that the shard did not understand.
    """
    for (night, source, shard), failed in sorted(shards.items()):
        for item in store.list_objects(Bucket.RAW, keys.pages_prefix(night, source, shard)):
            text = _read(store, item.ref)
            if speaks_of(text, urls) or (failed.own and not speaks_of(text, failed.others)):
                yield item.ref


def speaks_of(text: str, urls: Collection[str]) -> bool:
    """Whether a page names one of the addresses, whole or from its path on."""
    return any(needle in text for url in urls for needle in _needles(url))


def _needles(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    places = [f"//{parts.netloc}{path}"] if path.strip("/") else []
    places += [path] if len(path.strip("/")) >= _TELLING else []
    for place in places:
        yield from {place, unquote(place), place.replace("/", "\\/")}


def _read(store: Store, ref: Ref) -> str:
    try:
        body = zstandard.ZstdDecompressor().decompress(store.get(ref), max_output_size=_LARGEST_PAGE)
    except zstandard.ZstdError as error:
        raise CorruptObject(
            f"{store.uri(ref)} cannot be unpacked ({error}); delete it, it is only kept for mending"
        ) from None
    return body.decode("utf-8", errors="replace").replace("&amp;", "&")
