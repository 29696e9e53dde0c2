# Two lines from the keyboard: a long one that must arrive whole, and one that a shell must understand.
echo "OPALITE-INPUT long"
read -r line
say "input-long $line"
# The shell throws away what was typed before it set the terminal up, so the host is asked a moment later.
(sleep 2; echo "OPALITE-INPUT shell") &
sh -i
say "input-shell $(cat /tmp/typed)"
