#!/bin/sh
# One core to OUT/NAME.json and OUT/NAME.md, or to OUT/NAME.error.
# usage: one-core.sh CORE OUT     exit code: arena-inspect's; 3 when a finding is critical
set -eu
core=${1:?usage: one-core.sh CORE OUT}
out=${2:?usage: one-core.sh CORE OUT}
arena_inspect=${ARENA_INSPECT:-arena-inspect}

mkdir -p "$out"
name=$out/$(basename "$core")
"$arena_inspect" report "$core" --format json -o "$name.json.part" 2>"$name.error" || {
  code=$?
  rm -f "$name.json.part"
  cat "$name.error" >&2
  exit "$code"
}
mv "$name.json.part" "$name.json"
rm -f "$name.error"
exec "$arena_inspect" report "$core" --format markdown -o "$name.md" --fail-on critical
