# Virtual functions come, go and come again; each gets a PE of its own. QEMU's igb ends QEMU when their driver asks for an
# interrupt, under any firmware, so none is loaded.
function=$(dirname "$(ls -d /sys/bus/pci/devices/*/sriov_numvfs | head -n 1)")
for count in 2 0 3; do
    echo $count >"$function/sriov_numvfs" || say "sriov failed the kernel doesn't make $count functions"
    found=0 answer=0
    for virtual in "$function"/virtfn*; do
        [ -e "$virtual" ] || continue
        found=$((found + 1))
        # Command and status: what isn't there reads as all ones.
        [ "$(od -An -t x2 -j 4 -N 2 "$virtual/config" | tr -d ' ')" != ffff ] && answer=$((answer + 1))
    done
    say "sriov wanted=$count found=$found answer=$answer"
done
# The firmware's text follows when the kernel polls: two windows of each function.
view=/sys/firmware/opal/exports/dma_windows
left=100
while [ -r $view ] && [ $left -gt 0 ] && [ "$(grep -c '^window ' $view)" != 8 ]; do
    sleep 0.2
    left=$((left - 1))
done
