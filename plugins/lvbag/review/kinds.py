"""The kinds of items: what each asks, what can be answered, and where its items come from.

Another source of doubt is one more entry here: a function that gives the items of a night.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from lvbag.catalog import Catalog
from lvbag.review.borders import (
    BAG_SIZE,
    CONFIDENCE,
    CUT_OFF,
    PERSON_DOMINANT,
    PICTURE,
    SEVERAL_BAGS,
    TEXT_DOMINANT,
    named_by_hand,
    near_confidence,
    near_rule,
    near_size,
)
from lvbag.review.conflicts import LABEL_CONFLICT, offered_as_two
from lvbag.review.decisions import Verdict
from lvbag.review.errors import ReviewError
from lvbag.review.items import Item
from lvbag.review.night_tables import NightTables
from lvbag.review.odd import OUTLIER, judged_anew, odd_pictures
from lvbag.review.suspected import SUSPICIOUS_LABEL, labels_judged_anew, suspicious_labels
from lvbag.review.untitled import UNLABELLED, with_product, without_product
from lvbag.settings import Settings

_OF_PICTURES = (Verdict.KEEP, Verdict.REFUSE, Verdict.RELABEL)


def _nothing(_tables: NightTables) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True)
class Kind:
    """One kind. `find` gives a night's items; `settled` names items of earlier nights that the night has answered."""

    name: str
    asks: str
    verdicts: tuple[Verdict, ...]
    find: Callable[[NightTables, Settings], Iterator[Item]]
    settled: Callable[[NightTables], Iterable[str]] = _nothing


KINDS = {
    kind.name: kind
    for kind in (
        Kind(CONFIDENCE, "Does the picture show a bag? The detector is not sure.", _OF_PICTURES, near_confidence),
        Kind(BAG_SIZE, "Is the bag large enough to be told apart?", _OF_PICTURES, near_size),
        *(
            Kind(rule, asks, _OF_PICTURES, partial(near_rule, rule))
            for rule, asks in (
                (SEVERAL_BAGS, "Is one bag shown, or are there several of which the title means one?"),
                (PERSON_DOMINANT, "Is the bag more than a detail beside the person?"),
                (CUT_OFF, "Is the whole bag in the picture?"),
                (TEXT_DOMINANT, "Is it a photo of a bag, and no banner, size chart or catalogue page?"),
            )
        ),
        Kind(OUTLIER, "Does this picture belong to this product?", _OF_PICTURES, odd_pictures, judged_anew),
        Kind(
            SUSPICIOUS_LABEL,
            "Is it this product, or the one that networks take it for?",
            _OF_PICTURES,
            suspicious_labels,
            labels_judged_anew,
        ),
        Kind(LABEL_CONFLICT, "Offered as two products: which is it?", _OF_PICTURES, offered_as_two),
        Kind(
            UNLABELLED,
            "Which product does this title mean?",
            (Verdict.REFUSE, Verdict.RELABEL),
            without_product,
            with_product,
        ),
        Kind(PICTURE, "A picture that a person named: is it right?", _OF_PICTURES, named_by_hand),
    )
}


def kind_named(name: str) -> Kind:
    """A kind by its name; raises `ReviewError`."""
    if name not in KINDS:
        raise ReviewError(f"there is no kind {name!r} of items; there are {', '.join(KINDS)}")
    return KINDS[name]


def check_answer(kind: str, verdict: Verdict, product: str | None, catalog: Catalog) -> None:
    """Raise `ReviewError` where a kind's question cannot be answered so, or the catalog has no such product."""
    allowed = kind_named(kind).verdicts
    if verdict not in allowed:
        raise ReviewError(
            f"an item of kind {kind} is answered by {', '.join(one.value for one in allowed)}, not by {verdict.value}"
        )
    if verdict is not Verdict.RELABEL:
        if product is not None:
            raise ReviewError(f"a product goes with relabel, not with {verdict.value}")
        return
    if product is None:
        raise ReviewError("relabel needs the product: a style code of the catalog")
    if catalog.get(product) is None:
        near = difflib.get_close_matches(product, [one.style_code for one in catalog.products], n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ReviewError(f"{product!r} is no product of catalog.csv{hint}")
