#!/bin/sh
# Runs the inner nginx (apis.conf) and keeps its list of APIs: the addresses behind their name that are ready. Open-source nginx before 1.27.3 asks for a name
# only when it starts, and none asks whether who answers to it is ready.
set -eu
name=api port=8080 file=/etc/nginx/api/servers.conf
mkdir -p /etc/nginx/api

ready() { curl -fsS -m 2 -o /dev/null "http://$1:$port/health/ready" 2>/dev/null; }

# Where none is ready, all: what an API says of it is of more use to a caller than what nginx would say. Nothing while the name cannot be resolved.
servers() {
  all=$(getent ahostsv4 "$name" | awk '{print $1}' | sort -u)
  some=$(for address in $all; do if ready "$address"; then echo "$address"; fi; done)
  for address in ${some:-$all}; do echo "server $address:$port max_fails=1 fail_timeout=2s;"; done
}

write() { # returns 0 when it has changed
  now=$(servers || true)
  [ -n "$now" ] || [ -s "$file" ] || now="server 127.0.0.1:9 down; # nobody answers to the name $name"
  [ -z "$now" ] || [ "$now" = "$(cat "$file" 2>/dev/null)" ] && return 1
  printf '%s\n' "$now" >"$file.next" && mv "$file.next" "$file"
}

inner() { nginx -c /etc/nginx/apis.conf "$@"; }

runs() { [ -s /run/queuescale-apis.pid ] && kill -0 "$(cat /run/queuescale-apis.pid)" 2>/dev/null; }

start() { rm -f /run/queuescale-apis.sock && inner; }

write || true
start
(
  while sleep 1; do
    if ! runs; then start || true; elif write; then inner -s reload || true; fi
  done
) &
