# What our firmware says about windows and tables, where it is the firmware.
view=/sys/firmware/opal/exports/dma_windows
if [ -r $view ]; then
    while read -r line; do say "windows $line"; done <$view
fi
