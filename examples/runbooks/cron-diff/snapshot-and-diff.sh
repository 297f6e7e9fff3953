#!/bin/sh
# A snapshot of the process called NAME, compared with the one before; exit code 3 when too much grew.
# usage: snapshot-and-diff.sh NAME|PID DIR     FAIL_ON: the condition; KEEP: how many snapshots stay
set -eu
name=${1:?usage: snapshot-and-diff.sh NAME|PID DIR}
folder=${2:?usage: snapshot-and-diff.sh NAME|PID DIR}
arena_inspect=${ARENA_INSPECT:-arena-inspect}

umask 077
mkdir -p "$folder"
case $name in
*[!0-9]*) pid=$(pgrep -o -x "$name") || { echo "no process is called $name" >&2; exit 1; } ;;
*) pid=$name ;;
esac

previous=$(find "$folder" -name '*.arenas.gz' | sort | tail -n 1)
now=$folder/$(date -u +%Y%m%dT%H%M%S.%N).arenas.gz
"$arena_inspect" snapshot --pid "$pid" -o "$now"
find "$folder" -name '*.arenas.gz' | sort -r | tail -n "+$((${KEEP:-30} + 1))" | while read -r old; do rm "$old"; done
[ -n "$previous" ] || exit 0
exec "$arena_inspect" diff "$previous" "$now" --fail-on "${FAIL_ON:-in-use>10%}"
