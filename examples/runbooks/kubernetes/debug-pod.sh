#!/bin/sh
# Runs arena-inspect beside a container, in an ephemeral container that shares its PIDs.
# usage: debug-pod.sh NAMESPACE POD CONTAINER [ARENA-INSPECT-ARGUMENT...]     IMAGE, KUBECTL in the environment
set -eu
usage='usage: debug-pod.sh NAMESPACE POD CONTAINER [ARENA-INSPECT-ARGUMENT...]'
namespace=${1:?$usage}
pod=${2:?$usage}
container=${3:?$usage}
shift 3
[ $# -gt 0 ] || set -- report --pid 1 --format markdown

exec "${KUBECTL:-kubectl}" debug -i --quiet --namespace "$namespace" "$pod" --image "${IMAGE:-registry.example.com/arena-inspect:0.1.0}" \
  --target "$container" --profile general -- arena-inspect "$@"
