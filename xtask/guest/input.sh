# Two lines from the keyboard: a long one that must arrive whole, and one that a shell must understand. Nothing is echoed:
# on a busy machine the echo lands in the middle of what is printed next. For each it is asked until something came: a
# question may be lost among other lines.
stty -echo
quiet
rm -f /tmp/long /tmp/typed
(until [ -e /tmp/long ]; do echo; echo "OPALITE-INPUT long"; sleep 2; done) &
read -r line
touch /tmp/long
wait
# Whoever was asked twice answered twice.
while read -r -t 1 more; do :; done
# A shell may throw away what was typed before it set the terminal up.
(until grep -q typed-42 /tmp/typed; do echo; echo "OPALITE-INPUT shell"; sleep 2; done 2>/dev/null) &
until grep -q typed-42 /tmp/typed 2>/dev/null; do sh -i; done
wait
loud
say "input-long $line"
say "input-shell $(cat /tmp/typed)"
