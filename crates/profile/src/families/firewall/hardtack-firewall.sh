#!/bin/sh
# Made by hardtack for a hardening profile: the firewall, and the way back.
#
#   hardtack-firewall status    what is in force
#   hardtack-firewall confirm   it stays: nothing reopens it any more
#   hardtack-firewall reopen    it is taken away, over the next boots, too
#   hardtack-firewall close     it is loaded again, and must be confirmed again
#
# Only its own table, or its own chains, are touched.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
rules=/etc/hardtack/firewall
state=/var/lib/hardtack
confirmed=$state/firewall.confirmed
reopened=$state/firewall.rolled-back
# When it was loaded first in this boot, and when it reopens, in seconds since the boot.
loaded=/run/hardtack-firewall.loaded
until=/run/hardtack-firewall.until
unit=/etc/systemd/system/hardtack-firewall-rollback.service
job=/etc/init/hardtack-firewall-rollback.conf

# Of the clock that nobody sets, and that runs on while the machine is suspended.
uptime() {
    read -r seconds rest < /proc/uptime
    echo "${seconds%%.*}"
}

# Runs a line of shell over $state, and under overlayroot also in the file system below, which the next boot sees.
keep() {
    if command -v overlayroot-chroot >/dev/null 2>&1 && grep -q '^[^ ]* / overlay ' /proc/mounts; then
        overlayroot-chroot sh -c "$1" >/dev/null 2>&1 ||
            echo "hardtack-firewall: the root below the overlay cannot be written: this ends with the next boot" >&2
    fi
    sh -c "$1"
}

# The chains of both families: iptables and ip6tables, as far as they are there.
tables() {
    for tool in iptables ip6tables; do
        ! command -v "$tool" >/dev/null 2>&1 || "$1" "$tool"
    done
}

load_chain() {
    version=4
    [ "$1" = iptables ] || version=6
    "$1-restore" --noflush < "$rules.v$version" || failed=1
    "$1" -C INPUT -j HARDTACK 2>/dev/null || "$1" -I INPUT -j HARDTACK || failed=1
}

unload_chain() {
    while "$1" -D INPUT -j HARDTACK 2>/dev/null; do :; done
    "$1" -F HARDTACK 2>/dev/null
    "$1" -X HARDTACK 2>/dev/null
}

# The minutes count from the first time in a boot, whoever loads it again.
load() {
    [ -e "$loaded" ] || uptime > "$loaded"
    if [ -e "$rules.nft" ]; then
        nft -f "$rules.nft"
    else
        failed=0
        tables load_chain
        return "$failed"
    fi
}

unload() {
    if [ -e "$rules.nft" ]; then
        ! is_loaded || nft delete table inet hardtack
    else
        tables unload_chain
    fi
}

is_loaded() {
    if [ -e "$rules.nft" ]; then
        nft list table inet hardtack >/dev/null 2>&1
    else
        iptables -C INPUT -j HARDTACK 2>/dev/null
    fi
}

# Waits until $1 minutes after it was loaded; then it is taken away, if nobody has confirmed it.
count() {
    [ -e "$loaded" ] && read -r since < "$loaded" || exit 0
    end=$((since + $1 * 60))
    echo "$end" > "$until"
    while [ -e "$loaded" ] && [ ! -e "$confirmed" ]; do
        left=$((end - $(uptime)))
        [ "$left" -gt 0 ] || break
        [ "$left" -lt 5 ] || left=5
        sleep "$left"
    done
    [ -e "$loaded" ] && [ ! -e "$confirmed" ] || exit 0
    exec "$0" reopen
}

# The service's state follows where systemd runs.
service() {
    if [ -d /run/systemd/system ]; then systemctl "$@"; fi
}

case "$1" in
load | unload) "$1" ;;
count) count "$2" ;;
confirm)
    if ! is_loaded; then
        echo "hardtack-firewall: it is not in force, so there is nothing to confirm: hardtack-firewall close" >&2
        exit 1
    fi
    keep "mkdir -p $state && rm -f $reopened && : > $confirmed" || exit 1
    service stop hardtack-firewall-rollback.service 2>/dev/null
    echo "hardtack-firewall: confirmed"
    ;;
reopen)
    keep "mkdir -p $state && rm -f $confirmed && : > $reopened"
    rm -f "$loaded"
    service stop hardtack-firewall.service
    unload
    echo "hardtack-firewall: the firewall is open; to close it again: hardtack-firewall close"
    ;;
close)
    keep "rm -f $confirmed $reopened" || exit 1
    # The minutes begin anew.
    service stop hardtack-firewall-rollback.service 2>/dev/null
    rm -f "$loaded"
    if [ -d /run/systemd/system ]; then
        systemctl restart hardtack-firewall.service || exit 1
        [ ! -e "$unit" ] || systemctl restart hardtack-firewall-rollback.service || exit 1
    else
        load || exit 1
        initctl restart hardtack-firewall-rollback 2>/dev/null || initctl start hardtack-firewall-rollback
    fi
    echo "hardtack-firewall: closed; to keep it: hardtack-firewall confirm"
    ;;
status)
    if is_loaded; then echo "in force"; else echo "not in force"; fi
    if [ -e "$confirmed" ]; then
        echo "confirmed"
    elif [ -e "$reopened" ]; then
        echo "reopened: it is not loaded at boot"
    elif [ -e "$unit" ] || [ -e "$job" ]; then
        when=
        if [ -e "$loaded" ] && [ -e "$until" ] && read -r end < "$until"; then
            left=$((end - $(uptime)))
            [ "$left" -le 0 ] || when=" in $(((left + 59) / 60)) min"
        fi
        echo "not confirmed: it reopens$when unless somebody says: hardtack-firewall confirm"
    else
        echo "needs no confirmation"
    fi
    ;;
*)
    echo "usage: hardtack-firewall status|confirm|reopen|close" >&2
    exit 2
    ;;
esac
