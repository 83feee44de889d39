"""`lvbag takedown`, `lvbag verify` and `lvbag gc`: looking after what is stored. Each shows first what it would do."""

from __future__ import annotations

import datetime as dt
import getpass
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lvbag.commands.common import open_session
from lvbag.commands.found import collect_shown, progress, show_finding
from lvbag.errors import LvbagError
from lvbag.store import Store
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.care.takedown import TakedownPlan
    from lvbag.care.targets import Target

_JSON = typer.Option("--json", help="one JSON object a line")
_STAYS = (
    "Titles, prices and addresses stay in the tables of the nights, and models that were trained on a picture stay as "
    "they are."
)


def takedown(  # noqa: PLR0917 - the options of the command
    listing: Annotated[str | None, typer.Option(help="SOURCE/ID of a listing")] = None,
    seller: Annotated[str | None, typer.Option(help="SOURCE/NAME of a seller: every listing of theirs")] = None,
    url: Annotated[str | None, typer.Option(help="the address of a listing's page or of a picture")] = None,
    image: Annotated[str | None, typer.Option(help="a picture: its sha256, or a file with the same bytes")] = None,
    why: Annotated[str, typer.Option(help="the reason, which the tombstone keeps; needed with --yes")] = "",
    with_copies: Annotated[
        bool,
        typer.Option(
            "--with-copies/--only-this", help="the photo wherever it stands, or only what no other listing shows"
        ),
    ] = True,
    even_if_unknown: Annotated[
        bool, typer.Option("--even-if-unknown", help="also what no night has met yet, so that none ever will")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without it nothing is changed")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Take something down for good: its pictures are removed wherever they stand, and it is never fetched again."""
    from lvbag.care import Reason, plan_takedown, take_down

    session = open_session()
    plan = plan_takedown(session.store, _target(listing, seller, url, image), with_copies, even_if_unknown)
    if not yes:
        _show_takedown(session.store, plan, as_json, dry_run=True)
        return
    reason = Reason(why, getpass.getuser(), dt.datetime.now(dt.UTC))
    with progress(as_json) as hears:
        take_down(session.store, session.settings, plan, reason, lambda done, total: hears("taking down", done, total))
    _show_takedown(session.store, plan, as_json, dry_run=False)


def verify(
    sample: Annotated[int | None, typer.Option(min=1, help="objects of each kind to read; 200 when left out")] = None,
    everything: Annotated[bool, typer.Option("--all", help="read everything")] = False,
    what: Annotated[str, typer.Option(help="some of raw,crops,tables,snapshots,models")] = "",
    seed: Annotated[int, typer.Option(help="another seed draws another sample")] = 0,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Read back what is stored and compare it with what was recorded; ends with status 1 when something is wrong."""
    from lvbag.care import verify_store
    from lvbag.care.verify import AREAS, SAMPLE

    if everything and sample is not None:
        raise typer.BadParameter("either --sample or --all")
    areas = tuple(name.strip() for name in what.split(",") if name.strip()) or AREAS
    session = open_session()
    with progress(as_json) as hears:
        result = verify_store(
            session.store,
            areas,
            sample=None if everything else sample or SAMPLE,
            seed=seed,
            on_progress=hears,
            on_finding=lambda finding: show_finding(finding, as_json),
        )
    if as_json:
        print(json.dumps({"checked": result.checked, "findings": len(result.findings)}))
    else:
        counts = ", ".join(f"{count:,} {area}" for area, count in result.checked.items())
        console.print(f"checked: {counts}; {len(result.findings)} findings")
    if result.findings:
        raise typer.Exit(1)


def gc(
    older_than: Annotated[int, typer.Option(min=1, help="days; what was written since is left alone")] = 30,
    keep_snapshots: Annotated[int, typer.Option(min=1, help="the newest ones, whoever needs them")] = 7,
    yes: Annotated[bool, typer.Option("--yes", help="do it; without it nothing is changed")] = False,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Show, and with --yes remove, what no night, snapshot or model refers to any more."""
    from lvbag.care import Limits, plan_collection

    session = open_session()
    limits = Limits(older_than, keep_snapshots)
    plan = plan_collection(session.store, session.settings, limits, dt.datetime.now(dt.UTC))
    collect_shown(session, plan, yes, as_json)


# ------------------------------------------------------------------ takedown


def _target(listing: str | None, seller: str | None, url: str | None, image: str | None) -> Target:
    from lvbag.care import image_target, listing_target, seller_target, url_target

    kinds = ((listing, listing_target), (seller, seller_target), (url, url_target), (image, image_target))
    given = [(text, make) for text, make in kinds if text is not None]
    if len(given) != 1:
        raise LvbagError("name one thing to take down: --listing, --seller, --url or --image")
    text, make = given[0]
    return make(text)


def _show_takedown(store: Store, plan: TakedownPlan, as_json: bool, dry_run: bool) -> None:
    found, removed = plan.found, plan.removed
    if as_json:
        for piece in plan.pieces:
            print(json.dumps({"kind": piece.kind, "uri": store.uri(piece.ref), "bytes": piece.bytes}))
        summary = {
            "target": {"kind": plan.target.kind, "key": plan.target.key},
            "dry_run": dry_run,
            "removed": removed.as_json(),
            "listings": sorted(f"{source}/{listing_id}" for source, listing_id in found.listings),
            "images": found.images,
            "spared": found.spared,
            "nights": sorted(night.isoformat() for night in found.nights),
            "stays": _STAYS,
        }
        print(json.dumps(summary, ensure_ascii=False))
        return
    console.print(f"[bold]{escape(plan.target.name)}[/bold]: {'would go' if dry_run else 'gone'}")
    table = Table(show_header=False, box=None)
    for name, value in removed.as_json().items():
        if value:
            table.add_row(name.replace("_", " "), _said(value))
    console.print(table if table.rows else "  nothing is stored of it")
    copies = sum(why.startswith("a copy") for why in found.images.values())
    if copies:
        console.print(
            f"  {copies} of {len(found.images)} pictures are copies of the same photos (--only-this leaves them)"
        )
    for sha256, place in sorted(found.spared.items()):
        console.print(f"  {sha256[:12]}… stays: {escape(place)} shows it as well (--with-copies takes it)")
    console.print(f"  [dim]{_STAYS}[/dim]")
    if dry_run:
        console.print("Nothing was changed. Give --yes and --why to take it down; there is no way back.")
    else:
        console.print("It has a tombstone: no night fetches it, and no snapshot takes it, again.")


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{escape(str(name))} ({count})" for name, count in value.items())
    if isinstance(value, list):
        return ", ".join(escape(str(item)) for item in value)
    return f"{value:,}"
