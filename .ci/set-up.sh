#!/bin/sh
# Makes this checkout ready: npm packages from the lock file, and the system packages that are missing.
# usage: set-up.sh PACKAGE...   of: gdb gcc libc6-dev libc6-dbg python3 tmux time zstd lz4 xz-utils
#                 PACKAGE?      of: gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user chromium debootstrap gdbserver
#                                   linux-perf prometheus parallel zsh fish mandoc shellcheck emacs-nox elpa-dap-mode
# As root on Debian it installs them; otherwise it prints the line to run and fails. Without those with a question mark
# some tests are skipped: they are installed where that is possible, and their absence is no failure.
set -eu
cd "$(dirname "$0")/.."

missing=""
optional=""
for package in "$@"; do
  case "$package" in
    'gcc-aarch64-linux-gnu?') command -v aarch64-linux-gnu-gcc >/dev/null 2>&1 && continue ;;
    'libc6-dev-arm64-cross?') [ -e /usr/aarch64-linux-gnu/include/malloc.h ] && continue ;;
    'qemu-user?') command -v qemu-aarch64 >/dev/null 2>&1 && continue ;;
    gdb | gcc | tmux | zstd | lz4) command -v "$package" >/dev/null 2>&1 && continue ;;
    'chromium?' | 'gdbserver?' | 'prometheus?' | 'debootstrap?' | 'parallel?' | 'zsh?' | 'fish?' | 'mandoc?' | 'shellcheck?') command -v "${package%?}" >/dev/null 2>&1 && continue ;;
    'emacs-nox?') command -v emacs >/dev/null 2>&1 && continue ;;
    'elpa-dap-mode?') dpkg -s elpa-dap-mode >/dev/null 2>&1 && continue ;;
    'linux-perf?') command -v perf >/dev/null 2>&1 && continue ;;
    xz-utils) command -v xz >/dev/null 2>&1 && continue ;;
    python3) [ -x /usr/bin/python3 ] && continue ;;
    time) [ -x /usr/bin/time ] && continue ;;
    libc6-dev) [ -e /usr/include/malloc.h ] && continue ;;
    libc6-dbg) [ -d /usr/lib/debug/.build-id ] && dpkg -s libc6-dbg >/dev/null 2>&1 && continue ;;
  esac
  case "$package" in
    *\?) optional="$optional ${package%?}" ;;
    *) missing="$missing $package" ;;
  esac
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
if [ -n "$optional" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$optional" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $optional; } >&2 ||
      echo "not installed:$optional; some tests will be skipped" >&2
  else
    echo "some tests will be skipped without:$optional" >&2
  fi
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
