#!/usr/bin/env bash
# build-modules.sh SOURCE.deb HEADERS RELEASE OUT: the kernel modules of the rig that Debian does not build, or not as
# the rig needs them, from Debian's own kernel source.
#   gpio-sim    not set in Debian. irq_sim.c is not built in either, so it is linked into the same module.
#   test_power  not set in Debian: power supplies test_battery and test_ac whose values are module parameters.
#   i2c-stub    Debian's cannot lose a chip while a bus is open (the open bus holds the module). With its parameter
#               chip_addr writable a chip moves to another address, or to one where nobody looks, in front of its driver.
set -euo pipefail
source=$1 headers=$2/usr/src/linux-headers-$3 headers_root=$2 out=$4
sed -i "s#/usr/src/#$headers_root/usr/src/#g" "$headers/Makefile" # its absolute paths expect an installed package
cd "$out"
dpkg-deb --fsys-tarfile "$source" | tar xO --wildcards './usr/src/linux-source-*.tar.xz' | xz -dc -T0 |
  tar x --strip-components=1 --wildcards 'linux-source-*/drivers/gpio/gpio*.[ch]' 'linux-source-*/kernel/irq/irq_sim.c' \
    'linux-source-*/drivers/power/supply/test_power.c' 'linux-source-*/drivers/i2c/i2c-stub.c'
cp drivers/gpio/*.h .
cp drivers/gpio/gpio-sim.c gpio_sim_main.c
# irq_to_desc is not exported to modules; this gives the same descriptor.
sed 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/; /^EXPORT_SYMBOL/d' kernel/irq/irq_sim.c >irq_sim_core.c
cp drivers/power/supply/test_power.c .
sed 's/module_param_array(chip_addr, ushort, NULL, S_IRUGO)/module_param_array(chip_addr, ushort, NULL, 0644)/' \
  drivers/i2c/i2c-stub.c >i2c-stub.c
grep -q 'chip_addr, ushort, NULL, 0644' i2c-stub.c || { echo "build-modules: i2c-stub.c is not as expected" >&2; exit 1; }
rm -r drivers kernel
printf '%s\n' 'obj-m := gpio-sim.o test_power.o i2c-stub.o' 'gpio-sim-y := gpio_sim_main.o irq_sim_core.o' >Kbuild
# 6.12 would want pahole for type information that nothing here reads.
make -s -j"$(nproc)" -C "$headers" M="$out" CONFIG_DEBUG_INFO_BTF_MODULES= modules
