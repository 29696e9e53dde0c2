# Which CPUs, how much memory and which devices are near each other.
for node in /sys/devices/system/node/node[0-9]*; do
    memory=$(sed -n 's/.*MemTotal: *\([0-9]*\) kB/\1/p' "$node/meminfo")
    say "node ${node##*node} cpus=$(cat "$node/cpulist") distance=$(tr ' ' , <"$node/distance") mib=$((memory >> 10))"
done
for device in /sys/bus/pci/devices/*; do
    say "device ${device##*/} node=$(cat "$device/numa_node")"
done

# The disk's bytes go to and from memory of each chip, wherever the disk is. A program's memory is of the node whose CPU
# touches it first, and past the cache the device reads and writes right there: so taskset chooses the node. "near" counts
# the nodes where that is so for a program's stack.
if wait_for /dev/nvme0n1 30; then
    on() {
        cpu=$(sed 's/[-,].*//' "/sys/devices/system/node/node$1/cpulist")
        shift
        taskset "$(printf '%x' $((1 << cpu)))" "$@"
    }
    nodes=0 near=0 equal=0 of=0
    for node in /sys/devices/system/node/node[0-9]*; do nodes=$((nodes + 1)); done
    dd if=/dev/urandom of=/tmp/random bs=1M count=$((2 * nodes)) 2>/dev/null
    for to in $(seq 0 $((nodes - 1))); do
        near=$((near + $(on "$to" cat /proc/self/numa_maps | grep -c " stack.* N$to=")))
        place=$((64 + 2 * to))
        on "$to" dd if=/tmp/random of=/dev/nvme0n1 bs=1M skip=$((2 * to)) seek=$place count=2 oflag=direct conv=fsync 2>/dev/null
        sum=$(dd if=/tmp/random bs=1M skip=$((2 * to)) count=2 2>/dev/null | sha256sum)
        for from in $(seq 0 $((nodes - 1))); do
            again=$(on "$from" dd if=/dev/nvme0n1 bs=1M skip=$place count=2 iflag=direct 2>/dev/null | sha256sum)
            of=$((of + 1))
            [ "$again" = "$sum" ] && equal=$((equal + 1))
        done
    done
    rm /tmp/random
    say "far nodes=$nodes near=$near equal=$equal of=$of"
fi
