#!/usr/bin/env bash
# Writes the module files of one Kubernetes release into a folder named after its minor version:
#
#   module.sh 1.34.4     writes 1.34/go.mod and 1.34/go.sum
#
# k8s.io/kubernetes replaces its staging modules by folders of its own repository, which does not apply to who
# requires it: here the published ones of the same release stand for them. Go's defaults are those that the
# release was made with. `go list -m -versions k8s.io/kubernetes` says which releases there are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=${1:?the release, for example 1.34.4}
folder=${version%.*}
release=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -nE 's/^[[:space:]]*"GoMod": "(.*)",?$/\1/p')
mkdir -p "$folder"
{
  echo "// The control plane of Kubernetes $version for tests: module.sh wrote this."
  echo "module daemonset-controller.io/tests/control-plane"
  echo
  grep -E '^go [0-9.]+$' "$release"
  echo
  grep -E '^godebug default=' "$release"
  echo
  echo "require k8s.io/kubernetes v$version"
  echo
  echo "replace ("
  sed -nE "s/^[[:space:]]+(k8s\.io\/[a-z-]+) => \.\/staging.*/\t\1 => \1 v0.${version#1.}/p" "$release"
  echo ")"
} >"$folder/go.mod"
rm -f "$folder/go.sum"
go mod tidy -modfile="$folder/go.mod"
