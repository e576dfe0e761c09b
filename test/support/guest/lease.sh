#!/bin/sh
# Called by udhcpc with what the DHCP server said.
case $1 in
  deconfig) ip addr flush dev "$interface" ;;
  bound | renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    if [ -n "$router" ]; then ip route replace default via "${router%% *}" dev "$interface"; fi
    echo "vireo-guest: lease $interface $ip" >/dev/console
    ;;
esac
