#!/bin/sh
# Saves the state of a process for the ticket and shows the verdict. It is neither stopped nor changed.
# usage: 1-look.sh PID NAME     writes NAME.txt, NAME.json, NAME.md
set -eu
pid=${1:?usage: 1-look.sh PID NAME}
name=${2:?usage: 1-look.sh PID NAME}
arena_inspect=${ARENA_INSPECT:-arena-inspect}

for format in text:txt json:json markdown:md; do
  "$arena_inspect" report --pid "$pid" --format "${format%:*}" -o "$name.${format#*:}"
done
# The header and the first finding.
sed -n '1,2p; 3,/^$/p' "$name.txt"
