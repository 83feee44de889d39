"""Bring weights in from a file or the hub: read without running anything in it, kept as tensors and as ONNX.

Runs as `python -m lvbag.learn.detector.run_weights job.json`, started by `lvbag.learn.weights`. ultralytics is imported
after the job is read, for it decides when it is imported whether it may talk to the network.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
from pathlib import Path

from lvbag.learn import child
from lvbag.learn.detector.export import export_onnx, finish
from lvbag.learn.detector.weights import NAMES, put_all_weights, read_source
from lvbag.learn.detector.yolo_folder import write_architecture
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import JobResult, WeightsJob
from lvbag.registry.versions import sha256_of
from lvbag.registry.weights import Weights, keep_weights
from lvbag.store import open_store


def work(job: WeightsJob) -> JobResult:
    """Read, check that it is the network it is said to be, convert, keep."""
    settings = job.read_settings()
    store = open_store(settings)
    path = job.file or _download(job)
    import ultralytics
    from safetensors.torch import save_file
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils import LOGGER

    LOGGER.setLevel(logging.ERROR)
    source = read_source(path)
    architecture = write_architecture(job.folder, Path(ultralytics.__file__).parent, job.network)
    model = DetectionModel(str(architecture), nc=len(source.classes), verbose=False)
    put_all_weights(model, source, f"{path.name} is no {job.network}")
    child.say(f"{path.name}: {len(source.tensors)} tensors, {len(source.classes)} classes")
    model = finish(model, source.classes)
    tensors, onnx = job.folder / "weights.safetensors", job.folder / "weights.onnx"
    values = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(values, tensors, metadata={NAMES: json.dumps(source.classes)})
    export_onnx(model, job.image_side_px, job.folder, onnx)
    record = Weights(
        network=job.network,
        sha256=sha256_of(tensors),
        onnx_sha256=sha256_of(onnx),
        image_side_px=job.image_side_px,
        classes=source.classes,
        origin=path.name if job.file else f"hub of ultralytics: {path.name}",
        origin_sha256=sha256_of(path),
        added_at=dt.datetime.now(dt.UTC),
    )
    keep_weights(store, record, tensors, onnx)
    child.say(f"weights of {job.network} kept, sha256 {record.sha256}")
    return JobResult()


def _download(job: WeightsJob) -> Path:
    """The network's COCO weights from the hub of ultralytics; the caller made sure that the settings allow it."""
    os.environ["YOLO_OFFLINE"] = "false"
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    name = f"{job.network}.pt"
    if name not in GITHUB_ASSETS_NAMES:
        raise LearnError(f"the hub of ultralytics has no weights of {job.network}; train from scratch, or take yolo11n")
    try:
        return Path(attempt_download_asset(job.folder / name))
    except Exception as error:  # requests', curl's and ultralytics' own
        raise LearnError(
            f"{name} could not be fetched from the hub ({type(error).__name__}: {error}); this machine needs the "
            f"network for it. Or fetch it elsewhere and bring it in with `lvbag detector weights add {name}`"
        ) from None


if __name__ == "__main__":
    child.run(WeightsJob, work)
