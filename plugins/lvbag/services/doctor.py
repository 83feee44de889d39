"""What is wrong with this installation, and what cures it: one finding a check, none of which raises.

`examine()` runs every check; what one needs and another has found broken (no settings: no store) is left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lvbag.catalog import load_catalog
from lvbag.crawl.catalog_check import check_catalog
from lvbag.errors import LvbagError
from lvbag.services import airflow_server, machine
from lvbag.services.airflow_client import read_health
from lvbag.settings import Settings, config_dir, home_dir, load_settings
from lvbag.store import Store, StoreError, StoreUnavailable, open_store

State = Literal["ok", "warn", "FAIL"]

GB = 1_000_000_000
WANTED_FREE_BYTES = 5 * GB
NEEDED_FREE_BYTES = GB
_AIRFLOW_PARTS = ("metadatabase", "scheduler", "dag_processor")


@dataclass(frozen=True)
class Finding:
    """The result of one check. `remedy` is empty when there is nothing to do."""

    name: str
    state: State
    finding: str
    remedy: str = ""

    def __str__(self) -> str:
        arrow = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.state:4} {self.name}: {self.finding}{arrow}"


def examine(fix: bool = False) -> Iterator[Finding]:
    """Every check in order, each as soon as it is done; `fix` creates missing buckets."""
    try:
        settings = load_settings()
    except LvbagError as error:
        yield Finding("settings", "FAIL", str(error), f"correct {config_dir() / 'lvbag.yaml'} or the variable named")
    else:
        yield Finding("settings", "ok", f"read from {config_dir()}")
        yield from _store_findings(open_store(settings), fix)
        yield from _recipes(settings)
        yield check_gpu(settings.train.device, gpu_present())
    yield _catalog()
    home = home_dir()
    yield check_disk(home, shutil.disk_usage(_existing(home)).free)
    yield from _airflow(home)


# ------------------------------------------------------------------ store


def _store_findings(store: Store, fix: bool) -> Iterator[Finding]:
    where = str(store.settings.endpoint).rstrip("/")
    try:
        missing = store.missing_buckets()
    except StoreUnavailable as error:
        yield Finding("store", "FAIL", str(error), "start it (`lvbag up`) or correct store.endpoint")
        return
    except StoreError as error:
        yield Finding("store", "ok", f"{where} answers")
        yield Finding("credentials", "FAIL", str(error), "set LVBAG_STORE__ACCESS_KEY and LVBAG_STORE__SECRET_KEY")
        return
    yield Finding("store", "ok", f"{where} answers")
    yield Finding("credentials", "ok", "accepted")
    if missing and fix:
        yield _guarded("buckets", lambda: f"made {', '.join(store.ensure_buckets())}", "give the keys the right to it")
        missing = []
    elif missing:
        yield Finding("buckets", "FAIL", f"missing: {', '.join(missing)}", "`lvbag doctor --fix` makes them")
    else:
        yield Finding("buckets", "ok", "all there")
    if not missing:
        yield _guarded("conditional writes", lambda: _probe(store), "use a store that honours them")


def _probe(store: Store) -> str:
    store.probe()
    return "honoured: promotions cannot overwrite one another"


def _guarded(name: str, check: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, "ok", check())
    except LvbagError as error:
        return Finding(name, "FAIL", str(error), remedy)


# ------------------------------------------------------------------ configuration


def _catalog() -> Finding:
    path = config_dir() / "catalog.csv"
    try:
        catalog = load_catalog(config_dir())
    except LvbagError as error:
        return Finding("catalog", "FAIL", str(error), f"correct {path}")
    findings = check_catalog(catalog)
    if findings:
        several = f"{len(findings)} things to mend, first {findings[0].style_code}: {findings[0].finding}"
        return Finding("catalog", "warn", several, "`lvbag catalog check` lists them with what to do")
    return Finding("catalog", "ok", f"{len(catalog.products)} products")


def _recipes(settings: Settings) -> Iterator[Finding]:
    folder = config_dir() / "recipes"
    used = {"train.recipes": settings.train.recipes, "detector.recipe": (settings.detector.recipe,)}
    for setting, names in used.items():
        yield check_recipes(setting, names, folder)


def check_recipes(setting: str, names: Sequence[str], folder: Path) -> Finding:
    """Whether every recipe that a setting names is a file in the folder."""
    missing = [name for name in names if not (folder / f"{name}.yaml").is_file()]
    if not missing:
        return Finding(setting, "ok", ", ".join(names))
    there = ", ".join(sorted(path.stem for path in folder.glob("*.yaml"))) or "none"
    return Finding(setting, "FAIL", f"no recipe {', '.join(missing)} in {folder}", f"write it or name one of: {there}")


# ------------------------------------------------------------------ machine


def check_disk(home: Path, free_bytes: int) -> Finding:
    """Whether there is room for a night's images and a training."""
    free = f"{free_bytes / GB:.1f} GB free for {home}"
    if free_bytes >= WANTED_FREE_BYTES:
        return Finding("disk", "ok", free)
    state: State = "warn" if free_bytes >= NEEDED_FREE_BYTES else "FAIL"
    return Finding("disk", state, free, f"free at least {WANTED_FREE_BYTES // GB} GB or set LVBAG_HOME to another disk")


def gpu_present() -> bool:
    """Whether this machine has an NVIDIA GPU with its driver; torch is not asked, its import takes half a minute."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def check_gpu(device: str, present: bool) -> Finding:
    """What `train.device` and this machine make of each other."""
    if present:
        unused = "; train.device is never, so it is not used" if device == "never" else ""
        return Finding("gpu", "ok", f"an NVIDIA GPU is there{unused}")
    if device == "require":
        return Finding("gpu", "FAIL", "train.device requires one, there is none", "set train.device to prefer")
    return Finding("gpu", "ok", "none: training runs on the CPU")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


# ------------------------------------------------------------------ Airflow


def _airflow(home: Path) -> Iterator[Finding]:
    found = machine.status(home)
    ended = [service.name for service in found.services if not service.running]
    if ended:
        logs = ", ".join(str(service.log) for service in found.services if not service.running)
        yield Finding("services", "FAIL", f"ended by themselves: {', '.join(ended)}", f"see {logs}; `lvbag up`")
    if found.airflow_url is None:
        yield Finding("airflow", "warn", f"not up in {home}", "`lvbag up` starts it")
        return
    health = read_health(found.airflow_url, timeout_s=10.0)
    sick = [part for part in _AIRFLOW_PARTS if not airflow_server.is_healthy(health, part)]
    if sick:
        yield Finding(
            "airflow",
            "FAIL",
            f"{found.airflow_url}: not healthy: {', '.join(sick)}",
            f"see the logs in {home / 'logs'}",
        )
        return
    yield Finding("airflow", "ok", f"healthy at {found.airflow_url}")
    yield _guarded("dags", lambda: _dags(home), "correct the file named")


def _dags(home: Path) -> str:
    client = machine.airflow_client(home)
    if client is None:
        return "Airflow has just ended"
    if broken := client.import_errors():
        raise LvbagError("; ".join(f"{item.file}: {_last_line(item.error)}" for item in broken))
    return f"{len(client.dag_ids())} read without errors"


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "unknown error"
