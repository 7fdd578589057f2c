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

package_there() {
    if command -v dpkg-query > /dev/null 2>&1; then
        case "$(dpkg-query -W -f '${Status} ' "$1" 2> /dev/null)" in
            *' ok installed '*) return 0 ;;
        esac
        return 1
    fi
    rpm -q "$1" > /dev/null 2>&1
}

# What APT knows of its sources, asked for once.
packages_lists() {
    [ ! -e /run/hardtack-profile.lists ] || return 0
    umask 022
    apt-get -qq -o APT::Update::Error-Mode=any update 2>&1 || return 1
    : > /run/hardtack-profile.lists
}

# Files of configuration that are there stay as they are.
packages_apt() {
    umask 022
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

packages_install() {
    umask 022
    if command -v apt-get > /dev/null 2>&1; then
        packages_lists && packages_apt --no-install-recommends install "$@"
    elif command -v dnf > /dev/null 2>&1; then
        dnf -q -y install "$@"
    elif command -v yum > /dev/null 2>&1; then
        yum -q -y install "$@"
    else
        zypper --quiet --non-interactive install --no-recommends "$@"
    fi
}

# The errors of what a package manager said, or its last words.
packages_why() {
    printf '%s\n' "$1" | grep '^E:' || printf '%s\n' "$1" | tail -n 2
}

# The network may come late, and others install at boot, too: it is tried three times; when that has failed, what comes
# behind is tried once.
packages_add() {
    missing=
    for name in "$@"; do package_there "$name" || missing="$missing $name"; done
    [ -n "$missing" ] || return 0
    for try in 1 2 3; do
        # Names of packages have no blanks.
        # shellcheck disable=SC2086
        if told=$(packages_install $missing 2>&1); then
            rm -f /run/hardtack-profile.failed
            echo "installed:$missing"
            return 0
        fi
        [ ! -e /run/hardtack-profile.failed ] || break
        [ "$try" = 3 ] || sleep 20
    done
    : > /run/hardtack-profile.failed
    echo "cannot install$missing: $(packages_why "$told")"
    return 1
}

# How many updates wait.
packages_pending() {
    if command -v apt-get > /dev/null 2>&1; then
        packages_lists || return 1
        count=$(apt-get -qq -s upgrade | grep -c '^Inst ')
    elif command -v dnf > /dev/null 2>&1; then
        count=$(dnf -q check-update | grep -c '^[^ ]')
    elif command -v yum > /dev/null 2>&1; then
        count=$(yum -q check-update | grep -c '^[^ ]')
    else
        count=$(zypper --quiet --non-interactive list-updates | grep -c '^v ')
    fi
    echo "$count updates wait"
    [ "$count" = 0 ]
}

packages_upgrade() {
    umask 022
    if command -v apt-get > /dev/null 2>&1; then
        told=$(packages_lists && packages_apt -o APT::Get::Upgrade-Allow-New=true upgrade 2>&1)
    elif command -v dnf > /dev/null 2>&1; then
        told=$(dnf -q -y upgrade 2>&1)
    elif command -v yum > /dev/null 2>&1; then
        told=$(yum -q -y update 2>&1)
    else
        told=$(zypper --quiet --non-interactive update 2>&1)
    fi
    [ "$?" = 0 ] || { packages_why "$told"; return 1; }
    [ ! -e /run/reboot-required ] || echo "a reboot is required"
    packages_pending
}

# Nothing that a person may use goes with them, only what merely stands for a list of others.
packages_remove() {
    there=
    for name in "$@"; do ! package_there "$name" || there="$there $name"; done
    [ -n "$there" ] || return 0
    if ! command -v apt-get > /dev/null 2>&1; then
        # shellcheck disable=SC2086
        rpm -e $there
        return
    fi
    # shellcheck disable=SC2086
    for name in $(apt-get -qq -s remove $there | sed -n 's/^Remv \([^ ]*\).*/\1/p'); do
        case " $there " in
            *" $name "*) continue ;;
        esac
        case "$(dpkg-query -W -f '${Section}' "$name" 2> /dev/null)" in
            *metapackages) ;;
            *) echo "$name needs$there"; return 1 ;;
        esac
    done
    # shellcheck disable=SC2086
    told=$(packages_apt remove $there 2>&1) || { packages_why "$told"; return 1; }
    echo "removed:$there"
}

