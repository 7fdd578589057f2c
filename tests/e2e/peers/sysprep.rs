//! Every operation of virt-sysprep, on an image with something to find for each.

use super::{Bench, Reason};

/// Users, and files whose content is the operation that is to find them.
fn material() -> String {
    let mut text = String::new();
    for (path, line) in [
        ("/etc/passwd", "ada:x:1000:1000::/home/ada:/bin/bash"),
        ("/etc/passwd", "eve:x:1001:1001::/srv/home/eve:/bin/bash"),
        ("/etc/shadow", "ada:*:19000:0:99999:7:::"),
        ("/etc/shadow", "eve:*:19000:0:99999:7:::"),
        ("/etc/group", "ada:x:1000:"),
        ("/etc/group", "eve:x:1001:"),
        ("/etc/group", "friends:x:1100:ada,eve"),
        ("/etc/gshadow", "ada:!::"),
    ] {
        text += &format!("  - append-line: {{path: {path}, line: \"{line}\"}}\n");
    }
    text += "  - files:\n";
    for line in FILES.trim().lines() {
        let (operation, path) = line.split_once(' ').unwrap();
        let content = match operation {
            "net-hostname" => "DEVICE=eth0\\nHOSTNAME=old\\nHWADDR=00:11:22:33:44:55",
            other => other,
        };
        text += &format!("    - {{write: {path}, content: \"{content}\\n\", mode: \"0644\"}}\n");
    }
    text += "    - {write: /etc/machine-id, content: \"00112233445566778899aabbccddeeff\\n\"}\n";
    text += "  - chown: {path: /home/ada, owner: \"ada:ada\"}\n";
    text
}

const FILES: &str = "
abrt-data /var/spool/abrt/ccpp-1/dump
backup-files /etc/thing.bak
backup-files /root/note~
backup-files /srv/.x.bak
backup-files /var/lib/deep/er/y.bak
backup-files /home/ada/mine.bak
backup-files /opt/stays.bak
bash-history /root/.bash_history
bash-history /home/ada/.bash_history
bash-history /srv/home/eve/.bash_history
blkid-tab /etc/blkid.tab
blkid-tab /etc/blkid/blkid.tab.old
crash-data /var/crash/core.1
crash-data /var/log/dump/d/core
cron-spool /var/spool/cron/crontabs/ada
cron-spool /var/spool/cron/atjobs/.SEQ
cron-spool /var/spool/cron/atjobs/a0001
dhcp-client-state /var/lib/dhcp/dhclient.leases
dhcp-client-state /var/lib/dhclient/x.lease
dhcp-client-state /var/lib/NetworkManager/internal-1-eth0.lease
dhcp-server-state /var/lib/dhcpd/dhcpd.leases
dovecot-data /var/lib/dovecot/instances
ipa-client /etc/ipa/ca.crt
ipa-client /etc/ipa/default.conf
ipa-client /var/lib/ipa-client/sysrestore/x
kerberos-hostkeytab /etc/krb5.keytab
logfiles /var/log/syslog
logfiles /var/log/syslog.1
logfiles /var/log/apt/history.log
logfiles /var/log/wtmp
logfiles /var/log/apache2/access_log
logfiles /var/log/unknown/some.txt
logfiles /var/log/journal/00112233445566778899aabbccddeeff/system.journal
logfiles /var/cache/man/index.db
logfiles /root/install.log
logfiles /var/lib/logrotate.status
lvm-system-devices /etc/lvm/devices/system.devices
mail-spool /var/mail/ada
net-hostname /etc/sysconfig/network-scripts/ifcfg-eth0
net-nmconn /etc/NetworkManager/system-connections/eth0.nmconnection
pacct-log /var/log/account/pacct
pacct-log /var/log/account/pacct.1.gz
package-manager-cache /var/cache/apt/archives/x_1_all.deb
package-manager-cache /var/cache/apt/archives/partial/y.deb
pam-data /var/run/faillock/ada
passwd-backups /etc/passwd-
passwd-backups /etc/shadow-
passwd-backups /etc/group-
passwd-backups /etc/gshadow-
passwd-backups /etc/subuid-
passwd-backups /etc/subgid-
puppet-data-log /var/log/puppet/agent.log
puppet-data-log /var/lib/puppet/ssl/certs/x.pem
rpm-db /var/lib/rpm/__db.001
samba-db-log /var/lib/samba/private/secrets.tdb
samba-db-log /var/log/samba/log.smbd
smolt-uuid /etc/smolt/uuid
ssh-hostkeys /etc/ssh/ssh_host_ed25519_key
ssh-hostkeys /etc/ssh/ssh_host_ed25519_key.pub
ssh-userdir /root/.ssh/authorized_keys
ssh-userdir /home/ada/.ssh/known_hosts
sssd-db-log /var/lib/sss/db/cache.ldb
sssd-db-log /var/log/sssd/sssd.log
tmp-files /tmp/.X11-unix/x
tmp-files /tmp/t
tmp-files /var/tmp/u/v
udev-persistent-net /etc/udev/rules.d/70-persistent-net.rules
utmp /run/utmp
yum-uuid /var/lib/yum/uuid
zsh-history /root/.zsh_history
ca-certificates /etc/pki/tls/certs/a.crt
ca-certificates /etc/pki/tls/private/a.key
ca-certificates /etc/pki/tls/certs/ca-bundle.crt
firewall-rules /etc/sysconfig/iptables
firewall-rules /etc/firewalld/zones/public.xml
kerberos-data /var/kerberos/krb5kdc/principal
kerberos-data /var/kerberos/krb5kdc/kdc.conf
";

