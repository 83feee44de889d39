#!/usr/bin/env bash
# docker/backup.sh FOLDER: Airflow's database of the running stack in one file, which is whole or not there at all.
#
# Nothing needs to be stopped. Copy the buckets after it (`lvbag store copy`, docs/operate.md): then every object that the
# database speaks of is among them. The file is as secret as the database, and readable by you alone.
set -euo pipefail

mkdir -p "${1:?usage: docker/backup.sh FOLDER}"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.." # where compose finds docker-compose.yaml and .env

in_postgres() { docker compose exec -T postgres sh -c "PGPASSWORD=\$POSTGRES_PASSWORD exec $1"; }

umask 077
file=$folder/airflow-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$file.part"' EXIT
in_postgres 'pg_dump --username airflow --format custom airflow' > "$file.part"
in_postgres 'pg_restore --file /dev/null' < "$file.part" # reads all of it back
mv "$file.part" "$file"
echo "$file"
