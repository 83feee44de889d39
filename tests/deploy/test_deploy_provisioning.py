"""What init does to the store and for Airflow: buckets on a real server, users on one that speaks MinIO's admin API."""

from __future__ import annotations

import io
import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.crypto import decrypt
from minio.minioadmin import MinioAdmin
from pydantic import SecretStr
from urllib3 import HTTPResponse

from lvbag.services import provisioning
from lvbag.services.provisioning import ProvisioningError, policy_of, prepare_buckets, prepare_users, write_passwords
from lvbag.settings import Settings, StoreKeys
from lvbag.store import Bucket, Store
from lvbag.store_roles import StoreRole

ROOT_SECRET = "the-root-users-secret"
KEYS: dict[StoreRole, StoreKeys] = {
    role: StoreKeys(access_key=SecretStr(f"lvbag-{role}"), secret_key=SecretStr(f"secret-of-{role}"))
    for role in StoreRole
}


class AdminApi(ThreadingHTTPServer):
    """Takes users, policies and who has which, as MinIO does; `log` says in which order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.log: list[str] = []
        self.users: dict[str, str] = {}
        self.policies: dict[str, Any] = {}
        self.granted: dict[str, str] = {}


class _Handler(BaseHTTPRequestHandler):
    server: AdminApi

    def do_PUT(self) -> None:
        asked = urlsplit(self.path)
        fields = {name: values[0] for name, values in parse_qs(asked.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        api, action = self.server, asked.path.rpartition("/")[2]
        api.log.append(action)
        if action == "add-user":
            api.users[fields["accessKey"]] = json.loads(_opened(body))["secretKey"]
        elif action == "add-canned-policy":
            api.policies[fields["name"]] = json.loads(body)
        elif action == "set-user-or-group-policy":
            assert fields["userOrGroup"] in api.users, "MinIO knows no rights of users that are not there"
            assert fields["policyName"] in api.policies
            api.granted[fields["userOrGroup"]] = fields["policyName"]
        self.send_response(200 if asked.path.startswith("/minio/admin/v3/") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _opened(body: bytes) -> bytes:
    opened: bytes = decrypt(HTTPResponse(io.BytesIO(body), preload_content=False), ROOT_SECRET)
    return opened


@pytest.fixture
def admin_api() -> Iterator[AdminApi]:
    api = AdminApi()
    thread = threading.Thread(target=api.serve_forever)
    thread.start()
    yield api
    api.shutdown()
    thread.join()
    api.server_close()


def admin(api: AdminApi) -> MinioAdmin:
    return MinioAdmin(
        endpoint=f"127.0.0.1:{api.server_address[1]}", credentials=StaticProvider("root", ROOT_SECRET), secure=False
    )


def test_each_role_becomes_a_user_with_its_own_policy(admin_api: AdminApi) -> None:
    for _ in range(2):
        prepare_users(admin(admin_api), "shop", KEYS)
    assert admin_api.users == {f"lvbag-{role}": f"secret-of-{role}" for role in StoreRole}
    assert admin_api.granted == {f"lvbag-{role}": f"lvbag-{role}" for role in StoreRole}
    assert admin_api.policies["lvbag-reader"] == policy_of(StoreRole.READER, "shop")


def test_a_role_without_keys_stops_init_before_anything_is_changed(admin_api: AdminApi) -> None:
    some: dict[StoreRole, StoreKeys] = {role: keys for role, keys in KEYS.items() if role is not StoreRole.TRAINER}
    with pytest.raises(ProvisioningError, match="LVBAG_STORE__ROLES__TRAINER__"):
        prepare_users(admin(admin_api), "lvbag", some)
    assert not admin_api.log


@pytest.mark.parametrize("role", list(StoreRole))
def test_a_policy_speaks_of_this_installations_buckets_alone(role: StoreRole) -> None:
    policy = policy_of(role, "shop")
    resources = [resource for statement in policy["Statement"] for resource in statement["Resource"]]
    buckets = {resource.removeprefix("arn:aws:s3:::").partition("/")[0] for resource in resources}
    assert buckets <= {f"shop-{bucket}" for bucket in Bucket}
    allowed = {
        action for statement in policy["Statement"] if statement["Effect"] == "Allow" for action in statement["Action"]
    }
    assert not [action for action in allowed if "*" in action or "Policy" in action or "PutBucket" in action]


def test_buckets_keep_versions_and_the_registrys_for_ever(settings: Settings) -> None:
    store = settings.store
    client = Minio(
        f"{store.endpoint.host}:{store.endpoint.port}",
        access_key=store.access_key.get_secret_value(),
        secret_key=store.secret_key.get_secret_value(),
        secure=False,
        region=store.region,
    )
    for _ in range(2):
        prepare_buckets(client, store.bucket_prefix, store.region)
    assert not Store(store).missing_buckets()
    for bucket in Bucket:
        name = f"{store.bucket_prefix}-{bucket}"
        assert client.get_bucket_versioning(name).status == "Enabled"
        lifecycle = client.get_bucket_lifecycle(name)
        assert lifecycle is not None
        days = {
            rule.rule_filter.prefix or "": rule.noncurrent_version_expiration.noncurrent_days
            for rule in lifecycle.rules
            if rule.rule_filter and rule.noncurrent_version_expiration
        }
        if bucket is Bucket.MODELS:
            assert days == {"classifier/checkpoints/": 1, "detector/checkpoints/": 1}
        else:
            assert days[""] == provisioning.KEPT_DAYS
        assert not [rule for rule in lifecycle.rules if rule.expiration and rule.expiration.days], "current ones stay"


def test_the_password_file_is_airflows_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "passwords.json"
    write_passwords(path, "a-long-password")
    assert json.loads(path.read_text()) == {"admin": "a-long-password"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ProvisioningError, match="make secrets"):
        write_passwords(path, "")
