#!/usr/bin/env bash
# Runs the tests of the page in a real browser, headless.
#
#   run.sh [--install] [WORD...]   the tests whose names hold one of the words, or all
#   run.sh [--install] --can       only say what this machine lacks for it, and fail where that is anything
#
# --install installs the missing packages where apt can.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Package by package, what has to be there.
declare -A packages=([chromium]=chromium [chromedriver]=chromium-driver)

missing() { local what; for what in "${!packages[@]}"; do command -v "$what" >/dev/null || echo "$what"; done; }

install_missing() {
  local what names=()
  for what in $(missing); do names+=("${packages[$what]}"); done
  ((${#names[@]})) || return 0
  echo "installing ${names[*]}" >&2
  apt-get install --yes --no-install-recommends "${names[@]}" >/dev/null ||
    { apt-get update >/dev/null && apt-get install --yes --no-install-recommends "${names[@]}" >/dev/null; } || true
}

if [[ ${1:-} == --install ]]; then
  shift
  install_missing
fi
lacking=$(missing)
if [[ -n $lacking ]]; then
  printf 'this machine cannot run a browser; it lacks:\n' >&2
  for what in $lacking; do echo "$what (package ${packages[$what]})" >&2; done
  exit 1
fi
[[ ${1:-} != --can ]] || exit 0

# Each test has a browser to itself.
cargo test --test browser -- --test-threads=2 "$@"
