# What the kernel found on its PCI buses: address, ids, class, driver, DMA mask, and each BAR as number:start-end/flags.
for device in /sys/bus/pci/devices/*; do
    driver=$(readlink "$device/driver")
    bars=
    number=0
    while read -r start end flags; do
        [ $number -lt 7 ] && [ $((end)) -ne 0 ] && bars="$bars $number:$start-$end/$flags"
        number=$((number + 1))
    done <"$device/resource"
    say "pci ${device##*/} $(cat "$device/vendor"):$(cat "$device/device") $(cat "$device/class")" \
        "driver=${driver##*/} mask=$(cat "$device/dma_mask_bits")$bars"
done
