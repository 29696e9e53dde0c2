# A SCSI or USB disk of 8 MiB that the host filled: reads all of it past the cache, then writes its first half and
# reads that back. The host knows both sums.
disk=/dev/sda
if wait_for $disk 60; then
    # The node is there a moment before the disk can be read.
    tries=100
    while [ "$(dd if=$disk bs=512 count=1 iflag=direct 2>/dev/null | wc -c)" != 512 ] && [ $tries -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    sum=$(dd if=$disk bs=64K iflag=direct 2>/dev/null | sha256sum)
    say "sd-read sha=${sum%% *}"
    dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
    sum=$(sha256sum </tmp/random)
    dd if=/tmp/random of=$disk bs=64K oflag=direct conv=fsync 2>/tmp/error || say "sd-write failed $(tail -n 1 /tmp/error)"
    say "sd-write sha=${sum%% *} bytes=$(wc -c </tmp/random)"
    rm /tmp/random
    sync
    echo 3 >/proc/sys/vm/drop_caches
    sum=$(dd if=$disk bs=64K count=64 iflag=direct 2>/dev/null | sha256sum)
    say "sd-again sha=${sum%% *}"
else
    say "sd-read failed $disk didn't appear"
fi
