#!/bin/sh
# Entry point of a container that runs vireo standalone: everything is kept in the volume /data.
# Publish the port, and name what clients reach it by: VIREO_NAMES="vireo.example 192.0.2.7".
set -eu
export VIREO_DATA="${VIREO_DATA:-/data}" VIREO_LISTEN="${VIREO_LISTEN:-0.0.0.0:6443}" VIREO_PUBLIC="${VIREO_PUBLIC:-true}"
# shellcheck disable=SC2086 # each name is a word
exec vireo standalone ${VIREO_NAMES:+--name $VIREO_NAMES} "$@"
