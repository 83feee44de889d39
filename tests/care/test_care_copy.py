"""`lvbag store copy` between two real servers: complete, resumable, checked, and careful with what stands there."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from minio import Minio
from typer.testing import CliRunner, Result

from lvbag.care import CareError, How, copy_store
from lvbag.care.copying import ORDER, Copied
from lvbag.care.copying_pairs import paired
from lvbag.cli import app
from lvbag.errors import LvbagError
from lvbag.services.provisioning import client_of, keep_versions
from lvbag.settings import Settings, StoreSettings
from lvbag.store import Bucket, Ref, StoreError, json_bytes
from lvbag.store.carrying import CarryingStore, Facts, Standing
from lvbag.store_roles import StoreRole
from store_env import own_home
from store_server import ACCESS_KEY, SECRET_KEY, empty_server, store_server
from store_users import as_role

CHAMPION = Ref(Bucket.MODELS, "classifier/champion.json")
CHECKPOINT = Ref(Bucket.MODELS, "classifier/checkpoints/k/newest.json")
SHARD = Ref(Bucket.DATASETS, "s1/shards/00000.tar")
PAGE = Ref(Bucket.REPORTS, "nights/2026-11-23/index.html")
PICTURE = Ref(Bucket.RAW, "images/aa/picture.jpg")
BIG = random.Random(1).randbytes(17 * 1024 * 1024)


@pytest.fixture(scope="module")
def other_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("other")


@pytest.fixture(scope="module")
def other_server(other_disk: Path) -> Iterator[str]:
    with store_server(other_disk) as endpoint:
        yield endpoint


@pytest.fixture
def source(settings: Settings) -> CarryingStore:
    store = CarryingStore(settings.store)
    store.ensure_buckets()
    return store


@pytest.fixture
def target(settings: Settings, other_server: str) -> Iterator[CarryingStore]:
    """A store on another server, which has no buckets yet."""
    yield CarryingStore(StoreSettings.model_validate({**settings.store.model_dump(), "endpoint": other_server}))
    empty_server(other_server)


def client(store: CarryingStore) -> Minio:
    return client_of(store.settings)


def keep_past(store: CarryingStore) -> None:
    keep_versions(client(store), store.bucket(Bucket.MODELS), Bucket.MODELS)


def fill(store: CarryingStore, tmp_path: Path) -> None:
    """Something in each bucket, written in each way that lvbag has."""
    store.put(PICTURE, b"a picture", "image/jpeg")
    store.put(Ref(Bucket.CURATED, "crops/v1/aa/crop.jpg"), b"", "image/jpeg")
    (tmp_path / "shard.tar").write_bytes(BIG)
    store.upload(SHARD, tmp_path / "shard.tar", "application/x-tar")
    store.compare_and_swap(CHAMPION, json_bytes({"version": 1, "nonce": "n1"}), None)
    noted = {"x-amz-meta-note": "by hand"}
    with (tmp_path / "shard.tar").open("rb") as file:
        client(store).put_object(store.bucket(PAGE.bucket), PAGE.key, file, 10, "text/html", metadata=noted)  # type: ignore[arg-type]


def everything(store: CarryingStore) -> dict[Ref, tuple[str, bytes]]:
    return {
        item.ref: (item.etag, b"" if item.size > 1000 else store.get(item.ref))
        for bucket in Bucket
        for item in store.list_objects(bucket)
    }


def kinds(copied: Copied) -> list[tuple[str, str]]:
    return [(finding.kind, finding.uri.rpartition("/")[2]) for finding in copied.findings]


def versions(store: CarryingStore, ref: Ref) -> tuple[list[str], bool]:
    """The contents of all versions, the oldest first, and whether a deletion hides them."""
    found = next(standing for standing in store.histories(ref.bucket) if standing.ref == ref)
    return [store.digest(piece) for piece in found.pieces], found.hidden


def test_a_copy_has_everything_and_a_second_one_has_nothing_to_do(
    source: CarryingStore, target: CarryingStore, tmp_path: Path
) -> None:
    fill(source, tmp_path)
    heard: list[tuple[str, int, int]] = []

    missing = copy_store(source, target, How(dry_run=True))
    assert (missing.copied, missing.same, target.missing_buckets()) == (5, 0, [target.bucket(b) for b in Bucket])
    copied = copy_store(source, target, How(), on_progress=lambda *step: heard.append(step))

    assert (copied.copied, copied.same, copied.bytes, copied.findings) == (5, 0, missing.bytes, [])
    assert [(bucket, done, total) for bucket, done, total in heard] == [(source.bucket(b), 1, 1) for b in ORDER]
    assert everything(target) == everything(source), "entity tags as well, also of what was written in parts"
    facts = {ref: target.facts(next(target.standings(ref.bucket)).pieces[0]) for ref in (PAGE, SHARD)}
    assert facts[PAGE].content_type == "text/html"
    assert facts[PAGE].metadata["note"] == "by hand"
    assert facts[SHARD].content_type == "application/x-tar"
    assert facts[SHARD].sha256 == source.digest(next(source.standings(SHARD.bucket)).pieces[0])
    target.put(Ref(Bucket.RAW, "images/zz/only-there.jpg"), b"later")
    again = copy_store(source, target, How(read_all=True))
    assert (again.copied, again.same, again.only_there, again.findings) == (0, 5, 1, [])


def test_what_differs_stays_until_told_and_everything_else_is_copied(
    source: CarryingStore, target: CarryingStore, tmp_path: Path
) -> None:
    fill(source, tmp_path)
    target.ensure_buckets()
    target.put(PICTURE, b"one of the", "image/jpeg")
    target.put(CHAMPION, json_bytes({"version": 2, "nonce": "n1"}))  # as long as the other

    copied = copy_store(source, target, How())

    assert kinds(copied) == [("differs", "champion.json"), ("differs", "picture.jpg")]
    assert (copied.copied, target.get(PICTURE)) == (3, b"one of the")
    assert copy_store(source, target, How(overwrite=True)).copied == 2
    assert everything(target) == everything(source)


def test_the_same_bytes_in_other_parts_are_the_same(
    source: CarryingStore, target: CarryingStore, tmp_path: Path
) -> None:
    fill(source, tmp_path)
    target.ensure_buckets()
    target.put(SHARD, BIG)
    with (tmp_path / "shard.tar").open("rb") as file:  # no digest was recorded: both are read
        client(target).put_object(target.bucket(PAGE.bucket), PAGE.key, file, 10, part_size=5 * 2**20)
    assert target.head(SHARD) != source.head(SHARD), "entity tags differ"
    copied = copy_store(source, target, How())
    assert (copied.same, copied.copied, copied.findings) == (2, 3, [])


def test_damage_is_found_on_both_sides(
    source: CarryingStore, target: CarryingStore, other_disk: Path, tmp_path: Path
) -> None:
    fill(source, tmp_path)
    copy_store(source, target, How())
    (stored,) = (path for path in other_disk.rglob("*") if path.is_file() and path.read_bytes() == b"a picture")
    stored.write_bytes(b"a pictura")  # a disk that turned a bit
    assert copy_store(source, target, How()).same == 5, "nobody looked"
    assert kinds(copy_store(source, target, How(read_all=True))) == [("damaged", "picture.jpg")]
    assert copy_store(source, target, How(read_all=True, overwrite=True)).copied == 1
    assert target.get(PICTURE) == b"a picture"
    recorded = {"x-amz-meta-sha256": "0" * 64}
    with (tmp_path / "shard.tar").open("rb") as file:
        client(source).put_object(source.bucket(Bucket.RAW), "images/bb/bad.jpg", file, 20, metadata=recorded)  # type: ignore[arg-type]
    copied = copy_store(source, target, How())
    assert kinds(copied) == [("damaged", "bad.jpg")]
    assert "recorded is 0000" in copied.findings[0].problem
    assert not target.exists(Ref(Bucket.RAW, "images/bb/bad.jpg"))


def test_the_registry_keeps_its_past(source: CarryingStore, target: CarryingStore) -> None:
    keep_past(source)
    gone = Ref(Bucket.MODELS, "classifier/flips/f.json")
    etag = None
    for number in (1, 2, 3):
        etag = source.compare_and_swap(CHAMPION, json_bytes({"version": number, "nonce": "n"}), etag)
        source.put(CHECKPOINT, json_bytes({"step": number}))
    source.put(gone, b"a flip")
    source.delete(gone)

    copied = copy_store(source, target, How())

    assert (copied.copied, copied.versions, copied.flat) == (3, 3 + 1 + 2, [])
    assert [bucket for bucket in Bucket if target.keeps_versions(bucket)] == [Bucket.MODELS]
    assert client(target).get_bucket_lifecycle(target.bucket(Bucket.MODELS)) is not None, "checkpoints are forgotten"
    assert versions(target, CHAMPION) == versions(source, CHAMPION)
    assert len(versions(target, CHAMPION)[0]) == 3
    assert versions(target, gone) == (versions(source, gone)[0], True)
    assert len(versions(target, CHECKPOINT)[0]) == 1, "nobody wants older checkpoints"
    assert copy_store(source, target, How()).copied == 0
    source.compare_and_swap(CHAMPION, json_bytes({"version": 4, "nonce": "n"}), etag)
    source.put(gone, b"another flip")
    assert copy_store(source, target, How(read_all=True)).versions == 2, "a later copy adds what has come since"
    assert versions(target, CHAMPION) == versions(source, CHAMPION)
    target.put(CHAMPION, json_bytes({"version": 5}))
    assert kinds(copy_store(source, target, How())) == [("differs", "champion.json")]


def test_a_target_without_versions_gets_the_newest_and_is_named(source: CarryingStore, target: CarryingStore) -> None:
    target.ensure_buckets()
    keep_past(source)
    for number in (1, 2):
        source.put(CHAMPION, json_bytes({"version": number}))
    copied = copy_store(source, target, How())
    assert (copied.versions, copied.flat) == (1, [target.bucket(Bucket.MODELS)])
    assert target.get_json(CHAMPION) == {"version": 2}


class Busy(CarryingStore):
    """Somebody writes one picture again, and takes the other away, between being listed and being copied."""

    def standings(self, bucket: Bucket) -> Iterator[Standing]:
        for standing in super().standings(bucket):
            if standing.ref.key.endswith("changing.jpg"):
                self.put(standing.ref, b"written again")
            if standing.ref.key.endswith("going.jpg"):
                self.delete(standing.ref)
            yield standing


def test_what_changes_meanwhile_is_named_and_copied_the_next_time(source: CarryingStore, target: CarryingStore) -> None:
    changing, going = (Ref(Bucket.RAW, f"images/aa/{name}.jpg") for name in ("changing", "going"))
    for ref in (changing, going, PICTURE):
        source.put(ref, b"a picture")
    copied = copy_store(Busy(source.settings), target, How())
    assert kinds(copied) == [("changed", "changing.jpg")]
    assert (copied.copied, copied.gone, copied.keys) == (1, 1, 3)
    again = copy_store(source, target, How())
    assert (again.copied, again.same, again.findings) == (1, 1, [])


class Lossy(CarryingStore):
    """A server that says yes and keeps something else."""

    def lay(self, ref: Ref, file: BinaryIO, facts: Facts, sha256: str) -> None:
        self.put(ref, b"something else")


def test_a_target_that_does_not_keep_what_it_was_given_ends_the_copy(
    source: CarryingStore, target: CarryingStore
) -> None:
    source.put(PICTURE, b"a picture")
    with pytest.raises(StoreError, match=r"picture\.jpg was written to .* and read back as something else"):
        copy_store(source, Lossy(target.settings), How())


def standing(key: str) -> Standing:
    return Standing(Ref(Bucket.RAW, key), ())


def test_listings_are_paired_by_key() -> None:
    here, there = (iter([standing(key) for key in keys]) for keys in ("abde", "bcdf"))
    found = [
        (pair.here.ref.key if pair.here else "", pair.there.ref.key if pair.there else "")
        for pair in paired(here, there)
    ]
    assert found == [("a", ""), ("b", "b"), ("", "c"), ("d", "d"), ("e", ""), ("", "f")]


def test_a_listing_without_order_is_not_believed() -> None:
    with pytest.raises(CareError, match="no S3 store"):
        list(paired(iter([standing("b"), standing("a")]), iter(())))


def test_a_store_is_not_copied_to_itself_nor_from_nowhere(source: CarryingStore, target: CarryingStore) -> None:
    with pytest.raises(CareError, match="to itself"):
        copy_store(source, CarryingStore(source.settings), How())
    with pytest.raises(CareError, match="nothing to copy"):
        copy_store(target, source, How())


def test_the_readers_and_the_operators_keys_are_enough(source: CarryingStore, target: CarryingStore) -> None:
    """As docs/operate.md has it: a backup is read by one role and brought back by another."""
    for store in (source, target):
        store.ensure_buckets()
        keep_past(store)
    for number in (1, 2):
        source.put(CHAMPION, json_bytes({"version": number}))
    source.put(PICTURE, b"a picture", "image/jpeg")
    reads = CarryingStore(as_role(Settings(store=source.settings), StoreRole.READER).store)
    writes = CarryingStore(as_role(Settings(store=target.settings), StoreRole.OPERATOR).store)

    assert copy_store(reads, writes, How()).versions == 3
    assert copy_store(reads, writes, How(read_all=True)).same == 2


# ------------------------------------------------------------------ the command


@pytest.fixture
def files(
    source: CarryingStore, target: CarryingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    """Both stores as files; the settings name neither."""
    own_home(monkeypatch, tmp_path, source.settings.model_copy(update={"bucket_prefix": "nothing-here"}))
    monkeypatch.setattr("lvbag.terminal.console._width", 200)
    paths = tmp_path / "from.env", tmp_path / "to.env"
    for path, store in zip(paths, (source, target), strict=True):
        given = store.settings
        path.write_text(
            f"LVBAG_STORE__ENDPOINT={given.endpoint}\nLVBAG_STORE__ACCESS_KEY={ACCESS_KEY}\n"
            f"LVBAG_STORE__SECRET_KEY={SECRET_KEY}\nLVBAG_STORE__BUCKET_PREFIX={given.bucket_prefix}\n"
        )
    return paths


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["store", "copy", *map(str, arguments)])


def said(*arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json").stdout.splitlines()]


def test_a_copy_that_is_killed_goes_on_where_it_was(
    source: CarryingStore, target: CarryingStore, files: tuple[Path, Path]
) -> None:
    for number in range(150):
        source.put(Ref(Bucket.RAW, f"images/aa/{number:04d}.jpg"), f"picture {number}".encode(), "image/jpeg")
    target.ensure_buckets()
    command = [sys.executable, "-c", "from lvbag.cli import main; main()", "store", "copy"]
    process = subprocess.Popen([*command, "--from", str(files[0]), "--to", str(files[1])])
    deadline = time.monotonic() + 60
    while not sum(1 for _ in target.list_objects(Bucket.RAW)):
        assert process.poll() is None and time.monotonic() < deadline, "the copy was over before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = {item.ref: item.modified for item in target.list_objects(Bucket.RAW)}
    assert 0 < len(before) < 150

    (summary,) = said("--from", files[0], "--to", files[1])

    assert (summary["same"], summary["copied"], summary["findings"]) == (len(before), 150 - len(before), 0)
    assert everything(target) == everything(source)
    after = {item.ref: item.modified for item in target.list_objects(Bucket.RAW)}
    assert {ref: after[ref] for ref in before} == before, "what stood there was not written again"


def test_the_command_says_what_came_of_it(
    source: CarryingStore, target: CarryingStore, files: tuple[Path, Path], tmp_path: Path
) -> None:
    fill(source, tmp_path)
    shown = run("--from", files[0], "--to", files[1], "--dry-run")
    assert (shown.exit_code, target.missing_buckets() != []) == (0, True)
    assert "5 of 5 objects are missing at the target, 17.8 MB" in shown.stdout
    shown = run("--from", files[0], "--to", files[1])
    assert "5 of 5 objects were copied and read back, 17.8 MB" in shown.stdout
    target.put(PICTURE, b"other bytes")
    shown = run("--from", files[0], "--to", files[1])
    assert shown.exit_code == 1
    assert "differs" in shown.stdout
    assert "--overwrite" in shown.stdout
    assert said("--from", files[0], "--to", files[1])[0]["kind"] == "differs"
    assert SECRET_KEY not in shown.output


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("LVBAG_STORE__ENDPOINT=http://127.0.0.1:1\nLVBAG_STORE__ACCESS_KEY=k\n", "lacks LVBAG_STORE__SECRET_KEY"),
        ("POSTGRES_PASSWORD=hidden-value\n", "POSTGRES_PASSWORD does not begin with"),
        (
            "LVBAG_STORE__ENDPOINT=nowhere\nLVBAG_STORE__ACCESS_KEY=k\nLVBAG_STORE__SECRET_KEY=hidden-value\n",
            "ENDPOINT",
        ),
        (None, "does not exist"),
    ],
)
def test_a_file_that_names_no_store_is_refused_without_its_values(
    files: tuple[Path, Path], lines: str | None, problem: str
) -> None:
    path = files[0].with_name(f"{uuid.uuid4().hex}.env")
    if lines is not None:
        path.write_text(lines)
    error = run("--from", files[0], "--to", path).exception
    assert isinstance(error, LvbagError)
    assert problem in str(error)
    assert "hidden-value" not in str(error)


def test_one_of_the_two_stores_may_be_that_of_the_settings(files: tuple[Path, Path], source: CarryingStore) -> None:
    assert isinstance(run().exception, LvbagError)
    source.put(PICTURE, b"a picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LVBAG_STORE__BUCKET_PREFIX", source.settings.bucket_prefix)
        assert said("--to", files[1])[0]["copied"] == 1
