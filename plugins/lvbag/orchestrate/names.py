"""Names that those who only talk to Airflow need, too; importing them imports no airflow."""

LABELS_ASSET = "labels"
"""Sent when a label set was imported: `{"labels"}`; starts lvbag_train_detector."""
