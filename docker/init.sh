#!/bin/bash
# Before the first start and after every upgrade: database, pool, buckets, users. Can be run any number of times.
set -euo pipefail

airflow db migrate
# a pool that somebody resized stays as it is
if ! airflow pools get gpu > /dev/null 2>&1; then
    airflow pools set gpu "${STACK_GPU_SLOTS:-1}" "trainings at a time: as many as there are GPU workers"
fi
exec python -m lvbag.services.provisioning
