#!/bin/sh
# Starts a program, waits for its first line on stdout, and fails (3) when a finding is a warning or worse.
# usage: check-arenas.sh OUT COMMAND [ARG...]     writes OUT.md and OUT.json; FAIL_ON, READY_SECONDS in the environment
set -eu
out=${1:?usage: check-arenas.sh OUT COMMAND [ARG...]}
shift
arena_inspect=${ARENA_INSPECT:-arena-inspect}

ready=$(mktemp)
"$@" >"$ready" &
pid=$!
trap 'kill "$pid" 2>/dev/null || :; rm -f "$ready"' EXIT
waited=0
until [ -s "$ready" ]; do
  kill -0 "$pid" 2>/dev/null || { echo "$1 ended before it printed a line" >&2; exit 1; }
  [ "$waited" -lt $((${READY_SECONDS:-60} * 10)) ] || { echo "$1 printed no line" >&2; exit 1; }
  sleep 0.1
  waited=$((waited + 1))
done

"$arena_inspect" report --pid "$pid" --format json -o "$out.json"
"$arena_inspect" report --pid "$pid" --format markdown -o "$out.md" --fail-on "${FAIL_ON:-warning}" || {
  code=$?
  sed -n 1,3p "$out.md" >&2
  exit "$code"
}
