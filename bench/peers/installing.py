"""Installs a peer into an environment of its own, .run/bench/<name>, and says where its Python is.

What it needs stands in <name>.txt beside this file. Files that uv's cache holds are shared with this project.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[1] / ".run" / "bench"


def peer_python(name: str) -> Path:
    """The peer's Python, installed where it is missing or older than the list of its packages."""
    folder, requirements = WORK / name, HERE / f"{name}.txt"
    python, done = folder / "bin" / "python", folder / "done"
    if not done.is_file() or done.read_text() != requirements.read_text():
        print(f"installing {name} into {folder}", flush=True)
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "--quiet", "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "--quiet", "pip", "install", "--python", str(python), "-r", str(requirements)], check=True)
        done.write_text(requirements.read_text())
    return python
