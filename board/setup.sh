#!/usr/bin/env bash
# Sets this checkout up on Debian 12 or Raspberry Pi OS: Debian packages, npm packages, footage, build.
# Every step looks first and does only what is missing, so a second run takes about a second.
#   board/setup.sh          do it, saying what is installed
#   board/setup.sh --check  change nothing; say what is missing and end with 1 if anything is
#   board/setup.sh --rig    also what the guest of `npm run rig` needs; may be given together with --check
# Everything it says goes to standard error, so that `npm run demo -- --json` keeps standard output clean.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
only_check=false
with_rig=false
for argument in "$@"; do
  case $argument in
    --check) only_check=true ;;
    --rig) with_rig=true ;;
    *) printf 'usage: board/setup.sh [--check] [--rig]\n' >&2; exit 2 ;;
  esac
done

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
missing_something=false
needs() { # needs WHAT: in check mode note it and skip, otherwise announce it
  missing_something=true
  if $only_check; then say "missing: $*"; return 1; fi
  say "$*"
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

node_minimum=20.19
node -e "const [a, b] = process.versions.node.split('.').map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)" \
  2>/dev/null || fail "Node.js $node_minimum or newer is needed, found $(node --version 2>/dev/null || echo none); see https://nodejs.org"

# GStreamer and its headers, a compiler for the native npm packages, the tools that tests and README use, FUSE for the rig;
# gpiod for kernels without GPIO in sysfs, adjtimex for the state of NTP.
packages=(
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
  gstreamer1.0-libav gstreamer1.0-alsa gstreamer1.0-x fonts-dejavu-core
  g++ make pkg-config python3 ca-certificates
  ffmpeg age minisign openssh-client mosquitto socat openssl systemd
  fuse3 libfuse3-dev gpiod adjtimex e2fsprogs
)
# QEMU and what makes a kernel module and an initramfs for its guest.
rig_packages=(
  qemu-system-x86 qemu-utils busybox-static kmod cpio xz-utils
  gcc-12 libelf-dev flex bison bc
  i2c-tools v4l-utils
)
if $with_rig; then packages+=("${rig_packages[@]}"); fi
absent=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || absent+=("$package")
done
if ((${#absent[@]})) && needs "Debian packages: ${absent[*]}"; then
  log=$(mktemp)
  if ! { as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${absent[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install them (log above)"
  fi
  rm -f "$log"
fi
# The kernel of the guest comes from Debian as well, at run time; a fresh container knows no packages.
if $with_rig && ! apt-cache show linux-image-amd64 >/dev/null 2>&1 && needs "Debian's package lists"; then
  as_root apt-get update -qq >&2 || fail "apt-get update failed"
fi

# The stamp names lockfile and Node version: native packages are built for one Node ABI.
stamp="$(sha256sum package-lock.json | cut -c1-64) $(node -p process.versions.modules)"
if [ "$(cat node_modules/.set-up 2>/dev/null)" != "$stamp" ] &&
  needs "npm packages from package-lock.json, native ones are compiled (about two minutes)"; then
  # With the headers of the running Node beside it, node-gyp needs no download.
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  [ -f "$prefix/include/node/node.h" ] && export npm_config_nodedir="$prefix"
  npm ci --no-audit --no-fund --loglevel=error >&2 || fail "npm ci failed"
  # These three are optional for npm (a workstation may lack GStreamer's headers) but not for this project.
  for native in gstreamer-superficial onoff i2c-bus; do
    [ -d "node_modules/$native" ] || fail "npm could not build $native; its headers may be missing"
  done
  printf '%s\n' "$stamp" >node_modules/.set-up
fi

# Real footage for the simulated board: the clip that ships with the GStreamer binding, as raw frames, because a looped
# encoded clip loses its time stamps after the first pass.
footage=build/footage/street-640x360.i420
clip=node_modules/gstreamer-superficial/examples/loop/samplevideo.mp4
if [ ! -s "$footage" ] && needs "footage for the simulated board: $footage (104 MB)"; then
  mkdir -p "$(dirname "$footage")"
  ffmpeg -v error -y -i "$clip" -an -pix_fmt yuv420p -f rawvideo "$footage.part" >&2 || fail "ffmpeg could not decode $clip"
  mv "$footage.part" "$footage"
fi

built=build/.set-up
if { [ ! -e "$built" ] || [ -n "$(find src test tsconfig.json package-lock.json -newer "$built" -print -quit)" ]; } &&
  needs "build"; then
  node_modules/.bin/tsc -b >&2 || fail "the build failed"
  chmod +x build/src/main.js 2>/dev/null || true
  touch "$built"
fi

for element in x264enc h264parse gdppay multifilesrc rawvideoparse; do
  gst-inspect-1.0 --exists "$element" 2>/dev/null || { missing_something=true; say "missing: GStreamer element $element"; }
done
if $missing_something && $only_check; then exit 1; fi
