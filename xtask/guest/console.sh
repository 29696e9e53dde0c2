# One MiB of numbered lines on the console. The kernel is kept quiet meanwhile, so that every line is ours.
dmesg -n 1
echo "OPALITE-LINES begin"
seq 1 16384 | awk '{ printf "%08d abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWX\n", $1 }'
echo "OPALITE-LINES end"
dmesg -n 7
