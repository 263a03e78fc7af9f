#!/usr/bin/env bash
# Writes the archive of an image of one static binary; main.go says which flags there are. Needs Go.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$here" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -o "$scratch/image" .)
"$scratch/image" "$@"
