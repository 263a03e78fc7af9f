#!/usr/bin/env bash
# Pid 1 of a node: init.sh NAME DIRECTORY HIERARCHY... It makes the node's view of the machine in a mount namespace of its
# own, says so with a file, and waits for ever.
set -euo pipefail
name=$1 node=$2
shift 2

# Volumes of pods are mounted by the kubelet and seen by containers.
mount --make-rshared /
mount -t proc proc /proc
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys
# The cgroups in which this process began are the roots of what the node sees.
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for hierarchy in "$@"; do
  options=$hierarchy
  [[ $hierarchy != systemd ]] || options=none,name=systemd
  mkdir "/sys/fs/cgroup/$hierarchy"
  mount -t cgroup -o "$options" cgroup "/sys/fs/cgroup/$hierarchy"
done

hostname "$name"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/dbus /run/netns
mount --bind "$node/kubelet" /var/lib/kubelet
mount --bind "$node/containerd" /var/lib/containerd
mount --bind "$node/cni-state" /var/lib/cni
mount --bind "$node/etc-kubernetes" /etc/kubernetes
mount --bind "$node/cni" /etc/cni/net.d
mount -t tmpfs tmpfs /var/log/pods
mount -t tmpfs tmpfs /var/log/containers
mount --bind "$node/resolv.conf" /etc/resolv.conf
mount --bind "$node/hosts" /etc/hosts
echo 1 >/proc/sys/net/ipv4/ip_forward

# The kubelet wants some settings of the kernel that are the whole machine's. It reads and writes files in their place.
settings=(vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000
  kernel/keys/root_maxbytes=25000000)
mkdir /run/settings
for setting in "${settings[@]}"; do
  path=${setting%=*}
  file=/run/settings/${path//\//.}
  echo "${setting#*=}" >"$file"
  [[ ! -e /proc/sys/$path ]] || mount --bind "$file" "/proc/sys/$path"
done

# A boot of its own, as the kubelet reports it: the machine has one for all.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id

: >"$node/ready"
# Takes in what has lost its parent.
while true; do
  sleep infinity &
  wait
done
