#!/bin/sh
# Writes the addresses of all APIs into nginx's upstream and loads it anew when they change: open-source nginx before 1.27.3 asks for a name
# only when it starts, and any nginx that finds none does not start. A reload cuts no request.
set -eu
name=${API_NAME:-api} port=${API_PORT:-8080} file=/etc/nginx/api/servers.conf
mkdir -p /etc/nginx/api

servers() { getent ahostsv4 "$name" | awk '{print $1}' | sort -u | sed "s/.*/server &:$port max_fails=1 fail_timeout=2s;/"; }

write() { # returns 0 when it has changed
  now=$(servers || true)
  [ -n "$now" ] || now="server 127.0.0.1:9 down; # nobody answers to the name $name"
  [ "$now" = "$(cat "$file" 2>/dev/null)" ] && return 1
  printf '%s\n' "$now" >"$file.next" && mv "$file.next" "$file"
}

write || true
(
  while sleep "${FOLLOW_SECONDS:-2}"; do
    if write; then nginx -s reload; fi
  done
) &
