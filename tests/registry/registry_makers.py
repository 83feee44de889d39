"""Records, versions and evaluations for the registry's tests."""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lvbag.registry import publish_version, reserve_version
from lvbag.registry.records import Decision, Evaluation, Measured, ModelSpec, Pairs, RuleResult, VersionRecord
from lvbag.store import Bucket, ModelKind, Store, json_bytes, keys

KIND = ModelKind.CLASSIFIER
AT = dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC)


def record(number: int, training_key: str, kind: ModelKind = KIND, **changes: Any) -> VersionRecord:
    values: dict[str, Any] = {
        "kind": kind,
        "version": number,
        "created_at": AT,
        "data": "s-1",
        "recipe": "efficientnet_b0",
        "recipe_sha256": "ab" * 32,
        "seed": 0,
        "training_key": training_key,
        "parent": None,
        "detector": None,
        "code_version": "0.1.0",
        "model": ModelSpec(architecture="efficientnet_b0", image_side_px=32, classes=("M40620", "M41108")),
        "metrics": {"top1": 0.9},
    }
    return VersionRecord(**(values | changes))


def publish(store: Store, folder: Path, training_key: str, kind: ModelKind = KIND) -> VersionRecord:
    number = reserve_version(store, kind, training_key)
    own = folder / training_key
    own.mkdir(parents=True, exist_ok=True)
    (own / "model.onnx").write_bytes(f"the network of {training_key}".encode())
    (own / "metrics.json").write_bytes(b"{}")
    return publish_version(store, kind, number, own, record(number, training_key, kind))


def pairs(only_champion: int, only_challenger: int, total: int = 100) -> Pairs:
    return Pairs(
        both=total - only_champion - only_challenger,
        only_champion=only_champion,
        only_challenger=only_challenger,
        neither=0,
    )


def evaluation(challengers: dict[int, float], champion: tuple[int, float] | None = None, key: str = "e1") -> Evaluation:
    return Evaluation(
        kind=KIND,
        key=key,
        data="s-1",
        test_images=180,
        classes=10,
        champion=Measured(version=champion[0], metrics={"top1": champion[1]}) if champion else None,
        challengers=tuple(
            Measured(version=number, metrics={"top1": top1}, versus_champion=pairs(2, 9) if champion else None)
            for number, top1 in challengers.items()
        ),
    )


def put_evaluation(store: Store, value: Evaluation) -> None:
    store.put(keys.evaluation(value.kind, value.key), json_bytes(value.model_dump(mode="json")))


def decision(challenger: int, champion: int | None, promoted: bool = True, key: str = "e1") -> Decision:
    return Decision(
        kind=KIND,
        challenger=challenger,
        champion=champion,
        evaluation=key,
        promoted=promoted,
        rules=(RuleResult(rule="gain", passed=promoted, required=True, sentence="top-1 0.9 against 0.8"),),
        summary="top-1 0.9 against 0.8",
    )


def digests(store: Store, prefix: str = "") -> dict[str, str]:
    """Every object of the models bucket with the sha256 of its bytes."""
    found = [info.ref for info in store.list_objects(Bucket.MODELS, prefix)]
    return {ref.key: hashlib.sha256(store.get(ref)).hexdigest() for ref in found}


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """The answers of calls that start in the same moment, each in a thread of its own; an exception is an answer."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        barrier.wait()
        try:
            answers[index] = calls[index]()
        except Exception as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
