#!/bin/sh
# Makes certificates/: two authorities, each with a server certificate for 127.0.0.1 and a client certificate.
# They are committed, so that unit tests start no process; they guard nothing. Run again to replace them all.
set -eu
cd "$(dirname "$0")/certificates"
days=36500
for ca in one two; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $days -subj "/CN=authority $ca" \
    -keyout "$ca-ca.key" -out "$ca-ca.crt" 2>/dev/null
  for role in server client; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=testers/CN=$role $ca" -keyout "$ca-$role.key" -out "$ca-$role.csr" 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%sAuth\n' "$role" > extensions
    openssl x509 -req -in "$ca-$role.csr" -CA "$ca-ca.crt" -CAkey "$ca-ca.key" -CAcreateserial -days $days -extfile extensions -out "$ca-$role.crt" 2>/dev/null
  done
done
rm -f ./*.csr ./*.srl ./*-ca.key extensions
