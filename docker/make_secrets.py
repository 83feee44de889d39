"""Write `.env` with everything that `docker-compose.yaml` must not know by itself; `make secrets` runs this.

Needs Python alone, no environment. A file that stands is never touched: its secrets encrypt what the database holds.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

HEADER = """# Secrets of docker-compose.yaml, made by `make secrets`, readable by you alone. Keep a copy safe:
# without AIRFLOW_FERNET_KEY the connections that Airflow's database holds cannot be read, and a database keeps the
# password that it was made with. How to change one: docs/operate.md.
"""


def values() -> dict[str, str]:
    """A fresh value for every variable; no character that a URL, a shell or compose would read as its own."""
    made = {
        "POSTGRES_PASSWORD": secrets.token_hex(24),
        "REDIS_PASSWORD": secrets.token_hex(24),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(48),
        "AIRFLOW_API_SECRET": secrets.token_hex(32),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_urlsafe(15),
        "STORE_ROOT_USER": f"root-{secrets.token_hex(4)}",
        "STORE_ROOT_PASSWORD": secrets.token_hex(20),
    }
    for role in ("CRAWLER", "CURATOR", "TRAINER", "OPERATOR", "READER"):
        made[f"STORE_{role}_SECRET"] = secrets.token_hex(20)  # MinIO allows 8 to 40 characters
    return made


def write(path: Path) -> None:
    """Write the file with mode 0600; raises `FileExistsError` where one stands."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(HEADER + "".join(f"{name}={value}\n" for name, value in values().items()))
        file.write(
            f"\n# Which worker trains, `gpu` or `cpu`; `demo` as well for the marketplace: cpu,demo\n{_profile()}\n"
        )


def _profile() -> str:
    return f"COMPOSE_PROFILES={'gpu' if Path('/dev/nvidia0').exists() else 'cpu'}"


def main() -> None:
    """Write the file that the command line names, else `.env` beside docker-compose.yaml; one that stands is kept."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".env"
    try:
        write(path)
    except FileExistsError:
        sys.stdout.write(f"{path} stands already and is kept: its secrets belong to the data\n")
    else:
        sys.stdout.write(f"{path} made; the password of Airflow's user admin is AIRFLOW_ADMIN_PASSWORD in it\n")


if __name__ == "__main__":
    main()
