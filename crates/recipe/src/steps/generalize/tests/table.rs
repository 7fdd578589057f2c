use std::collections::BTreeSet;

use super::*;
use crate::model::generalize::{NAMES, TABLE, defaults};

/// `virt-sysprep --list-operations` of guestfs-tools 1.56, and whether each is done by default.
const PEER: &str = "abrt-data* backup-files* bash-history* blkid-tab* ca-certificates crash-data* cron-spool* customize* \
    dhcp-client-state* dhcp-server-state* dovecot-data* firewall-rules flag-reconfiguration fs-uuids ipa-client* \
    kerberos-data kerberos-hostkeytab* logfiles* lvm-system-devices* lvm-uuids* machine-id* mail-spool* net-hostname* \
    net-hwaddr* net-nmconn* pacct-log* package-manager-cache* pam-data* passwd-backups* puppet-data-log* \
    rh-subscription-manager* rhn-systemid* rpm-db* samba-db-log* script* smolt-uuid* ssh-hostkeys* ssh-userdir* \
    sssd-db-log* tmp-files* udev-persistent-net* user-account utmp* yum-uuid* zsh-history*";

#[test]
fn every_operation_of_the_peer_is_here() {
    let peer: Vec<(&str, bool)> =
        PEER.split_whitespace().map(|word| (word.trim_end_matches('*'), word.ends_with('*'))).collect();
    let ours: Vec<(&str, bool)> =
        TABLE.iter().filter_map(|operation| Some((operation.name, operation.peer?))).collect();
    assert_eq!(ours, peer);
    assert_eq!(peer.len(), 45);
}

#[test]
fn names_are_sorted_and_other_defaults_have_a_reason() {
    assert!(NAMES.is_sorted(), "{NAMES:?}");
    assert_eq!(NAMES.iter().collect::<BTreeSet<_>>().len(), TABLE.len());
    for operation in TABLE {
        let other = operation.peer.is_some_and(|peer| peer != operation.default);
        assert!(!other || !operation.why.is_empty() || operation.refused.is_some(), "{}", operation.name);
        assert!(!operation.default || operation.refused.is_none(), "{}", operation.name);
        let does = operation.special.is_some() || !operation.targets.is_empty();
        assert_eq!(does, operation.refused.is_none(), "{}", operation.name);
    }
}

