"""Great Expectations' data docs made fit for the store: the same bytes for the same night, and nothing from outside.

As GX 1.24 builds them, the pages carry the time of building, random identifiers and the folder they were built in;
they load scripts, fonts and a time-stamped logo from six other hosts, show neither an index nor pass and fail without
those, and put values from crawled pages into HTML without escaping. Here times, identifiers and folders are replaced,
scripts and remote resources are taken out, a content security policy forbids both, and the signs are words. The index
is ours (`lvbag.curate.validation.docs_index`).
"""

from __future__ import annotations

import datetime as dt
import mimetypes
import re
from pathlib import Path

from lvbag.curate.validation.docs_index import POLICY
from lvbag.curate.validation.expected import SUITES, Suite

_IDENTIFIER = re.compile(r"(?<=-collapse-body-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BUILD_TIME = re.compile(r"(?<=>)20\d{6}T\d{6}\.\d{6}Z(?=<)")
_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_REMOTE_STYLE = re.compile(r"<link\b[^>]*https?://[^>]*>", re.IGNORECASE)
_ICON = re.compile(r"<link\b[^>]*\bicon\b[^>]*>", re.IGNORECASE)  # its address leads nowhere from most pages
_REMOTE_IMAGE = re.compile(r"<img\b[^>]*https?://[^>]*>", re.IGNORECASE)
_REMOTE_URL = re.compile(r"url\(\s*['\"]?https?://[^)]*\)", re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)

_STYLE = """<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 1100px; padding: 0 1rem 3rem }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top }
.cooltip .top, footer, .modal, #ge-cta-footer, .navbar-brand, button, input, label, a[data-toggle],
.card:has(.btn-group), div[class="collapse m-2"] { display: none !important }  /* all of these need scripts */
[style*="color:red"] { color: inherit !important }  /* what an expectation is there for */
.fa-check-circle::before { content: "holds" } .fa-times::before { content: "fails" }
.text-danger { color: #b00020 } .text-success { color: #1b7f3b } .badge { background: #eee; padding: 0 .3rem }
</style>"""


def settle(folder: Path, night: dt.date, private: Path) -> None:
    """Rewrite every page below `folder` in place; `private` is the build's own folder, whose path is taken out.

    The index and pictures that no page shows any more are removed.
    """
    (folder / "index.html").unlink(missing_ok=True)
    pages = sorted(folder.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(settled(text, night, str(private)), encoding="utf-8")
    shown = "\n".join(path.read_text(encoding="utf-8") for path in [*pages, *sorted(folder.rglob("*.css"))])
    for path in sorted((folder / "static").rglob("*")):
        if path.is_file() and path.suffix != ".css" and path.name not in shown:
            path.unlink()


def settled(text: str, night: dt.date, private: str) -> str:
    """One page without what changes from build to build and without what would be loaded or run from elsewhere."""
    for pattern in (_SCRIPT, _REMOTE_STYLE, _ICON, _REMOTE_IMAGE):
        text = pattern.sub("", text)
    text = _REMOTE_URL.sub("none", text)
    text = _BUILD_TIME.sub(f"{night:%Y%m%d}T000000.000000Z", text.replace(private.rstrip("/") + "/", ""))
    numbers: dict[str, str] = {}
    text = _IDENTIFIER.sub(lambda match: numbers.setdefault(match.group(), f"{len(numbers)}"), text)
    return _HEAD.sub(lambda match: match.group() + POLICY + _STYLE, text, count=1)


def content_type(path: Path) -> str:
    """What the store tells a browser about a file of the data docs."""
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def result_pages(folder: Path) -> dict[Suite, str]:
    """Where the results of each suite stand, relative to the index."""
    found = {suite: sorted((folder / "validations" / suite).rglob("*.html")) for suite in SUITES}
    return {suite: pages[0].relative_to(folder).as_posix() for suite, pages in found.items() if pages}
