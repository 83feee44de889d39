"""The `lvbag` command: one sub-command for each thing that a person does from the shell.

Commands only read arguments and print; what they do is done by the same functions that the DAGs call.
"""

from __future__ import annotations

import logging
import os
import sys

import typer

from lvbag import __version__
from lvbag.commands.care import gc, takedown, verify
from lvbag.commands.catalog import catalog_app
from lvbag.commands.classifier import classifier_app
from lvbag.commands.classify import classify
from lvbag.commands.crawl import crawl_app
from lvbag.commands.curate import curate_app, night
from lvbag.commands.dataset import dataset_app, diff
from lvbag.commands.demo import demo_app
from lvbag.commands.detect import detect
from lvbag.commands.detector import detector_app
from lvbag.commands.doctor import doctor
from lvbag.commands.images import images_app
from lvbag.commands.labels import labels_app
from lvbag.commands.learn import train, train_detector
from lvbag.commands.registry import registry_app
from lvbag.commands.review import review_app
from lvbag.commands.services import down, status, up
from lvbag.commands.settings import settings
from lvbag.errors import LvbagError

app = typer.Typer(
    name="lvbag",
    help="Keeps a bag classifier fresh by itself. `lvbag doctor` says what is missing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(doctor)
app.command()(settings)
app.command()(classify)
app.command()(detect)
app.command()(night)
app.command()(diff)
app.command()(train)
app.command("train-detector")(train_detector)
app.command()(takedown)
app.command()(verify)
app.command()(gc)
app.add_typer(registry_app, name="registry")
app.add_typer(dataset_app, name="dataset")
app.add_typer(labels_app, name="labels")
app.add_typer(classifier_app, name="classifier")
app.add_typer(detector_app, name="detector")
app.add_typer(crawl_app, name="crawl")
app.add_typer(catalog_app, name="catalog")
app.add_typer(curate_app, name="curate")
app.add_typer(images_app, name="images")
app.add_typer(review_app, name="review")
app.add_typer(demo_app, name="demo")


@app.command("version")
def version() -> None:
    """Print the version."""
    print(__version__)


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
