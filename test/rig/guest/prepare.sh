#!/usr/bin/env bash
# prepare.sh 6.1|6.12: fetches a Debian kernel, builds the modules Debian leaves out, makes the initramfs; prints the
# directory that holds vmlinuz and initrd.img. Everything is cached; no root needed. What is built here is GPL-2.0 code
# from Debian's kernel source: built where it is used, never redistributed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lapel-rig
series=${1:-}
say() { printf 'rig: %s\n' "$*" >&2; }
case $series in
  6.1) image=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends: linux-image-6\.1/ { print $2; exit }') ;;
  6.12) image=$(apt-cache pkgnames linux-image-6.12. 2>/dev/null | grep -E '^linux-image-[0-9.]+\+deb12-amd64$' | sort -V | tail -n 1) ;;
  *) say "usage: prepare.sh 6.1|6.12"; exit 2 ;;
esac
# A kernel is prepared anew when Debian has a newer one or when the scripts that prepare it have changed.
recipe=$(cat "$here"/{prepare,build-modules,make-initramfs}.sh | sha256sum | cut -c1-12)
if [ -z "$image" ]; then # without package lists the newest one that is here must do
  found=$(find "$cache" -maxdepth 1 -name "$series.*-$recipe" 2>/dev/null | sort -V | tail -n 1)
  [ -n "$found" ] && { echo "$found"; exit 0; }
  say "no $series kernel in Debian's package lists; apt-get update brings them"
  exit 2
fi
release=${image#linux-image-}
result=$cache/$release-$recipe
mkdir -p "$cache"
exec 9>"$cache/lock" # one at a time: two runs at once would do the same work twice
flock 9
[ -f "$result/initrd.img" ] && { echo "$result"; exit 0; }

find "$cache" -maxdepth 1 -name 'build.*' -exec rm -rf {} + # of a run that was killed; the lock says there is no other
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work"/{deb,image,headers,module,result}
kbuild=linux-kbuild-${release%-amd64}
[ "$series" = 6.1 ] && kbuild=linux-kbuild-6.1
say "fetching $image with its headers and source"
if ! (cd "$work/deb" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$image" "linux-headers-$release" \
  "linux-headers-${release%-amd64}-common" "linux-source-$series" "$kbuild" >&2); then
  # Debian drops a kernel when it has a newer one: lists of last week name files that are gone.
  [ "$(id -u)" = 0 ] && [ -z "${RIG_LISTS_ARE_NEW:-}" ] || { say "apt-get update, then again"; exit 1; }
  say "bringing the package lists up to date"
  apt-get -qq update >&2
  exec 9>&-
  rm -rf "$work"
  RIG_LISTS_ARE_NEW=1 exec "$0" "$series"
fi
dpkg-deb -x "$work/deb/$image"_*.deb "$work/image"
for package in "$work"/deb/linux-headers-*.deb "$work"/deb/linux-kbuild-*.deb; do dpkg-deb -x "$package" "$work/headers"; done
say "building kernel modules"
"$here/build-modules.sh" "$work/deb"/linux-source-*.deb "$work/headers" "$release" "$work/module" >&2
"$here/make-initramfs.sh" "$work/image" "$release" "$work/result/initrd.img" "$work"/module/*.ko >&2
cp "$work/image/boot/vmlinuz-$release" "$work/result/vmlinuz"
find "$cache" -maxdepth 1 -name "$series.*-*" ! -name "*-$recipe" -exec rm -rf {} + # of an older recipe
mv "$work/result" "$result"
echo "$result"
