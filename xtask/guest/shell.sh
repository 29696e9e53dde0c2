# A shell for a person at the console.
echo "This is busybox. 'poweroff -f' ends; so does Ctrl-A x in QEMU."
setsid cttyhack sh
