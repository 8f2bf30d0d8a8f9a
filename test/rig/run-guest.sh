#!/usr/bin/env bash
# run-guest.sh 6.12|6.1 COMMAND: boots that Debian kernel in QEMU on a copy-on-write view of this machine, with the parts
# of board/virtual.json (guest/guest-setup.sh), and runs COMMAND there as root in the directory of this checkout.
# Ends with the status of COMMAND; with 125 when the guest never reached it or did not end it in time.
# What COMMAND writes to /rig-out is in RIG_OUT of this machine afterwards; everything else is gone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
series=${1:?usage: run-guest.sh 6.12|6.1 COMMAND}
command=${2:?usage: run-guest.sh 6.12|6.1 COMMAND}
kernel=$("$here/guest/prepare.sh" "$series")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
[ -z "${RIG_OUT:-}" ] || mkdir -p "$RIG_OUT"
# GStreamer's registry is made on the host: the guest is 15 to 28 times slower.
registry=$kernel/gst-registry.bin
[ -f "$registry" ] || GST_REGISTRY=$registry gst-inspect-1.0 x264enc >/dev/null 2>&1 || true
{
  printf 'export HOME=%q PATH=%q:$PATH NO_COLOR=1 GST_REGISTRY=%q GST_REGISTRY_UPDATE=no\n' \
    "$HOME" "$(dirname "$(command -v node)")" "$registry"
  printf 'cd %q && /rig/busybox sh %q && {\n%s\n}\n' "$(cd "$here/../.." && pwd)" "$here/guest/guest-setup.sh" "$command"
} >"$out/command"
"$here/guest/boot.sh" "$kernel" "$out" || true
status=$(cat "$out/status" 2>/dev/null || echo 125)
rm -f "$out"/{command,started,status}
[ -z "${RIG_OUT:-}" ] || cp -r "$out/." "$RIG_OUT/"
exit "$status"
