# Sourced by private-host.sh: gives the host the paths that libvirt's OpenVZ driver looks at, which the machine lacks.
mount -t overlay -o "lowerdir=$base/openvz/sbin:/usr/sbin" overlay /usr/sbin

mkdir "$base/openvz/libvirt"
mount --move /etc/libvirt "$base/openvz/libvirt"
mount -t overlay -o "lowerdir=/etc,upperdir=$base/openvz/etc,workdir=$base/openvz/work" overlay /etc
mount --move "$base/openvz/libvirt" /etc/libvirt

# No directory can be made in the kernel's /proc: it goes beside, and all that is no process is linked from here.
mkdir "$base/openvz/proc"
mount --move /proc "$base/openvz/proc"
mount -t tmpfs -o mode=755 tmpfs /proc
for entry in "$base/openvz/proc/"[!0-9]*; do ln -s "$entry" "/proc/${entry##*/}"; done
mkdir /proc/vz
printf 'Version: 2.2\n%10s %10s %10s %10s\n' VEID user nice system > /proc/vz/vestat
mkdir -p /var/lib/vz/running
