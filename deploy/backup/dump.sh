#!/bin/sh
# Dumps the database every EVERY_SECONDS into /backups and deletes dumps older than KEEP_DAYS. One that fails is told and tried again.
set -eu
while :; do
  file=/backups/queuescale-$(date -u +%Y%m%dT%H%M%SZ).dump
  if pg_dump --format=custom --file="$file.next"; then
    mv "$file.next" "$file"
    echo "dump.sh: $file, $(stat -c %s "$file") bytes"
    find /backups -name 'queuescale-*.dump' -mtime "+$KEEP_DAYS" -print -delete
  else
    rm -f "$file.next"
    echo "dump.sh: the dump failed, it is tried again in a minute" >&2
    sleep 60
    continue
  fi
  sleep "$EVERY_SECONDS"
done
