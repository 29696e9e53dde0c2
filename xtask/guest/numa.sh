# Which CPUs, how much memory and which devices are near each other.
for node in /sys/devices/system/node/node[0-9]*; do
    memory=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$node/meminfo")
    say "node ${node##*node} cpus=$(cat "$node/cpulist") distance=$(tr ' ' , <"$node/distance") mib=$((memory >> 10))"
done
for device in /sys/bus/pci/devices/*; do
    say "device ${device##*/} node=$(cat "$device/numa_node")"
done
