#!/usr/bin/env bash
# make-initramfs.sh ROOT RELEASE OUT [MODULE.ko ...]: an initramfs of busybox, kernel modules, and an init that mounts the
# host's root read-only (9p) under a tmpfs overlay, runs the command from the out share, leaves its status there and
# powers off. A module given by file takes the place of the one of that name in ROOT.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
root=$1 release=$2 out=$3
shift 3
# Three lists: what the guest needs to reach its root, what guest-setup.sh loads, what a test of disks may load.
boot="virtio_pci virtio-rng 9pnet_virtio 9p overlay configfs"
parts="i2c-dev i2c-stub vivid dummy"
disk="virtio_blk ext4"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,dev,proc,sys,modules,ro,rw,new}
cp "$(command -v busybox)" "$work/bin/busybox" # the static one
for applet in sh mount umount mkdir insmod cat echo poweroff chroot ip; do ln -s busybox "$work/bin/$applet"; done
[ -f "$root/lib/modules/$release/modules.dep" ] || depmod -b "$root" "$release"
add() { # add LIST MODULE: with what it depends on, in order, once each
  modprobe -d "$root" -S "$release" --show-depends "$2" | while read -r action file _; do
    [ "$action" = insmod ] || continue
    name=$(basename "$file" .xz)
    grep -qsx "$name" "$work"/modules/*.list && continue
    case $file in *.xz) xz -dc "$file" >"$work/modules/$name" ;; *) cp "$file" "$work/modules/$name" ;; esac
    echo "$name" >>"$work/modules/$1.list"
  done
}
for module in $boot; do add boot "$module"; done
for module in $parts; do add parts "$module"; done
for module in $disk; do add disk "$module"; done
for file in "$@"; do
  name=$(basename "$file")
  cp "$file" "$work/modules/"
  grep -qsx "$name" "$work"/modules/*.list || echo "$name" >>"$work/modules/parts.list"
done
strip --strip-debug "$work"/modules/*.ko
cp "$work/bin/busybox" "$work/modules/" # for guest-setup.sh
cat >"$work/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
for m in $(cat /modules/boot.list); do insmod /modules/$m || echo "rig: cannot load $m"; done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /ro || echo "rig: cannot mount the host's root"
mount -t tmpfs none /rw; mkdir /rw/upper /rw/scratch
mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/scratch none /new || echo "rig: cannot lay a writable root over it"
mount --move /proc /new/proc; mount --move /sys /new/sys; mount --move /dev /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/run /new/rig /new/rig-out
mount -t devpts none /new/dev/pts; mount -t tmpfs none /new/dev/shm; mount -t tmpfs none /new/run
mount -t configfs none /new/sys/kernel/config
mount --bind /modules /new/rig
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /new/rig-out || echo "rig: no directory for results"
ip link set lo up
read up _ </new/proc/uptime; echo "rig: the guest is up after $up s"
echo >/new/rig-out/started
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /bin/chroot /new /bin/bash /rig-out/command </new/dev/null; rc=$?
echo $rc >/new/rig-out/status
read up _ </new/proc/uptime; echo "rig: the command ended with $rc at $up s"
umount /new/rig-out
poweroff -f
INIT
chmod +x "$work/init"
(cd "$work" && find . -print0 | cpio -0 -o -H newc --quiet | gzip -1) >"$out"