/// For each operation: what it takes, and what it leaves (after `|`). A word with `=` becomes empty.
const EACH: &[(&str, &str)] = &[
    ("abrt-data", "/var/spool/abrt/1/core"),
    (
        "agent-state",
        "/var/lib/hardtack/identity.json /var/lib/hardtack/used/ann /var/lib/hardtack/passwords/ann \
         /var/lib/hardtack/operator/ann /var/lib/hardtack/profile.tsv | /var/lib/hardtack/operations.json /var/lib/hardtack/packages/x.deb",
    ),
    ("amazon-ssm", "/var/lib/amazon/ssm/Vault/Store/RegistrationKey"),
    (
        "apt-lists",
        "/var/lib/apt/lists/deb.debian.org_dists_x /var/lib/apt/lists/partial/x_y /var/cache/apt/pkgcache.bin \
         | /var/lib/apt/lists/lock /var/lib/apt/extended_states",
    ),
    (
        "backup-files",
        "/etc/x.bak /etc/.y~ /var/lib/z~ /srv/people/ann/deep/a.bak /home/left/n~ \
         | /etc/x.orig /usr/share/x.bak /opt/x~ /etc/x.dpkg-old",
    ),
    ("bash-history", "/root/.bash_history | /root/.bashrc"),
    ("blkid-tab", "/run/blkid.tab /etc/blkid.tab.old /run/blkid/blkid.tab"),
    (
        "ca-certificates",
        "/etc/pki/tls/private/k.key /etc/pki/tls/certs/mine.crt | /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/certs/a.crt",
    ),
    ("cloud-init", "/var/lib/cloud/instances/i-1/user-data.txt /var/lib/cloud/.x | /etc/cloud/cloud.cfg"),
    ("container-state", "/var/lib/docker/engine-id /var/lib/containerd/x/uuid | /var/lib/docker/image/x"),
    ("crash-data", "/var/crash/1/dump /var/lib/systemd/coredump/core.zst"),
    ("cron-spool", "/var/spool/cron/crontabs/ann /var/spool/cron/root | /etc/crontab /etc/cron.d/x"),
    (
        "dhcp-client-state",
        "/var/lib/dhcp/dhclient.leases /var/lib/dhcpcd/eth0.lease /etc/dhcpcd.duid /var/lib/systemd/network/x \
         /var/lib/NetworkManager/internal-1-eth0.lease /var/lib/NetworkManager/secret_key \
         | /var/lib/NetworkManager/NetworkManager.state /etc/dhcpcd.conf",
    ),
    ("dhcp-server-state", "/var/lib/dhcpd/dhcpd.leases"),
    ("dovecot-data", "/var/lib/dovecot/instances | /var/lib/dovecot/sub/x"),
    ("firewall-rules", "/etc/sysconfig/iptables /etc/firewalld/zones/public.xml | /etc/nftables.conf"),
    ("google-authenticator", "/root/.google_authenticator /srv/people/ann/.google_authenticator~"),
    ("hostid", "/etc/hostid"),
    ("ipa-client", "/etc/ipa/ca.crt /var/lib/ipa-client/pki/x"),
    ("kerberos-data", "/var/kerberos/krb5kdc/principal | /var/kerberos/krb5kdc/kdc.conf"),
    ("kerberos-hostkeytab", "/etc/krb5.keytab | /etc/krb5.conf"),
    (
        "known-hosts",
        "/root/.ssh/known_hosts /srv/people/ann/.ssh/known_hosts.old | /root/.ssh/authorized_keys",
    ),
    (
        "logfiles",
        "/var/log/syslog /var/log/syslog.1 /var/log/dpkg.log /var/log/apt/term.log /var/log/journal/0123/system.journal \
         =/var/log/wtmp /var/log/wtmp.1 =/var/log/postgresql/main /var/log/postgresql/main.2.gz /var/log/x-20260101 \
         /root/anaconda-ks.cfg /var/cache/man/index.db /var/lib/logrotate/status | /root/notes.cfg",
    ),
    ("lvm-system-devices", "/etc/lvm/devices/system.devices"),
    ("machine-info", "/etc/machine-info"),
    ("mail-spool", "/var/mail/ann /var/spool/mail/root"),
    ("net-nmconn", "/etc/NetworkManager/system-connections/eth0.nmconnection"),
    ("nvme-hostnqn", "/etc/nvme/hostnqn /etc/nvme/hostid | /etc/nvme/discovery.conf"),
    (
        "package-manager-cache",
        "/var/cache/apt/archives/a.deb /var/cache/apt/archives/partial/b.deb /var/cache/dnf/x/y /var/cache/zypper/z \
         | /var/cache/debconf/config.dat",
    ),
    ("pacct-log", "=/var/log/account/pacct /var/log/account/pacct.1"),
    ("pam-data", "/var/lib/faillock/ann | /etc/pam.d/login"),
    ("passwd-backups", "/etc/shadow- /etc/subgid- | /etc/shadow"),
    (
        "puppet-data-log",
        "/var/lib/puppet/ssl/x /etc/puppetlabs/puppet/ssl/certs/x | /etc/puppetlabs/puppet/puppet.conf",
    ),
    (
        "random-seed",
        "/var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/systemd/credential.secret /etc/random-seed \
         /boot/efi/loader/random-seed | /boot/efi/loader/loader.conf",
    ),
    ("resolv-conf", "=/etc/resolv.conf"),
    ("rh-subscription-manager", "/etc/pki/consumer/cert.pem"),
    ("rhn-systemid", "/etc/sysconfig/rhn/systemid"),
    ("rpm-db", "/var/lib/rpm/__db.001 | /var/lib/rpm/rpmdb.sqlite"),
    ("samba-db-log", "/var/lib/samba/private/secrets.tdb /var/log/samba/log.smbd | /etc/samba/smb.conf"),
    (
        "shell-history",
        "/root/.lesshst /root/.viminfo /root/.python_history /srv/people/ann/.psql_history \
         /root/.local/share/fish/fish_history | /root/.bash_history /root/.vimrc",
    ),
    ("smolt-uuid", "/etc/smolt/hw-uuid"),
    (
        "snapd-state",
        "/var/lib/snapd/state.json /var/lib/snapd/device/private-keys-v1/x | /var/lib/snapd/snaps/x.snap",
    ),
    (
        "ssh-hostkeys",
        "/etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_rsa_key-cert.pub | /etc/ssh/sshd_config",
    ),
    ("ssh-userdir", "/root/.ssh/authorized_keys /srv/people/ann/.ssh/id"),
    ("sssd-db-log", "/var/lib/sss/db/cache.ldb /var/log/sssd/sssd.log"),
    ("tmp-files", "/tmp/.x /tmp/a/b /var/tmp/c"),
    ("udev-persistent-net", "/etc/udev/rules.d/70-persistent-net.rules"),
    ("utmp", "/run/utmp"),
    ("yum-uuid", "/var/lib/yum/uuid"),
    ("zsh-history", "/srv/people/ann/.zsh_history"),
];

