#!/bin/sh
# Brings up one NIC of the test guest and keeps its lease: `nic eth0`. Waits 3 s for the first lease, then goes on in the background.
ip link set "$1" up
exec udhcpc -b -t 3 -T 1 -A 1 -i "$1" -x "hostname:$(hostname)" -s /etc/lease >/dev/null 2>&1
