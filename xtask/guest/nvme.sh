# Writes random bytes past every cache, reads them back, and names both sums. The host looks at the disk's file too.
disk=/dev/nvme0n1
size=$(given megabytes)
size=${size:-64}
if wait_for $disk 30; then
    dd if=/dev/urandom of=/tmp/random bs=1M count="$size" 2>/dev/null
    sum=$(sha256sum </tmp/random)
    dd if=/tmp/random of=$disk bs=1M oflag=direct conv=fsync 2>/tmp/error || say "nvme-write failed $(tail -n 1 /tmp/error)"
    say "nvme-write sha=${sum%% *} bytes=$(wc -c </tmp/random)"
    rm /tmp/random
    sync
    echo 3 >/proc/sys/vm/drop_caches
    sum=$(dd if=$disk bs=1M count="$size" iflag=direct 2>/dev/null | sha256sum)
    say "nvme-read sha=${sum%% *} bytes=$((size << 20))"
else
    say "nvme-write failed $disk didn't appear"
fi
