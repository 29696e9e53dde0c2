# Every interrupt that has a device.
sed 's/  */ /g' /proc/interrupts | while read -r line; do
    case $line in [0-9]*) say "irq $line" ;; esac
done
