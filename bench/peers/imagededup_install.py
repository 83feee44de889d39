"""Installs imagededup into an environment of its own, .run/bench/imagededup, and says where its Python is.

It brings PyTorch (5.5 GB); those files are shared with this project's environment where uv's cache holds them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".run" / "bench" / "imagededup"
REQUIREMENTS = HERE / "imagededup.txt"


def peer_python() -> Path:
    """The peer's Python, installed where it is missing or older than the list of its packages."""
    python, done = FOLDER / "bin" / "python", FOLDER / "done"
    if not done.is_file() or done.read_text() != REQUIREMENTS.read_text():
        print(f"installing imagededup into {FOLDER}", flush=True)
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "--quiet", "venv", "--clear", "--python", sys.executable, str(FOLDER)], check=True)
        subprocess.run([uv, "--quiet", "pip", "install", "--python", str(python), "-r", str(REQUIREMENTS)], check=True)
        done.write_text(REQUIREMENTS.read_text())
    return python
