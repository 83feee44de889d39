"""Pictures that were offered as two products are asked about, in the words of the steps that refuse the copies."""

from __future__ import annotations

import datetime as dt

import pytest
from review_frames import NIGHT, decision, judged, sha, write_images

from lvbag.curate.exact import _Place, _repeat_reason
from lvbag.review import list_entries, read_decided
from lvbag.review.ledger import write_decision
from lvbag.settings import Settings
from lvbag.store import Store, keys

EXACT = _repeat_reason(
    sha(1),
    _Place(NIGHT, "shop", "l2", 0, "M40156"),
    _Place(NIGHT - dt.timedelta(days=1), "shop", "l1", 0, "M41108"),
    known=True,
)
# as `tests/curate/test_curate_near.py` has it of the step itself
NEAR = f"label_conflict: near {sha(1)} which is M41108, here M40156"


@pytest.mark.parametrize("reason", [EXACT, NEAR])
def test_the_picture_that_is_kept_is_asked_about_once(store: Store, settings: Settings, reason: str) -> None:
    copies = [judged(2, None, reason), judged(3, None, reason)]
    write_images(store, [judged(1, 0.9), *copies, judged(4, None, f"duplicate_exact: {sha(1)} first seen")])
    (entry,) = list_entries(store, settings, kind="label_conflict")
    item = entry.item
    assert str(item.id) == f"label_conflict:{sha(1)}"
    assert (item.machine, item.style_code, item.uncertainty) == ("kept", "M41108", 1.0)
    assert item.why == "kept as M41108, offered as M40156 in shop/l2"
    assert item.picture == keys.raw_image(sha(2), "jpg")


def test_an_answer_moves_the_picture_to_the_other_product(store: Store, settings: Settings) -> None:
    write_images(store, [judged(1, 0.9), judged(2, None, NEAR)])
    write_decision(store, decision(f"label_conflict:{sha(1)}", "relabel", style="M40156"))
    (entry,) = list_entries(store, settings, kind="label_conflict")
    assert entry.decision is not None
    assert read_decided(store).pictures[sha(1)].style_code == "M40156"
