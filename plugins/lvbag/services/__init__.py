"""The embedded machine: an object store and Airflow on this computer, for one person and for demonstrations.

`lvbag.services.machine` starts and stops it, `lvbag.services.airflow_client` talks to its Airflow,
`lvbag.services.doctor` says what is wrong with it. In production `docker compose` takes its place; nothing outside
this package knows the difference.
"""
