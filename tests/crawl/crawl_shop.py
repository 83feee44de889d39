"""A real shop on loopback that a test fills with pages: robots.txt, search, items, pictures with entity tags."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from PIL import Image


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    etag: bool = True
    drip_s: float = 0.0  # pause after each byte
    endless: bool = False
    cut_at: int | None = None  # close the connection after this many bytes
    length: int | None = None  # that Content-Length claims


@dataclass(frozen=True)
class Hit:
    path: str
    status: int
    at: float
    headers: dict[str, str]


class Shop:
    """Replies by path; `queries` are the search results by query; every request is noted in `hits`."""

    Reply = Reply

    def __init__(self) -> None:
        self.pages: dict[str, Reply | Callable[[], Reply]] = {}
        self.queries: dict[str, list[str]] = {}
        self.page_size = 2
        self.hits: list[Hit] = []
        self.connections = 0
        self.headers: dict[str, str] = {}  # of the request that is being answered
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("ShopHandler", (Handler,), {"shop": self}))
        self.server.daemon_threads = True
        self.netloc = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.netloc}"

    def robots(self, text: str) -> None:
        self.pages["/robots.txt"] = Reply(text.encode(), content_type="text/plain")

    def item(self, path: str, query: str, **product: object) -> None:
        """An item page with a JSON-LD Product that the search for this query lists."""
        node = {"@context": "https://schema.org", "@type": "Product", **product}
        self.pages[path] = Reply(html(f'<script type="application/ld+json">{json.dumps(node)}</script>'))
        self.queries.setdefault(query, []).append(path)

    def picture(self, path: str, seed: int, **reply: object) -> str:
        self.pages[path] = Reply(jpeg(seed), content_type="image/jpeg", **reply)  # type: ignore[arg-type]
        return path

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return Reply(b"", 405)

    def paths(self, status: int | None = None) -> list[str]:
        return [hit.path for hit in self.hits if status is None or hit.status == status]

    def reply(self, path: str) -> Reply:
        parts = urlsplit(path)
        if parts.path == "/search":
            query = parse_qs(parts.query)
            return self.results(query["q"][0], int(query.get("page", ["1"])[0]))
        found = self.pages.get(path, Reply(b"not here", 404))
        return found() if callable(found) else found

    def results(self, query: str, page: int) -> Reply:
        items = self.queries.get(query.removeprefix("Louis Vuitton "), [])
        start = (page - 1) * self.page_size
        shown = items[start : start + self.page_size]
        cards = "".join(f'<div class="product-card"><a href="{path}">bag</a></div>' for path in shown)
        more = f'<a rel="next" href="/search?q={query}&page={page + 1}">next</a>' if len(items) > start + 2 else ""
        return Reply(html(f"<nav><a class='item' href='/about'>about</a></nav>{cards}{more}"), etag=False)


def html(inside: str) -> bytes:
    return f"<!doctype html><html><head><title>shop</title></head><body>{inside}</body></html>".encode()


def jpeg(seed: int, side: int = 128) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), ((seed * 37) % 256, (seed * 91) % 256, seed % 256)).save(buffer, "JPEG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop: Shop

    def setup(self) -> None:
        super().setup()
        self.shop.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = self.shop.post(self.path, dict(self.headers), body)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def do_GET(self) -> None:
        self.shop.headers = dict(self.headers)
        reply = self.shop.reply(self.path)
        etag = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
        known = reply.etag and reply.status == 200 and self.headers.get("If-None-Match") == etag
        status = 304 if known else reply.status
        self.shop.hits.append(Hit(self.path, status, time.monotonic(), dict(self.headers)))
        self.send_response(status)
        if reply.etag:
            self.send_header("ETag", etag)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if status == 304:
            self.end_headers()
            return
        self.send_header("Content-Type", reply.content_type)
        length = ("Connection", "close") if reply.endless else ("Content-Length", str(reply.length or len(reply.body)))
        self.send_header(*length)
        self.end_headers()
        try:
            self.write(reply)
        except OSError:
            self.close_connection = True

    def write(self, reply: Reply) -> None:
        while reply.endless:
            self.wfile.write(b"x" * 65536)
        if reply.drip_s:
            for byte in reply.body:
                self.wfile.write(bytes([byte]))
                time.sleep(reply.drip_s)
        self.wfile.write(reply.body[: reply.cut_at])
        self.close_connection = reply.cut_at is not None or (reply.length or 0) > len(reply.body)

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def running_shop() -> Iterator[Shop]:
    shop = Shop()
    thread = threading.Thread(target=shop.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()
    thread.join(5)


def fill(shop: Shop, count: int = 3, seller: str = "Anna") -> None:
    """`count` listings of the Speedy with two pictures each, found by its code."""
    for number in range(count):
        images = [shop.picture(f"/img/{number}-{side}.png", number * 10 + side) for side in range(2)]
        shop.item(
            f"/item/{number}",
            "M41108",
            name=f"Louis Vuitton Speedy 30 Monogram no {number}",
            sku=f"S{number}",
            image=images,
            offers={"price": 500 + number, "priceCurrency": "EUR", "seller": {"name": seller}},
        )
