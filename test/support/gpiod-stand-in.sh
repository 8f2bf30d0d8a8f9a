#!/bin/sh
# Stands in for the gpiod tools where there is no GPIO character device: linked as gpiodetect, gpioinfo, gpioget, gpioset and
# gpiomon into a directory that holds the state of one chip of 8 lines:
#   version      1 or 2: which generation's options are taken; any other option is refused
#   level.N      electrical level of line N       owner.N   process and tool that have line N       chip   the chip is there
#   seen.N       level of line N of which gpiomon has told
#   deaf.N       gpiomon misses what happens to line N            again.N  so often gpiomon tells the last edge of line N again
# It takes exactly what the manual pages of gpiod 1.6.3 and 2.2 say, as far as the adapter uses it, and says what they say.
set -u
home=$(dirname "$0")
tool=$(basename "$0")
version=$(cat "$home/version")
die() { printf '%s: %s\n' "$tool" "$*" >&2; exit 1; }

if [ "$tool" = gpiodetect ]; then
  if [ "${1:-}" = --version ]; then
    if [ "$version" = 1 ]; then echo 'gpiodetect (libgpiod) v1.6.3'; else echo 'gpiodetect (libgpiod) v2.2.1'; fi
  elif [ -e "$home/chip" ]; then
    printf 'gpiochip0 [other-chip] (2 lines)\ngpiochip1 [test-chip] (8 lines)\ngpiochip2 [test-chip] (8 lines)\n'
  fi
  exit 0
fi

chip= numeric= edges= clock= format= buffered= mode=
while [ $# -gt 0 ]; do
  case "$version $tool $1" in
    '2 '*' --chip') chip=$2; shift ;;
    '2 gpioget --numeric') numeric=1 ;;
    '2 gpiomon --edges='*) edges=${1#*=} ;;
    '2 gpiomon --event-clock='*) clock=${1#*=} ;;
    '1 gpiomon --line-buffered') buffered=1 ;;
    *' gpiomon --format='*) format=${1#*=} ;;
    '1 gpioset --mode='*) mode=${1#*=} ;;
    *' -'*) die "unrecognized option '$1'" ;;
    *) break ;;
  esac
  shift
done
if [ "$version" = 1 ]; then chip=${1:-}; shift; fi
[ -e "$home/chip" ] && [ "$chip" = gpiochip1 ] || die "cannot find GPIO chip character device '$chip'"

# The process that has a line, when it still lives. A zombie's command line is empty.
owner() {
  read -r pid name <"$home/owner.$1" 2>/dev/null || return 1
  [ -n "$(tr -d '\0' <"/proc/$pid/cmdline" 2>/dev/null)" ] || return 1
  printf '%s' "$name"
}

if [ "$tool" = gpioinfo ]; then
  printf 'gpiochip1 - 8 lines:\n'
  for line in 0 1 2 3 4 5 6 7; do
    name=unnamed
    [ "$line" = 3 ] && name='"BUTTON"'
    consumer=$(owner "$line") || consumer=
    if [ "$version" = 1 ]; then
      [ -z "$consumer" ] && consumer=unused || consumer="\"$consumer\""
      printf '\tline %3d: %12s %12s   input  active-high \n' "$line" "$name" "$consumer"
    else
      printf '\tline %3d:\t%-16s\tinput%s\n' "$line" "$name" "${consumer:+ consumer=\"$consumer\"}"
    fi
  done
  exit 0
fi

[ $# = 1 ] || die 'expected one line'
line=${1%%=*}
[ "$line" -lt 8 ] || die "offset $line is out of range on chip '$chip'"
[ -z "$(owner "$line")" ] || die 'unable to request lines: Device or resource busy'
level() { read -r level 2>/dev/null <"$home/level.$line" || level=0; }

case $tool in
  gpioget)
    [ "$version$numeric" = 1 ] || [ "$version$numeric" = 21 ] || die 'expected --numeric'
    level
    echo "$level"
    ;;
  gpioset)
    [ "$version$mode" = 1signal ] || [ "$version$mode" = 2 ] || die 'would not hold the line'
    echo "${1#*=}" >"$home/new.$line" && mv "$home/new.$line" "$home/level.$line"
    echo "$$ gpioset" >"$home/owner.$line"
    while [ -e "$home/chip" ]; do sleep 0.1; done
    ;;
  gpiomon)
    case "$version$buffered$edges$clock $format" in
      '11 %e %s %n') falling=0 separator=' ' ;;
      '2bothmonotonic %e %S') falling=2 separator=. ;;
      *) die "unexpected options" ;;
    esac
    level
    echo "$level" >"$home/seen.$line"
    echo "$$ gpiomon" >"$home/owner.$line"
    while [ -e "$home/chip" ]; do
      before=$level
      level
      [ -e "$home/deaf.$line" ] && continue
      times=0
      [ "$level" = "$before" ] || times=1
      [ -e "$home/again.$line" ] && read -r times <"$home/again.$line" && rm "$home/again.$line"
      if [ "$times" -gt 0 ]; then
        [ "$level" = 1 ] && direction=1 || direction=$falling
        read -r now _ </proc/uptime
        row=$(printf '%s %s%s%s0000000' "$direction" "${now%.*}" "$separator" "${now#*.}")
        rows=$row
        while [ "$times" -gt 1 ]; do rows="$rows
$row"; times=$((times - 1)); done
        printf '%s\n' "$rows"
        echo "$level" >"$home/seen.$line"
      fi
      sleep 0.002
    done
    die 'error reading line events: No such device'
    ;;
esac
