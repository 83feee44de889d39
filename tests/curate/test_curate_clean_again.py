"""Cleaning that is killed, retried, or runs twice at once leaves the same objects; few pictures are held."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image, ImageDraw, ImageFont

from detector_files import publish_colour_detector
from lvbag import schemas
from lvbag.curate import clean, clean_part
from lvbag.images.fingerprints import VERSION
from lvbag.infer import ModelError
from lvbag.review import Verdict, decide, parse_id, undo
from lvbag.settings import Settings
from lvbag.store import Bucket, Ref, Store, StoreUnavailable, keys
from lvbag.store.tables import read_table, write_table

NIGHT = dt.date(2026, 11, 23)
AT = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))


def put_night(store: Store, colours: list[tuple[int, int, int]], night: dt.date = NIGHT) -> None:
    put_pictures(store, [Image.new("RGB", (400, 400), colour) for colour in colours], night)


def put_pictures(store: Store, pictures: list[Image.Image], night: dt.date = NIGHT) -> None:
    rows: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        store.put(keys.raw_image(digest, "png"), buffer.getvalue())
        rows.append(
            dict.fromkeys(schemas.STAGE_VALIDATE)
            | {"night": night, "source": "shop", "listing_id": f"l{number}", "position": 0, "sha256": digest}
            | {"image_url": f"https://shop.test/{number}.png", "format": "png", "style_code": "M41108"}
            | {"first_night": night, "verdict": "kept", "width": 400, "height": 400, "cluster": digest}
            | {"representative": digest, "fingerprint": VERSION, "blur": 100.0}
        )
    frame = pl.DataFrame(rows, schema=schemas.STAGE_VALIDATE)
    write_table(store, keys.stage(night, "validate"), frame, schemas.STAGE_VALIDATE)


def objects(store: Store) -> dict[str, str]:
    return {
        item.ref.key: hashlib.sha256(store.get(item.ref)).hexdigest() for item in store.list_objects(Bucket.CURATED)
    }


def test_a_killed_part_and_two_at_once_leave_what_one_undisturbed_run_leaves(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_night(store, [(255, number, 0) for number in range(40)])
    version = keys.version_name(publish_colour_detector(store, tmp_path / "version"))
    clean_part(store, settings, NIGHT, 0, version)
    wanted = objects(store)
    assert sum(key.startswith("crops/") for key in wanted) == 40
    for item in list(store.list_objects(Bucket.CURATED)):
        if item.ref != keys.stage(NIGHT, "validate"):
            store.delete(item.ref)

    put, left = Store.put, iter(range(21))

    def dies(self: Store, ref: Ref, *more: Any, **named: Any) -> Any:
        if next(left, None) is None:
            raise StoreUnavailable("gone")
        return put(self, ref, *more, **named)

    with monkeypatch.context() as patch, pytest.raises(StoreUnavailable):
        patch.setattr(Store, "put", dies)
        clean_part(store, settings, NIGHT, 0, version)
    assert not store.exists(keys.cleaned(NIGHT, 0)), "the table comes last"

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(clean_part, store, settings, NIGHT, 0, version) for _ in range(2)]
    assert both[0].result() == both[1].result()
    assert objects(store) == wanted


def test_pictures_are_held_two_chunks_at_a_time(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_night(store, [(number, 90, 0) for number in range(100)])
    loaded = cut = most = 0
    load, finish = clean.Cleaner._load, clean.Cleaner._finish

    def counts_load(self: clean.Cleaner, row: clean.Row, *more: Any) -> Any:
        nonlocal loaded, most
        loaded += 1
        most = max(most, loaded - cut)
        return load(self, row, *more)

    def counts_finish(self: clean.Cleaner, *one: Any) -> Any:
        nonlocal cut
        done = finish(self, *one)
        cut += 1
        return done

    monkeypatch.setattr(clean.Cleaner, "_load", counts_load)
    monkeypatch.setattr(clean.Cleaner, "_finish", counts_finish)
    clean_part(store, settings, NIGHT, 0, "none")
    assert (loaded, cut) == (100, 100)
    assert most <= 2 * clean.CHUNK_IMAGES + clean.WORKERS


def test_people_are_no_bags_and_a_detector_without_bags_judges_nothing(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    put_night(store, [(255, 0, 0), (0, 0, 255), (255, 0, 255)])
    version = keys.version_name(publish_colour_detector(store, tmp_path / "two", ("Bag", "person")))
    strict = settings.model_copy(update={"curate": settings.curate.model_copy(update={"max_person_factor": 3.0})})
    assert clean_part(store, strict, NIGHT, 0, version).refused == {"no_bag": 1, "person_dominant": 1}
    reasons = read_table(store, keys.cleaned(NIGHT, 0), schemas.CLEANED)["reason"].to_list()
    assert reasons == [
        None,
        "no_bag: nothing detected but person",
        "person_dominant: person covers 4.0 times the bag's area, curate.max_person_factor is 3",
    ]
    strange = keys.version_name(publish_colour_detector(store, tmp_path / "strange", ("Shoe", "person")))
    with pytest.raises(ModelError, match=r"detector\.bag_classes"):
        clean_part(store, settings, NIGHT, 0, strange)


def test_text_beside_the_bag_is_refused_and_on_the_bag_it_is_not(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    def picture(left: int) -> Image.Image:
        image = Image.new("RGB", (400, 400), (250, 0, 0))
        draw = ImageDraw.Draw(image)
        for number in range(5):
            draw.text((left, 100 + 30 * number), "Best bag ever", "white", ImageFont.load_default(20))
        return image

    put_pictures(store, [picture(220), picture(35)])  # the box is on the left
    version = keys.version_name(publish_colour_detector(store, tmp_path / "version"))
    clean_part(store, settings, NIGHT, 0, version)
    beside, on = read_table(store, keys.cleaned(NIGHT, 0), schemas.CLEANED).to_dicts()
    assert beside["reason"].startswith("text_dominant: text covers 0.0")
    assert (beside["nearest_rule"], beside["rule_margin"] < 0) == ("text_dominant", True)
    assert (on["verdict"], on["nearest_rule"]) == ("kept", "no_bag")


def test_what_a_person_keeps_is_cut_out_although_a_rule_refuses_it_and_undone_as_easily(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    put_night(store, [(30, 20, 0), (0, 0, 0)])  # a box below the working point, and none at all
    version = keys.version_name(publish_colour_detector(store, tmp_path / "version"))

    def reasons() -> list[str | None]:
        clean_part(store, settings, NIGHT, 0, version)
        table = read_table(store, keys.cleaned(NIGHT, 0), schemas.CLEANED)
        assert (table["crop_sha256"].is_not_null() == table["reason"].is_null()).all()
        return [reason and reason.split(":")[0] for reason in table["reason"]]

    assert reasons() == ["no_bag", "no_bag"]
    shas = read_table(store, keys.stage(NIGHT, "validate"), schemas.STAGE_VALIDATE)["sha256"]
    for sha256 in shas:
        decide(store, parse_id(f"picture:{sha256}"), Verdict.KEEP, None, "ana", AT, "it is one")
    assert reasons() == [None, "no_bag"], "where nothing was detected there is nothing to cut out"
    undo(store, parse_id(f"picture:{shas[0]}"), "ana", AT, "a mistake")
    assert reasons() == ["no_bag", "no_bag"]
