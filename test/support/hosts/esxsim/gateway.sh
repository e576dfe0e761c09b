# Sourced by private-host.sh: the C library resolves no name, and no address either, on a host that has only its loopback.
ip link add uplink type bridge
ip address add 192.0.2.1/24 dev uplink
ip link set uplink up
