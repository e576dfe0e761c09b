#!/bin/sh
# The first process of a test's container: brings every network interface up with a lease, and ends when it is asked to.
trap 'echo "vireo-container: told to end"; exit 0' TERM
mount -t proc proc /proc 2> /dev/null
ip link set lo up
echo 'vireo-container: ready'
while :; do
  # One that is attached later keeps the name that it had on the host.
  for device in /sys/class/net/*; do
    name=${device##*/}
    if [ "$name" != lo ] && [ ! -e "/run/$name" ]; then
      : > "/run/$name"
      ip link set "$name" up
      udhcpc -i "$name" -s /lease -t 20 -T 1 -S -q &
    fi
  done
  sleep 0.2 &
  wait $!
done
