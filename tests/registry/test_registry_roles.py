"""No role can erase the registry's history, by a server that enforces the policies on versioned buckets."""

from __future__ import annotations

from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig
from registry_makers import AT, KIND, decision, publish

from lvbag.registry import champion, list_history, promote, rollback
from lvbag.services.provisioning import prepare_buckets
from lvbag.settings import Settings
from lvbag.store import Bucket, Ref, Store, StoreError, keys, open_store
from lvbag.store_roles import StoreRole
from store_users import as_role

CHAMPION = keys.champion(KIND)


def client(settings: Settings) -> Minio:
    store = settings.store
    return Minio(
        f"{store.endpoint.host}:{store.endpoint.port}",
        access_key=store.access_key.get_secret_value(),
        secret_key=store.secret_key.get_secret_value(),
        secure=False,
        region=store.region,
    )


@pytest.fixture
def versioned(settings: Settings) -> Store:
    """The buckets as init leaves them."""
    prepare_buckets(client(settings), settings.store.bucket_prefix, settings.store.region)
    return Store(settings.store)


def test_the_trainer_promotes_and_the_operator_rolls_back(versioned: Store, settings: Settings, tmp_path: Path) -> None:
    trainer = open_store(as_role(settings, StoreRole.TRAINER))
    first, second = publish(trainer, tmp_path, "one"), publish(trainer, tmp_path, "two")
    assert promote(trainer, KIND, decision(first.version, None), AT, "a test")
    assert promote(trainer, KIND, decision(second.version, first.version), AT, "a test")
    operator = open_store(as_role(settings, StoreRole.OPERATOR))
    rollback(operator, KIND, first.version, AT, "a person", "because")
    reader = open_store(as_role(settings, StoreRole.READER))
    current = champion(reader, KIND)
    assert current is not None
    assert current.version == first.version
    assert len(list_history(reader, KIND)) == 3


@pytest.mark.parametrize("role", list(StoreRole))
def test_no_role_erases_what_was_champion(
    versioned: Store, settings: Settings, tmp_path: Path, role: StoreRole
) -> None:
    record = publish(versioned, tmp_path, "one")
    promote(versioned, KIND, decision(record.version, None), AT, "a test")
    told = [item.ref for item in versioned.list_objects(Bucket.MODELS, keys.history_prefix(KIND))]
    user = as_role(settings, role)
    for ref in (CHAMPION, *told, keys.version_file(KIND, record.version, "model.onnx")):
        before = _versions(versioned, ref)
        with pytest.raises(StoreError):
            open_store(user).purge(ref)
        assert _versions(versioned, ref) >= before
    bucket = versioned.bucket(Bucket.MODELS)
    for change in (
        lambda: client(user).set_bucket_versioning(bucket, VersioningConfig(SUSPENDED)),
        lambda: client(user).delete_bucket_lifecycle(bucket),
        lambda: client(user).delete_bucket_policy(bucket),
        lambda: client(user).remove_bucket(bucket),
    ):
        with pytest.raises(S3Error, match="AccessDenied"):
            change()


def test_the_operator_takes_a_picture_down_for_good(versioned: Store, settings: Settings) -> None:
    picture = keys.raw_image("ab" * 32, "jpg")
    versioned.put(picture, b"first")
    versioned.put(picture, b"second")
    operator = open_store(as_role(settings, StoreRole.OPERATOR))
    assert operator.purge(picture) == 2
    assert not list(versioned.list_versions(picture.bucket, picture.key))


def _versions(store: Store, ref: Ref) -> set[str | None]:
    return {item.version for item in store.list_versions(ref.bucket, ref.key) if item.ref == ref}
