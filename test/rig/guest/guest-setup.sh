#!/rig/busybox sh
# Runs in the guest: the parts of board/virtual.json as kernel drivers without hardware. By busybox, whose applets need no
# process of their own: each one costs a tenth of a second here.
#   gpio-sim    54 lines with label and names as on a Raspberry Pi Zero 2 W
#   i2c-stub    chips at 0x68 and 0x6a, plain memory
#   vivid       one camera
#   test_power  a battery, test_battery, and two chargers, test_ac and test_usb
#   dummy0      a network interface whose carrier can be switched
set -eu
for module in $(cat /rig/parts.list); do
  case $module in
    i2c-stub.ko) set -- chip_addr=0x68,0x6a ;;
    vivid.ko) set -- n_devs=1 node_types=0x1 num_inputs=1 input_types=0 multiplanar=1 ;;
    dummy.ko) set -- numdummies=1 ;;
    *) set -- ;;
  esac
  insmod "/rig/$module" "$@"
done

chip=/sys/kernel/config/gpio-sim/rig
mkdir -p $chip/bank0
echo 54 >$chip/bank0/num_lines
echo pinctrl-bcm2835 >$chip/bank0/label
line=0
while [ $line -lt 54 ]; do # named as the kernel names those of a Raspberry Pi
  mkdir "$chip/bank0/line$line"
  echo "GPIO$line" >"$chip/bank0/line$line/name"
  line=$((line + 1))
done
echo 1 >$chip/live
# Buttons and dock contact of the virtual board are wired to ground and rest high.
sim=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
for line in 17 22 23; do echo pull-up >"$sim/sim_gpio$line/pull"; done
