# The firmware's own log, as Linux shows it.
grep -a PHB# /sys/firmware/opal/msglog | while read -r line; do say "msglog $line"; done
