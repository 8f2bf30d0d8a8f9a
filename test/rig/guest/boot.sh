#!/usr/bin/env bash
# boot.sh KERNELDIR OUT [QEMU ARGUMENT ...]: one guest, without KVM. It runs OUT/command as root and leaves the status of
# that in OUT/status; OUT is writable there as /rig-out. A guest that dies before it starts the command is booted again,
# at most twice: multi-threaded emulation and the kernel's patching of its own code sometimes race ("Oops: int3" in
# early boot). Once the command has started there is no second try: a flaky test must not look sound.
# The guest reads the whole root of this machine: where secrets lie on it, give RIG_ROOT a smaller tree.
set -u
kernel=$1 out=$2
shift 2
rm -f "$out/status" "$out/started"
arguments="console=ttyS0 loglevel=3 mitigations=off nokaslr tsc=reliable no_timer_check random.trust_cpu=on panic=-1 reboot=t"
for attempt in 1 2 3; do
  # RIG_TIMEOUT in seconds: about five times what the whole story takes on two quiet cores.
  timeout -k 5 "${RIG_TIMEOUT:-600}" qemu-system-x86_64 -M q35,smbus=off,vmport=off,usb=off -nodefaults \
    -accel tcg,thread=multi,tb-size=512 -cpu max -smp "${RIG_CPUS:-2}" -m "${RIG_MEMORY:-1536}" \
    -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd.img" -append "$arguments" \
    -no-reboot -display none -serial stdio -monitor none \
    -fsdev "local,id=host,path=${RIG_ROOT:-/},security_model=none,readonly=on,multidevs=remap" \
    -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -fsdev "local,id=out,path=$out,security_model=none" -device virtio-9p-pci,fsdev=out,mount_tag=out \
    -device virtio-rng-pci "$@" </dev/null
  status=$?
  [ -e "$out/started" ] && exit "$status"
  [ "$status" = 124 ] && break # time is up: another try would only take as long
  printf 'rig: boot %d ended before the command (QEMU ended with %d)\n' "$attempt" "$status" >&2
done
printf 'rig: the guest never reached the command\n' >&2
exit 125
