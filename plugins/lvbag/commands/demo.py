"""`lvbag demo`: the marketplace, and two nights of the whole chain against it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

demo_app = typer.Typer(help="A marketplace on this machine, and two nights against it.", no_args_is_help=True)

Photos = Annotated[
    Path | None,
    typer.Option(
        help="a folder of photographs, one folder a product, instead of drawn bags", exists=True, file_okay=False
    ),
]


@demo_app.command("run")
def run(
    photos: Photos = None,
    seed: Annotated[int, typer.Option(help="another seed draws another market", min=0)] = 1,
) -> None:
    """Start everything, run two nights, and say what happened. Everything keeps running for a look."""
    from lvbag.demo.run import run_demo
    from lvbag.settings import PROJECT_ROOT

    home = PROJECT_ROOT / ".run" / ("photos" if photos else "demo")
    run_demo(home, photos.resolve() if photos else None, seed)


@demo_app.command("serve")
def serve(
    port: Annotated[int, typer.Option(help="on 127.0.0.1", min=1, max=65535)] = 8765,
    night: Annotated[int, typer.Option(help="how far the market has grown", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="another seed draws another market", min=0)] = 1,
    photos: Photos = None,
    cache: Annotated[Path | None, typer.Option(help="where drawn pictures are kept", file_okay=False)] = None,
) -> None:
    """Serve the marketplace on 127.0.0.1 until Ctrl-C."""
    from lvbag.demo.server import serve as serve_market
    from lvbag.settings import home_dir

    print(f"http://127.0.0.1:{port}/ (Ctrl-C ends it)")
    serve_market(port=port, seed=seed, night=night, photos=photos, cache=cache or home_dir() / "market")


@demo_app.command("configure")
def configure(
    folder: Annotated[Path, typer.Argument(help="becomes LVBAG_CONFIG_DIR", file_okay=False)],
    port: Annotated[int, typer.Option(help="of the marketplace, on loopback", min=1, max=65535)] = 8765,
) -> None:
    """Write the demo's settings, catalog and recipes into a folder, for a marketplace that runs elsewhere."""
    from lvbag.demo.configuration import write_into

    print(write_into(folder, port))


@demo_app.command("labels")
def labels(
    target: Annotated[Path, typer.Argument(help="a .zip, or a folder to be made")],
    seed: Annotated[int, typer.Option(help="of the market", min=0)] = 1,
    share: Annotated[float, typer.Option(help="of the first night's pictures", min=0.01, max=1.0)] = 0.25,
) -> None:
    """Write the market's labels as CVAT exports them (YOLO 1.1); `lvbag labels import` reads them."""
    from lvbag.demo.labels import write_labels
    from lvbag.demo.market import Market

    print(write_labels(Market(seed), target, share=share, seed=seed))
