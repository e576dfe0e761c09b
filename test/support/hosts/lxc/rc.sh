#!/bin/sh
# What runs in a test's container: answers on its console, and brings every network interface up with a lease. Its end is the
# container's.
(while read -r line; do echo "heard: $line"; done) < /dev/console &
ip link set lo up
while :; do
  # One that is attached later keeps the name that it had on the host.
  for device in /sys/class/net/*; do
    name=${device##*/}
    if [ "$name" != lo ] && [ ! -e "/run/$name" ]; then
      : > "/run/$name"
      ip link set "$name" up
      udhcpc -i "$name" -s /etc/lease -t 20 -T 1 -S -q &
    fi
  done
  sleep 0.2
done
