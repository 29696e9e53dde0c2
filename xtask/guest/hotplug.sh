# Takes each CPU away from the kernel and gives it back, many times: it waits in firmware meanwhile.
rounds=$(given rounds)
rounds=${rounds:-20}
cpus=0
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    [ -f "$cpu/online" ] || continue
    cpus=$((cpus + 1))
    round=0
    while [ $round -lt "$rounds" ]; do
        echo 0 >"$cpu/online" || say "hotplug failed ${cpu##*/} doesn't go"
        echo 1 >"$cpu/online" || say "hotplug failed ${cpu##*/} doesn't come back"
        round=$((round + 1))
    done
    # On a busy machine all of them together take longer than a guest may be silent.
    say "hotplug ${cpu##*/} went and came $round times"
done
say "hotplug cpus=$cpus rounds=$rounds online=$(cat /sys/devices/system/cpu/online)"