#[test]
fn each_operation_takes_its_own_and_nothing_else() {
    let all: Vec<&str> = EACH.iter().flat_map(|(_, words)| words.split_whitespace()).collect();
    let mut tree = tree();
    for path in all.iter().filter(|word| **word != "|") {
        tree = tree.file(path.trim_start_matches('='), "content");
    }
    for (name, words) in EACH {
        let (taken, left) = words.split_once('|').unwrap_or((words, ""));
        let (_, _, ()) = staged(&tree, &format!("- {name}"), |stage| {
            for path in taken.split_whitespace() {
                let found = stage.read(path.trim_start_matches('=')).unwrap();
                let wanted = path.starts_with('=').then(Vec::new);
                assert_eq!(found, wanted, "{name}: {path}");
            }
            for path in left.split_whitespace() {
                assert!(stage.read(path).unwrap().is_some_and(|text| !text.is_empty()), "{name}: {path}");
            }
            assert!(stage.read("/etc/passwd").unwrap().is_some());
        })
        .unwrap();
    }
    // Whatever has paths of its own is tried here.
    let tried: BTreeSet<&str> = EACH.iter().map(|(name, _)| *name).collect();
    let rest =
        TABLE.iter().filter(|operation| operation.refused.is_none() && !tried.contains(operation.name));
    assert!(rest.clone().all(|operation| operation.targets.is_empty()), "{:?}", rest.collect::<Vec<_>>());
}

#[test]
fn lines_and_counters() {
    let ifcfg = "/etc/sysconfig/network-scripts/ifcfg-eth0";
    let seq = "/var/spool/cron/atjobs/.SEQ";
    let tree = tree()
        .file(ifcfg, "DEVICE=eth0\nHWADDR=52:54:00:1:2:3\nHOSTNAME=a\nDHCP_HOSTNAME=b\n")
        .file(seq, "0001f");
    let steps = "- net-hostname\n- net-hwaddr\n- cron-spool\n- flag-reconfiguration";
    let (changed, _, (text, count)) = staged(&tree, steps, |stage| {
        (stage.read_text(ifcfg).unwrap().unwrap(), stage.read_text(seq).unwrap().unwrap())
    })
    .unwrap();
    assert_eq!((text.as_str(), count.as_str()), ("DEVICE=eth0\n", "00000\n"));
    assert!(changed.contains(&"write /.unconfigured".to_owned()), "{changed:?}");
}

#[test]
fn network_configuration_goes_only_where_cloud_init_wrote_it() {
    let mark = "# This file is generated from information provided by the datasource.\nnetwork: {}\n";
    let tree = tree()
        .file("/etc/netplan/50-cloud-init.yaml", mark)
        .file("/etc/network/interfaces.d/50-cloud-init", "auto eth0\n")
        .file(
            "/etc/sysconfig/network-scripts/ifcfg-eth0",
            "# Created by cloud-init automatically, do not edit.\n",
        );
    assert_eq!(
        changes(&tree, "- cloud-init"),
        ["remove /etc/netplan/50-cloud-init.yaml", "remove /etc/sysconfig/network-scripts/ifcfg-eth0"]
    );
}

#[test]
fn the_manual_has_the_table() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipes/generalize.md");
    let text = std::fs::read_to_string(file).unwrap();
    let word = |on: bool| if on { "on" } else { "off" };
    let mut rows = String::new();
    for operation in TABLE {
        let ours = if operation.refused.is_some() { "not done" } else { word(operation.default) };
        let about = [operation.what, operation.why, operation.refused.unwrap_or_default()];
        let about: Vec<&str> = about.into_iter().filter(|text| !text.is_empty()).collect();
        let peer = operation.peer.map_or("–", word);
        rows += &format!("| `{}` | {ours} | {peer} | {} |\n", operation.name, about.join(": "));
    }
    assert!(text.contains(&rows), "put this into {file}:\n{rows}");
    assert!(defaults().len() > 40);
}
