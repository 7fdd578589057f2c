    command -v aide >/dev/null || { echo 'aide is not there'; return 1; }
    conf=/etc/hardtack/aide.conf
    [ ! -f /etc/default/aide ] || sed -i "s|^CONFIG=.*|CONFIG=\"$conf\"|" /etc/default/aide
    [ -s /var/lib/aide/aide.db ] || {
        aide --config="$conf" --init >/dev/null 2>&1 || [ -s /var/lib/aide/aide.db.new ] || return 1
        mv /var/lib/aide/aide.db.new /var/lib/aide/aide.db
    }
