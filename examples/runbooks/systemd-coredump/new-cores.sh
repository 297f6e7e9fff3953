#!/bin/sh
# A report of each core that systemd-coredump stored and that has none yet. One bad core does not stop the rest.
# usage: new-cores.sh [FOLDER] [OUT]     FOLDER: /var/lib/systemd/coredump; OUT: /var/lib/arena-inspect
set -eu
folder=${1:-/var/lib/systemd/coredump}
out=${2:-/var/lib/arena-inspect}
arena_inspect=${ARENA_INSPECT:-arena-inspect}

umask 077
mkdir -p "$out"
for core in "$folder"/core.*; do
  [ -f "$core" ] || continue
  name=$out/$(basename "$core")
  if [ -e "$name.json" ] || [ -e "$name.error" ]; then continue; fi
  if "$arena_inspect" report "$core" --format markdown -o "$name.md" 2>"$name.error.part" &&
    "$arena_inspect" report "$core" --format json -o "$name.json.part" 2>>"$name.error.part"; then
    mv "$name.json.part" "$name.json"
    rm -f "$name.error.part"
    sed -n 1p "$name.md"
  else
    mv "$name.error.part" "$name.error"
    rm -f "$name.md" "$name.json.part"
    echo "$(basename "$core"): $(tail -n 1 "$name.error")" >&2
  fi
done
