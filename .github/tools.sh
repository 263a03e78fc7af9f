#!/usr/bin/env bash
# What a fresh runner lacks: just, and Rust with the components named as arguments. Go is there.
set -euo pipefail
sudo apt-get update --quiet
sudo apt-get install --yes --quiet just
components=()
for component in "$@"; do components+=(--component "$component"); done
rustup toolchain install stable --profile minimal --no-self-update "${components[@]}"
rustup default stable
