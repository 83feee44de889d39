"""Great Expectations' data docs made fit for the store: the same bytes for the same night, and nothing from outside.

As GX 1.24 builds them, the pages carry the time of building, random identifiers and the folder they were built in;
they load scripts, fonts and a time-stamped logo from six other hosts, show neither an index nor pass and fail without
those, and put values from crawled pages into HTML without escaping. Here times, identifiers and folders are replaced,
scripts and remote resources are taken out, a content security policy forbids both, the signs are words, and the index
is a plain list of links.
"""

from __future__ import annotations

import datetime as dt
import html
import mimetypes
import re
from pathlib import Path

_IDENTIFIER = re.compile(r"(?<=-collapse-body-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_BUILD_TIME = re.compile(r"(?<=>)20\d{6}T\d{6}\.\d{6}Z(?=<)")
_SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.DOTALL | re.IGNORECASE)
_REMOTE_STYLE = re.compile(r"<link\b[^>]*https?://[^>]*>", re.IGNORECASE)
_REMOTE_IMAGE = re.compile(r"<img\b[^>]*https?://[^>]*>", re.IGNORECASE)
_REMOTE_URL = re.compile(r"url\(\s*['\"]?https?://[^)]*\)", re.IGNORECASE)
_FAILED = 'class="fas fa-times'  # the sign beside what fails
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_BODY = re.compile(r"<body\b.*</body\s*>", re.DOTALL | re.IGNORECASE)

_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'self' 'unsafe-inline'; img-src 'self'; font-src 'self'\">"
)
_STYLE = """<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 1100px; padding: 0 1rem 3rem }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { border: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top }
.cooltip .top, footer, .modal, #ge-cta-footer, .navbar-brand, button, input, label { display: none !important }
.fa-check-circle::before { content: "holds" } .fa-times::before { content: "fails" }
.text-danger { color: #b00020 } .text-success { color: #1b7f3b } .badge { background: #eee; padding: 0 .3rem }
</style>"""


def settle(folder: Path, night: dt.date, private: Path) -> None:
    """Rewrite every page below `folder` in place; `private` is the build's own folder, whose path is taken out.

    Pictures that no page shows any more are removed.
    """
    pages = sorted(folder.rglob("*.html"))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        if page == folder / "index.html":
            text = _BODY.sub(lambda _: _index(folder, night), text, count=1)
        page.write_text(settled(text, night, str(private)), encoding="utf-8")
    shown = "\n".join(path.read_text(encoding="utf-8") for path in [*pages, *sorted(folder.rglob("*.css"))])
    for path in sorted((folder / "static").rglob("*")):
        if path.is_file() and path.suffix != ".css" and path.name not in shown:
            path.unlink()


def settled(text: str, night: dt.date, private: str) -> str:
    """One page without what changes from build to build and without what would be loaded or run from elsewhere."""
    for pattern in (_SCRIPT, _REMOTE_STYLE, _REMOTE_IMAGE):
        text = pattern.sub("", text)
    text = _REMOTE_URL.sub("none", text)
    text = _BUILD_TIME.sub(f"{night:%Y%m%d}T000000.000000Z", text.replace(private.rstrip("/") + "/", ""))
    numbers: dict[str, str] = {}
    text = _IDENTIFIER.sub(lambda match: numbers.setdefault(match.group(), f"{len(numbers)}"), text)
    return _HEAD.sub(lambda match: match.group() + _POLICY + _STYLE, text, count=1)


def content_type(path: Path) -> str:
    """What the store tells a browser about a file of the data docs."""
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def _index(folder: Path, night: dt.date) -> str:
    rows = []
    for page in sorted((folder / "validations").rglob("*.html")):
        suite = page.relative_to(folder / "validations").parts[0]
        seen = html.escape(page.relative_to(folder).as_posix())
        state = "fails" if _FAILED in page.read_text(encoding="utf-8") else "holds"
        rows.append(
            f'<li>{html.escape(suite)}: <a href="{seen}">what was seen ({state})</a>, '
            f'<a href="expectations/{html.escape(suite)}.html">what is expected, and why</a></li>'
        )
    return f"<body><h1>Validation of night {night.isoformat()}</h1><ul>{''.join(rows)}</ul></body>"
