"""Bring weights of a classifier in from a file or the hub: compared with timm's network, kept as tensors.

Runs as `python -m lvbag.learn.classifier.run_weights job.json`, started by `lvbag.learn.weights`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lvbag.learn import child
from lvbag.learn.classifier.network import check_model, heads, new_network
from lvbag.learn.detector.weights import Source, put_all_weights
from lvbag.learn.errors import LearnError
from lvbag.learn.jobs import JobResult, WeightsJob
from lvbag.registry.versions import sha256_of
from lvbag.registry.weights import ClassifierWeights, keep_classifier_weights
from lvbag.store import open_store


def work(job: WeightsJob) -> JobResult:
    """Read, check that it is the network it is said to be, keep."""
    store = open_store(job.read_settings())
    check_model(job.network)
    model, outputs = _of_file(job.file, job.network) if job.file else _of_hub(job.network)
    tensors = job.folder / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, tensors)
    sha256 = sha256_of(tensors)
    record = ClassifierWeights(
        network=job.network,
        sha256=sha256,
        outputs=outputs,
        origin=job.file.name if job.file else "hub of Hugging Face",
        origin_sha256=sha256_of(job.file) if job.file else sha256,
        added_at=dt.datetime.now(dt.UTC),
    )
    keep_classifier_weights(store, record, tensors)
    child.say(f"weights of {job.network} kept, {record.outputs} outputs, sha256 {sha256}")
    return JobResult()


def _of_file(path: Path, network: str) -> tuple[nn.Module, int]:
    """The network with the tensors of a safetensors file, which must be its own, all of them; and its outputs."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise LearnError(f"{path.name} is no safetensors file that can be read: {error}") from None
    outputs = _outputs(path, network, tensors)
    model = new_network(network, outputs)
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    source = Source(counters | tensors, tuple(str(number) for number in range(outputs)))  # many files lack counters
    put_all_weights(model, source, f"{path.name} is no {network}")
    return model, outputs


def _outputs(path: Path, network: str, tensors: dict[str, Tensor]) -> int:
    names = [f"{head}.weight" for head in heads(new_network(network, 2))]
    for name in names:
        if name in tensors:
            return len(tensors[name])
    raise LearnError(f"{path.name} is no {network}: it has no {' or '.join(names)}; name the model with --network")


def _of_hub(network: str) -> tuple[nn.Module, int]:
    """The network as timm fetches it; the caller made sure that the settings allow it."""
    try:
        model = timm.create_model(network, pretrained=True)
        return model, int(model.num_classes)
    except Exception as error:  # the hub's, requests' and timm's own
        raise LearnError(
            f"the weights of {network} could not be fetched from the hub ({type(error).__name__}: {error}); this "
            "machine needs the network. Or fetch them elsewhere and bring them in with `lvbag classifier weights add`"
        ) from None


if __name__ == "__main__":
    child.run(WeightsJob, work)
