"""A shop with many small listings on 127.0.0.1 for bench/stack_scale.py, in a process of its own.

    /search?q=<words>&page=2      a page of results: 100 items of the product whose style code is among the words
    /item/<style code>-<number>   an item as a JSON-LD Product with its pictures
    /picture/<style code>-<number>-<position>.jpg    200 x 160 pixels; no two show the same

Arguments: a seed (two shops of different seeds have different pictures), listings of each product, pictures of each
listing, the style codes. The first line of its output is its port. Pictures are patches of the product's colour mixed
with noise: told apart by a network, and by no rule taken for copies.
"""

from __future__ import annotations

import asyncio
import colorsys
import io
import sys
import zlib
from dataclasses import dataclass
from urllib.parse import parse_qs

import numpy as np
from PIL import Image
from shop import PER_PAGE, Connection, page

SIZE, GRAIN = (200, 160), (20, 16)
OF_A_SELLER = 8


@dataclass(frozen=True)
class WideShop:
    """What the shop answers; every page is made when it is asked for."""

    seed: int
    listings: int
    pictures: int
    codes: tuple[str, ...]

    def answer(self, target: str) -> tuple[str, bytes]:
        path, _, query = target.partition("?")
        match path.split("/")[1:]:
            case ["robots.txt"]:
                return "text/plain", b"User-agent: *\nDisallow: /cart\n"
            case ["search"]:
                asked = parse_qs(query)
                return "text/html", self.results(asked["q"][0], int(asked.get("page", ["1"])[0]))
            case ["item", name]:
                return "text/html", self.item(name)
            case ["picture", name]:
                return "image/jpeg", self.picture(name)
        raise ValueError(target)

    def results(self, words: str, number: int) -> bytes:
        code = next((code for code in self.codes if code in words.split()), None)
        shown = range(self.listings if code else 0)[(number - 1) * PER_PAGE : number * PER_PAGE]
        entries = [
            {"@type": "ListItem", "position": place, "url": f"/item/{code}-{item}"}
            for place, item in enumerate(shown, 1)
        ]
        more = f'<link rel="next" href="/search?q={code}&amp;page={number + 1}">'
        is_last = number * PER_PAGE >= self.listings
        return page({"@type": "ItemList", "itemListElement": entries}, "" if is_last else more)

    def item(self, name: str) -> bytes:
        code, number = name.split("-")
        product = {
            "@type": "Product",
            "sku": f"{self.seed}-{name}",
            "name": f"Louis Vuitton {code}",
            "image": [f"/picture/{name}-{position}.jpg" for position in range(self.pictures)],
            "offers": {
                "@type": "Offer",
                "price": f"{500 + int(number) % 900}.00",
                "priceCurrency": "EUR",
                "seller": {"@type": "Person", "name": f"seller {self.seed}-{code}-{int(number) // OF_A_SELLER}"},
            },
        }
        return page(product)

    def picture(self, name: str) -> bytes:
        code, _ = name.split("-", maxsplit=1)
        rng = np.random.default_rng((self.seed, zlib.crc32(name.encode())))
        hue = self.codes.index(code) / len(self.codes)
        colour = 255 * np.array(colorsys.hsv_to_rgb(hue, 0.8, 0.8))
        coarse = 0.5 * colour + 0.5 * rng.integers(0, 256, (GRAIN[1], GRAIN[0], 3))
        buffer = io.BytesIO()
        Image.fromarray(coarse.astype(np.uint8)).resize(SIZE, Image.Resampling.NEAREST).save(buffer, "JPEG", quality=80)
        return buffer.getvalue()


async def serve(shop: WideShop) -> None:
    Connection.shop = shop
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    seed, listings, pictures, *codes = sys.argv[1:]
    asyncio.run(serve(WideShop(int(seed), int(listings), int(pictures), tuple(codes))))
