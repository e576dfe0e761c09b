#!/bin/sh
# Called for each kernel event after boot: brings up what was plugged in, says what changed.
case $SUBSYSTEM:$ACTION in
  net:add)
    echo "vireo-guest: add net $INTERFACE" >/dev/console
    /etc/nic "$INTERFACE" &
    ;;
  cpu:add) echo 1 >"/sys$DEVPATH/online" && echo "vireo-guest: add cpu ${DEVPATH##*/}" >/dev/console ;;
  net:remove) echo "vireo-guest: remove net $INTERFACE" >/dev/console ;;
  block:add | block:remove | block:change)
    size=$(cat "/sys$DEVPATH/size" 2>/dev/null)
    echo "vireo-guest: $ACTION block $DEVNAME${size:+ $((size * 512))}" >/dev/console
    ;;
esac
