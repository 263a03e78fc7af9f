#!/usr/bin/env bash
# A Kubernetes node that is a few namespaces of this machine: kubelet, kube-proxy and containerd of its own, pods that run
# for real. run.sh makes the place in which this works; the tests call it.
#
#   node.sh start NUMBER           power on: the node n<NUMBER>, with what it left on its disk when it ran before
#   node.sh stop NUMBER            power off without a word
#   node.sh shutdown NUMBER        announce a shutdown as systemd would, and come back once the kubelet agrees to it
#   node.sh kubelet-start NUMBER   start the kubelet alone
#   node.sh kubelet-stop NUMBER    stop the kubelet alone (SIGTERM); containers live on
#   node.sh in NUMBER COMMAND...   run a command in the node's namespaces
#
# RIG_DIR: where the nodes keep their files. RIG_BIN: what build.sh made. RIG_API: the API server's address and port.
# RIG_CA: its authority. RIG_NODES: how many nodes there are. RIG_CGROUP: the name of the nodes' cgroups.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command=${1:?what to do} number=${2:?which node}
shift 2
name=n$number
node=$RIG_DIR/$name
address=172.30.77.$((10 + number))
hierarchies=(cpu cpuacct cpuset memory devices freezer blkio pids systemd)

# The process that is pid 1 of the node, as this namespace numbers it.
init() { cat "$node/init.pid"; }

inside() { nsenter --target "$(init)" --mount --uts --ipc --net --pid --cgroup -- "$@"; }

