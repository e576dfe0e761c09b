#!/bin/bash
# Turns fresh mount, network and PID namespaces into a libvirt host of their own, then waits until standard input closes.
# Started by libvirtd.ts as the child of the namespace's init: `private-host.sh FOLDER`.
set -eu
base=$1

# The machine's sysfs shows its own network devices and its cgroups; a new one shows this namespace's and has no cgroups.
umount -R -l /sys
mount -t sysfs sysfs /sys

# Devices: only what libvirt, QEMU under TCG and taps need. No /dev/kvm: tests mean the same on every machine.
mkdir "$base/dev"
mount -t tmpfs -o mode=755 tmpfs "$base/dev"
for node in null zero full random urandom tty; do cp -a "/dev/$node" "$base/dev/$node"; done
mkdir "$base/dev/net" "$base/dev/pts" "$base/dev/shm"
mknod -m 666 "$base/dev/net/tun" c 10 200
ln -s pts/ptmx "$base/dev/ptmx"
ln -s /proc/self/fd "$base/dev/fd"
ln -s /proc/self/fd/0 "$base/dev/stdin"
ln -s /proc/self/fd/1 "$base/dev/stdout"
ln -s /proc/self/fd/2 "$base/dev/stderr"
if mountpoint -q /dev; then umount -R -l /dev; fi
mount --move "$base/dev" /dev
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

# State: everything libvirt writes is private; what tests look at from outside is a folder of this host's own.
for folder in /run /var/lib /var/log /var/cache /etc/libvirt; do
  if [ "$folder" = /etc/libvirt ]; then cp -a /etc/libvirt/nwfilter "$base/nwfilter"; fi
  mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mv "$base/nwfilter" /etc/libvirt/nwfilter
cp -a "$base/conf/." /etc/libvirt/
if [ -d /etc/libvirt/sasl2 ]; then mount --bind /etc/libvirt/sasl2 /etc/sasl2; fi
mkdir -p /run/libvirt /run/lock /var/log/libvirt /var/cache/libvirt/qemu/capabilities /var/lib/vireo /var/lib/libvirt
cp -a "$base/capabilities/." /var/cache/libvirt/qemu/capabilities/
mount --bind "$base/run" /run/libvirt
mount --bind "$base/log" /var/log/libvirt
mount --bind "$base/root/var/lib/vireo" /var/lib/vireo
mount --bind "$base/root/srv" /srv
if [ -e "$base/firmware.rom" ]; then mount --bind "$base/firmware.rom" /usr/share/seabios/bios-256k.bin; fi
ip link set lo up
# Other hypervisors than QEMU bring what they need.
for extension in "$base"/setup/*.sh; do
  if [ -e "$extension" ]; then . "$extension"; fi
done

echo ready
exec cat
