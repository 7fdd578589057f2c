    # /proc/net has address:port in hexadecimal and the state 0A for listening, 07 for UDP without a peer; what listens
    # on 127.0.0.0/8 or ::1 only is this machine's own.
    [ -r /proc/net/tcp ] || { echo "/proc/net/tcp cannot be read"; return 1; }
    for family in tcp tcp6 udp udp6; do
        [ -r "/proc/net/$family" ] || continue
        while read -r _ own _ state _; do
            case "$state" in 0A | 07) ;; *) continue ;; esac
            case "$own" in
                ??????7F:* | 00000000000000000000000001000000:* | 0000000000000000FFFF0000??????7F:*) continue ;;
            esac
            printf '%s/%d\n' "$family" "0x${own##*:}"
        done < "/proc/net/$family"
    done | sort -u
