#!/bin/sh
# Listens with TLS where a certificate is mounted.
set -eu
mkdir -p /etc/nginx/queuescale
rm -f /etc/nginx/queuescale/tls.conf
if [ -r /etc/nginx/tls/tls.crt ] && [ -r /etc/nginx/tls/tls.key ]; then
  cat >/etc/nginx/queuescale/tls.conf <<'CONF'
listen 8443 ssl;
ssl_certificate /etc/nginx/tls/tls.crt;
ssl_certificate_key /etc/nginx/tls/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:2m;
CONF
else
  echo "30-tls.sh: no /etc/nginx/tls/tls.crt and tls.key, so nobody listens on 8443" >&2
fi
