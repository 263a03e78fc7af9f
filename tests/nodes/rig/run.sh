#!/usr/bin/env bash
# Runs the tests on real nodes: kubelets, containerd and runc in namespaces of this machine, without Docker and without a
# registry. Nothing listens on the machine itself, and when this ends, in whatever way, all of it is gone.
#
#   run.sh [--install] [WORD...]   the tests whose names hold one of the words, or all
#   run.sh [--install] --can       only say what this machine lacks for it, and fail where that is anything
#
# --install installs the missing packages where apt can, and the Rust target of the static binary. NODES_BINARY is the static binary to test; without it .ci/static
# builds one.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)

# Package by package, what has to be there.
declare -A packages=([containerd]=containerd [runc]=runc [iptables]=iptables [conntrack]=conntrack [socat]=socat
  [ethtool]=ethtool [dbus-daemon]=dbus-daemon [ip]=iproute2 [/usr/lib/cni/bridge]=containernetworking-plugins)

musl=$(uname -m)-unknown-linux-musl
has_musl() { [[ -n ${NODES_BINARY:-} || -d $(rustc --print sysroot)/lib/rustlib/$musl ]]; }
have() { if [[ $1 == /* ]]; then [[ -x $1 ]]; else PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; fi; }

install_missing() {
  local missing=() what
  rustup target add "$musl" >&2 || true
  for what in "${!packages[@]}"; do have "$what" || missing+=("${packages[$what]}"); done
  ((${#missing[@]})) || return 0
  echo "installing ${missing[*]}" >&2
  apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null ||
    { apt-get update >/dev/null && apt-get install --yes --no-install-recommends "${missing[@]}" >/dev/null; }
}

# Says each thing that this machine lacks.
lacks() {
  local what hierarchy
  ((EUID == 0)) || echo 'root'
  for what in "${!packages[@]}"; do have "$what" || echo "$what (package ${packages[$what]})"; done
  for what in go cargo; do have "$what" || echo "$what"; done
  has_musl || echo "the Rust target $musl"
  for hierarchy in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    [[ -w /sys/fs/cgroup/$hierarchy/cgroup.procs ]] ||
      echo "the hierarchy $hierarchy of cgroup v1 (version 2 alone was never tried)"
  done
  if ((EUID == 0)); then
    unshare --mount --pid --net --fork bash -c 'ip link add br0 type bridge && ip link add v0 type veth peer name v1' \
      >/dev/null 2>&1 || echo 'the right to make namespaces, a bridge and a pair of veth in them'
    unshare --net bash -c 'PATH=$PATH:/usr/sbin:/sbin; iptables -t nat -L' >/dev/null 2>&1 || echo 'netfilter with its table nat'
    unshare --mount bash -c 'd=$(mktemp -d) && cd "$d" && mkdir lower upper work whole &&
      mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work whole; code=$?
      umount whole; cd / && rm -rf "$d"; exit $code' \
      >/dev/null 2>&1 || echo 'overlayfs on the disk of temporary files'
  fi
}

if [[ ${1:-} == --install ]]; then
  shift
  install_missing
fi
lacking=$(lacks)
if [[ -n $lacking ]]; then
  printf 'this machine cannot run nodes; it lacks:\n%s\n' "$lacking" >&2
  exit 1
fi
[[ ${1:-} != --can ]] || exit 0

[[ -e $("$root/tests/control-plane/build.sh" --where)/kubectl ]] || "$root/tests/control-plane/build.sh" >/dev/null
RIG_BIN=$("$here/build.sh" | tail -1)
NODES_BINARY=${NODES_BINARY:-$("$root/.ci/static" | tail -1)}
NODES_HELM=$("$root/charts/tool.sh" helm | tail -1)
(cd "$root" && cargo test --test nodes --no-run)
mkdir -p /var/lib/kubelet /var/lib/containerd /var/lib/cni /etc/cni/net.d /etc/kubernetes /var/log/pods /var/log/containers

RIG_DIR=$(mktemp -d /tmp/nodes.XXXXXX)
RIG_CGROUP=${RIG_DIR##*/}
mkdir "$RIG_DIR/images"
version=$(sed -nE 's/^version = "(.*)"$/\1/p' "$root/Cargo.toml" | head -1)
"$root/.ci/image/build.sh" -binary "$NODES_BINARY" -out "$RIG_DIR/images/product.tar" \
  -name "localhost/daemonset-controller:$version" -user 65532:65532 -cmd run
export RUST_BACKTRACE=0 RIG_BIN RIG_DIR RIG_CGROUP RIG_NODES=3 NODES_HELM NODES_BINARY

finish() {
  local code=$? hierarchy
  # The processes went with their pid namespace, the networks and mounts with theirs.
  for hierarchy in /sys/fs/cgroup/*/"$RIG_CGROUP"; do
    [[ ! -d $hierarchy ]] || find "$hierarchy" -depth -type d -exec rmdir {} + || true
  done
  if ((code == 0)); then rm -rf "$RIG_DIR"; else echo "what the nodes left is in $RIG_DIR" >&2; fi
  exit "$code"
}
trap finish EXIT

# The hub: what the nodes are plugged into, and where API server and tests run.
# shellcheck disable=SC2016
unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc bash -c '
  set -euo pipefail
  mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; }
  ip link set lo up
  ip link add br0 type bridge
  ip address add 172.30.77.1/24 dev br0
  ip link set br0 up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  cd "$0"
  cargo test --offline --test nodes -- --test-threads=1 --show-output "$@"
' "$root" "$@"
