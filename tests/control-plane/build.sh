#!/usr/bin/env bash
# Builds the control plane for the live tests: etcd, kube-apiserver, kube-controller-manager, kube-scheduler
# and kubectl of one Kubernetes release, as hard links to one binary.
#
#   build.sh                the newest: the release that go.mod requires
#   build.sh 1.34           the release that 1.34/go.mod requires (module.sh writes such a folder)
#   build.sh 1.34 --where   only say which directory that is
#
# It builds unless that is there already; the last line of standard output is the directory. The directory is
# shared by every clone on this machine and named after the release and the hash of this module's files, so an
# unchanged module is never built twice. Needs Go and its module proxy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

names=(etcd kube-apiserver kube-controller-manager kube-scheduler kubectl)
minor=
if [[ ${1:-} != --* ]]; then minor=${1:-}; fi
newest=$(sed -nE 's/.*k8s\.io\/kubernetes v(1\.[0-9]+)\.[0-9]+$/\1/p' go.mod)
modules=.
if [[ -n $minor && $minor != "$newest" ]]; then modules=$minor; fi
if [[ ! -e $modules/go.mod ]]; then
  echo "no module files for Kubernetes $minor: there are $(echo 1.*) and $newest" >&2
  exit 2
fi
version=$(sed -nE 's/^(require)?[[:space:]]*k8s\.io\/kubernetes (v[0-9.]+)$/\2/p' "$modules/go.mod")
hash=$(cat build.sh "$modules/go.mod" "$modules/go.sum" main.go | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/daemonset-controller
dir=$cache/control-plane-$version-$hash

if [[ " $* " == *' --where '* ]]; then
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
  CGO_ENABLED=0 go build -modfile="$modules/go.mod" -buildvcs=false -trimpath -ldflags "${flags[*]}" \
    -o "$fresh/${names[0]}" .
  for name in "${names[@]:1}"; do ln "$fresh/${names[0]}" "$fresh/$name"; done
  chmod 755 "$fresh"
  mv -T "$fresh" "$dir"
fi
echo "$dir"
