#!/bin/sh
# Makes this checkout ready: npm packages from the lock file, and the system packages that are missing.
# usage: set-up.sh PACKAGE...   of: gdb gcc libc6-dev libc6-dbg tmux time zstd lz4 xz-utils
# As root on Debian it installs them; otherwise it prints the line to run and fails.
set -eu
cd "$(dirname "$0")/.."

missing=""
for package in "$@"; do
  case "$package" in
    gdb | gcc | tmux | zstd | lz4) command -v "$package" >/dev/null 2>&1 && continue ;;
    xz-utils) command -v xz >/dev/null 2>&1 && continue ;;
    time) [ -x /usr/bin/time ] && continue ;;
    libc6-dev) [ -e /usr/include/malloc.h ] && continue ;;
    libc6-dbg) [ -d /usr/lib/debug/.build-id ] && dpkg -s libc6-dbg >/dev/null 2>&1 && continue ;;
  esac
  missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >&2
  else
    echo "system packages are missing; run: sudo apt-get install$missing" >&2
    exit 1
  fi
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
