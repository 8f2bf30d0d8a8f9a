#!/usr/bin/env bash
# Installs this checkout on a device as the service `lapel`, upgrades it, takes it away again. Evidence is never touched.
# The checkout must be set up (board/setup.sh) on a machine of the same kind: no network and no compiler are used here.
#   board/install.sh --board NAME     install, or upgrade to this checkout
#   board/install.sh --uninstall      take program, unit and rules away; data and user stay
# Options: --prefix DIR (/opt/lapel) --data DIR (/var/lib/lapel) --user NAME (lapel)
#          --root DIR  a trial below DIR: no users are made, no service is started, any user may do it
# A second run changes nothing. Everything it says goes to standard error.
set -euo pipefail
umask 022
checkout=$(dirname "$(dirname "$(readlink -f "$0")")")

say() { printf 'install: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

board='' prefix=/opt/lapel data=/var/lib/lapel user=lapel root='' uninstall=false
while (($#)); do
  case $1 in
    --board | --prefix | --data | --user | --root)
      [ -n "${2:-}" ] || fail "$1 needs a value"
      declare "${1#--}=$2"
      shift 2
      ;;
    --uninstall) uninstall=true; shift ;;
    *) fail "there is no option $1; the head of $0 lists them" ;;
  esac
done
# These words go into a unit file and into paths that are removed: nothing in them may have a meaning there.
for path in "$prefix" "$data"; do
  [[ $path =~ ^(/[A-Za-z0-9_][A-Za-z0-9._-]*)+$ ]] || fail "$path is not an absolute path of letters, digits, . _ and -"
