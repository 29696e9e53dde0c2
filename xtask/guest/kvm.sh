# Makes virtual machines from user space. The program reports each case by itself; here only that it was there.
if [ -x /bin/kvm-proof ]; then
    /bin/kvm-proof
    say "kvm status=$?"
else
    say "kvm failed the program isn't in the initial file system"
fi
