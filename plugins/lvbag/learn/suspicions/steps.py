"""The suspicious labels of a snapshot: which pictures are looked at, in which folds, and the process that looks.

Every picture is judged by a network that was trained without it, without its near-duplicates and without the other
pictures of its listing (the groups by which snapshots are split). The champion will not do: it has learnt the very
labels that are in question, and a new head on its layers would still rest on them. So as many networks as there are
folds are trained and thrown away. What they find is a table for people; no label is changed by it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

import polars as pl

from lvbag import schemas
from lvbag.curated import read_curated
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import digest
from lvbag.learn.launch import run_job
from lvbag.learn.recipes import ClassifierRecipe, load_classifier_recipe, recipe_digest
from lvbag.learn.results import SuspicionResult
from lvbag.learn.suspicions.folds import deal_folds, seen_elsewhere
from lvbag.learn.suspicions.records import ROWS_NAME, SuspicionJob, SuspicionRun, read_run
from lvbag.learn.turns import newest_in_turns
from lvbag.learn.weights import choose_start
from lvbag.review import read_decided
from lvbag.settings import Settings, SuspicionSettings
from lvbag.store import ObjectMissing, Store, keys
from lvbag.store.tables import read_table, write_table
from lvbag.suspicions import RUN, SCORES, is_asked, read_suspicions, with_ranks
from lvbag.tombstones import read_holes

log = logging.getLogger(__name__)

METHOD = "1"
"""Of folds and scores; another one judges every snapshot anew."""

_COLUMNS = tuple(schemas.SUSPICIONS)[: tuple(schemas.SUSPICIONS).index("fold") + 1]


def find_suspicions(store: Store, settings: Settings, snapshot: str, again: bool = False) -> SuspicionResult:
    """Judge the labels of a snapshot, unless the same were judged so already, or `again`; later decisions count.

    Writes `keys.suspicions(snapshot, …)`, `run.json` last. Raises `LearnError` (no such snapshot, or the process fails)
    and `RecipeError`.
    """
    started = time.monotonic()
    chosen = settings.suspicions
    if not chosen.enabled:
        return SuspicionResult(snapshot, "", 0, 0, 0, 0, None, False, 0.0, "suspicions.enabled is false")
    recipe = _recipe(chosen.recipe)
    rows = read_rows(store, chosen, snapshot)
    start = choose_start(store, settings, recipe, str, snapshot)
    parts = (METHOD, _digest_of(rows), recipe_digest(recipe), chosen.folds, chosen.min_images)
    key = digest("suspicions", *parts, start.sha256 if start else None)
    run = None if again else read_run(store, snapshot)
    reused = run is not None and run.key == key
    if not reused:
        told = SuspicionRun(key=key, snapshot=snapshot, recipe=chosen.recipe, folds=chosen.folds, images=rows.height)
        if rows["judged"].sum() == 0 or rows.filter("judged")["style_code"].n_unique() < 2:
            _nothing_to_judge(store, told, chosen)
        else:

            def make(folder: Path, cache: Path) -> SuspicionJob:
                rows.write_parquet(folder / ROWS_NAME)
                return SuspicionJob.asked(
                    settings, folder, cache, snapshot=snapshot, key=key, recipe_name=chosen.recipe, recipe=recipe,
                    start=start, folds=chosen.folds,
                )  # fmt: skip

            run_job("lvbag.learn.suspicions.run_judging", settings, make)
        run = read_run(store, snapshot)
    scores = read_suspicions(store, snapshot)
    if run is None or scores is None:
        raise LearnError(f"the scores of snapshot {snapshot} were taken away meanwhile; run it again")
    ranked = with_ranks(scores, rows.filter("decided")["sha256"])
    if not ranked.equals(scores):  # people have decided since
        write_table(store, keys.suspicions(snapshot, SCORES), ranked, schemas.SUSPICIONS)
    result = SuspicionResult(
        snapshot,
        store.uri(keys.suspicions(snapshot, SCORES)),
        run.images,
        run.judged,
        run.suspicious,
        ranked.filter(is_asked(chosen)).height,
        run.top1,
        reused,
        round(time.monotonic() - started, 1),
        run.note,
    )
    log.info("suspicions.done %s", result)
    return result


def read_rows(store: Store, settings: SuspicionSettings, snapshot: str) -> pl.DataFrame:
    """The pictures that are looked at, `schemas.SUSPICIONS` up to `fold`, sorted by sha256; and two columns more.

    `decided`: a person has said something about the picture. `judged`: its product has `suspicions.min_images` pictures
    in the other folds. Of more than `suspicions.max_images` every product's newest in turns.
    """
    ref = keys.snapshot(snapshot, "manifest.parquet")
    try:
        manifest = read_table(store, ref, schemas.MANIFEST)
    except ObjectMissing:
        raise LearnError(f"there is no snapshot {snapshot!r} ({store.uri(ref)}); curate a night first") from None
    holes = pl.Series(list(read_holes(store, snapshot)), dtype=pl.String)
    standing = manifest.filter(~pl.col("sha256").is_in(holes.implode()))
    rows = newest_in_turns(standing, settings.max_images)
    labels = rows["label"].to_numpy().astype("int64")
    folds = deal_folds(rows["group"].to_list(), labels, settings.folds)
    decided = read_decided(store).pictures
    wanted = rows["sha256"].implode()
    formats = read_curated(store, ["sha256", "format"], pl.col("sha256").is_in(wanted)).unique("sha256", keep="first")
    return (
        rows.rename({"picture_url": "image_url"})
        .join(formats, on="sha256", how="left", maintain_order="left")
        .with_columns(
            pl.Series("fold", folds, dtype=pl.Int32),
            pl.Series("decided", [sha256 in decided for sha256 in rows["sha256"]], dtype=pl.Boolean),
            pl.Series("judged", seen_elsewhere(folds, labels) >= settings.min_images, dtype=pl.Boolean),
        )
        .select(*_COLUMNS, "decided", "judged")
    )


def _recipe(name: str) -> ClassifierRecipe:
    recipe = load_classifier_recipe(name)
    if recipe.start == "champion":
        raise LearnError(
            f"suspicions.recipe {name} starts from the champion, which has learnt the labels that are in question; "
            "name a recipe that starts from scratch or from pretrained weights"
        )
    if recipe.epochs == 0:
        raise LearnError(f"suspicions.recipe {name} has no epochs: an untrained network knows nothing of labels")
    return recipe


def _nothing_to_judge(store: Store, run: SuspicionRun, settings: SuspicionSettings) -> None:
    note = (
        f"fewer than two products have {settings.min_images} pictures in the other folds (suspicions.min_images), so "
        "there is nothing to judge by"
    )
    write_table(store, keys.suspicions(run.snapshot, SCORES), schemas.SUSPICIONS.to_frame(), schemas.SUSPICIONS)
    store.put_json(keys.suspicions(run.snapshot, RUN), run.model_copy(update={"note": note}).model_dump(mode="json"))


def _digest_of(rows: pl.DataFrame) -> str:
    lines = ("|".join(map(str, row)) for row in rows.select("sha256", "style_code", "fold").rows())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
