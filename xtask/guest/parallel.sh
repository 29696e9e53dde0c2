# Calls firmware from all CPUs at once: each reads the configuration space of every device, some of them on the same
# bridge, and writes to the console.
cpus=0
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    cpus=$((cpus + 1))
    number=${cpu##*cpu}
    taskset "$(printf '%x' $((1 << number)))" sh -c '
        for round in 1 2; do
            cat /sys/bus/pci/devices/*/config | md5sum >>"/tmp/parallel.$0"
            echo "OPALITE-PARALLEL $0 $round 0123456789abcdefghijklmnopqrstuvwxyz" >/dev/console
        done' "$number" &
done
wait
say "parallel cpus=$cpus reads=$(cat /tmp/parallel.* | wc -l) different=$(sort -u /tmp/parallel.* | wc -l)"
rm /tmp/parallel.*
