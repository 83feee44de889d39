"""The embedded machine's secrets: generated once, kept in the home folder (mode 0600), never logged."""

from __future__ import annotations

import base64
import json
import os
import secrets as random_secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from lvbag.services.errors import ServiceError
from lvbag.services.home import write_private


class MachineSecrets(BaseModel):
    """Everything that must stay the same between two starts and must not be guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    store_access_key: SecretStr
    store_secret_key: SecretStr
    fernet_key: SecretStr
    jwt_secret: SecretStr
    api_secret: SecretStr
    admin_password: SecretStr


def read_or_make(path: Path) -> MachineSecrets:
    """The home's secrets; made at the first call. Raises `ServiceError` when the file is damaged."""
    if not path.is_file():
        made = _generate()
        write_private(path, _json(made))
        return made
    path.chmod(0o600)
    try:
        return MachineSecrets.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        problems = error.error_count() if isinstance(error, ValidationError) else 1
        raise ServiceError(
            f"{path} is damaged ({problems} problems); restore it, or move the whole folder {path.parent} away to "
            "start with an empty machine"
        ) from None


def _generate() -> MachineSecrets:
    return MachineSecrets(
        # MiniStack knows accounts by twelve digits: what it is given as its own key is root.
        store_access_key=SecretStr("".join(random_secrets.choice("0123456789") for _ in range(12))),
        store_secret_key=SecretStr(random_secrets.token_urlsafe(30)),
        fernet_key=SecretStr(base64.urlsafe_b64encode(os.urandom(32)).decode()),
        jwt_secret=SecretStr(random_secrets.token_urlsafe(48)),
        api_secret=SecretStr(random_secrets.token_urlsafe(32)),
        admin_password=SecretStr(random_secrets.token_urlsafe(12)),
    )


def _json(values: MachineSecrets) -> str:
    plain = {name: getattr(values, name).get_secret_value() for name in MachineSecrets.model_fields}
    return json.dumps(plain, indent=2) + "\n"
