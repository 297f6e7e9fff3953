#!/bin/sh
# Gives free memory back to the system now: predicted, asked for, measured.
# usage: 2-relieve.sh PID [--yes]
set -eu
pid=${1:?usage: 2-relieve.sh PID [--yes]}
shift
arena_inspect=${ARENA_INSPECT:-arena-inspect}

"$arena_inspect" trim --pid "$pid" --dry-run --yes
"$arena_inspect" trim --pid "$pid" "$@"
