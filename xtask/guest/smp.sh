# Moves interrupts from CPU to CPU and does IO: each must come where it was sent. One line tells the sum;
# each one with "failed" tells of one that didn't.
online=$(sed -n 's/^processor[^0-9]*//p' /proc/cpuinfo)
interrupts=0

# How often the interrupts of that name came on a CPU: count PATTERN CPU.
count() {
    awk -v name=" $1\$" -v cpu="CPU$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == cpu) column = i + 1 }
        NR > 1 && $0 ~ name { sum += $column }
        END { print sum + 0 }' /proc/interrupts
}

# Does IO with the interrupts of that name at each CPU, and gives them ten seconds: moved PATTERN COMMAND...
moved() {
    local name=$1 cpu mask irq before after left
    shift
    for cpu in $online; do
        mask=$(printf '%x' $((1 << cpu)))
        # The kernel keeps each queue of a disk on its own CPU by itself.
        [ "$mover" = taskset ] || for irq in $(sed -n "s/^ *\([0-9]*\):.* $name\$/\1/p" /proc/interrupts); do
            echo "$mask" >"/proc/irq/$irq/smp_affinity" || say "smp failed $name doesn't go to CPU $cpu"
        done
        before=$(count "$name" "$cpu")
        if [ "$mover" = taskset ]; then taskset "$mask" "$@"; else "$@"; fi >/dev/null 2>&1
        after=$(count "$name" "$cpu")
        left=50
        while [ "$after" -le "$before" ] && [ $left -gt 0 ]; do
            sleep 0.2
            left=$((left - 1))
            after=$(count "$name" "$cpu")
        done
        [ "$after" -gt "$before" ] || say "smp failed $name came $before and then $after times on CPU $cpu"
    done
    interrupts=$((interrupts + 1))
}

# Commands to the disk's controller, whose answers interrupt. The kernel gives them some time later.
rescan() { echo 1 >/sys/class/nvme/nvme0/rescan_controller; }

if wait_for /dev/nvme0n1 30; then
    mover=affinity moved 'nvme0q0' rescan
    mover=taskset moved 'nvme0q[1-9][0-9]*' dd if=/dev/nvme0n1 of=/dev/null bs=64k count=4 iflag=direct
fi
if [ -d /sys/class/net/eth0 ]; then
    mover=affinity moved 'eth0.*' ping -c 1 -W 5 10.0.2.2
fi
say "smp cpus=$(echo "$online" | wc -l) interrupts=$interrupts"

# The time as one CPU after the other reads it never goes back.
readings=0 last=0
for round in 1 2 3; do
    for cpu in $online; do
        now=$(taskset "$(printf '%x' $((1 << cpu)))" sed -n '/^now at /{s/^now at \([0-9]*\) .*/\1/p;q}' /proc/timer_list)
        [ "$now" -gt "$last" ] && readings=$((readings + 1)) || say "smp failed CPU $cpu reads $now ns after $last"
        last=$now
    done
done
say "clocks cpus=$(echo "$online" | wc -l) readings=$readings"
# Doorbells and other interrupts between CPUs, summed for each.
say "ipis $(awk '
    NR == 1 { cpus = NF }
    $1 == "DBL:" || $NF ~ /^IPI(-[0-9]+)?$/ { for (i = 1; i <= cpus; i++) sum[i] += $(i + 1) }
    END { for (i = 1; i <= cpus; i++) printf "%d ", sum[i] }' /proc/interrupts)"