# until_so SECONDS WHAT COMMAND...: polls, for programs that say nothing when they are ready.
until_so() {
  local left=$(($1 * 10)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || { echo "node.sh: $name: no $what; see $node" >&2; return 1; }
    sleep 0.1
  done
}

enter_cgroups() {
  local hierarchy
  for hierarchy in "${hierarchies[@]}"; do
    echo "$BASHPID" >"/sys/fs/cgroup/$hierarchy/$RIG_CGROUP/$name/cgroup.procs"
  done
}

# daemon NAME COMMAND...: in the node's namespaces and cgroups, its output in NAME.log, its pid there in /run/NAME.pid.
daemon() {
  local what=$1
  shift
  (
    enter_cgroups
    exec setsid nsenter --target "$(init)" --mount --uts --ipc --net --pid --cgroup -- \
      env -i PATH="$PATH:/usr/sbin:/sbin" HOME=/root \
      bash -c 'ulimit -n "$(ulimit -Hn)"; echo $$ >"/run/$0.pid"; exec "$@"' "$what" "$@"
  ) >>"$node/$what.log" 2>&1 </dev/null &
}

kubeconfig() { # kubeconfig TOKEN
  cat <<KUBECONFIG
apiVersion: v1
kind: Config
clusters: [{name: rig, cluster: {server: "https://$RIG_API", certificate-authority: $RIG_CA}}]
users: [{name: rig, user: {token: "$1"}}]
contexts: [{name: rig, context: {cluster: rig, user: rig}}]
current-context: rig
KUBECONFIG
}

write_configuration() {
  mkdir -p "$node"/{kubelet,containerd,log,cni-state,cni,etc-kubernetes/manifests}
  printf '127.0.0.1 localhost\n%s %s\n' "$address" "$name" >"$node/hosts"
  : >"$node/resolv.conf"
  kubeconfig "system:node:$name" >"$node/kubelet.kubeconfig"
  kubeconfig admin >"$node/kube-proxy.kubeconfig"
  cat >"$node/kubelet.yaml" <<'KUBELET'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
resolvConf: /etc/resolv.conf
staticPodPath: /etc/kubernetes/manifests
fileCheckFrequency: 1s
# A node that is off is noticed after some seconds.
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
# The disk is the machine's.
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
shutdownGracePeriod: 12s
shutdownGracePeriodCriticalPods: 4s
KUBELET
  cat >"$node/containerd.toml" <<'CONTAINERD'
version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
CONTAINERD
  # Where the tests take it away, the node waits for somebody to install it.
  cat >"$node/10-rig.conflist" <<CNI
{"cniVersion": "0.4.0", "name": "rig", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.177.$number.0/24"}]], "dataDir": "/var/lib/cni/networks"}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
CNI
  cp "$node/10-rig.conflist" "$node/cni/"
}

plug_in() {
  local other hierarchy file
  ip netns add "$name"
  ip link add "$name" type veth peer name eth0 netns "$name"
  ip link set "$name" master br0 up
  ip route replace "10.177.$number.0/24" via "$address"
  ip -n "$name" link set lo up
  ip -n "$name" address add "$address/24" dev eth0
  ip -n "$name" link set eth0 up
  ip -n "$name" route add default via 172.30.77.1
  for ((other = 1; other <= RIG_NODES; other++)); do
    ((other == number)) || ip -n "$name" route add "10.177.$other.0/24" via "172.30.77.$((10 + other))"
  done
  for hierarchy in "${hierarchies[@]}"; do
    local parent=/sys/fs/cgroup/$hierarchy/$RIG_CGROUP
    mkdir -p "$parent/$name"
    # A new cpuset has no processors, and takes no process.
    if [[ $hierarchy == cpuset ]]; then
      for file in cpuset.cpus cpuset.mems; do
        cat "/sys/fs/cgroup/cpuset/$file" >"$parent/$file"
        cat "$parent/$file" >"$parent/$name/$file"
      done
    fi
  done
}

start_kubelet() {
  daemon kubelet "$RIG_BIN/kubelet" --config="$node/kubelet.yaml" --kubeconfig="$node/kubelet.kubeconfig" \
    --hostname-override="$name" --node-ip="$address" --v=2
}

start() {
  local image
  [[ -d $node ]] || write_configuration
  plug_in
  rm -f "$node/ready"
  (
    enter_cgroups
    exec nsenter --net="/run/netns/$name" setsid unshare --mount --propagation private --uts --ipc --cgroup --pid --fork --kill-child \
      bash "$here/init.sh" "$name" "$node" "${hierarchies[@]}"
  ) >"$node/init.log" 2>&1 </dev/null &
  local outer=$!
  until_so 20 init test -e "$node/ready"
  pgrep --parent "$outer" >"$node/init.pid"
  daemon dbus dbus-daemon --config-file="$here/dbus.conf" --nofork --nopidfile
  until_so 20 dbus inside test -S /run/dbus/system_bus_socket
  : >"$node/logind.log"
  daemon logind "$RIG_BIN/logind"
  daemon containerd containerd --config "$node/containerd.toml"
  until_so 60 containerd inside ctr --namespace k8s.io images ls
  for image in "$RIG_BIN"/*.tar "$RIG_DIR"/images/*.tar; do
    [[ ! -e $image ]] || inside ctr --namespace k8s.io images import "$image" >>"$node/images.log"
  done
  daemon kube-proxy "$RIG_BIN/kube-proxy" --kubeconfig="$node/kube-proxy.kubeconfig" --hostname-override="$name" \
    --proxy-mode=iptables --cluster-cidr=10.177.0.0/16 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0
  start_kubelet
}

stop() {
  local hierarchy
  if [[ -s $node/init.pid ]]; then
    # Everything in its pid namespace goes with it.
    kill -KILL "$(init)" 2>/dev/null || true
    until_so 20 end bash -c "! kill -0 $(init)"
    rm -f "$node/init.pid"
  fi
  ip link delete "$name" 2>/dev/null || true
  ip netns delete "$name" 2>/dev/null || true
  for hierarchy in "${hierarchies[@]}"; do
    [[ ! -d /sys/fs/cgroup/$hierarchy/$RIG_CGROUP/$name ]] ||
      until_so 5 "end of its cgroups" bash -c "find /sys/fs/cgroup/$hierarchy/$RIG_CGROUP/$name -depth -type d -exec rmdir {} +" || true
  done
}

case $command in
  start) start ;;
  stop) stop ;;
  shutdown)
    inside bash -c 'kill -USR1 "$(cat /run/logind.pid)"'
    until_so 60 'agreement to a shutdown' grep -q '^power off' "$node/logind.log"
    ;;
  kubelet-start) start_kubelet ;;
  kubelet-stop)
    inside bash -c 'kill -TERM "$(cat /run/kubelet.pid)"'
    until_so 20 'end of the kubelet' inside bash -c '! kill -0 "$(cat /run/kubelet.pid)"'
    ;;
  in) inside "$@" ;;
  *)
    sed -nE 's/^#   //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
