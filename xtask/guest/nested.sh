# Passes the disk and the network card through to a guest under KVM, and traces what the kernel asked of the firmware
# meanwhile. The guest is this same kernel with this same first file system; what it prints is reported as it comes.
trace=/sys/kernel/tracing
mount -t tracefs trace $trace

# probe DEFINITION: the kernel may lack a function; what depends on it is then missed by whoever reads the report.
probe() { echo "$1" >>$trace/kprobe_events 2>/dev/null || say "trace-lacks $1"; }
# histogram EVENT KEYS
histogram() { echo "hist:keys=$2:size=256" >"$trace/events/$1/trigger" || say "trace-lacks $1"; }
# Every entry of a histogram as `about key: hits`.
histogram_of() {
    sed -n 's/^{ *\(.*[^ ]\) *} hitcount: *\([0-9]*\).*/\1 hits: \2/p' "$trace/events/$2/hist" | sed 's/: */=/g; s/ *, */ /g' |
        while read -r line; do say "$1 $line"; done
}

probe 'p:nested/window opal_pci_map_pe_dma_window phb=%gpr3:x64 pe=%gpr4:u64 window=%gpr5:u64 levels=%gpr6:u64 table=%gpr7:x64 bytes=%gpr8:x64 page=%gpr9:x64'
probe 'r:nested/window_rc opal_pci_map_pe_dma_window rc=$retval:s64'
probe 'p:nested/bypass opal_pci_map_pe_dma_window_real phb=%gpr3:x64 pe=%gpr4:u64 window=%gpr5:u64 start=%gpr6:x64 size=%gpr7:x64'
probe 'r:nested/bypass_rc opal_pci_map_pe_dma_window_real rc=$retval:s64'
probe 'r:nested/attach kvm_spapr_tce_attach_iommu_group rc=$retval:s64'
probe 'r:nested/indirect kvmppc_h_put_tce_indirect rc=$retval:s64'
probe 'r:nested/stuff kvmppc_h_stuff_tce rc=$retval:s64'
for event in indirect stuff; do histogram nested/$event rc; done
histogram powerpc/opal_entry opcode
for event in window window_rc bypass bypass_rc attach; do echo 1 >$trace/events/nested/$event/enable; done

# The PCI devices of a class.
of_class() { for device in /sys/bus/pci/devices/*; do grep -q "^$1" "$device/class" && echo "${device##*/}"; done; }
# hand DEVICE DRIVER: an empty driver is the one that the device's ids call for.
hand() {
    local old=/sys/bus/pci/devices/$1
    echo "$2" >"$old/driver_override"
    [ -e "$old/driver" ] && echo "$1" >"$old/driver/unbind"
    echo "$1" >/sys/bus/pci/drivers_probe
    say "hand $1 to=${2:-host} driver=$(basename "$(readlink "$old/driver")") group=$(basename "$(readlink "$old/iommu_group")")"
}

disk=$(of_class 0x010802)
card=$(of_class 0x020000)
wait_for /dev/nvme0n1 30
hand "$disk" vfio-pci
hand "$card" vfio-pci
echo "OPALITE-MARK guest" >$trace/trace_marker
say "guest-start uptime=$(cut -d' ' -f1 /proc/uptime)"
return=$(printf '\r')
cd /nested || say "nested failed there is no QEMU"
# Of the mitigations that a guest is promised, an emulated processor has none. The guest's memory can grow, as Linux
# asks for a window that covers what could be there.
LD_LIBRARY_PATH=/nested/lib timeout -s KILL 400 lib/ld64.so.2 ./qemu-system-ppc64 -L share -nodefaults -display none \
    -machine "pseries,accel=kvm,kernel-irqchip=on,ic-mode=$(given controller),cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off,cap-hpt-max-page-size=$(given pages)" \
    -smp "$(given cpus)" -m 512M,slots=1,maxmem=1G -serial stdio -device "vfio-pci,host=$disk,rombar=0" -device "vfio-pci,host=$card,rombar=0" \
    -global spapr-pci-host-bridge.pgsz=0x11000 -kernel vmlinux -initrd initrd -append "console=hvc0 loglevel=7 panic=1 printk.devkmsg=on $(sed 's/.*\(watchdog_thresh[^ ]* [^ ]*\).*/\1/' /proc/cmdline) opalite.modules=nvme,e1000e opalite.steps=cpus,nvme,net,irq,pci opalite.megabytes=$(given megabytes) opalite.port=$(given port)" \
    </dev/null 2>&1 | while read -r line; do say "guest ${line%"$return"}"; done
cd /
say "guest-end uptime=$(cut -d' ' -f1 /proc/uptime)"
echo "OPALITE-MARK host" >$trace/trace_marker
hand "$disk" ""
hand "$card" ""
# What the guest wrote, read through the host's own driver.
if wait_for /dev/nvme0n1 30; then
    sum=$(dd if=/dev/nvme0n1 bs=1M count="$(given megabytes)" iflag=direct 2>/dev/null | sha256sum)
    say "disk-after sha=${sum%% *}"
else
    say "disk-after failed the disk didn't come back"
fi
echo 0 >$trace/events/nested/enable
for event in indirect stuff; do histogram_of "hcall-$event" nested/$event; done
histogram_of opal powerpc/opal_entry
sed -n 's/^.*: tracing_mark_write: /mark /p; s/^.*\.[0-9]*: \([a-z_]*\): (\([^)]*\)) /\1 /p' $trace/trace |
    while read -r line; do say "trace $line"; done
