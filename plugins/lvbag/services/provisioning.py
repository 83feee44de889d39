"""What the production stack needs before its first night: buckets, users and their rights, Airflow's password file.

`python -m lvbag.services.provisioning` is the last step of the init container (`docker/init.sh`). It signs in as the
store's root user, whose keys nothing else of lvbag has, and can run any number of times: what stands is left or brought
to what is configured. It needs MinIO's admin interface, which Silo and MinIO have.

Policies are files (`docker/policies/<role>.json`), written for the bucket prefix `lvbag`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvbag.errors import LvbagError
from lvbag.services.home import write_private
from lvbag.settings import PROJECT_ROOT, StoreKeys, StoreSettings, load_settings
from lvbag.store import Bucket, open_store
from lvbag.store.keys import ModelKind, all_journals_prefix, all_leases_prefix, checkpoints_prefix
from lvbag.store_roles import StoreRole

if TYPE_CHECKING:
    from minio import Minio
    from minio.minioadmin import MinioAdmin

PASSWORDS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
ADMIN_PASSWORD = "STACK_ADMIN_PASSWORD"  # noqa: S105 the name of a variable

KEPT_DAYS = 30
"""How long an object that was deleted or replaced can still be brought back; in the registry's bucket for ever."""

SHORT_LIVED_DAYS = 1
"""The same for what changes every few seconds and is worth nothing afterwards."""

_SHORT_LIVED = {
    Bucket.RAW: (all_journals_prefix(), all_leases_prefix()),
    Bucket.MODELS: tuple(checkpoints_prefix(kind) for kind in ModelKind),
}
_PREFIX = "arn:aws:s3:::lvbag-"


class ProvisioningError(LvbagError):
    """The stack cannot be prepared; the message names what is missing."""


def policies_dir() -> Path:
    """The folder with one policy a role; `STACK_POLICIES` names it in the images."""
    return Path(os.environ.get("STACK_POLICIES", PROJECT_ROOT / "docker" / "policies"))


def policy_of(role: StoreRole, bucket_prefix: str) -> dict[str, Any]:
    """A role's policy, for the buckets with this prefix."""
    path = policies_dir() / f"{role}.json"
    try:
        text = path.read_text(encoding="utf-8")
        policy: dict[str, Any] = json.loads(text.replace(_PREFIX, f"arn:aws:s3:::{bucket_prefix}-"))
    except (OSError, ValueError) as error:
        raise ProvisioningError(f"the policy of role {role} cannot be read from {path}: {error}") from None
    return policy


def prepare_buckets(client: Minio, bucket_prefix: str, region: str) -> None:
    """Make the buckets that are missing; turn versioning on and forget replaced objects after a while in each."""
    for role in Bucket:
        name = f"{bucket_prefix}-{role}"
        if not client.bucket_exists(name):
            client.make_bucket(name, location=region)
        keep_versions(client, name, role)


def keep_versions(client: Minio, name: str, role: Bucket) -> None:
    """Keep what is replaced or deleted in a bucket, for a while or, in the registry's, for ever."""
    from minio.commonconfig import ENABLED
    from minio.versioningconfig import VersioningConfig

    client.set_bucket_versioning(name, VersioningConfig(ENABLED))
    _forget(client, name, role)


def client_of(settings: StoreSettings) -> Minio:
    """A client of the store with the keys of these settings, for what `Store` has no method for."""
    from minio import Minio

    return Minio(
        f"{settings.endpoint.host}:{settings.endpoint.port}",
        access_key=settings.access_key.get_secret_value(),
        secret_key=settings.secret_key.get_secret_value(),
        secure=settings.endpoint.scheme == "https",
        region=settings.region,
    )


def _forget(client: Minio, name: str, role: Bucket) -> None:
    """Old versions go: soon where they are worth nothing, later elsewhere, and never those of the registry."""
    from minio.commonconfig import ENABLED, Filter
    from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule

    days = {prefix: SHORT_LIVED_DAYS for prefix in _SHORT_LIVED.get(role, ())}
    if role is not Bucket.MODELS:
        days[""] = KEPT_DAYS
    rules = [
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=prefix),
            rule_id=prefix.strip("/").replace("/", "-") or "everything",
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=kept),
            # the mark that a deletion leaves goes once nothing is hidden behind it
            expiration=Expiration(expired_object_delete_marker=True),
        )
        for prefix, kept in days.items()
    ]
    if rules:
        client.set_bucket_lifecycle(name, LifecycleConfig(rules))


def prepare_users(admin: MinioAdmin, bucket_prefix: str, keys: Mapping[StoreRole, StoreKeys]) -> None:
    """A user for each role with its policy; a password that has changed is renewed. Raises where a role has no keys."""
    missing = [role for role in StoreRole if role not in keys]
    if missing:
        variables = ", ".join(f"LVBAG_STORE__ROLES__{role.upper()}__*" for role in missing)
        raise ProvisioningError(f"no keys for {', '.join(missing)}: set {variables} (`make secrets` makes them)")
    for role in StoreRole:
        name = f"lvbag-{role}"
        admin.policy_add(name, policy=policy_of(role, bucket_prefix))
        user = keys[role].access_key.get_secret_value()
        admin.user_add(user, keys[role].secret_key.get_secret_value())
        admin.policy_set(name, user=user)


def write_passwords(path: Path, password: str) -> None:
    """The file in which Airflow's simple auth manager looks the administrator's password up (mode 0600)."""
    if not password:
        raise ProvisioningError(f"{ADMIN_PASSWORD} is empty: run `make secrets`")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps({"admin": password}) + "\n")


def provision(settings: StoreSettings, environment: Mapping[str, str]) -> None:
    """Everything, in an order in which each step can be repeated."""
    from minio.credentials.providers import StaticProvider
    from minio.minioadmin import MinioAdmin

    host = f"{settings.endpoint.host}:{settings.endpoint.port}"
    root, secret = settings.access_key.get_secret_value(), settings.secret_key.get_secret_value()
    secure = settings.endpoint.scheme == "https"
    prepare_buckets(client_of(settings), settings.bucket_prefix, settings.region)
    prepare_users(
        MinioAdmin(endpoint=host, credentials=StaticProvider(root, secret), region=settings.region, secure=secure),
        settings.bucket_prefix,
        settings.roles,
    )
    if PASSWORDS in environment:
        write_passwords(Path(environment[PASSWORDS]), environment.get(ADMIN_PASSWORD, ""))


def main() -> None:
    """Prepare the stack that the environment describes; status 1 with one line where that fails."""
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        settings = load_settings()
        open_store(settings).missing_buckets()  # says in our words what is wrong with address or keys
        provision(settings.store, os.environ)
        open_store(settings).probe()
    except (LvbagError, MinioException, HTTPError) as error:
        sys.exit(f"error: the stack was not prepared: {error}")
    sys.stdout.write("buckets, users and policies stand\n")


if __name__ == "__main__":
    main()
