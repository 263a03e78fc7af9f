#!/usr/bin/env bash
# Builds what the nodes of the tests run: kubelet and kube-proxy of one Kubernetes release (the one go.mod requires), a
# stand-in for systemd-logind, and the image of the agents and of the pause container.
#
#   build.sh           build unless it is there already; the last line of standard output is the directory
#   build.sh --where   only say which directory that is
#
# The directory is shared by every clone on this machine and named after the release and the hash of these files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

version=$(sed -nE 's/^(require)?[[:space:]]*k8s\.io\/kubernetes (v[0-9.]+)$/\2/p' go.mod)
hash=$(cat build.sh go.mod go.sum ./*/main.go | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/daemonset-controller
dir=$cache/nodes-$version-$hash

if [[ ${1:-} == --where ]]; then
  echo "$dir"
  exit
fi

mkdir -p "$cache"
exec 9>"$cache/nodes.lock"
if command -v flock >/dev/null; then flock 9; fi

if [[ ! -e $dir/agent.tar ]]; then
  echo "building kubelet and kube-proxy of Kubernetes $version (some minutes, once)" >&2
  IFS=. read -r major minor _ <<<"${version#v}"
  package=k8s.io/component-base/version
  flags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=$major -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
  fresh=$(mktemp -d "$cache/building.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  # Without cgo, as the control plane is built: most packages are compiled already.
  CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "$flags" -o "$fresh/kubelet" ./kubelet
  ln "$fresh/kubelet" "$fresh/kube-proxy"
  CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$fresh/logind" ./logind
  CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$fresh/agent" ./agent
  # Short names would stand for images of a public registry.
  ../../../.ci/image/build.sh -binary "$fresh/agent" -out "$fresh/agent.tar" \
    -name localhost/agent:1,localhost/agent:2,localhost/pause:1
  chmod 755 "$fresh"
  mv -T "$fresh" "$dir"
fi
echo "$dir"
