# Makes virtual machines from user space. The program reports each case by itself; here only that it was there, and which
# OPAL calls the kernel made meanwhile.
trace=/sys/kernel/tracing
mount -t tracefs trace $trace
calls=$trace/events/powerpc/opal_exit
echo "hist:keys=opcode,retval:size=1024" >$calls/trigger
if [ -x /bin/kvm-proof ]; then
    /bin/kvm-proof
    say "kvm status=$?"
else
    say "kvm failed the program isn't in the initial file system"
fi
sed -n 's/^{ *opcode: *\([0-9]*\), retval: *\([0-9]*\) *} hitcount: *\([0-9]*\).*/opcode=\1 retval=\2 hits=\3/p' \
    $calls/hist | while read -r line; do
    case $line in opcode=1[2-7][0-9]*) say "call $line" ;; esac
done
