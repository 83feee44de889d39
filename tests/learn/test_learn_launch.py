"""Processes of trainings: failing, stopped, too slow, and what they are told."""

from __future__ import annotations

import logging
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import Job, public_settings
from lvbag.learn.launch import child_environment, run_job
from lvbag.notify_settings import NotifySettings
from lvbag.settings import Settings, TrainSettings

FRAME = """
import sys, time, pathlib, os
from lvbag.errors import LvbagError
from lvbag.learn import child
from lvbag.learn.jobs import Job, JobResult

def work(job):
    (job.cache / "pid").write_text(str(os.getpid()))
{body}
    return JobResult(version=7)

child.run(Job, work)
"""


@pytest.fixture
def launch(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a process with the given body and returns its version."""
    monkeypatch.setenv("LVBAG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(body: str, timeout_s: float = 60.0) -> int:
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        (tmp_path / "some_training.py").write_text(FRAME.format(body=indented))
        limited = settings.model_copy(update={"train": TrainSettings(timeout_s=timeout_s)})

        def make(folder: Path, cache: Path) -> Job:
            return Job(folder=folder, cache=cache, parent_process=os.getpid(), settings=public_settings(limited))

        return run_job("some_training", limited, make).version

    return run


def test_what_a_process_says_of_its_failure_is_told_whatever_comes_after_it(launch: Callable[..., int]) -> None:
    body = "print('error: the cause of it all')\nprint('\\n'.join(str(n) for n in range(50)))\nraise SystemExit(3)"
    with pytest.raises(
        LearnError, match=r"failed with status 3; its last lines:\n  error: the cause of it all\n  30\n"
    ):
        launch(body)


def child_pid(tmp_path: Path) -> int:
    return int((tmp_path / "home" / "cache" / "pid").read_text())


def signal_when_at_work(tmp_path: Path, number: signal.Signals) -> threading.Thread:
    """Send this process a signal as soon as the one that it started is at work."""

    def send() -> None:
        pid = tmp_path / "home" / "cache" / "pid"
        while not pid.is_file() or not pid.read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    return sender


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_lines_reach_the_log_without_colours_and_the_result_comes_back(
    launch: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert launch("child.say('epoch 1/1 \\x1b[34mloss\\x1b[0m 0.5')") == 7
    assert "epoch 1/1 loss 0.5" in [record.message for record in caplog.records]


def test_the_settings_arrive_whole_with_secrets_that_stand_in_no_file(
    launch: Callable[..., int], settings: Settings
) -> None:
    secret = settings.store.secret_key.get_secret_value()
    done = launch(
        "text = pathlib.Path(sys.argv[1]).read_text()\n"
        f"if {secret!r} in text: raise LvbagError('the secret stands in the job')\n"
        "told = job.read_settings()\n"
        f"if told.store.secret_key.get_secret_value() != {secret!r}: raise LvbagError('no secret')\n"
        f"if told.store.bucket_prefix != {settings.store.bucket_prefix!r}: raise LvbagError('other settings')"
    )
    assert done == 7


def test_a_training_is_not_told_whom_to_tell(settings: Settings) -> None:
    hook = NotifySettings.model_validate({"webhook_url": "https://chat.example/hooks/sesame"})
    told = public_settings(settings.model_copy(update={"notify": hook}))
    assert "sesame" not in str(told)
    assert Settings(**told).notify == NotifySettings()


def test_a_failing_process_raises_with_its_last_lines(launch: Callable[..., int]) -> None:
    with pytest.raises(LearnError, match=r"status 1; its last lines:\n(.*\n)*.*error: no pictures at all"):
        launch("raise LvbagError('no pictures at all')")
    with pytest.raises(LearnError, match=r"ZeroDivisionError: division by zero"):
        launch("1 / 0")
    with pytest.raises(LearnError, match=r"ended without a readable result.json"):
        launch("os._exit(0)")


def test_a_process_that_takes_too_long_is_stopped(launch: Callable[..., int], tmp_path: Path) -> None:
    with pytest.raises(LearnError, match=r"stopped after 8 s \(setting train.timeout_s\)"):
        launch("time.sleep(60)", timeout_s=8)
    assert not is_alive(child_pid(tmp_path))


def test_sigterm_reaches_the_process_and_what_was_set_up_before(
    launch: Callable[..., int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seen: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))

    sender = signal_when_at_work(tmp_path, signal.SIGTERM)
    try:
        with pytest.raises(LearnError, match="stopped by SIGTERM"):
            launch("time.sleep(60)")
        assert signal.getsignal(signal.SIGTERM)(0, None) is None  # type: ignore[operator, misc]
    finally:
        sender.join()
        signal.signal(signal.SIGTERM, previous)
    assert seen == [signal.SIGTERM, 0]
    assert "stopped: nothing was published" in caplog.text
    assert not is_alive(child_pid(tmp_path))


def test_an_exception_in_the_caller_ends_the_process_too(launch: Callable[..., int], tmp_path: Path) -> None:
    class TaskTerminatedError(Exception):
        pass

    def explode(number: int, frame: object) -> None:
        raise TaskTerminatedError

    previous = signal.signal(signal.SIGALRM, explode)
    sender = signal_when_at_work(tmp_path, signal.SIGALRM)
    try:
        with pytest.raises(TaskTerminatedError):
            launch("time.sleep(60)")
    finally:
        sender.join()
        signal.signal(signal.SIGALRM, previous)
    assert not is_alive(child_pid(tmp_path))


def test_a_process_whose_parent_is_gone_stops(launch: Callable[..., int]) -> None:
    with pytest.raises(LearnError, match="status 143"):
        launch("child.check_parent(job.model_copy(update={'parent_process': 1}))")


def test_nothing_of_airflow_and_no_other_setting_is_passed_on(settings: Settings, tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "x",
        "AIRFLOW_HOME": "x",
        "_AIRFLOW_SOMETHING": "x",
        "LVBAG_HOME": "/home",
        "LVBAG_TRAIN__DEVICE": "never",
    }
    passed = child_environment(settings, tmp_path, given)
    assert not [name for name in passed if "AIRFLOW" in name]
    assert passed["PATH"] == "/bin"
    assert passed["LVBAG_HOME"] == "/home"
    assert "LVBAG_TRAIN__DEVICE" not in passed
    assert passed["HF_HUB_OFFLINE"] == passed["YOLO_OFFLINE"] == passed["ULTRALYTICS_SAFE_LOAD"] == "1"
    online = settings.model_copy(update={"train": TrainSettings(pretrained=True)})
    assert "HF_HUB_OFFLINE" not in child_environment(online, tmp_path, given)


def test_importing_what_dags_call_imports_nothing_heavy() -> None:
    code = (
        "import sys, lvbag.learn, lvbag.labels\n"
        "from lvbag.learn import evaluate_classifiers, evaluate_detectors, train_classifier, train_detector\n"
        "heavy = {'torch', 'timm', 'ultralytics', 'onnxruntime', 'polars', 'numpy', 'PIL', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_what_a_step_has_used_is_kept_for_the_next_one(settings: Settings, tmp_path: Path) -> None:
    """Ten times 64 MB cost the page faults of hardly more than one time."""
    code = (
        "import resource\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def step(): return len(bytes(b'x' * (64 << 20)))\n"
        "step(); before = faults()\n"
        "for _ in range(10): step()\n"
        "print((faults() - before) * resource.getpagesize() >> 20)"
    )
    environment = child_environment(settings, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64
