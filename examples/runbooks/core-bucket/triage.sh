#!/bin/sh
# All cores of a folder: a report each in OUT, and a line each in its NDJSON; goes on where a killed run stopped.
# usage: triage.sh DIR OUT [JOBS]
set -eu
cores=${1:?usage: triage.sh DIR OUT [JOBS]}
out=${2:?usage: triage.sh DIR OUT [JOBS]}
jobs=${3:-$(nproc)}

exec "${ARENA_INSPECT:-arena-inspect}" batch "$cores" --jobs "$jobs" -o "$out"
