"""The `lvbag` command: one sub-command for each thing that a person does from the shell.

Commands only read arguments and print; what they do is done by the same functions that the DAGs call.
"""

from __future__ import annotations

import logging
import os
import sys

import typer

from lvbag.commands.mounting import lazy_group
from lvbag.errors import LvbagError

COMMANDS = {
    "up": "lvbag.commands.services:up",
    "down": "lvbag.commands.services:down",
    "status": "lvbag.commands.services:status",
    "doctor": "lvbag.commands.doctor:doctor",
    "settings": "lvbag.commands.settings:settings",
    "notify": "lvbag.commands.notify:notify",
    "classify": "lvbag.commands.classify:classify",
    "detect": "lvbag.commands.detect:detect",
    "night": "lvbag.commands.curate:night",
    "diff": "lvbag.commands.dataset:diff",
    "train": "lvbag.commands.learn:train",
    "train-detector": "lvbag.commands.learn:train_detector",
    "takedown": "lvbag.commands.care:takedown",
    "verify": "lvbag.commands.care:verify",
    "gc": "lvbag.commands.care:gc",
    "store": "lvbag.commands.store:store_app",
    "version": "lvbag.commands.version:version",
    "registry": "lvbag.commands.registry:registry_app",
    "dataset": "lvbag.commands.dataset:dataset_app",
    "labels": "lvbag.commands.labels:labels_app",
    "classifier": "lvbag.commands.classifier:classifier_app",
    "detector": "lvbag.commands.detector:detector_app",
    "crawl": "lvbag.commands.crawl:crawl_app",
    "catalog": "lvbag.commands.catalog:catalog_app",
    "curate": "lvbag.commands.curate:curate_app",
    "images": "lvbag.commands.images:images_app",
    "review": "lvbag.commands.review:review_app",
    "demo": "lvbag.commands.demo:demo_app",
}
"""Where each command stands; only the one that runs is imported."""

app = typer.Typer(name="lvbag", cls=lazy_group(COMMANDS), no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def lvbag() -> None:
    """Keeps a bag classifier fresh by itself. `lvbag doctor` says what is missing."""


def main() -> None:
    """Run the command line; an error that a user can act on is one message, not a traceback."""
    logging.basicConfig(
        level=os.environ.get("LVBAG_LOG", "WARNING").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    if "LVBAG_LOG" not in os.environ:
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # every retry would be a warning; the last error says it
    try:
        app()
    except LvbagError as error:
        print(f"lvbag: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("lvbag: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
