# What our firmware says about windows and tables, where it is the firmware. It renews its text when the kernel polls it,
# every two seconds, so a window may take that long to be in it.
view=/sys/firmware/opal/exports/dma_windows
if [ -r $view ]; then
    left=50
    while [ $left -gt 0 ] && ! grep -q '^window ' $view; do
        sleep 0.2
        left=$((left - 1))
    done
    tr -d '\000' <$view | while read -r line; do say "windows $line"; done
fi
