# Calls firmware from all CPUs at once. Configuration space the kernel reads in turn; NVRAM, the routing of different
# interrupts and (without bypass) the disk's DMA mappings it doesn't: firmware has to.
disk=/dev/nvme0n1
[ -b $disk ] || disk=/dev/null
sources=$(sed -n 's/^ *\([0-9]*\):.* opal-psi.*/\1/p' /proc/interrupts)
count=$(echo "$sources" | wc -l)
all=$(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l)
cpus=0
quiet
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    cpus=$((cpus + 1))
    number=${cpu##*cpu}
    taskset "$(printf '%x' $((1 << number)))" sh -c '
        for round in 1 2; do
            {
                for device in /sys/bus/pci/devices/*:01:00.0; do dd if=$device/config bs=256 count=1; done
                [ -c /dev/nvram ] && dd if=/dev/nvram bs=4k count=8
                dd if=$1 bs=64k count=8 iflag=direct
            } 2>/dev/null | md5sum >>"/tmp/parallel.$0"
            for to in 0 1 2 3; do
                echo $((1 << to % $3)) >"/proc/irq/$2/smp_affinity" || echo "not moved" >>"/tmp/parallel.$0"
            done
            echo "OPALITE-PARALLEL $0 $round 0123456789abcdefghijklmnopqrstuvwxyz" >/dev/console
        done
    ' "$number" "$disk" "$(echo "$sources" | sed -n "$((number % count + 1))p")" "$all" &
done
wait
loud
say "parallel cpus=$cpus reads=$(cat /tmp/parallel.* | wc -l) different=$(sort -u /tmp/parallel.* | wc -l)"
rm /tmp/parallel.*