/// What stays, by both.
const STAYS: &[&str] =
    &["/opt/stays.bak", "/etc/pki/tls/certs/ca-bundle.crt", "/var/kerberos/krb5kdc/kdc.conf"];
/// What only operations find that are not on by default.
const NOT_BY_DEFAULT: &[&str] = &["ca-certificates", "firewall-rules", "kerberos-data"];

const DEFAULTS: &[Reason] = &[
    ("/etc/NetworkManager/system-connections/eth0.nmconnection", "theirs does it on Red Hat's only"),
    ("/etc/sysconfig/network-scripts/ifcfg-eth0", "the same"),
    ("/var/lib/rpm/__db.001", "theirs does it where packages are rpm only"),
    ("/var/lib/yum/uuid", "theirs does it where yum is"),
    ("/etc/lvm/devices/system.devices", "an operation of 1.50 and later"),
    ("/root/.zsh_history", "an operation of 1.56 and later"),
    ("/etc/machine-id", "theirs makes one: all instances share it"),
    ("/etc/systemd/system/systemd-firstboot.service.d*", "`uninitialized`: nobody is asked on the console"),
    ("/etc/systemd/system-preset*", "`uninitialized`: the image's units stay as they are"),
    ("/home/ada/mine.bak", "theirs does not look into homes"),
    ("/srv/home/eve/.bash_history", "theirs knows homes in /home only"),
    ("/var/lib/NetworkManager/internal-1-eth0.lease", "theirs knows dhclient only"),
    ("/var/log/apache2/access_log", "ours stays, and is empty"),
    ("/var/log/btmp", "the same"),
    ("/var/log/faillog", "the same"),
    ("/var/log/lastlog", "the same"),
    ("/var/log/wtmp", "the same"),
    ("/var/log/unknown/some.txt", "theirs leaves what its list does not name"),
];

const OTHERS: &[Reason] = &[
    ("/etc/group", "theirs leaves memberships of those who are gone"),
    ("/etc/gshadow", "theirs leaves their lines"),
    ("/srv/home/eve*", "in a directory of the system: ours says that it stays"),
    ("/var/spool/cron/crontabs/ada", "theirs leaves the crontab: another user of that name would run it"),
];

/// (operation, path) of the material, but for what stays.
fn found() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.trim().lines().map(|line| line.split_once(' ').unwrap()).filter(|(_, path)| !STAYS.contains(path))
}

#[test]
#[ignore = "libguestfs under emulation: minutes"]
fn the_same_files_are_gone_as_with_virt_sysprep() {
    let Some(bench) = Bench::new(&material()) else { return };
    bench.both("sysprep", &[]);
    let changed = bench.differences("base.qcow2", "ours.qcow2");
    for (operation, path) in found() {
        // A path is told where it is, links resolved.
        let path = path.replace("/var/run/", "/run/");
        assert_eq!(changed.contains_key(&path), !NOT_BY_DEFAULT.contains(&operation), "{operation}: {path}");
    }
    for path in STAYS {
        assert!(!changed.contains_key(*path), "{path}");
    }
    bench.assert_same_but(DEFAULTS);
    assert_eq!(bench.cat("theirs.qcow2", "/etc/machine-id").trim().len(), 32, "theirs fills it");
    assert_eq!(bench.cat("ours.qcow2", "/etc/machine-id"), "uninitialized\n");
    assert_eq!(bench.debugfs("ours.qcow2", "cat /var/spool/cron/atjobs/.SEQ"), "00000\n");
}

#[test]
#[ignore = "libguestfs under emulation: minutes"]
fn operations_that_are_off_do_the_same_too() {
    let Some(bench) = Bench::new(&material()) else { return };
    let names = "ca-certificates,firewall-rules,flag-reconfiguration,kerberos-data,user-account";
    bench.both("sysprep", &["--enable", names]);
    let changed = bench.differences("base.qcow2", "ours.qcow2");
    for (operation, path) in found().filter(|(operation, _)| NOT_BY_DEFAULT.contains(operation)) {
        assert!(changed.contains_key(path), "{operation}: {path}");
    }
    for path in ["/.unconfigured", "/home/ada", "/etc/passwd", "/var/mail/ada"] {
        assert!(changed.contains_key(path), "{path}: {:?}", changed.keys());
    }
    bench.assert_same_but(OTHERS);
}
