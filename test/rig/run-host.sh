#!/usr/bin/env bash
# Runs a command on a machine that has the hardware of a camera, as far as this machine can pretend it:
#   test/rig/run-host.sh COMMAND [ARGUMENT...]
# /sys/class/gpio is gpiofuse, /dev/i2c-1 is i2cshim.so with a chip at 0x68; both only for the command, in a mount namespace
# of its own. Ends with the status of the command. Where the rig cannot run (no /dev/fuse, no namespaces) it says why and
# ends with 77, which is a failure like any other: nothing here is ever skipped.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/rig
fail() { printf 'rig: %s\n' "$*" >&2; exit 77; }
(($#)) || { printf 'usage: run-host.sh COMMAND [ARGUMENT...]\n' >&2; exit 2; }

if [ -z "${RIG_NAMESPACE:-}" ]; then
  [ -c /dev/fuse ] || fail "there is no /dev/fuse: modprobe fuse, or give the container the device"
  pkg-config --exists fuse3 || fail "libfuse3-dev is missing: board/setup.sh"
  mkdir -p "$build"
  # Made under another name and renamed: two runs may build at the same time.
  if [ ! "$build/gpiofuse" -nt "$here/host/gpiofuse.c" ]; then
    # shellcheck disable=SC2046 # flags are words
    cc -O1 -Wall -Wextra -Werror -o "$build/gpiofuse.$$" "$here/host/gpiofuse.c" $(pkg-config --cflags --libs fuse3) -lpthread ||
      fail "gpiofuse does not build"
    mv "$build/gpiofuse.$$" "$build/gpiofuse"
  fi
  if [ ! "$build/i2cshim.so" -nt "$here/host/i2cshim.c" ]; then
    cc -O1 -Wall -Wextra -Werror -shared -fPIC -o "$build/i2cshim.so.$$" "$here/host/i2cshim.c" -ldl ||
      fail "i2cshim.so does not build"
    mv "$build/i2cshim.so.$$" "$build/i2cshim.so"
  fi
  namespace=(-m)
  [ "$(id -u)" = 0 ] || namespace=(-r -m)
  unshare "${namespace[@]}" true || fail "no mount namespace: run as root, or allow unprivileged user namespaces"
  RIG_NAMESPACE=1 exec unshare "${namespace[@]}" "$0" "$@"
fi
unset RIG_NAMESPACE

work=$(mktemp -d)
fuse=
finish() {
  umount -l /sys/class/gpio 2>/dev/null || true
  [ -z "$fuse" ] || wait "$fuse" 2>/dev/null || true
  umount -l "$work/class" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap finish EXIT

# The kernel makes no directory in /sys for us, so /sys/class becomes one of ours that shows all the other classes as before.
if [ ! -d /sys/class/gpio ]; then
  mkdir "$work/class"
  mount --bind /sys/class "$work/class" || fail "/sys/class cannot be mounted"
  mount -t tmpfs none /sys/class || fail "/sys/class cannot be covered"
  for class in "$work"/class/*; do
    mkdir "/sys/class/${class##*/}"
    mount --bind "$class" "/sys/class/${class##*/}" || fail "${class##*/} cannot be shown again"
  done
  mkdir /sys/class/gpio
fi
# libfuse 3.14 warns of its own default of max_threads; anything else it says stays.
"$build/gpiofuse" -f /sys/class/gpio 2> >(grep -v 'invalid max threads value' >&2) &
fuse=$!
for _ in $(seq 200); do [ -e /sys/class/gpio/ctl ] && break; sleep 0.02; done
[ -e /sys/class/gpio/ctl ] || fail "gpiofuse does not mount"

mkdir -p "$work/i2c/1"
head -c 256 /dev/zero >"$work/i2c/1/68"
status=0
RIG_I2C=$work/i2c LD_PRELOAD=$build/i2cshim.so "$@" || status=$?
exit "$status"
