#!/usr/bin/env bash
# Runs the tests of the page in a real browser, headless.
#
#   run.sh [--install] [WORD...]   the tests whose names hold one of the words, or all
#   run.sh [--install] --can       only say what this machine lacks for it, and fail where that is anything
#
# --install installs the missing packages where apt can.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

have() { command -v "$1" >/dev/null; }

# The packages of what this machine lacks. chromedriver finds either browser by itself.
lacks() {
  have chromium || have google-chrome || echo chromium
  have chromedriver || echo chromium-driver
}

install_missing() {
  local packages
  mapfile -t packages < <(lacks)
  ((${#packages[@]})) || return 0
  echo "installing ${packages[*]}" >&2
  apt-get install --yes --no-install-recommends "${packages[@]}" >/dev/null ||
    { apt-get update >/dev/null && apt-get install --yes --no-install-recommends "${packages[@]}" >/dev/null; }
}

if [[ ${1:-} == --install ]]; then
  shift
  install_missing || true
fi
lacking=$(lacks)
if [[ -n $lacking ]]; then
  printf 'this machine cannot run a browser; it lacks the packages:\n%s\n' "$lacking" >&2
  exit 1
fi
[[ ${1:-} != --can ]] || exit 0

# Each test has a browser to itself.
cargo test --test browser -- --test-threads=2 "$@"
