"""Partners who send files: photos beside a CSV that says what they show. `fetching.files` reads them.

The first row names the columns, in any order: `file` is required; `listing_id`, `title`, `style_code`, `price`,
`currency`, `seller` and `url` are read where they are there. Rows with the same `listing_id` are pictures of one
listing. A row that cannot be used is counted and logged with its number, and never stops the rest.
"""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from urllib.parse import quote

from lvbag.crawl.sources.base import NOT_UNDERSTOOD, Listing, Page, PageNotUnderstood, Query, Results, Source
from lvbag.crawl.sources.currencies import currency_of
from lvbag.crawl.sources.html import text
from lvbag.crawl.sources.prices import read_price
from lvbag.source_settings import FolderSettings

log = logging.getLogger(__name__)

SCHEME = "folder"
BAD_PATH = "bad_path"
NO_FILE_NAMED = "no_file_named"
CONTRADICTION = "contradiction"

_COLUMNS = ("file", "listing_id", "title", "style_code", "price", "currency", "seller", "url")
_SAME_IN_ALL_ROWS = ("title", "style_code", "url")
_DELIMITERS = (",", ";", "\t")
_MAX_JOINED = 20
"""Lines that one row may span: a quote that never closes must not swallow the table."""
_OPEN = "unexpected end of data"
"""What csv says of a quote that is still open."""
_MAX_LOGGED = 20
_MAX_PATH = 1_000


class FolderSource(Source[FolderSettings]):
    """A folder or bucket prefix with photos and a CSV."""

    local = True
    whole = True

    def first_url(self, query: Query) -> str:
        """The table's address within the folder."""
        return address(self.settings.table)

    def read_results(self, page: Page) -> Results:
        """The listings of the table; raises `PageNotUnderstood` when it has no column `file`."""
        lines = _lines(_decoded(page.body))
        head = next(lines, None)
        if head is None:
            raise self._not_understood("is empty", page)
        delimiter = _delimiter(head[1])
        columns = _header(head[1], delimiter)
        if "file" not in columns:
            seen = ", ".join(name for name in columns if name)[:200]
            raise self._not_understood(f"has no column `file` in its first row; it has: {seen}", page)
        table = _Table(self.settings.table)
        for number, cells in _rows(lines, delimiter):
            table.add(number, _row(cells, columns))
        return table.results()

    def _not_understood(self, why: str, page: Page) -> PageNotUnderstood:
        return PageNotUnderstood(f"no_table: {self.settings.table} {why}", 200, len(page.body))


def address(path: str) -> str:
    """The address of a file by its path within the folder."""
    return f"{SCHEME}:///{quote(path, safe='/')}"


def clean_path(path: str) -> str | None:
    r"""A path within the folder with `/` between its parts, or None where it leads elsewhere.

    >>> clean_path("bags\\1.jpg"), clean_path("./bags/1.jpg"), clean_path("../1.jpg"), clean_path("C:\\1.jpg")
    ('bags/1.jpg', 'bags/1.jpg', None, None)
    """
    plain = path.strip().replace("\\", "/").removeprefix("./")
    parts = plain.split("/")
    if not plain or len(plain) > _MAX_PATH or re.match(r"[A-Za-z]:|[A-Za-z][\w+.-]+://", plain):
        return None
    if any(part in ("", ".", "..") or not part.isprintable() for part in parts):
        return None
    return plain


# ------------------------------------------------------------------ from rows to listings

_Row = dict[str, str]


