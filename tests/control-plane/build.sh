#!/usr/bin/env bash
# Builds the control plane for the live tests: etcd, kube-apiserver, kube-controller-manager, kube-scheduler
# and kubectl of one Kubernetes release (the one go.mod requires), as hard links to one binary.
#
#   build.sh           build unless it is there already; the last line of standard output is the directory
#   build.sh --where   only say which directory that is
#
# The directory is shared by every clone on this machine and named after the release and the hash of this
# module's files, so an unchanged module is never built twice. Needs Go and its module proxy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

names=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl)
version=$(sed -nE 's/^(require)?[[:space:]]*k8s\.io\/kubernetes (v[0-9.]+)$/\2/p' go.mod)
hash=$(cat build.sh go.mod go.sum main.go | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/daemonset-controller
dir=$cache/control-plane-$version-$hash

if [[ ${1:-} == --where ]]; then
  echo "$dir"
  exit
fi

mkdir -p "$cache"
exec 9>"$cache/build.lock" # one build at a time; the others then find it done
if command -v flock >/dev/null; then flock 9; fi

if [[ ! -e $dir/kubectl ]]; then
  IFS=. read -r major minor _ <<<"${version#v}"
  flags=(-s -w)
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=(-X "$package.gitVersion=$version" -X "$package.gitMajor=$major" -X "$package.gitMinor=$minor"
      -X "$package.gitTreeState=clean")
  done
  echo "building the control plane of Kubernetes $version (four to six minutes on two cores)" >&2
  fresh=$(mktemp -d "$cache/building.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "${flags[*]}" -o "$fresh/${names[0]}" .
  for name in "${names[@]:1}"; do ln "$fresh/${names[0]}" "$fresh/$name"; done
  chmod 755 "$fresh"
  mv -T "$fresh" "$dir"
fi
echo "$dir"
