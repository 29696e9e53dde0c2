# The first kernel uses the disk and the card, writes a mark to the disk and reboots. The second, in memory and with units
# that the first left as they were, finds the mark and goes on with the steps that follow.
mark=none
if wait_for /dev/nvme0n1 30; then
    found=$(dd if=/dev/nvme0n1 bs=512 skip=262144 count=1 iflag=direct 2>/dev/null | tr -d '\000')
    mark=${found:-none}
else
    say "reboot failed the disk didn't appear"
fi
if [ "$mark" = none ]; then
    mark=$(cat /proc/sys/kernel/random/uuid)
    echo "$mark" | dd of=/dev/nvme0n1 bs=512 seek=262144 conv=sync,fsync 2>/dev/null
    sync
    ip addr add 10.0.2.15/24 dev eth0
    ip link set eth0 up
    ping -c 1 -W 5 10.0.2.2 >/dev/null
    say "reboot first mark=none wrote=$mark cpus=$(cat /sys/devices/system/cpu/online)"
    sleep 0.2
    reboot -f
    # The kernel takes a while; what follows is the second's.
    sleep 60
    say "reboot failed to start"
else
    say "reboot second mark=$mark cpus=$(cat /sys/devices/system/cpu/online)"
fi
