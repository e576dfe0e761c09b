#!/bin/sh
# Called by acpid when the power button is pressed.
echo 'vireo-guest: power button' >/dev/console
sync
exec poweroff -f
