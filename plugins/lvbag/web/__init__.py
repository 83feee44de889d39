"""The pages of lvbag in Airflow's web interface. They read the reports bucket and change nothing."""
