# Two lines from the keyboard: a long one that must arrive whole, and one that a shell must understand. Nothing is echoed:
# on a busy machine the echo lands in the middle of what is printed next.
stty -echo
echo "OPALITE-INPUT long"
read -r line
say "input-long $line"
# A shell may throw away what was typed before it set the terminal up, and a message of the kernel may cut a line in two:
# it is asked for until it came.
(until [ -e /tmp/typed ]; do echo; echo "OPALITE-INPUT shell"; sleep 2; done) &
until [ -e /tmp/typed ]; do sh -i; done
wait
say "input-shell $(cat /tmp/typed)"
