#!/bin/sh
# restore.sh FILE: puts a dump into the empty database that PGHOST, PGUSER and PGDATABASE name. docs/how-to/back-up-and-restore.md
set -eu
[ $# = 1 ] || { echo "usage: restore.sh FILE" >&2; exit 2; }
pg_restore --exit-on-error --no-owner --single-transaction --dbname="$PGDATABASE" "$1"
