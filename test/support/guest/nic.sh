#!/bin/sh
# Brings up one NIC of the test guest: `nic eth0`. The kernel's command line may give it an address of its own
# (vireo-static=eth0:10.0.0.2/24,10.0.0.1), of which the neighbour named last hears; else it keeps a lease. Waits 3 s for the
# first lease, then goes on in the background.
ip link set "$1" up
static=$(sed -n "s|.*vireo-static=$1:\([0-9./]*\),\([0-9.]*\).*|\1 \2|p" /proc/cmdline)
if [ -n "$static" ]; then
  ip addr add "${static% *}" dev "$1"
  arping -q -c 2 -I "$1" "${static#* }" &
  echo "vireo-guest: static $1 ${static% *}" >/dev/console
  exit
fi
exec udhcpc -b -t 3 -T 1 -A 1 -i "$1" -x "hostname:$(hostname)" -s /etc/lease >/dev/null 2>&1
