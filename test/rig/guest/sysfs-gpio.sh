#!/usr/bin/env bash
# sysfs-gpio.sh off|on: in the guest, makes /sys/class/gpio absent as on a kernel without CONFIG_GPIO_SYSFS, or brings it
# back. Every other class stays: its entries are relative links, which resolve inside the second view of sysfs.
set -eu
view=/run/sysfs-view
case ${1:-} in
  off)
    mkdir -p $view
    mountpoint -q $view || mount --bind /sys $view
    mount -t tmpfs none /sys/class
    ln -s $view/class/* /sys/class/
    rm /sys/class/gpio
    ;;
  on) umount /sys/class ;;
  *) echo "usage: sysfs-gpio.sh off|on" >&2; exit 2 ;;
esac
