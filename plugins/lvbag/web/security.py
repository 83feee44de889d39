"""Who may see the pages: everyone whom Airflow has signed in. The only place that knows Airflow's security module.

Airflow mounts a plugin's app beside its own, without any authentication; each app must ask for itself.
"""

from __future__ import annotations

from typing import Any


def signed_in() -> Any:
    """A FastAPI dependency that answers 401 unless the request carries a valid token or Airflow's cookie."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import Depends

    return Depends(get_user)
