# NVRAM, where the firmware has it: bytes near its end are written, read back and restored.
if [ -d /proc/device-tree/ibm,opal/nvram ] && [ -c /dev/nvram ]; then
    old=$(dd if=/dev/nvram bs=16 skip=100 count=1 2>/dev/null | hexdump -v -e '/1 "%02x"')
    dd if=/dev/nvram of=/tmp/nvram bs=16 skip=100 count=1 2>/dev/null
    printf 'opalite nvram ok' | dd of=/dev/nvram bs=16 seek=100 conv=notrunc 2>/dev/null
    new=$(dd if=/dev/nvram bs=16 skip=100 count=1 2>/dev/null)
    dd if=/tmp/nvram of=/dev/nvram bs=16 seek=100 conv=notrunc 2>/dev/null
    again=$(dd if=/dev/nvram bs=16 skip=100 count=1 2>/dev/null | hexdump -v -e '/1 "%02x"')
    if [ "$new" = "opalite nvram ok" ] && [ "$old" = "$again" ]; then
        say "nvram written=yes"
    else
        say "nvram failed wrote 'opalite nvram ok', read '$new'"
    fi
else
    say "nvram written=absent"
fi