@dataclass
class _Table:
    """The listings of a table while its rows are read."""

    name: str
    rows: dict[str, list[_Row]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, row: _Row | None) -> None:
        """Take a row, or count it with the reason why not."""
        if row is None:
            self._drop(number, NOT_UNDERSTOOD, "it has more cells than there are columns, or quotes that do not close")
            return
        if not row.get("file"):
            self._drop(number, NO_FILE_NAMED, "its column `file` is empty")
            return
        path = clean_path(row["file"])
        if path is None:
            self._drop(number, BAD_PATH, f"{row['file'][:200]!r} is no path within the folder")
            return
        key = (
            f"listing={quote(row['listing_id'], safe='')}" if row.get("listing_id") else f"file={quote(path, safe='')}"
        )
        known = self.rows.setdefault(key, [])
        for name in _SAME_IN_ALL_ROWS:
            said = next((earlier[name] for earlier in known if earlier.get(name)), None)
            if said is not None and row.get(name) and row[name] != said:
                self._drop(
                    number, CONTRADICTION, f"its {name} is {row[name][:200]!r}, an earlier row says {said[:200]!r}"
                )
                return
        known.append({**row, "file": path})

    def results(self) -> Results:
        """All listings, in the table's order."""
        listings: dict[str, Listing] = {}
        for key, rows in self.rows.items():
            if rows:
                own = f"{address(self.name)}?{key}"
                listing = _listing(rows, own)
                # the address is what tells listings apart
                listings[own if listing.url in listings else listing.url] = listing
        distinct = (_at(listing, url) for url, listing in listings.items())
        return Results(listings=tuple(distinct), dropped=self.dropped)

    def _drop(self, number: int, reason: str, why: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        if sum(self.dropped.values()) <= _MAX_LOGGED:
            log.warning("crawl.folder table=%s row=%d dropped reason=%s why=%s", self.name, number, reason, why)


def _listing(rows: list[_Row], own_url: str) -> Listing:
    def first(name: str) -> str | None:
        return next((found for row in rows if (found := text(row.get(name)))), None)

    code = currency_of(first("currency") or "")
    price = read_price(first("price") or "", code)
    url = first("url") or ""
    listing_id = first("listing_id")
    return Listing(
        listing_id=listing_id,
        url=url if url.startswith(("http://", "https://")) else own_url,
        title=first("title") or first("style_code") or listing_id or rows[0]["file"],
        price=price.amount if price else None,
        currency=(code or price.currency) if price else code,
        seller=first("seller"),
        image_urls=tuple(dict.fromkeys(address(row["file"]) for row in rows)),
        style_code=first("style_code"),
    )


def _at(listing: Listing, url: str) -> Listing:
    return listing if listing.url == url else replace(listing, url=url)


# ------------------------------------------------------------------ from bytes to rows


def _decoded(body: bytes) -> str:
    """Excel writes UTF-8 with a mark, UTF-16, or the code page of Western Europe."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers from 1, without empty ones and Excel's `sep=;`."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", content), 1):
        if line.strip(" \t,;") and not (number == 1 and re.fullmatch(r"sep=.", line.strip(), re.IGNORECASE)):
            yield number, line


def _delimiter(head: str) -> str:
    unquoted = re.sub(r'"[^"]*"', "", head)
    return max(_DELIMITERS, key=unquoted.count)


def _header(head: str, delimiter: str) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in _cells(head, delimiter) or []]
    return [name if name in _COLUMNS and name not in names[:place] else "" for place, name in enumerate(names)]


def _rows(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """The cells of each row with the number of its line; None where they cannot be told apart."""
    waiting: list[tuple[int, str]] = []
    while True:
        number, line = waiting.pop(0) if waiting else next(lines, (0, ""))
        if not number:
            return
        cells = _cells(line, delimiter)
        if cells is None:
            waiting += islice(lines, _MAX_JOINED - len(waiting))
            cells, used = _joined(line, [more for _, more in waiting], delimiter)
            del waiting[:used]
        yield number, cells


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of a line; None while a quote is open."""
    try:
        return _read(line, delimiter, strict=True)
    except csv.Error as error:
        if _OPEN in str(error):
            return None
    try:
        return _read(line, delimiter, strict=False)  # such as a quote in the middle of a cell
    except csv.Error:
        return None


def _joined(line: str, following: list[str], delimiter: str) -> tuple[list[str] | None, int]:
    """The cells of a row of several lines, and how many lines of the following it takes; None where no quote closes."""
    for used, more in enumerate(following, 1):
        line = f"{line}\n{more}"
        try:
            return _read(line, delimiter, strict=True), used
        except csv.Error as error:
            if _OPEN not in str(error):
                break
    return None, 0


def _read(line: str, delimiter: str, strict: bool) -> list[str]:
    return next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, strict=strict), [])


def _row(cells: list[str] | None, columns: list[str]) -> _Row | None:
    if cells is None or any(cell.strip() for cell in cells[len(columns) :]):
        return None
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
