# One MiB of numbered lines on the console.
quiet
echo "OPALITE-LINES begin"
seq 1 16384 | awk '{ printf "%08d abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWX\n", $1 }'
echo "OPALITE-LINES end"
loud
