#!/usr/bin/env bash
# run-powercut.sh [OPTION...]: `npm run powercut`. Level L3: power cuts on a real ext4, block by block (powercut/powercut.ts).
# A loop device on logdisk records what the disk was asked for; each crash point is mounted by this kernel. As root, in a
# mount namespace of its own, everything in memory. Where that cannot be it says why and ends with 77.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/rig
fail() { printf 'powercut: %s\n' "$*" >&2; exit 77; }

if [ -z "${POWERCUT_NAMESPACE:-}" ]; then
  [ "$(id -u)" = 0 ] || fail "only root may mount a file system from an image"
  [ -c /dev/fuse ] || fail "there is no /dev/fuse: modprobe fuse, or give the container the device"
  [ -e /dev/loop-control ] || fail "there are no loop devices: modprobe loop, or give the container the devices"
  pkg-config --exists fuse3 || fail "libfuse3-dev is missing: board/setup.sh"
  PATH=$PATH:/usr/sbin:/sbin command -v mke2fs >/dev/null || fail "mke2fs is missing: apt-get install e2fsprogs"
  mkdir -p "$build"
  if [ ! "$build/logdisk" -nt "$here/host/logdisk.c" ]; then
    # shellcheck disable=SC2046 # flags are words
    cc -O1 -Wall -Wextra -Werror -o "$build/logdisk.$$" "$here/host/logdisk.c" $(pkg-config --cflags --libs fuse3) ||
      fail "logdisk does not build"
    mv "$build/logdisk.$$" "$build/logdisk"
  fi
  unshare -m true || fail "no mount namespace"
  POWERCUT_NAMESPACE=1 exec unshare -m "$0" "$@"
fi
unset POWERCUT_NAMESPACE
work=$(mktemp -d)
trap 'umount -l "$work" 2>/dev/null || true; rmdir "$work" 2>/dev/null || true' EXIT
mount -t tmpfs -o size=1G none "$work" || fail "no tmpfs"
cd "$root"
POWERCUT_WORK=$work node build/test/rig/powercut/powercut.js "$@"
