#!/usr/bin/env bash
# docker/restore.sh FILE: put a file of docker/backup.sh in the place of Airflow's database, and start the stack.
#
# The file is read whole, and restored under another name, before anything is given up; the database that stood there
# stays as airflow_until_<time>. Run it with the release that made the file or a later one: init brings it up to date.
set -Eeuo pipefail

file=$(realpath "${1:?usage: docker/restore.sh FILE}")
cd "$(dirname "$0")/.." # where compose finds docker-compose.yaml and .env
until=airflow_until_$(date -u +%Y%m%dt%H%M%Sz)

in_postgres() { docker compose exec -T postgres sh -c "PGPASSWORD=\$POSTGRES_PASSWORD exec $1"; }
sql() { in_postgres 'psql --username airflow --dbname postgres --no-psqlrc --quiet --set ON_ERROR_STOP=1'; }

docker compose up --detach --wait postgres redis
in_postgres 'pg_restore --file /dev/null' < "$file"

echo "stopping Airflow: it waits for running tasks, up to 15 minutes for a training; what is killed goes on later"
docker compose --profile '*' stop airflow-scheduler airflow-dag-processor airflow-triggerer airflow-api-server \
    airflow-worker airflow-worker-gpu airflow-worker-cpu

trap 'echo "not restored: the database stands as it stood; mend what is named above and run this again, or start with: docker compose up --detach" >&2' ERR
sql <<< 'DROP DATABASE IF EXISTS airflow_restoring; CREATE DATABASE airflow_restoring;'
in_postgres 'pg_restore --username airflow --dbname airflow_restoring --exit-on-error --single-transaction' < "$file"
sql <<< "BEGIN; ALTER DATABASE airflow RENAME TO $until; ALTER DATABASE airflow_restoring RENAME TO airflow; COMMIT;"
trap - ERR

# what was sent to workers belongs to the database that was
docker compose exec -T redis sh -c 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli flushall'

docker compose up --detach
echo "restored from $file; the database that stood there is $until: drop it once all is well"
