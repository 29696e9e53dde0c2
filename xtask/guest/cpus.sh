# Every CPU that the kernel brought up, and work done on each.
say "cpus online=$(cat /sys/devices/system/cpu/online) count=$(grep -c '^processor' /proc/cpuinfo)"
for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    number=${cpu##*cpu}
    say "cpu $number sum=$(taskset "$(printf '%x' $((1 << number)))" sh -c 'seq 1 20000 | md5sum | cut -d" " -f1')"
done
