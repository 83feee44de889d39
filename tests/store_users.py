"""Users of a MiniStack with the policies of `docker/policies`: the same rights as in production, enforced by a server.

MiniStack has AWS's IAM in place of MinIO's admin interface; the policies are the same JSON to both.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

import botocore.session  # type: ignore[import-untyped]  # it comes with MiniStack and has no types
from pydantic import SecretStr

from lvbag.services.provisioning import policy_of
from lvbag.settings import Settings, StoreKeys, StoreSettings
from lvbag.store_roles import StoreRole


def make_users(root: StoreSettings, roles: Iterable[StoreRole] = tuple(StoreRole)) -> dict[StoreRole, StoreKeys]:
    """A user for each role, with that role's policy for the buckets of these settings and no other; their keys."""
    iam = botocore.session.get_session().create_client(
        "iam",
        region_name=root.region,
        endpoint_url=str(root.endpoint),
        aws_access_key_id=root.access_key.get_secret_value(),
        aws_secret_access_key=root.secret_key.get_secret_value(),
    )
    return {role: _make_user(iam, role, policy_of(role, root.bucket_prefix)) for role in roles}


def _make_user(iam: Any, role: StoreRole, policy: dict[str, Any]) -> StoreKeys:
    name = f"{role}-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=role.value, PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return StoreKeys(access_key=made["AccessKeyId"], secret_key=made["SecretAccessKey"])


def as_role(settings: Settings, role: StoreRole) -> Settings:
    """The settings of a task of this role in a worker: a user of its own, made for these buckets, and no other keys."""
    keys = make_users(settings.store, (role,))
    store = settings.store.model_copy(update={"roles": keys, "access_key": SecretStr(""), "secret_key": SecretStr("")})
    return settings.model_copy(update={"store": store}).as_role(role)
