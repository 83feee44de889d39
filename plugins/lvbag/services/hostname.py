"""The name by which Airflow's embedded components call this machine (`[core] hostname_callable`)."""

from __future__ import annotations


def loopback() -> str:
    """`localhost`: the default asks the network's name server, which takes seconds where there is none."""
    return "localhost"
