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

# By the image's own package manager. Files of its configuration that are there stay as they are.
packages_manager() {
    export DEBIAN_FRONTEND=noninteractive
    if command -v apt-get > /dev/null 2>&1; then
        lists=/run/hardtack-profile.lists
        if [ ! -e "$lists" ]; then
            apt-get -qq -o APT::Update::Error-Mode=any update || return 1
            : > "$lists"
        fi
        apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \
            -o Dpkg::Options::=--force-confold --no-install-recommends install "$@"
    elif command -v dnf > /dev/null 2>&1; then
        dnf -q -y install "$@"
    elif command -v yum > /dev/null 2>&1; then
        yum -q -y install "$@"
    else
        zypper --quiet --non-interactive install --no-recommends "$@"
    fi
}

# The network may come late, and others install at boot, too: it is tried three times, once one try has failed thrice
# only once.
packages_add() {
    missing=
    for name in "$@"; do package_there "$name" || missing="$missing $name"; done
    [ -n "$missing" ] || return 0
    for try in 1 2 3; do
        # Names of packages have no blanks.
        # shellcheck disable=SC2086
        if told=$(packages_manager $missing 2>&1); then
            rm -f /run/hardtack-profile.failed
            echo "installed:$missing"
            return 0
        fi
        [ ! -e /run/hardtack-profile.failed ] || break
        [ "$try" = 3 ] || sleep 20
    done
    : > /run/hardtack-profile.failed
    echo "cannot install$missing: $(printf '%s\n' "$told" | grep '^E:' || printf '%s\n' "$told" | tail -n 2)"
    return 1
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
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 remove $there > /dev/null || return 1
    echo "removed:$there"
}

