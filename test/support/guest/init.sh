#!/bin/sh
# Init of the test guest: reads the cloud-init seed, gets a DHCP lease on every NIC, obeys the power button and tells the
# serial console what it does, one line each, beginning with "vireo-guest:".
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec </dev/null
# SCSI devices are there when their driver is: what comes later waits for nothing.
while read -r module; do insmod "/lib/modules/$module" $([ "$module" = scsi_mod.ko ] && echo scan=sync); done </etc/modules

say() { echo "vireo-guest: $*" >/dev/console; }

# The seed: a medium labelled cidata, as NoCloud wants it.
mkdir -p /seed
medium=$(findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null)
if [ -n "$medium" ] && mount -o ro "$medium" /seed 2>/dev/null; then
  say "seed on $medium"
  for file in meta-data user-data network-config vendor-data; do
    if [ -e "/seed/$file" ]; then sed "s/^/vireo-guest: $file: /" "/seed/$file" >/dev/console; echo >/dev/console; fi
  done
  hostname "$(sed -n 's/^"\{0,1\}local-hostname"\{0,1\}: *"\{0,1\}\([^",]*\).*/\1/p' /seed/meta-data | head -n 1)"
  cp /seed/user-data /run/user-data
  umount /seed
else
  hostname guest
  say 'no seed'
fi
say "hostname $(hostname)"

# Busybox acpid runs the files of this folder by event; the power button is PWRF/00000080.
acpid -c /etc/acpi
# Hot-plugged devices, block resizes and links tell the kernel, and the kernel tells us.
uevent /etc/hotplug >/dev/null 2>&1 &

# Where the image has QEMU's guest agent, it answers on its channel.
if [ -x /bin/qemu-ga ]; then
  for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name")" = org.qemu.guest_agent.0 ]; then qemu-ga -m virtio-serial -p "/dev/${port##*/}" -d; fi
  done
fi

for nic in /sys/class/net/eth*; do
  if [ -e "$nic" ]; then /etc/nic "${nic##*/}"; fi
done

# What the test wants of this guest stands on the kernel's command line or in the user-data: vireo-test=WORD or vireo-test: WORD.
wish=$(sed -n 's/.*vireo-test[=:] *\([a-z]*\).*/\1/p' /proc/cmdline /run/user-data 2>/dev/null | head -n 1)
say "ready${wish:+, will $wish}"
case $wish in
  poweroff) sync; poweroff -f ;;
  reboot) sync; reboot -f ;;
  crash) echo c >/proc/sysrq-trigger ;;
esac
while :; do sleep 3600; done
