# Brings the network card up, pings the host, and moves bytes over TCP both ways (opalite.port, and the next port).
card=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
port=$(given port)
if [ -z "$card" ]; then
    say "net-up failed there is no network card"
else
    ip link set lo up
    ip addr add 10.0.2.15/24 dev "$card"
    ip link set "$card" up
    left=100
    until [ "$(cat "/sys/class/net/$card/carrier" 2>/dev/null)" = 1 ] || [ $left = 0 ]; do
        sleep 0.1
        left=$((left - 1))
    done
    say "net-up card=$card carrier=$(cat "/sys/class/net/$card/carrier")"
    answers=$(ping -c 3 -W 5 10.0.2.2 | sed -n 's/.* \([0-9]*\) packets received.*/\1/p')
    say "net-ping answers=${answers:-0}"
    sum=$(nc 10.0.2.2 "$port" </dev/null | sha256sum)
    say "net-receive sha=${sum%% *}"
    dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
    sum=$(sha256sum </tmp/random)
    nc 10.0.2.2 "$((port + 1))" </tmp/random >/dev/null
    say "net-send sha=${sum%% *} bytes=$(wc -c </tmp/random)"
    rm /tmp/random
    counts=/sys/class/net/$card/statistics
    say "net-count rx=$(cat "$counts/rx_packets") tx=$(cat "$counts/tx_packets")"
fi
