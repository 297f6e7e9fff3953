#!/bin/sh
# A Markdown report of each process called COMM that is seen here; exit code 3 when a finding is critical.
# usage: COMM=memsqld scan-node.sh     in a pod with hostPID: all of the node
set -eu
: "${COMM:?set COMM to the name of the program, as in /proc/PID/comm}"
arena_inspect=${ARENA_INSPECT:-arena-inspect}

worst=0
found=0
for comm in /proc/[0-9]*/comm; do
  pid=${comm#/proc/}
  pid=${pid%/comm}
  [ "$(cat "$comm" 2>/dev/null || :)" = "$COMM" ] || continue
  found=$((found + 1))
  "$arena_inspect" report --pid "$pid" --format markdown --fail-on critical || {
    code=$?
    [ "$code" -le "$worst" ] || worst=$code
  }
  echo
done
echo "$found processes called $COMM on ${NODE_NAME:-this node}" >&2
exit "$worst"
