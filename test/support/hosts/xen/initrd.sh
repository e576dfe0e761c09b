#!/bin/sh
# The first process of dom0: finds its disk and hands over to what is on it.
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read -r module; do insmod "/lib/modules/$module"; done < /etc/modules
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 -o noatime /dev/vda /root
mount -o move /dev /root/dev
exec switch_root /root /vireo-dom0
