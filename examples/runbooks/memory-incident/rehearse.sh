#!/bin/sh
# The whole incident in small, in a folder of its own: a program with many arenas, found, relieved, fixed, verified.
# usage: rehearse.sh [FOLDER]     needs gcc and gdb
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"
pid=
stop() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
}
trap stop EXIT

# Runs the service under the given environment and waits until it has done its work.
start() {
  rm -f ready
  env "$@" ./service 16 8 1 log:16:4096 service >ready &
  pid=$!
  until [ -s ready ]; do
    kill -0 "$pid" || exit 1
    sleep 0.1
  done
}

cc -g -O1 -pthread -o service "$here/../../programs/arena-bloat.c" -lm

echo '== the page: a process holds more than it accounts for'
start LC_ALL=C
grep VmRSS "/proc/$pid/status"

echo '== 1. look'
"$here/1-look.sh" "$pid" before

echo '== 2. relief'
"$here/2-relieve.sh" "$pid" --yes
grep VmRSS "/proc/$pid/status"

echo '== 3. the fix that the finding names, and a restart'
fix=$(sed -n 's/^ *fix *\(MALLOC_ARENA_MAX=[0-9]*\) and restart.*/\1/p' before.txt | head -n 1)
[ -n "$fix" ] || { echo 'the report names no MALLOC_ARENA_MAX' >&2; exit 1; }
echo "$fix"
kill "$pid"
wait "$pid" || :
start "$fix"

echo '== 4. verify'
"$here/3-verify.sh" "$pid" after
grep VmRSS "/proc/$pid/status"
