#!/bin/sh
# Turns dom0's kernel into a Xen host with libvirtd on TCP, and then waits for ever.
exec < /dev/null > /dev/console 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/xen /run/xenstored /run/libvirt /dev/pts /dev/shm /var/log/xen /var/lib/xen
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# Xen's block script goes round in circles without these.
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
while read -r module; do insmod "/vireo/$module"; done < /vireo/modules
mount -t xenfs xenfs /proc/xen
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
# What a guest's interface is plugged into.
ip link add xenbr0 type bridge
ip link set xenbr0 up
/lib/systemd/systemd-udevd --daemon
/usr/lib/xen-4.17/bin/oxenstored --pid-file /run/xen/xenstored.pid
/usr/lib/xen-4.17/bin/xen-init-dom0
/usr/lib/xen-4.17/bin/xenconsoled --pid-file=/run/xen/xenconsoled.pid
virtlogd -d
libvirtd -d -l
echo 'vireo-dom0: ready'
while :; do sleep 1000; done
