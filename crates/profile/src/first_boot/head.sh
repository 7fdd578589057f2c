#!/bin/sh
# Made by hardtack for a hardening profile: what only the running machine can do or know.
# Each rule is a function; what they came to stands in /var/lib/hardtack/profile.tsv.
record=/var/lib/hardtack/profile.tsv
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
mkdir -p /var/lib/hardtack
: > "$record.new"
failed=0

look() {
    if said=$("$2" 2>&1); then word=pass; else word=fail; failed=$((failed + 1)); fi
    said=$(printf '%s' "$said" | tr '\t\n' '  ' | cut -c 1-500)
    printf '%s\t%s\t%s\n' "$1" "$word" "$said" >> "$record.new"
    [ "$word" = pass ] || echo "hardtack: profile: $1: ${said:-does not hold}"
}

