"""`lvbag catalog`: whether the products are told apart by what titles say of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lvbag.catalog import load_catalog
from lvbag.settings import config_dir

catalog_app = typer.Typer(help="Look after the products of catalog.csv.", no_args_is_help=True)


@catalog_app.callback()
def _catalog() -> None:
    """Keeps `check` a sub-command while it is the only one."""


@catalog_app.command("check")
def check(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """Find twins, aliases that lead elsewhere, and products that their own name does not find. Exit status 1 if any."""
    from lvbag.crawl.catalog_check import check_catalog

    catalog = load_catalog(config_dir())
    findings = check_catalog(catalog)
    for finding in findings:
        print(json.dumps(asdict(finding), ensure_ascii=False) if as_json else finding)
    if findings:
        raise typer.Exit(1)
    if not as_json:
        official = sum(product.official for product in catalog.products)
        print(f"{len(catalog.products)} products, {official} of them with a style code: nothing to mend")
