"""The embedded object store: MiniStack, an S3 server from PyPI, persistent, on 127.0.0.1.

For one machine and one person: every twelve-digit key is root there. Production uses Silo (MinIO's continuation).
"""

from __future__ import annotations

import sys
from pathlib import Path

import requests

from lvbag.services.home import Home
from lvbag.services.processes import LAST_TO_END, ServiceSpec
from lvbag.services.secrets import MachineSecrets

NAME = LAST_TO_END


def endpoint(port: int) -> str:
    """The store's address."""
    return f"http://127.0.0.1:{port}"


def environment(port: int, folder: Path, access_key: str, secret_key: str) -> dict[str, str]:
    """What a MiniStack that keeps its objects in this folder, and listens on loopback alone, is started with."""
    return {
        "BIND_HOST": "127.0.0.1",  # its default is every interface
        "GATEWAY_PORT": str(port),
        "SERVICES": "s3,iam,sts",
        # these two listen on every interface, whatever BIND_HOST and SERVICES say
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "objects"),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "LOG_LEVEL": "WARNING",
    }


def spec(home: Home, port: int, secrets: MachineSecrets) -> ServiceSpec:
    """How to start the store over the home's `s3` folder."""
    return ServiceSpec(
        name=NAME,
        command=(sys.executable, "-m", "ministack"),
        environment=environment(
            port,
            home.store_data,
            secrets.store_access_key.get_secret_value(),
            secrets.store_secret_key.get_secret_value(),
        ),
        ready=lambda: _answers(f"{endpoint(port)}/_ministack/health"),
        timeout_s=60.0,
        port=port,
    )


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1.0).status_code == 200
    except requests.RequestException:
        return False
