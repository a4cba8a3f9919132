#!/bin/sh
# The database, the models and the data of the machine into a folder: `deploy/vm/backup.sh /var/backups/rekindle`.
# The gateways go on serving. docs/deploy/vm.md has the way back.
set -eu
cd "$(dirname "$0")/../.."
folder=${1:?"usage: backup.sh FOLDER"}/$(date -u +%Y%m%dT%H%M%SZ)
mkdir -p "$folder"
chmod 700 "$folder"
compose() {
    docker compose -f compose.yaml -f deploy/vm/compose.yaml --env-file "${REKINDLE_ENVIRONMENT:-/etc/rekindle/environment}" "$@"
}
# First the rows, then the files that they name: what comes in between is a file without a row, and no harm.
compose exec -T postgres pg_dump --username rekindle --format custom rekindle > "$folder/database.dump"
compose run --rm --no-deps -T --entrypoint tar trainer --create --directory / models data > "$folder/volumes.tar"
echo "$folder"
