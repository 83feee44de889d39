"""What can go wrong with the embedded machine."""

from __future__ import annotations

from lvbag.errors import LvbagError


class ServiceError(LvbagError):
    """A service did not start, or the machine is in another state than was asked for."""


class AirflowError(LvbagError):
    """Airflow does not answer or refuses a request."""
