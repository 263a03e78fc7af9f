#!/usr/bin/env bash
# What other tools say of a DaemonSet's status: each state of tests/data/readers/states.yaml, each reader, one word.
#
#   run.sh            print it
#   run.sh --check    compare it with tests/data/readers/answers.tsv
#   run.sh --record   write it there
#
# The readers are built once, as the control plane is (../build.sh), and kept beside it. Needs Go and its module proxy:
# some minutes the first time, half a minute after that, as some readers wait for what does not come.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

states=../../data/readers/states.yaml
answers=../../data/readers/answers.tsv
check=../../../deploy/argo-cd/argocd-cm.yaml
hash=$(cat go.mod go.sum ./*.go argo/go.mod argo/go.sum argo/*.go | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/daemonset-controller
dir=$cache/readers-$hash

mkdir -p "$cache"
exec 9>"$cache/readers.lock" # one build at a time; the others then find it done
if command -v flock >/dev/null; then flock 9; fi
scratch=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
if [[ ! -e $dir ]]; then
  echo 'building the readers (some minutes, once)' >&2
  mkdir "$scratch/built"
  CGO_ENABLED=0 go build -buildvcs=false -o "$scratch/built/readers" .
  (cd argo && CGO_ENABLED=0 go build -buildvcs=false -o "$scratch/built/argo" .)
  mv -T "$scratch/built" "$dir"
fi
exec 9>&-

# Its discovery cache goes with the scratch folder.
TMPDIR=$scratch "$dir/readers" "$states" >"$scratch/readers.tsv"
"$dir/argo" "$states" "$check" >"$scratch/argo.tsv"
cmp <(cut -f1 "$scratch/readers.tsv") <(cut -f1 "$scratch/argo.tsv")
paste "$scratch/readers.tsv" <(cut -f2- "$scratch/argo.tsv") >"$scratch/answers.tsv"

case ${1:-} in
  --record) cp "$scratch/answers.tsv" "$answers" ;;
  --check)
    if ! diff -u "$answers" "$scratch/answers.tsv"; then
      echo 'the readers say something else: if that is right, run.sh --record and correct docs/rollouts.md' >&2
      exit 1
    fi
    echo "$(($(wc -l <"$answers") - 1)) states as recorded"
    ;;
  *) cat "$scratch/answers.tsv" ;;
esac
