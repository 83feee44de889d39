"""How a night's budget of requests is shared among products: a pure function of what each product has already.

Products below `curate.min_images` come first, for they cannot be learnt at all; then those below
`crawl.target_images`; a product that has as many is left alone. Where the budget is short, all get the same, and the
neediest get what is left over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

SEARCH_REQUESTS = 6
"""What a product costs before its first picture: robots.txt, pages of results."""
_REQUESTS_A_PICTURE = 1.5
"""A listing's page is shared by its few pictures, and some pictures are refused."""


def share_budget(images: Mapping[str, int], budget: int, min_images: int, target_images: int) -> dict[str, int]:
    """Requests for each product, the neediest first; products that need nothing, or get nothing, are left out.

    `images`: kept images by product, in the catalog's order.
    """
    needy = sorted((code for code, have in images.items() if have < target_images), key=lambda code: images[code])
    below = [code for code in needy if images[code] < min_images]
    shares = dict.fromkeys(needy, 0)
    left = budget
    left -= _pour(shares, below, left, lambda code: _cost(min_images - images[code]))
    left -= _pour(shares, needy, left, lambda code: _cost(target_images - images[code]))
    _pour(shares, needy, left, lambda _: budget)  # finding pictures may cost more than estimated
    return {code: share for code, share in shares.items() if share}


def _cost(missing: int) -> int:
    return SEARCH_REQUESTS + math.ceil(missing * _REQUESTS_A_PICTURE)


def _pour(shares: dict[str, int], codes: Sequence[str], budget: int, wanted: Callable[[str], int]) -> int:
    """Raise these shares equally until each has what is wanted or the budget is spent; returns what was used."""
    left = budget
    open_codes = [code for code in codes if shares[code] < wanted(code)]
    while left > 0 and open_codes:
        step = max(1, min(left // len(open_codes), *(wanted(code) - shares[code] for code in open_codes)))
        for code in open_codes[:left]:
            shares[code] += step
            left -= step
        open_codes = [code for code in open_codes if shares[code] < wanted(code)]
    return budget - left
