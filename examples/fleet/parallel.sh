#!/bin/sh
# Many cores under GNU parallel: 50 to a batch, each batch resumable; rows of all of them on stdout.
# usage: parallel.sh CORES OUT JOBS [OPTION...]     options go to `arena-inspect batch`
# Run again after an end of any kind, it does what is left. Exit code: how many batches had a core that failed or a finding.
set -eu
cores=$1 out=$2 jobs=$3
shift 3
mkdir -p "$out"
find "$cores" -type f -name 'core*' | sort |
  parallel --will-cite --quote --pipe -N 50 --jobs "$jobs" --joblog "$out/jobs.tsv" \
    arena-inspect batch - --jobs 1 -o "$out/{#}" "$@"
