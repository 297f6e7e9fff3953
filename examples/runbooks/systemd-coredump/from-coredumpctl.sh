#!/bin/sh
# The report of the newest core that coredumpctl matches.
# usage: from-coredumpctl.sh MATCH [REPORT-OPTION...]     e.g. from-coredumpctl.sh memsqld --format markdown
set -eu
match=${1:?usage: from-coredumpctl.sh MATCH [REPORT-OPTION...]}
shift
core=$(mktemp "${TMPDIR:-/var/tmp}/core.XXXXXX")
trap 'rm -f "$core"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
coredumpctl dump -q --output="$core" "$match" >/dev/null
"${ARENA_INSPECT:-arena-inspect}" report "$core" "$@"
