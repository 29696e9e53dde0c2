# What the kernel found on its PCI buses: address, ids, class, driver, and the BARs as start, end, flags.
for device in /sys/bus/pci/devices/*; do
    driver=$(readlink "$device/driver")
    say "pci ${device##*/} $(cat "$device/vendor"):$(cat "$device/device") $(cat "$device/class")" \
        "driver=${driver##*/} $(head -n 7 "$device/resource" | tr '\n' ';')"
done
