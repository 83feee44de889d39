"""The web app: a list of the nights, and the reports as they stand in the reports bucket.

A report is served under its own key, so that the relative links between a night's page and its data docs hold. What
is shown was crawled from strangers' pages: nothing of it may run, so scripts are forbidden and every type is fixed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse

from lvbag.store import Bucket, ObjectMissing, Ref, Store, StoreError, keys

CONTENT_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "css": "text/css; charset=utf-8",
    "png": "image/png",
    "jpg": "image/jpeg",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_KEY = re.compile(r"(nights|data-docs)(/[A-Za-z0-9_=][A-Za-z0-9._=-]*)+\.(?P<extension>[a-z0-9]+)")
_STYLE = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:50rem}li{margin:.25rem 0}"


def create_app(get_store: Callable[[], Store], dependency: Any) -> FastAPI:
    """The app over a store; `dependency` guards every page (`lvbag.web.security.signed_in`)."""
    app = FastAPI(title="LV bag", dependencies=[dependency], docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/", response_class=HTMLResponse)
    def nights() -> HTMLResponse:
        return HTMLResponse(nights_page(_reported_nights(get_store)), headers=HEADERS)

    @app.get("/reports/{key:path}")
    def report(key: str) -> Response:
        match = _KEY.fullmatch(key)
        content_type = CONTENT_TYPES.get(match["extension"]) if match else None
        if content_type is None:
            raise HTTPException(404, "there is no such report")
        return Response(_read(get_store, key), media_type=content_type, headers=HEADERS)

    return app


def nights_page(nights: list[str]) -> str:
    """The list of the nights that have a report, the newest first."""
    links = "".join(
        f'<li><a href="reports/nights/{html.escape(night, quote=True)}/index.html">{html.escape(night)}</a></li>'
        for night in nights
    )
    body = f"<ul>{links}</ul>" if links else "<p>No night has been reported yet: run <code>lvbag_crawl</code>.</p>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>LV bag</title><style>{_STYLE}</style>'
        f"<h1>Nights</h1><p>What each night crawled, refused and kept.</p>{body}</html>"
    )


def _reported_nights(get_store: Callable[[], Store]) -> list[str]:
    try:
        objects = list(get_store().list_objects(Bucket.REPORTS, keys.night_report_prefix()))
    except StoreError as error:
        raise HTTPException(502, str(error)) from error
    names = [info.ref.key.split("/") for info in objects]
    return sorted({parts[1] for parts in names if len(parts) == 3 and parts[2] == "index.html"}, reverse=True)


def _read(get_store: Callable[[], Store], key: str) -> bytes:
    try:
        return get_store().get(Ref(Bucket.REPORTS, key))
    except ObjectMissing as error:
        raise HTTPException(404, "there is no such report") from error
    except StoreError as error:
        raise HTTPException(502, str(error)) from error
