#!/usr/bin/env bash
# Says where a tool for the chart, for releases or for workflows is, and fetches it first where need be: tool.sh helm.
#
# The tools are kept under ~/.cache/daemonset-controller/tools, named after their versions, for every clone on this
# machine. All but two are built with Go. promtool and prometheus come from PATH, else out of Debian's or Ubuntu's package
# `prometheus` (unpacked, not installed: no daemon starts and nobody need be root), else they are built with Go.
set -euo pipefail

helm_version=v4.3.1
kind_version=v0.33.0
syft_version=v1.57.0
actionlint_version=v1.7.12
# For machines without apt. Alert rules and their tests use nothing that an older promtool would not know.
prometheus_version=v0.316.0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/daemonset-controller/tools
mkdir -p "$cache"
scratch=$(mktemp -d "$cache/fresh.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# go_tool PACKAGE VERSION: builds it once, as $cache/<name>-<version>.
go_tool() {
  local name=${1##*/}
  local to=$cache/$name-$2
  if [[ ! -x $to ]]; then
    if ! command -v go >/dev/null; then
      echo "tool.sh: $name $2 has to be built, and there is no Go" >&2
      exit 1
    fi
    echo "building $name $2 (some minutes, once)" >&2
    # Syft signs an SBOM with its version, and learns it from the linker only. The others know theirs.
    GOBIN=$scratch CGO_ENABLED=0 go install -ldflags "-X main.version=${2#v}" "$1@$2" >&2
    mv -f "$scratch/$name" "$to"
  fi
  echo "$to"
}

# from_package NAME: unpacks it once, as $cache/NAME-package; fails where there is no such package.
from_package() {
  local to=$cache/$1-package
  if [[ ! -x $to ]]; then
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    # The lists of a fresh machine may be empty; only root can fill them.
    (cd "$scratch" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; }) >&2 ||
      return 1
    dpkg-deb -x "$scratch"/prometheus_*.deb "$scratch/unpacked" >&2 || return 1
    "$scratch/unpacked/usr/bin/$1" --version >&2 || return 1
    mv -f "$scratch/unpacked/usr/bin/$1" "$to"
  fi
  echo "$to"
}

case ${1:-} in
  helm) go_tool helm.sh/helm/v4/cmd/helm "$helm_version" ;;
  kind) go_tool sigs.k8s.io/kind "$kind_version" ;;
  syft) go_tool github.com/anchore/syft/cmd/syft "$syft_version" ;;
  actionlint) go_tool github.com/rhysd/actionlint/cmd/actionlint "$actionlint_version" ;;
  promtool | prometheus)
    command -v "$1" ||
      from_package "$1" ||
      go_tool "github.com/prometheus/prometheus/cmd/$1" "$prometheus_version"
    ;;
  *)
    echo "usage: tool.sh helm|promtool|prometheus|kind|syft|actionlint" >&2
    exit 2
    ;;
esac
