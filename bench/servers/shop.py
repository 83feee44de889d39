"""A shop on 127.0.0.1 for bench/crawl.py, in a process of its own: as fast as it can be, so that it is not measured.

    /search/<pictures>/<kind>?page=2    a page of results: 100 items as a JSON-LD ItemList
    /item/<number>/<pictures>/<kind>    an item as a JSON-LD Product with up to 50 pictures
    /picture/<number>/<kind>.jpg        a picture; no two have the same bytes

`kind` is large (1000 x 800, about 100 KB) or small (160 x 128, about 6 KB). The first line of its output is its port.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct

import numpy as np
from PIL import Image

DRAWN = 24
PER_ITEM, PER_PAGE = 50, 100
KINDS = {"large": ((1000, 800), (36, 45)), "small": ((160, 128), (16, 20))}


def draw(kind: str) -> list[bytes]:
    rng = np.random.default_rng(7)
    size, grain = KINDS[kind]
    found = []
    for _ in range(DRAWN):
        coarse = rng.integers(0, 255, (*grain, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        found.append(buffer.getvalue())
    return found


class Shop:
    def __init__(self) -> None:
        self.drawn = {kind: draw(kind) for kind in KINDS}

    def answer(self, target: str) -> tuple[str, bytes]:
        path, _, query = target.partition("?")
        match path.split("/")[1:]:
            case ["robots.txt"]:
                return "text/plain", b"User-agent: *\nDisallow: /cart\n"
            case ["search", pictures, kind]:
                page = int(query.rpartition("page=")[2]) if "page=" in query else 1
                return "text/html", self.results(int(pictures), kind, page)
            case ["item", number, pictures, kind]:
                return "text/html", self.item(int(number), int(pictures), kind)
            case ["picture", number, name]:
                return "image/jpeg", self.picture(int(number), name.removesuffix(".jpg"))
        raise ValueError(target)

    def picture(self, number: int, kind: str) -> bytes:
        """One of those that were drawn, with its number as the comment."""
        comment = b"picture %d" % number
        segment = b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment
        drawn = self.drawn[kind][number % DRAWN]
        return drawn[:2] + segment + drawn[2:]

    def item(self, number: int, pictures: int, kind: str) -> bytes:
        shown = range(number * PER_ITEM, min(pictures, (number + 1) * PER_ITEM))
        product = {
            "@type": "Product",
            "sku": f"item-{number}",
            "name": "Louis Vuitton Speedy 30 Monogram",
            "image": [f"/picture/{picture}/{kind}.jpg" for picture in shown],
            "offers": {"@type": "Offer", "price": "850.00", "priceCurrency": "EUR"},
        }
        return page(product)

    def results(self, pictures: int, kind: str, number: int) -> bytes:
        items = range(-(-pictures // PER_ITEM))
        shown = items[(number - 1) * PER_PAGE : number * PER_PAGE]
        entries = [
            {"@type": "ListItem", "position": place, "url": f"/item/{item}/{pictures}/{kind}"}
            for place, item in enumerate(shown, 1)
        ]
        more = f'<link rel="next" href="/search/{pictures}/{kind}?page={number + 1}">'
        is_last = number * PER_PAGE >= len(items)
        return page({"@type": "ItemList", "itemListElement": entries}, "" if is_last else more)


def page(node: dict[str, object], head: str = "") -> bytes:
    text = json.dumps({"@context": "https://schema.org", **node})
    return (
        f'<!doctype html><html><head><title>shop</title>{head}<script type="application/ld+json">{text}</script></head>'
        "<body><h1>bags</h1></body></html>"
    ).encode()


class Connection(asyncio.Protocol):
    shop: Shop

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            request, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            self.reply(request.split(b" ", 2)[1].decode(), b"connection: close" in request.lower())

    def reply(self, target: str, last: bool) -> None:
        try:
            kind, body = self.shop.answer(target)
        except (ValueError, KeyError, IndexError):
            status, kind, body = "404 Not Found", "text/plain", b"not here\n"
        else:
            status = "200 OK"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += "Connection: close\r\n\r\n" if last else "\r\n"
        self.transport.write(head.encode() + body)
        if last:
            self.transport.close()


async def serve() -> None:
    Connection.shop = Shop()
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
