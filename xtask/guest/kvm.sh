# Makes virtual machines from user space. The program reports each case by itself; here only that it was there, and which
# OPAL calls the kernel made meanwhile.
count_calls
if [ -x /bin/kvm-proof ]; then
    /bin/kvm-proof
    say "kvm status=$?"
else
    say "kvm failed the program isn't in the initial file system"
fi
tell_calls '1[2-7][0-9]*'
