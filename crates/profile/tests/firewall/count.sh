#!/bin/sh
# The command of the firewall over the rules $1, in mount and network namespaces of its own. Run by `unshare -mn`.
set -eu
for place in /run /etc /var/lib; do mount -t tmpfs none "$place"; done
mkdir -p /etc/hardtack /etc/systemd/system
cp "$1/firewall.nft" /etc/hardtack/
cp "$1/hardtack-firewall-rollback.service" /etc/systemd/system/
cp "$1/hardtack-firewall" /run/
tool=/run/hardtack-firewall
stamp=/run/hardtack-firewall.loaded
read -r seconds rest < /proc/uptime
past=$((${seconds%%.*} - 700))
say() { echo "$1: $("$tool" status | tr '\n' ' ')$(nft list tables | wc -l) $(ls /var/lib/hardtack 2>/dev/null | tr '\n' ' ')"; }

"$tool" count 10
say "never loaded"
"$tool" load
"$tool" count 10 & waiting=$!
until [ -e /run/hardtack-firewall.until ]; do sleep 0.1; done
say loaded
kill "$waiting"
# What loads it again takes nothing off the time that has gone by.
echo "$past" > $stamp
"$tool" load
"$tool" unload
"$tool" load
[ "$(cat $stamp)" = "$past" ] || echo "the minutes began anew"
"$tool" count 10
say "700 seconds later"
"$tool" close
[ "$(cat $stamp)" -gt "$past" ] || echo "the minutes did not begin anew"
"$tool" count 10 & waiting=$!
"$tool" confirm
wait "$waiting"
say confirmed
echo "$past" > $stamp
"$tool" count 10
say "700 seconds later"
