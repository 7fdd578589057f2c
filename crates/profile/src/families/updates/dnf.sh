    packages_add dnf-automatic || return 1
    sed -i -e 's/^upgrade_type *=.*/upgrade_type = security/' -e 's/^apply_updates *=.*/apply_updates = yes/' \
        /etc/dnf/automatic.conf || return 1
    systemctl --quiet enable --now dnf-automatic.timer
