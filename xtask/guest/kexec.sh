# Starts the kernel a second time from the first, with a disk and a card in use, and goes on with the steps that follow.
if grep -q opalite.second= /proc/cmdline; then
    say "kexec second=yes cpus=$(cat /sys/devices/system/cpu/online)"
else
    if wait_for /dev/nvme0n1 30; then dd if=/dev/nvme0n1 of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null; fi
    if [ -d /sys/class/net/eth0 ]; then
        ip addr add 10.0.2.15/24 dev eth0
        ip link set eth0 up
        ping -c 1 -W 5 10.0.2.2 >/dev/null
    fi
    # The links that busybox made of itself it makes again.
    (cd / && { ls -d bin bin/busybox dev proc sys tmp && find init steps modules; } | cpio -o -H newc >/tmp/initrd) 2>/dev/null
    # Linux copies the new kernel to its place with a function that asks the running task whether vector registers may be used
    # (`copy_segments` of its kexec/core_64.c). If the copy lies over that task, it goes wrong or stands still. The new
    # kernel goes to low memory, so the task is made on a CPU of the second node, of that node's memory.
    taskset -p 8 $$ >/dev/null
    kexec -l /vmlinux --initrd=/tmp/initrd --append="$(cat /proc/cmdline) opalite.second=yes" 2>/tmp/error ||
        say "kexec failed to load: $(tail -n 1 /tmp/error)"
    rm /tmp/initrd
    say "kexec first cpus=$(cat /sys/devices/system/cpu/online) loaded=$(cat /sys/kernel/kexec_loaded)"
    sleep 0.2
    kexec -e
    say "kexec failed to start"
fi
