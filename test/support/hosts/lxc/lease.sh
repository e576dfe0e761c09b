#!/bin/sh
# What udhcpc calls with a lease.
if [ "$1" = bound ]; then ip address add "$ip/$mask" dev "$interface"; fi
