#!/bin/sh
#SBATCH --job-name=arena-inspect
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=02:00:00
#SBATCH --requeue
# usage: sbatch --array=0-9 slurm-array.sh LIST OUT     LIST: a file with a path a line, on a file system that all nodes see
# Each task takes every tenth path; a task that is requeued goes on where it was. 3 and 4 (a finding, a core that failed)
# are told by the rows and are no failure of the task.
set -eu
awk -v n="$SLURM_ARRAY_TASK_COUNT" -v i="$SLURM_ARRAY_TASK_ID" 'NR % n == i % n' "$1" |
  arena-inspect batch - -o "$2/$SLURM_ARRAY_TASK_ID" --jobs "$SLURM_CPUS_PER_TASK" >/dev/null || code=$?
case ${code:-0} in 0 | 3 | 4) ;; *) exit "$code" ;; esac