done
[[ $user =~ ^[a-z_][a-z0-9_-]*$ ]] || fail "$user is no name of a user"
[[ $data/ != "$prefix"/* && $prefix/ != "$data"/* ]] || fail "--data and --prefix must not lie in each other"
for path in "$prefix" "$data"; do
  [[ $path/ != /home/* && $path/ != /root/* && $path/ != /tmp/* ]] ||
    fail "the service cannot see $path (ProtectHome, PrivateTmp in board/systemd/lapel.service)"
done
[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "only root may install; --root DIR makes a trial"
root=${root:+$(realpath -m "$root")}

is_trial() { [ -n "$root" ]; }
# In an image that is being made there is no systemd to talk to (sd_booted(3)).
is_booted() { ! is_trial && [ -d /run/systemd/system ]; }
home=$root$prefix
unit=$root/etc/systemd/system/lapel.service
rules=$root/etc/udev/rules.d/60-lapel.rules
modules=$root/etc/modules-load.d/lapel.conf

# put FILE: standard input becomes FILE, whole or not at all, and only when it differs. False when it was so already.
put() {
  local part=$1.part content
  content=$(cat)
  if cmp -s "$1" - <<<"$content"; then return 1; fi
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "$content" >"$part"
  chmod 644 "$part"
  sync "$part"
  mv -f "$part" "$1"
  say "wrote $1"
}

# point LINK TARGET: in one step, so that there is always a version to start.
point() { ln -s "$2" "$1.part" && mv -fT "$1.part" "$1"; }

reload() {
  is_booted || return 0
  systemctl daemon-reload
  udevadm control --reload
  # The parts that are there already.
  udevadm trigger --action=add --subsystem-match={gpio,i2c-dev,media,dma_heap}
}

if $uninstall; then
  if [ -e "$unit" ] && ! is_trial; then
    if is_booted; then systemctl stop lapel.service; fi
    systemctl disable lapel.service
  fi
  for file in "$unit" "$rules" "$modules"; do
    if [ -e "$file" ]; then rm "$file"; say "removed $file"; fi
  done
  reload
  if [ -d "$home" ]; then
    # Only what an installation has made: whatever else lies there is somebody else's.
    find "$home" -mindepth 1 -maxdepth 1 -regextype posix-extended -type d \
      -regex '.*/([0-9]+\.[0-9]+\.[0-9]+-[0-9a-f]{12}|\.incoming)' -exec rm -rf {} +
    rm -f "$home/current" "$home/previous"
    rmdir "$home" 2>/dev/null || say "$home holds other things and stays"
    say "removed the program from $home"
  fi
  say "evidence and keys stay in $root$data, and so does the user $user that owns them"
  exit 0
fi

[ -n "$board" ] || fail "--board NAME is missing"
[[ $board =~ ^[a-z0-9][a-z0-9-]*$ ]] && [ -f "$checkout/board/$board.json" ] ||
  fail "there is no board $board in $checkout/board"
[ -f "$checkout/build/src/main.js" ] && [ -d "$checkout/node_modules" ] || fail "run board/setup.sh first"
node=$(readlink -f "$(command -v node)") || fail "there is no Node.js; see https://nodejs.org"
case $node in /home/* | /root/*) fail "the service cannot see $node (ProtectHome): install Node.js for all users" ;; esac

# The user, in those groups of the parts that this machine has.
groups=()
for group in video gpio i2c dialout render; do
  if grep -qs "^$group:" "$root/etc/group"; then groups+=("$group"); else say "there is no group $group here; parts of it will not be found"; fi
done
if ! is_trial; then
  id "$user" >/dev/null 2>&1 || {
    useradd --system --user-group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin "$user"
    say "made the user $user"
  }
  for group in "${groups[@]}"; do
    id -nG "$user" | grep -qw "$group" || { usermod -a -G "$group" "$user"; say "put $user into the group $group"; }
  done
fi

# The evidence. An existing directory is left as it is, with everything in it.
if [ ! -d "$root$data" ]; then
  mkdir -p "$(dirname "$root$data")"
  mkdir -m 700 "$root$data"
  is_trial || chown "$user:$user" "$root$data"
  say "made $root$data for evidence and keys"
fi

# The program, below a name that says what is in it. node_modules is named by the lockfile and by the ABI of Node.
cd "$checkout"
parts=(package.json package-lock.json LICENSE build/src board)
# The simulated boards play footage.
if grep -q 'footage}' "board/$board.json"; then parts+=(build/footage); fi
digest=$({ find "${parts[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; node -p process.versions.modules; } | sha256sum)
version=$(node -p 'require("./package.json").version')-${digest:0:12}
target=$home/$version
if [ ! -d "$target" ]; then
  incoming=$home/.incoming
  rm -rf "$incoming"
  mkdir -p "$incoming"
  cp -r --parents "${parts[@]}" "$incoming"
  # npm would fetch what is missing, without compiling it; this takes what is there or says what is not.
  packages=$(node -e '
    const { existsSync } = require("node:fs");
    const { packages } = JSON.parse(require("node:fs").readFileSync("package-lock.json", "utf8"));
    for (const [path, { dev, optional }] of Object.entries(packages)) {
      if (path === "" || dev) continue;
      if (existsSync(path)) console.log(path);
      else if (!optional) throw new Error(path);
    }' 2>/dev/null) || fail "node_modules is not what package-lock.json says: run board/setup.sh first"
  xargs -d '\n' cp -r --parents -t "$incoming" <<<"$packages"
  chmod -R u=rwX,go=rX "$incoming"
  # A power cut must not leave a version that is named and not there.
  sync -f "$incoming"
  mv -T "$incoming" "$target"
  sync -f "$home"
  say "copied this checkout to $target"
fi

current=$(readlink "$home/current" || true)
if [ "$current" != "$version" ]; then
  [ -z "$current" ] || point "$home/previous" "$current"
  point "$home/current" "$version"
  say "$home/current is $version now${current:+, was $current}"
fi
previous=$(readlink "$home/previous" || true)
# The version before the previous one goes, unless a process still runs from it.
while IFS= read -r old; do
  name=$(basename "$old")
  if [ "$name" = "$version" ] || [ "$name" = "$previous" ]; then continue; fi
  # Processes come and go, and some are not ours to look at.
  if { readlink /proc/[0-9]*/cwd 2>/dev/null || true; } | grep -qxF "$(realpath "$old")"; then say "$old is in use and stays"; continue; fi
  rm -rf "$old"
  say "removed $old"
done < <(find "$home" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended -regex '.*/[0-9]+\.[0-9]+\.[0-9]+-[0-9a-f]{12}')

is_changed=false
sed -e "s|@NODE@|$node|g; s|@PREFIX@|$prefix|g; s|@DATA@|$data|g; s|@USER@|$user|g; s|@BOARD@|$board|g" \
  -e "s|@GROUPS@|${groups[*]}|g" board/systemd/lapel.service | put "$unit" && is_changed=true
put "$rules" <board/udev/60-lapel.rules && is_changed=true
if put "$modules" <board/systemd/modules.conf; then
  is_changed=true
  if is_booted; then systemctl restart systemd-modules-load.service || say "a module is missing: systemctl status systemd-modules-load"; fi
fi
if $is_changed; then
  reload
  is_trial || systemctl enable lapel.service
fi

if [ ! -e "$root$data/internal/device.key" ]; then
  say "next, the keys: sudo -u $user $prefix/current/build/src/main.js keys init --data $data, then systemctl start lapel"
elif [ "$current" != "$version" ] || $is_changed; then
  say "a running camera goes on with what it has; when nothing is recorded: systemctl restart lapel"
fi
if [ -n "$previous" ]; then
  say "to roll back: ln -sfn $previous $prefix/current && systemctl restart lapel"
fi
say "$version is installed"
