#!/bin/busybox sh
# The guest's only process: loads the drivers that the command line asks for, runs its steps in order, powers off.
#   opalite.modules=a,b  drivers      opalite.steps=x,y  files of /steps
#   anything else: see the steps
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp

# Reports go through the kernel log: a line there is never mixed with another. At the highest level, so that they are
# printed even while the kernel is kept quiet.
say() { echo "<0>OPALITE-DEMO: $*" >/dev/kmsg; }

# A line that a program prints by itself can be cut in two by a line of the kernel: meanwhile only reports are printed.
quiet() { dmesg -n 1; }

# And the kernel speaks again, after what was printed has left the terminal's buffers.
loud() {
    sleep 0.5
    dmesg -n 7
}

# The value of a word of the kernel's command line.
given() {
    for word in $(cat /proc/cmdline); do
        case $word in "opalite.$1="*) echo "${word#*=}" ;; esac
    done
}

# Loads a module after all that it needs.
load() {
    local name needs need
    name=$(echo "$1" | tr - _)
    [ -d "/sys/module/$name" ] && return 0
    needs=$(sed -n "s/^$name://p" /modules/needs)
    for need in $needs; do load "$need"; done
    [ -f "/modules/$name.ko" ] || return 0
    insmod "/modules/$name.ko" || say "module failed $name can't be loaded"
}

# From now on the kernel counts its OPAL calls.
count_calls() {
    mount -t tracefs trace /sys/kernel/tracing
    echo "hist:keys=opcode,retval:size=1024" >/sys/kernel/tracing/events/powerpc/opal_exit/trigger
}

# What came of those calls whose numbers match a pattern.
tell_calls() {
    sed -n 's/^{ *opcode: *\([0-9]*\), retval: *\([0-9]*\) *} hitcount: *\([0-9]*\).*/\1 \2 \3/p' \
        /sys/kernel/tracing/events/powerpc/opal_exit/hist | while read -r opcode retval hits; do
        case $opcode in $1) say "call opcode=$opcode retval=$retval hits=$hits" ;; esac
    done
}

# Waits until a path is there: wait_for PATH SECONDS
wait_for() {
    local left=$(($2 * 10))
    while [ ! -e "$1" ] && [ $left -gt 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    [ -e "$1" ]
}

for module in $(given modules | tr , ' '); do load "$module"; done
for step in $(given steps | tr , ' '); do
    if [ -f "/steps/$step.sh" ]; then . "/steps/$step.sh"; else say "$step failed there is no such step"; fi
done
say done
# The console is drained before the machine goes.
sleep 0.2
poweroff -f
