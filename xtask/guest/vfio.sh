# Moves bytes through DMA windows from user space. The program reports each case by itself; here only that it was there.
if [ -x /bin/vfio-proof ]; then
    /bin/vfio-proof
    say "vfio status=$?"
else
    say "vfio failed the program isn't in the initial file system"
fi
