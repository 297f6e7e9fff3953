#!/bin/sh
# After the restart: is any finding still a warning or worse? Then the exit code is 3.
# usage: 3-verify.sh PID NAME     writes NAME.txt, NAME.json, NAME.md as 1-look.sh does
set -eu
pid=${1:?usage: 3-verify.sh PID NAME}
name=${2:?usage: 3-verify.sh PID NAME}

"$(dirname "$0")/1-look.sh" "$pid" "$name"
exec "${ARENA_INSPECT:-arena-inspect}" report --pid "$pid" --fail-on warning -o "$name.txt"
