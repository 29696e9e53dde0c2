# Two lines from the keyboard: a long one that must arrive whole, and one that a shell must understand.
echo "OPALITE-INPUT long"
read -r line
say "input-long $line"
# A shell throws away what was typed before it set the terminal up. Its prompt asks: by then it has.
PS1="OPALITE-INPUT shell
" sh -i
say "input-shell $(cat /tmp/typed)"
