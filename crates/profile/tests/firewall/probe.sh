#!/bin/bash
# Loads $1 in a network namespace of its own, between a client in two networks and a container behind a bridge, and
# prints what passes before, with it, and after it was taken away. What is wanted of port 4444 outside is $2, of SSH from
# other networks $3, of ports 80 and, by UDP, 5353 $4: pass or block. Run by `unshare -n`.
set -eu
rules=$1
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
unshare -n sleep 1800 >/dev/null 2>&1 & client=$!
unshare -n sleep 1800 >/dev/null 2>&1 & container=$!
# unshare has its namespace only when it has become sleep.
for one in "$client" "$container"; do
    until [ "$(readlink /proc/$one/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
done
inside() { pid=$1; shift; nsenter -t "$pid" -n -- "$@"; }

ip link set lo up
ip link add outside type veth peer name eth0 netns "$client"
ip link add docker0 type bridge
ip link add veth0 type veth peer name eth0 netns "$container"
ip link set veth0 master docker0
for address in 10.9.0.1/24 10.8.0.1/24; do ip addr add "$address" dev outside; done
for address in fd09::1/64 fd08::1/64; do ip -6 addr add "$address" dev outside nodad; done
ip addr add 172.17.0.1/16 dev docker0
for link in outside docker0 veth0; do ip link set "$link" up; done
for address in 10.9.0.2/24 10.8.0.2/24; do inside "$client" ip addr add "$address" dev eth0; done
for address in fd09::2/64 fd08::2/64; do inside "$client" ip -6 addr add "$address" dev eth0 nodad; done
inside "$client" ip addr add 169.254.169.254/32 dev eth0
inside "$client" ip link set eth0 up
inside "$client" ip link set lo up
inside "$client" ip route add 172.17.0.0/16 via 10.9.0.1
ip route add 169.254.169.254/32 dev outside
inside "$container" ip addr add 172.17.0.2/16 dev eth0
inside "$container" ip link set eth0 up
inside "$container" ip route add default via 172.17.0.1
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - <<'N'
table ip nat {
    chain prerouting { type nat hook prerouting priority -100; iifname != "docker0" tcp dport 8080 dnat to 172.17.0.2:80; }
    chain postrouting { type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
}
N

cat > "$work/serve.py" <<'P'
import socket, sys
held = []
for port in sys.argv[2:]:
    for family, any in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            s = socket.socket(family); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((any, int(port))); s.listen(16); held.append(s)
        except OSError:
            if family == socket.AF_INET: raise
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 5353))
open(sys.argv[1], "w").close()
while True:
    what, who = udp.recvfrom(99)
    udp.sendto(what, who)
P
cat > "$work/probe.py" <<'P'
import socket, sys
source, address, port, wanted = sys.argv[1:]
# A packet that is dropped is waited for a moment; one that shall pass, as long as a busy machine needs.
try:
    if port == "5353":
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((source, 0)); s.settimeout(1.5)
        s.connect((address, 5353))
        for _ in range(12 if wanted == "pass" else 1):
            try: s.send(b"?"); s.recv(9); print("pass"); sys.exit()
            except TimeoutError: pass
        raise OSError
    source = (source, 0) if source != "-" else None
    socket.create_connection((address, int(port)), 20 if wanted == "pass" else 1.5, source).close(); print("pass")
except OSError: print("block")
P
python3 -IS "$work/serve.py" "$work/a" 22 2222 80 >/dev/null 2>&1 &
nsenter -t "$client" -n -- python3 -IS "$work/serve.py" "$work/b" 80 4444 >/dev/null 2>&1 &
nsenter -t "$container" -n -- python3 -IS "$work/serve.py" "$work/c" 80 >/dev/null 2>&1 &
until [ -e "$work/a" ] && [ -e "$work/b" ] && [ -e "$work/c" ]; do sleep 0.05; done

# name, where from, source, address, port, what is wanted of it under the rules
probe() {
    name=$1 where=$2 wanted=$6
    [ "$state" = loaded ] || wanted=pass
    if [ "$where" = here ]; then got=$(python3 -IS "$work/probe.py" "$3" "$4" "$5" "$wanted")
    else got=$(inside "$where" python3 -IS "$work/probe.py" "$3" "$4" "$5" "$wanted"); fi
    echo "$state $name $got"
}
ping_one() {
    got=block; wanted=20
    inside "$client" ping -c 1 -w "$wanted" "$2" >/dev/null 2>&1 && got=pass
    echo "$state $1 $got"
}
all() {
    state=$1
    probe ssh4-allowed "$client" 10.9.0.2 10.9.0.1 22 pass
    probe ssh6-allowed "$client" fd09::2 fd09::1 22 pass
    probe ssh4-second-port "$client" 10.9.0.2 10.9.0.1 2222 pass
    probe ssh4-other "$client" 10.8.0.2 10.8.0.1 22 "$others"
    probe ssh6-other "$client" fd08::2 fd08::1 22 "$others"
    probe other-port "$client" 10.9.0.2 10.9.0.1 80 "$web"
    probe other-port-other "$client" 10.8.0.2 10.8.0.1 80 block
    probe other-udp "$client" 10.8.0.2 10.8.0.1 5353 "$web"
    if command -v ping >/dev/null; then ping_one ping4 10.8.0.1; ping_one ping6 fd08::1; fi
    probe loopback here - 127.0.0.1 80 pass
    probe metadata here - 169.254.169.254 80 pass
    probe out-web here - 10.8.0.2 80 pass
    probe out-4444 here - 10.8.0.2 4444 "$2"
    probe published "$client" 10.8.0.2 10.8.0.1 8080 pass
    probe container-out "$container" - 10.8.0.2 4444 pass
    probe container-direct "$client" 10.9.0.2 172.17.0.2 80 block
    echo "$state nat $(nft list table ip nat | grep -c 'dnat to\|masquerade')"
}
out=$2 others=$3 web=$4
all open "$out"
nft -c -f "$rules"
nft -f "$rules"
nft list ruleset > "$work/once"
nft -f "$rules"
nft list ruleset > "$work/twice"
cmp -s "$work/once" "$work/twice" && echo "loaded twice same"
all loaded "$out"
nft delete table inet hardtack
all reopened "$out"
