"""What a snapshot says of itself to people: `card.md`. A function of its statistics and the settings that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lvbag.curate.snapshots.changes import SnapshotDrift
from lvbag.curate.snapshots.dealing import MIN_GROUPS
from lvbag.curate.snapshots.licences import licence_line
from lvbag.curate.snapshots.stats import SnapshotStats
from lvbag.settings import CurateSettings

_NONE = "\u2013"


def card_text(stats: SnapshotStats, settings: CurateSettings) -> str:
    """The card in Markdown."""
    sections = [
        _head(stats),
        ["## How it was split", "", _how(stats, settings), "", *_exceptions(stats)],
        ["## Against the snapshot before", "", *(_drift(stats.drift) if stats.drift else _first())],
        ["## Where the pictures come from", "", *_licences(stats)],
        ["## What was refused on all nights", "", *_refused(stats.refused)],
        ["## Products", "", *_products(stats)],
        ["## Files", "", *_FILES],
    ]
    return "\n".join(line for section in sections for line in (*section, "")).rstrip() + "\n"


def plain(text: object) -> str:
    """A text as it may stand in a table of Markdown: on one line, and nothing in it is markup."""
    line = " ".join(str(text).split())
    return "".join(f"\\{char}" if char in "\\|`*_[]<>#" else char for char in line)


def _head(stats: SnapshotStats) -> list[str]:
    none = stats.detectors == ("none",)
    detectors = "none: images passed uncropped" if none else ", ".join(stats.detectors)
    listings = sum(product.listings for product in stats.products)
    nights = sorted(stats.nights)
    return [
        f"# Snapshot {stats.snapshot}",
        "",
        f"{stats.images} images of {len(stats.products)} products, {listings} listings, from {len(nights)} night(s): "
        f"{nights[0]} to {nights[-1]}.",
        "",
        *_table(
            ("", "images", "share"),
            [(split, count, f"{count / stats.images:.1%}") for split, count in stats.splits.items()],
        ),
        "",
        f"- Detector versions that cropped them: {detectors}",
        f"- Nights: {_listed(stats.nights)}",
    ]


def _how(stats: SnapshotStats, settings: CurateSettings) -> str:
    return (
        "Images of one listing, of one near-duplicate cluster (of the whole picture or of the crop) or of one seller "
        f"form a group; there are {stats.groups}. A group is in one split only and stays there in every later "
        f"snapshot. A seller with more than {settings.max_seller_listings} listings is a shop, whose listings are "
        "strangers to one another. Groups were dealt product by product towards "
        f"{settings.test_share:.0%} test and {settings.val_share:.0%} val; a product of fewer than {MIN_GROUPS} groups "
        f"only trains. A product takes part from {settings.min_images} different images on. One image of a cluster "
        f"stands here, the best one. Near is at most {settings.near_max_distance64} of 64 and "
        f"{settings.near_max_distance256} of 256 bits of perceptual hash and a CIELAB distance of "
        f"{settings.near_max_colour:g}, or, where nothing but a mark is new, {settings.near_marked_distance256} bits "
        f"and {settings.near_marked_colour:g}; for crops {settings.crop_max_distance64}, "
        f"{settings.crop_max_distance256} and {settings.crop_max_colour:g}."
    )


def _exceptions(stats: SnapshotStats) -> list[str]:
    return [
        f"- {stats.group_conflicts} new images would have tied two splits together and were refused.",
        f"- {stats.late_conflicts} images left because a copy of theirs was found in another split after both had been "
        "placed: the one for testing stays.",
        f"- {stats.replaced} kept images stand behind a better copy.",
        f"- {stats.taken_down} images that were kept once were taken down for good.",
        *_reviews(stats),
        f"- {stats.sellers} sellers are known by name; {stats.shops} of all that were ever seen are shops.",
        f"- The listings of {stats.torn_sellers} sellers lay in several splits before the tie was known; they stay "
        "where they are.",
    ]


def _reviews(stats: SnapshotStats) -> list[str]:
    if stats.reviews is None:
        return []
    return [f"- reviews: {stats.reviews.refused} refused, {stats.reviews.relabelled} relabelled by people."]


def _first() -> list[str]:
    return ["None stood before this one, or it is gone."]


def _drift(drift: SnapshotDrift) -> list[str]:
    return [
        f"Against `{drift.before}`:",
        "",
        *(f"- {verdict}" for verdict in drift.verdicts),
        f"- products that entered: {', '.join(map(plain, drift.entered)) or 'none'}; that left: "
        f"{', '.join(map(plain, drift.left)) or 'none'}",
        "",
        *_table(
            ("images", "added", "removed", "of them replaced by a better copy", "relabelled", "cropped anew", "moved"),
            [(c.split, c.added, c.removed, c.replaced, c.relabelled, c.recropped, c.moved) for c in drift.changes],
        ),
        "",
        *_table(
            ("measure", "median before", "median now", "median of what came in", "stability index"),
            [
                (
                    plain(one.measure),
                    *(_number(value) for value in (one.before, one.now, one.added)),
                    f"{_number(one.psi)}: {one.verdict}" if one.psi is not None else one.verdict,
                )
                for one in drift.measures
            ],
        ),
    ]


def _licences(stats: SnapshotStats) -> list[str]:
    rows = [(plain(note.source), note.images, plain(licence_line(note))) for note in stats.licences]
    if not rows:
        return [f"Sources: {_listed(stats.sources)}"]
    confirmed = [
        f"- {plain(note.source)} ({plain(note.kind)}) is crawled because this was confirmed: "
        f"\u201c{plain(note.permission)}\u201d."
        for note in stats.licences
        if note.permission
    ]
    return [*_table(("source", "images", "licence"), rows), *([""] if confirmed else []), *confirmed]


def _refused(refused: Mapping[str, int]) -> list[str]:
    if not refused:
        return ["Nothing."]
    return _table(("rule", "images"), [(plain(rule), count) for rule, count in refused.items()])


def _products(stats: SnapshotStats) -> list[str]:
    return _table(
        ("style code", "images", "train", "val", "test", "groups", "listings"),
        [(plain(p.style_code), p.images, p.train, p.val, p.test, p.groups, p.listings) for p in stats.products],
    )


_FILES = (
    "`manifest.parquet` one row an image; `shards/*.tar` crops as WebDataset (`<sha256>.jpg`, `<sha256>.cls`); "
    "`splits.parquet` every image that ever had a place; `stats.json`; `preview.jpg`.",
)


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Numbers to the right, texts to the left."""
    cells = [tuple(row) for row in rows]
    right = [all(_is_number(row[at]) for row in cells) for at in range(len(names))]
    return [
        f"| {' | '.join(names)} |",
        "|" + "|".join("---:" if number else "---" for number in right) + "|",
        *(f"| {' | '.join(map(str, row))} |" for row in cells),
    ]


def _is_number(cell: object) -> bool:
    """Also a share such as `15.0%`, and what stands where there is no number."""
    return isinstance(cell, int | float) or str(cell).rstrip("%").replace(".", "", 1).isdigit() or cell == _NONE


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{plain(name)} ({count})" for name, count in counts.items())


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4g}"
