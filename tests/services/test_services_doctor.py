"""The doctor finds what is wrong and names the remedy."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lvbag.commands.doctor import doctor
from lvbag.services.doctor import GB, check_disk, check_gpu, check_recipes, examine
from lvbag.settings import Settings
from store_env import name_store

app = typer.Typer()
app.command()(doctor)


@pytest.fixture
def configured(project: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The test's own store, as the environment names it."""
    store = settings.store
    name_store(monkeypatch, store)
    monkeypatch.setenv("LVBAG_STORE__RETRIES", "0")
    return settings


def states(fix: bool = False) -> dict[str, str]:
    return {finding.name: finding.state for finding in examine(fix)}


def test_missing_buckets_fail_until_they_are_fixed(configured: Settings) -> None:
    broken = next(finding for finding in examine() if finding.name == "buckets")
    assert (broken.state, broken.remedy) == ("FAIL", "`lvbag doctor --fix` makes them")
    assert f"{configured.store.bucket_prefix}-raw" in broken.finding

    assert states(fix=True)["buckets"] == "ok"
    after = states()
    assert after["buckets"] == after["conditional writes"] == after["credentials"] == "ok"


def test_a_store_that_is_down_fails_and_the_rest_is_still_checked(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LVBAG_STORE__ENDPOINT", "http://127.0.0.1:1")

    found = states()

    assert found["store"] == "FAIL"
    assert "buckets" not in found
    assert found["catalog"] == found["settings"] == "ok"


def test_refused_credentials_are_told_from_a_store_that_is_down(
    configured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("LVBAG_STORE__ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        found = {finding.name: finding for finding in examine()}
        server.shutdown()

    assert (found["store"].state, found["credentials"].state) == ("ok", "FAIL")
    assert "LVBAG_STORE__SECRET_KEY" in found["credentials"].remedy


def test_a_wrong_setting_is_named_and_the_exit_status_is_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LVBAG_CURATE__MIN_IMAGES", "none")

    result = CliRunner().invoke(app, [])

    assert result.exit_code == 1
    assert "FAIL settings" in result.output
    assert "curate.min_images" in result.output


def test_an_empty_catalog_fails(project: Path, configured: Settings) -> None:
    (project / "config" / "catalog.csv").write_text("style_code,name,line,material,size,aliases\n")

    finding = next(finding for finding in examine() if finding.name == "catalog")

    assert finding.state == "FAIL"
    assert "is empty" in finding.finding


def test_a_catalog_that_names_a_product_twice_is_told(project: Path, configured: Settings) -> None:
    rows = "M41108,Speedy 30,speedy,Monogram,30,\nM41526,Speedy 30,speedy,Monogram,30,\n"
    (project / "config" / "catalog.csv").write_text(f"style_code,name,line,material,size,aliases\n{rows}")

    finding = next(finding for finding in examine() if finding.name == "catalog")

    assert finding.state == "warn"
    assert "M41526" in finding.finding or "M41108" in finding.finding


def test_json_is_one_object_a_line(configured: Settings) -> None:
    result = CliRunner().invoke(app, ["--fix", "--json"])

    rows = [json.loads(line) for line in result.output.splitlines()]
    assert {"name", "state", "finding", "remedy"} == set(rows[0])
    assert {row["name"] for row in rows} >= {"settings", "store", "buckets", "catalog", "disk", "gpu", "airflow"}


def test_an_airflow_that_is_not_up_is_a_warning(configured: Settings) -> None:
    assert states(fix=True)["airflow"] == "warn"


@pytest.mark.parametrize(("free", "state"), [(6 * GB, "ok"), (2 * GB, "warn"), (GB // 2, "FAIL")])
def test_little_disk_space_is_told(free: int, state: str) -> None:
    assert check_disk(Path("/home"), free).state == state


@pytest.mark.parametrize(
    ("device", "present", "state"),
    [("require", False, "FAIL"), ("prefer", False, "ok"), ("require", True, "ok"), ("never", True, "ok")],
)
def test_a_gpu_is_only_missed_where_it_is_required(device: str, present: bool, state: str) -> None:
    assert check_gpu(device, present).state == state


def test_a_recipe_that_does_not_exist_is_named_beside_those_that_do(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").touch()

    finding = check_recipes("train.recipes", ("large", "small"), tmp_path)

    assert (finding.state, "large" in finding.finding, "small" in finding.remedy) == ("FAIL", True, True)
