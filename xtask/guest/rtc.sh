# The real-time clock: what it says, and what it says after it was set.
rtc=/sys/class/rtc/rtc0
if wait_for $rtc 5; then
    say "rtc-read epoch=$(cat $rtc/since_epoch) name=$(cat $rtc/name)"
    date -u -s "2031-02-03 04:05:06" >/dev/null
    hwclock -u -w
    say "rtc-set date=$(cat $rtc/date) time=$(cat $rtc/time)"
else
    say "rtc-read failed there is no clock"
fi
