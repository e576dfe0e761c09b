# Sourced by private-host.sh: puts the stand-ins where libvirtd's PATH leads.
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir /opt/vmware /var/lib/vmware
mount --bind "$base/vmware" /opt/vmware
