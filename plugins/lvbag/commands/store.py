"""`lvbag store copy`: everything into another store, to move or to keep a backup."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lvbag.errors import LvbagError
from lvbag.settings import StoreSettings, load_settings
from lvbag.terminal import console

if TYPE_CHECKING:
    from lvbag.care.copying import Copied

store_app = typer.Typer(no_args_is_help=True, help="The object store as a whole.")

_FILE = "a file with LVBAG_STORE__ENDPOINT, …ACCESS_KEY and …SECRET_KEY, as `lvbag up` writes embedded.env; else "


@store_app.callback()
def store() -> None:
    """The object store as a whole."""


@store_app.command()
def copy(  # noqa: PLR0917 - the options of the command
    source: Annotated[Path | None, typer.Option("--from", help=f"{_FILE}the store of the settings")] = None,
    target: Annotated[Path | None, typer.Option("--to", help=f"{_FILE}the store of the settings")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what differs at the target")] = False,
    read_all: Annotated[
        bool, typer.Option("--read-all", help="read back also what stood at the target before, and compare digests")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what is missing or differs; write nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Copy all buckets into another store. Stopped or killed, it goes on where it was when it is run again.

    Ends with status 1 when something differs, is damaged, or changed meanwhile. What only the target has stays.
    """
    from lvbag.care import How, copy_store
    from lvbag.commands.found import progress, show_finding
    from lvbag.store.carrying import CarryingStore

    if source is None and target is None:
        raise LvbagError("name the other store: --from FILE or --to FILE")
    with progress(as_json) as hears:
        copied = copy_store(
            CarryingStore(_settings(source)),
            CarryingStore(_settings(target)),
            How(overwrite=overwrite, read_all=read_all, dry_run=dry_run),
            on_progress=hears,
            on_finding=lambda finding: show_finding(finding, as_json),
        )
    _show(copied, as_json, dry_run)
    if copied.findings:
        raise typer.Exit(1)


def _settings(path: Path | None) -> StoreSettings:
    from lvbag.store.elsewhere import read_store_file

    return load_settings().store if path is None else read_store_file(path)


def _show(copied: Copied, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print(json.dumps(asdict(copied) | {"findings": len(copied.findings), "dry_run": dry_run}))
        return
    said = "are missing at the target" if dry_run else "were copied and read back"
    console.print(f"{copied.copied:,} of {copied.keys:,} objects {said}, {copied.bytes / 1e6:,.1f} MB")
    if copied.versions > copied.copied:
        console.print(f"  {copied.versions:,} versions of them, the registry's older ones among them")
    console.print(f"  {copied.same:,} stood there already, {copied.only_there:,} stand only there and stay")
    if copied.gone:
        console.print(f"  {copied.gone:,} were deleted at the source meanwhile")
    for bucket in copied.flat:
        console.print(f"  [yellow]{bucket} keeps no versions at the target[/yellow]: older ones were left out")
    if copied.findings:
        console.print(f"  [red]{len(copied.findings):,} were not copied[/red]: see above")
