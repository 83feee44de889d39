"""What the DAG files share: assets, defaults, and how a task learns its night, its settings and its store.

Needs Airflow, so nothing that runs as a subprocess or on the command line imports it. The DAG files hold wiring only;
the work is done by `lvbag.crawl`, `lvbag.curate`, `lvbag.learn` and `lvbag.registry`, imported inside the tasks.
"""
