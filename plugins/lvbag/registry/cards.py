"""`card.md` of a version: what it is, what it was trained on, how good it is, and how to use it.

Plain Markdown that reads well in the store's console and in an editor. The same records give the same text.
"""

from __future__ import annotations

from collections.abc import Sequence

from lvbag.registry.gate import PRIMARY_METRIC
from lvbag.registry.records import UNCROPPED, Decision, Evaluation, Measured, VersionRecord
from lvbag.store.keys import ModelKind, confusion_sheet, version_name

WORST_PRODUCTS = 10


def model_card(record: VersionRecord, evaluation: Evaluation | None, decision: Decision | None) -> str:
    """The card of a version, with the evaluation and the gate's decision where there are any already."""
    parts = [
        _head(record),
        _trained_on(record),
        _figures(record),
        _measured(record, evaluation),
        _products(record, evaluation),
        _confusions(record, evaluation),
        _verdict(decision),
        _use(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(record: VersionRecord) -> str:
    what = (
        f"Names the bag in a photo: one of {len(record.model.classes)} products, by style code."
        if record.kind == ModelKind.CLASSIFIER
        else f"Finds bags in a photo: boxes of {', '.join(record.model.classes)}."
    )
    return f"# {record.kind.capitalize()} {version_name(record.version)}\n\n{what}"


def _trained_on(record: VersionRecord) -> str:
    is_classifier = record.kind == ModelKind.CLASSIFIER
    rows = [
        ("Snapshot" if is_classifier else "Label set", f"`{record.data}`"),
        ("Recipe", f"`{record.recipe}` (sha256 `{record.recipe_sha256[:12]}`)"),
        (
            "Network",
            f"`{record.model.architecture}`, input {record.model.image_side_px} x {record.model.image_side_px} px",
        ),
        ("Started from", record.start),
        ("Seed", str(record.seed)),
        ("Trained", f"{record.created_at:%Y-%m-%d %H:%M} UTC, lvbag {record.code_version}"),
        ("Champion at the time", version_name(record.parent) if record.parent is not None else "none"),
    ]
    if is_classifier:
        crops = "none: whole pictures" if record.detector in (None, UNCROPPED) else f"{record.detector}"
        rows.append(("Crops by detector", crops))
    return "## Trained on\n\n" + _table(("", ""), rows)


def _figures(record: VersionRecord) -> str:
    if not record.metrics:
        return ""
    rows = [(name, _number(value)) for name, value in sorted(record.metrics.items())]
    beside = "`curve.png` beside this card shows the course of the training, where there was any"
    if record.kind == ModelKind.CLASSIFIER:
        beside += ", `confusion.png` which products are taken for which"
    head = f"## Figures of the training\n\nOn its own validation and test images. {beside}.\n\n"
    return head + _table(("figure", "value"), rows)


def _measured(record: VersionRecord, evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return ""
    candidates = [item for item in (evaluation.champion, *evaluation.challengers) if item is not None]
    primary = PRIMARY_METRIC[evaluation.kind]
    names = sorted({name for item in candidates for name in item.metrics}, key=lambda name: (name != primary, name))
    rows = [
        (_role(item, record, evaluation), *(_number(item.metrics.get(name)) for name in names)) for item in candidates
    ]
    return (
        f"## Evaluation `{evaluation.key}`\n\nAll versions on the same {evaluation.test_images} test images of "
        f"`{evaluation.data}`.\n\n" + _table(("version", *names), rows)
    )


def _products(record: VersionRecord, evaluation: Evaluation | None) -> str:
    """The products that it gets right least often, beside the champion."""
    own = _own(record, evaluation)
    if evaluation is None or own is None or not own.right:
        return ""
    champion = evaluation.champion if evaluation.champion is not own else None
    worst = sorted(own.right, key=lambda code: (own.right[code] / evaluation.products[code], code))[:WORST_PRODUCTS]
    head = ["product", "test images", "right", "share"] + (["right by the champion", "share"] if champion else [])
    rows = []
    for code in worst:
        images, cells = evaluation.products[code], [code, str(evaluation.products[code])]
        for item in (own, champion) if champion else (own,):
            right = item.right.get(code, 0)
            cells += [str(right), f"{right / images:.3f}"]
        rows.append(tuple(cells))
    title = f"## Products that it gets right least often\n\nThe worst {len(worst)} of {len(own.right)}.\n\n"
    return title + _table(tuple(head), rows)


def _confusions(record: VersionRecord, evaluation: Evaluation | None) -> str:
    """What it takes for what most often."""
    own = _own(record, evaluation)
    if evaluation is None or own is None or not own.confusions:
        return ""
    rows = [
        (pair.truth, pair.predicted, f"{pair.images} of {evaluation.products[pair.truth]}") for pair in own.confusions
    ]
    sheet = confusion_sheet(evaluation.kind, evaluation.key, record.version).key
    return (
        f"## What it confuses most\n\nWith pictures in `{sheet}` of the same bucket (unless one of them was taken "
        "down).\n\n" + _table(("product", "taken for", "test images"), rows)
    )


def _own(record: VersionRecord, evaluation: Evaluation | None) -> Measured | None:
    """What an evaluation measured of this version."""
    every = () if evaluation is None else (evaluation.champion, *evaluation.challengers)
    return next((item for item in every if item is not None and item.version == record.version), None)


def _role(item: Measured, record: VersionRecord, evaluation: Evaluation) -> str:
    role = "champion" if item is evaluation.champion else "challenger"
    name = f"{version_name(item.version)} ({role})"
    return f"**{name}**" if item.version == record.version else name


def _verdict(decision: Decision | None) -> str:
    if decision is None:
        return ""
    rows = [
        (rule.rule, "holds" if rule.passed else ("fails" if rule.required else "fails, not required"), rule.sentence)
        for rule in decision.rules
    ]
    return f"## Gate\n\n{decision.summary}\n\n" + _table(("rule", "", "why"), rows)


def _use(record: VersionRecord) -> str:
    model = record.model
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (model.mean, model.std))
    ground = "white" if record.kind == ModelKind.CLASSIFIER else "grey 114"
    steps = [
        "## How to use it",
        "",
        "`lvbag classify PHOTO…` uses the champions. To use this version on its own, run `model.onnx` with",
        "",
        f"- input: `(batch, 3, {model.image_side_px}, {model.image_side_px})` float32, RGB in 0 to 1, the picture "
        f"letterboxed to a square on {ground}",
        f"- then subtract the mean ({mean}) and divide by the standard deviation ({std})",
    ]
    if record.kind == ModelKind.CLASSIFIER:
        steps.append(
            "- output: one score a product, in the order of `model.classes` in `config.json`; divided by the "
            f"temperature {model.temperature:.4g}, softmax makes probabilities"
        )
    else:
        steps.append("- output: boxes as the network gives them; `lvbag.infer` turns them into shares of the picture")
    version = version_name(record.version)
    steps += ["", f"`lvbag registry rollback {version} --kind {record.kind} --why …` makes it the champion."]
    return "\n".join(steps)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4g}"
