# Sourced by private-host.sh: gives the host cgroups of its own, below one directory in each of the machine's hierarchies.
# Containers need cgroup v1 controllers; where the machine mixes both versions the second one has none left and stays out.
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
mkdir "$base/hierarchy"
while IFS=: read -r _ controllers _; do
  if [ -z "$controllers" ]; then continue; fi
  mount -t cgroup -o "$controllers" cgroup "$base/hierarchy"
  own="$base/hierarchy/$(basename "$base")"
  mkdir "$own"
  # A new cpuset has no processor, and takes no process.
  if [ -e "$own/cpuset.cpus" ]; then
    cat "$base/hierarchy/cpuset.cpus" > "$own/cpuset.cpus"
    cat "$base/hierarchy/cpuset.mems" > "$own/cpuset.mems"
  fi
  mkdir "/sys/fs/cgroup/${controllers#name=}"
  mount --bind "$own" "/sys/fs/cgroup/${controllers#name=}"
  umount "$base/hierarchy"
done < /proc/self/cgroup
rmdir "$base/hierarchy"
if [ -z "$(ls /sys/fs/cgroup)" ]; then
  echo 'LXC needs cgroup v1 controllers, and this machine has cgroup v2 only' >&2
  exit 1
fi
# A container's /proc/meminfo is a file system that libvirt's container process serves.
mknod -m 666 /dev/fuse c 10 229
