"""The pages in Airflow's web interface, over a real store."""

from __future__ import annotations

import datetime as dt

import pytest
from fastapi import Depends, Header, HTTPException
from fastapi.testclient import TestClient

from lvbag.store import Bucket, Ref, Store, keys
from lvbag.web.pages import create_app, nights_page

NIGHT = dt.date(2026, 11, 23)


def signed_in(x_user: str | None = Header(default=None)) -> None:
    if x_user is None:
        raise HTTPException(401)


@pytest.fixture
def client(store: Store) -> TestClient:
    return TestClient(create_app(lambda: store, Depends(signed_in)), headers={"x-user": "me"})


def test_nights_are_listed_the_newest_first_and_their_reports_served(store: Store, client: TestClient) -> None:
    for night in (NIGHT, dt.date(2026, 11, 22)):
        store.put(keys.night_report(night), b"<h1>funnel</h1>")
        store.put_json(keys.night_report(night, "funnel.json"), {})

    page = client.get("/").text
    report = client.get("/reports/nights/2026-11-23/index.html")

    assert page.index("2026-11-23") < page.index("2026-11-22")
    assert page.count("<li>") == 2
    assert (report.status_code, report.text) == (200, "<h1>funnel</h1>")
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in report.headers["content-security-policy"]
    assert report.headers["x-content-type-options"] == "nosniff"


def test_data_docs_are_served_under_their_keys(store: Store, client: TestClient) -> None:
    store.put(keys.data_doc(NIGHT, "static/styles/page.css"), b"a{}")

    found = client.get("/reports/data-docs/night=2026-11-23/static/styles/page.css")

    assert (found.status_code, found.headers["content-type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.parametrize("path", ["/", "/reports/nights/2026-11-23/index.html", "/openapi.json", "/docs"])
def test_nobody_sees_anything_without_signing_in(store: Store, client: TestClient, path: str) -> None:
    store.put(keys.night_report(NIGHT), b"secret")

    response = TestClient(client.app).get(path)

    assert response.status_code in (401, 404)
    assert "secret" not in response.text


@pytest.mark.parametrize(
    "key",
    [
        ".probe/x.json",
        "nights/../.probe/x.json",
        "nights/%2e%2e/%2e%2e/x.html",
        "nights//index.html",
        "nights/2026-11-23/run.js",
        "nights/2026-11-23/page.svg",
        "nights/2026-11-23/missing.html",
        "nights",
        "",
    ],
)
def test_other_objects_and_types_are_not_served(store: Store, client: TestClient, key: str) -> None:
    store.put(Ref(Bucket.REPORTS, ".probe/x.json"), b"{}")
    store.put(Ref(Bucket.REPORTS, "nights/2026-11-23/run.js"), b"alert(1)")
    store.put(Ref(Bucket.REPORTS, "nights/2026-11-23/page.svg"), b"<svg/>")

    assert client.get(f"/reports/{key}").status_code == 404


def test_names_are_escaped() -> None:
    assert "<script>" not in nights_page(['<script>alert(1)</script>"'])


def test_without_nights_the_page_says_what_to_do(client: TestClient) -> None:
    assert "lvbag_crawl" in client.get("/").text
