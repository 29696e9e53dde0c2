# Has the kernel recover each device's PE as if it had met an error, more than once: its driver stops, the PE is reset and its
# configuration comes back, the driver goes on.
count_calls
mount -t debugfs debugfs /sys/kernel/debug
force=/sys/kernel/debug/powerpc/eeh_force_recover
recovered() { dmesg | grep -c 'EEH: Recovery successful'; }
disk=/dev/nvme0n1
wait_for $disk 30
dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
dd if=/tmp/random of=$disk bs=1M oflag=direct conv=fsync 2>/dev/null
for round in 1 2; do
    for device in /sys/bus/pci/devices/*; do
        case $(cat "$device/class") in 0x0604*) continue ;; esac
        name=${device##*/}
        pe=$(cat "$device/eeh_pe_config_addr")
        before=$(recovered)
        echo "${name%%:*}:${pe#0x}" >$force
        left=300
        while [ $left -gt 0 ] && [ "$(recovered)" = "$before" ]; do
            sleep 0.2
            left=$((left - 1))
        done
        say "eeh $name round=$round recovered=$(($(recovered) - before))"
    done
done
wait_for $disk 30
same=no
dd if=$disk bs=1M count=4 iflag=direct 2>/dev/null | cmp -s - /tmp/random && same=yes
rm /tmp/random
say "eeh-disk same=$same"
tell_calls '*'
