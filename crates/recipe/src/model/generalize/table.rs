//! The operations: what each is for, whether it is done by default, and where.
//!
//! The paths of virt-sysprep are those of guestfs-tools 1.56; what it lacks is marked by
//! [`Operation::peer`] being `None`. A path that an image does not have is nothing to do, so no
//! entry asks which distribution it is.

use Target::{Below, Empty, EmptyBelow, File, Inside, Tree};

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// virt-sysprep's name, where it has the operation.
    pub name: &'static str,
    /// Done by `generalize` when nothing is said.
    pub default: bool,
    /// Done by virt-sysprep when nothing is said; `None`: it has no such operation.
    pub peer: Option<bool>,
    /// What it takes away, one sentence.
    pub what: &'static str,
    /// Why the default is another one than the peer's, or what people should know; may be empty.
    pub why: &'static str,
    /// Why it is not done at all.
    pub refused: Option<&'static str>,
    /// What it is about.
    pub(crate) targets: &'static [Target],
    /// What no list of paths says.
    pub(crate) special: Option<Special>,
}

/// Paths as glob(3) reads them; `~/` is every home, where a link goes itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// Whatever matches goes, with all below. A link stays, and what it leads to goes.
    Tree(&'static str),
    /// Everything in this directory goes, dot files too. What links lead to stays.
    Inside(&'static str),
    /// Files that match go, directories stay. A link stays, and what it leads to goes.
    File(&'static str),
    /// Every regular file below these directories goes.
    Below(&'static str),
    /// Regular files that match become empty: whoever writes them cannot always make them.
    Empty(&'static str),
    /// Every regular file below becomes empty, and copies that were put away by date or number go.
    EmptyBelow(&'static str),
}

/// What no list of paths says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// `*.bak` and `*~`.
    BackupFiles,
    /// Certificates that are not the distribution's.
    Certificates,
    /// cloud-init's network configuration.
    CloudInit,
    /// Jobs, and the counters of at(1).
    CronSpool,
    /// `/.unconfigured`.
    Reconfigure,
    /// Lines of `ifcfg-*`.
    Ifcfg(&'static [&'static str]),
    /// The initiator's name, made again at boot.
    Iscsi,
    /// The database of the key distribution centre.
    Kerberos,
    /// `/etc/machine-id` and its copies.
    MachineId,
    /// SSH's host keys, and who makes them again.
    HostKeys,
    /// People's accounts.
    UserAccount,
    /// Random seeds on file systems that are not written.
    RandomSeed,
}

const NONE: Operation = Operation {
    name: "",
    default: false,
    peer: None,
    what: "",
    why: "",
    refused: None,
    targets: &[],
    special: None,
};

/// On by default, there and here.
const fn on(name: &'static str, what: &'static str, targets: &'static [Target]) -> Operation {
    Operation { name, default: true, peer: Some(true), what, targets, ..NONE }
}

/// Off by default, with a reason; `peer` says what virt-sysprep does.
const fn off(
    name: &'static str,
    peer: Option<bool>,
    what: &'static str,
    why: &'static str,
    targets: &'static [Target],
) -> Operation {
    Operation { name, peer, what, why, targets, ..NONE }
}

/// On by default, and unknown to virt-sysprep.
const fn ours(name: &'static str, what: &'static str, targets: &'static [Target]) -> Operation {
    Operation { name, default: true, what, targets, ..NONE }
}

/// Not done, and why.
const fn refused(name: &'static str, peer: bool, what: &'static str, reason: &'static str) -> Operation {
    Operation { name, peer: Some(peer), what, refused: Some(reason), ..NONE }
}

const fn with(special: Special, operation: Operation) -> Operation {
    Operation { special: Some(special), ..operation }
}

const fn but(why: &'static str, operation: Operation) -> Operation {
    Operation { why, ..operation }
}

/// All operations by name.
pub const TABLE: &[Operation] = &[
    on("abrt-data", "crash reports of ABRT", &[Tree("/var/spool/abrt/*"), Tree("/var/tmp/abrt/*")]),
    ours(
        "agent-state",
        "what Hardtack's own agent keeps about one machine: whose it is, what was used, passwords",
        &[
            File("/var/lib/hardtack/identity.json"),
            Tree("/var/lib/hardtack/{used,operator,passwords}"),
            File("/var/lib/hardtack/network-cards"),
            File("/var/lib/hardtack/profile.tsv"),
        ],
    ),
    ours(
        "amazon-ssm",
        "the registration of Amazon's Systems Manager agent",
        &[Tree("/var/lib/amazon/ssm/*"), Tree("/var/snap/amazon-ssm-agent/*/lib/amazon/ssm/*")],
    ),
    but(
        "`apt-get update` brings them again; a lock file stays",
        ours(
            "apt-lists",
            "the package lists of APT and its caches of them",
            &[
                File("/var/lib/apt/lists/*_*"),
                Below("/var/lib/apt/lists/partial"),
                File("/var/cache/apt/*.bin"),
            ],
        ),
    ),
    with(
        Special::BackupFiles,
        on("backup-files", "files `*.bak` and `*~` below /etc, /root, /srv, /tmp, /var and all homes", &[]),
    ),
    on("bash-history", "what was typed into bash", &[File("~/.bash_history")]),
    on(
        "blkid-tab",
        "the cache of blkid",
        &[
            File("/run/blkid.tab{,.old}"),
            File("/var/run/blkid.tab{,.old}"),
            File("/etc/blkid/blkid.tab{,.old}"),
            File("/etc/blkid.tab{,.old}"),
            File("/dev/.blkid.tab{,.old}"),
            File("/run/blkid/blkid.tab{,.old}"),
        ],
    ),
    with(
        Special::Certificates,
        off(
            "ca-certificates",
            Some(false),
            "certificates and keys below /etc/pki that are not the distribution's bundles",
            "an image may be made for them",
            &[],
        ),
    ),
    with(
        Special::CloudInit,
        ours(
            "cloud-init",
            "what cloud-init knows of the instance, and the network configuration that it wrote",
            &[Inside("/var/lib/cloud")],
        ),
    ),
    but(
        "the images that Docker has stay",
        ours(
            "container-state",
            "the identities of Docker and containerd, and Docker's membership in a swarm",
            &[
                File("/var/lib/docker/engine-id"),
                File("/etc/docker/key.json"),
                Inside("/var/lib/docker/swarm"),
                File("/var/lib/docker/network/files/local-kv.db"),
                File("/var/lib/containerd/*/uuid"),
            ],
        ),
    ),
    on(
        "crash-data",
        "kernel and program crashes",
        &[
            Tree("/var/crash/*"),
            Tree("/var/log/dump/*"),
            Tree("/var/lib/systemd/coredump/*"),
            Tree("/var/lib/systemd/pstore/*"),
        ],
    ),
    with(
        Special::CronSpool,
        off(
            "cron-spool",
            Some(true),
            "users' crontabs and the jobs of at(1)",
            "a crontab in an image is configuration that somebody put there",
            &[],
        ),
    ),
    refused(
        "customize",
        true,
        "virt-sysprep: all of virt-customize",
        "each operation of virt-customize is a step of its own name",
    ),
    on(
        "dhcp-client-state",
        "leases, DUIDs and secrets of dhclient, dhcpcd, systemd-networkd and NetworkManager",
        &[
            Tree("/var/lib/dhclient/*"),
            Tree("/var/lib/dhcp/*"),
            Inside("/var/lib/dhcpcd"),
            Inside("/var/lib/dhcpcd5"),
            File("/etc/dhcpcd.{duid,secret}"),
            Inside("/var/lib/systemd/network"),
            File("/var/lib/NetworkManager/{*lease*,secret_key,seen-bssids,timestamps}"),
        ],
    ),
    on("dhcp-server-state", "leases that a DHCP server gave", &[Tree("/var/lib/dhcpd/*")]),
    on("dovecot-data", "the state of Dovecot", &[File("/var/lib/dovecot/*")]),
    off(
        "firewall-rules",
        Some(false),
        "iptables' rules and firewalld's services and zones",
        "a firewall in an image is wanted",
        &[
            File("/etc/sysconfig/ip{,6}tables"),
            File("/etc/firewalld/services/*"),
            File("/etc/firewalld/zones/*"),
        ],
    ),
    with(
        Special::Reconfigure,
        off(
            "flag-reconfiguration",
            Some(false),
            "nothing: it makes /.unconfigured, and distributions that know it ask questions at the first boot",
            "a machine without a console waits for ever",
            &[],
        ),
    ),
    refused(
        "fs-uuids",
        false,
        "virt-sysprep: a new UUID for every file system",
        "fstab, crypttab, the boot loader and the initramfs find file systems by their UUIDs; equal UUIDs \
         only meet when two disks are attached to one machine",
    ),
    but(
        "the agent, or the users, make new ones",
        ours(
            "google-authenticator",
            "secrets of one-time codes in homes",
            &[File("~/.google_authenticator{,~}*")],
        ),
    ),
    ours("hostid", "the number of the host (gethostid(3)); ZFS asks for it", &[File("/etc/hostid")]),
    on(
        "ipa-client",
        "the enrolment with FreeIPA",
        &[
            File("/etc/ipa/{ca.crt,default.conf}"),
            File("/var/lib/ipa-client/{sysrestore,pki}/*"),
            File("/etc/pki/ca-trust/source/anchors/ipa-ca.crt"),
            File("/usr/local/share/ca-certificates/ipa-ca.crt"),
            File("/etc/pki/ca-trust/source/ipa.p11-kit"),
        ],
    ),
    with(
        Special::Iscsi,
        ours(
            "iscsi-iqn",
            "the name of the iSCSI initiator; it is made again where the distribution does that",
            &[],
        ),
    ),
    with(
        Special::Kerberos,
        off(
            "kerberos-data",
            Some(false),
            "the database of a Kerberos server",
            "it is the server's data",
            &[],
        ),
    ),
    on("kerberos-hostkeytab", "the host's Kerberos key", &[File("/etc/krb5.keytab")]),
    ours("known-hosts", "the SSH servers that users have met", &[File("~/.ssh/known_hosts{,.old}")]),
    but(
        "every file that is not taken away below /var/log becomes empty; directories stay",
        on("logfiles", "logs, of the installation too, and caches of programs", &LOGS),
    ),
    on(
        "lvm-system-devices",
        "the list of disks that LVM may use",
        &[File("/etc/lvm/devices/system.devices")],
    ),
    refused(
        "lvm-uuids",
        true,
        "virt-sysprep: new UUIDs for LVM's physical volumes and groups",
        "LVM's metadata is not written here; equal UUIDs only meet when two disks are attached to one machine",
    ),
    with(
        Special::MachineId,
        on("machine-id", "the machine ID, of D-Bus too; the machine makes its own at its first boot", &[]),
    ),
    ours("machine-info", "the machine's pretty name, location and chassis", &[File("/etc/machine-info")]),
    on("mail-spool", "mail that arrived", &[Tree("/var/spool/mail/*"), Tree("/var/mail/*")]),
    with(
        Special::Ifcfg(&["HOSTNAME=", "DHCP_HOSTNAME="]),
        on("net-hostname", "host names in /etc/sysconfig/network-scripts/ifcfg-*", &[]),
    ),
    with(
        Special::Ifcfg(&["HWADDR="]),
        on("net-hwaddr", "addresses of network cards in /etc/sysconfig/network-scripts/ifcfg-*", &[]),
    ),
    off(
        "net-nmconn",
        Some(true),
        "NetworkManager's stored connections",
        "a stored connection in an image is configuration that somebody put there",
        &[File("/etc/NetworkManager/system-connections/*.nmconnection")],
    ),
    ours(
        "nvme-hostnqn",
        "the names that NVMe over fabrics knows the host by",
        &[File("/etc/nvme/host{nqn,id}")],
    ),
    on(
        "pacct-log",
        "process accounting",
        &[
            Empty("/var/account/pacct"),
            Empty("/var/log/account/pacct"),
            File("/var/account/pacct?*"),
            File("/var/log/account/pacct?*"),
        ],
    ),
    on(
        "package-manager-cache",
        "downloaded packages",
        &[
            Below("/var/cache/apt/archives"),
            Below("/var/cache/{dnf,yum,libdnf5}"),
            Below("/var/cache/zypp*"),
            Below("/var/cache/{pacman/pkg,apk,xbps}"),
        ],
    ),
    on(
        "pam-data",
        "failed logins and console sessions that PAM counted",
        &[
            File("/var/run/{console,faillock,sepermit}/*"),
            File("/run/{console,faillock,sepermit}/*"),
            File("/var/lib/faillock/*"),
        ],
    ),
    on(
        "passwd-backups",
        "earlier versions of passwd, shadow, group, gshadow, subuid and subgid",
        &[File("/etc/{passwd,shadow,group,gshadow,subuid,subgid}-")],
    ),
    on(
        "puppet-data-log",
        "Puppet's certificate, state and logs",
        &[
            File("/var/log/puppet/*"),
            File("/var/lib/puppet/*/*"),
            File("/var/lib/puppet/*/*/*"),
            Inside("/etc/puppetlabs/puppet/ssl"),
            Inside("/opt/puppetlabs/puppet/cache"),
            File("/var/log/puppetlabs/puppet/*"),
        ],
    ),
    with(
        Special::RandomSeed,
        ours(
            "random-seed",
            "random seeds, and the key of systemd's credentials",
            &[
                File("/var/lib/{,systemd/,urandom/,misc/}random-seed"),
                File("/etc/random-seed"),
                Inside("/var/lib/seedrng"),
                File("/var/lib/systemd/credential.secret"),
            ],
        ),
    ),
    but(
        "only a regular file becomes empty: what it holds came from the network of the build",
        ours("resolv-conf", "the name servers in /etc/resolv.conf", &[Empty("/etc/resolv.conf")]),
    ),
    on(
        "rh-subscription-manager",
        "the subscription with Red Hat",
        &[Tree("/etc/pki/consumer/*"), Tree("/etc/pki/entitlement/*")],
    ),
    on(
        "rhn-systemid",
        "the registration with Red Hat Network",
        &[File("/etc/sysconfig/rhn/{systemid,osad-auth.conf}")],
    ),
    on(
        "rpm-db",
        "RPM's caches of its database",
        &[File("/var/lib/rpm/__db.*"), File("/usr/lib/sysimage/rpm/__db.*")],
    ),
    off(
        "samba-db-log",
        Some(true),
        "Samba's databases and logs",
        "they hold the users of a configured server; logs go by `logfiles`",
        &[
            File("/var/log/samba/old/*"),
            File("/var/log/samba/*"),
            File("/var/lib/samba/*/*"),
            File("/var/lib/samba/*"),
        ],
    ),
    refused(
        "script",
        true,
        "virt-sysprep: programs of the host, run on the mounted image",
        "nothing of the image is mounted, and recipes run nothing on the host; steps `run` and `firstboot` run in the guest",
    ),
    ours(
        "shell-history",
        "what was typed into other shells, editors, pagers, interpreters and clients of databases",
        &[
            File("~/.{lesshst,viminfo,python_history,node_repl_history,wget-hsts}"),
            File("~/.{psql,mysql,mariadb,sqlite,rediscli,dbshell,mongosh,irb}_history"),
            File("~/.{ash,sh,ksh,fish,nano,octave}_history"),
            File("~/.{local/share/fish/fish_history,local/state/lesshst,local/state/python_history}"),
            File("~/.local/share/nano/search_history"),
        ],
    ),
    on(
        "smolt-uuid",
        "the hardware profile of Smolt",
        &[File("/etc/sysconfig/hw-uuid"), File("/etc/smolt/{,hw-}uuid")],
    ),
    off(
        "snapd-state",
        None,
        "what snapd knows: the device's key and serial, and which snaps are installed",
        "without it the snaps of an image are installed no more",
        &[
            File("/var/lib/snapd/{state.json,state.lock,system-key}"),
            Inside("/var/lib/snapd/device"),
            Inside("/var/lib/snapd/cookie"),
            Inside("/var/lib/snapd/assertions/asserts-v0/serial"),
        ],
    ),
    with(
        Special::HostKeys,
        but(
            "somebody must make new ones: cloud-init, the agent, or the distribution",
            on(
                "ssh-hostkeys",
                "the host keys of SSH servers",
                &[File("/etc/ssh/*_host_*"), File("/etc/dropbear/dropbear_*_host_key")],
            ),
        ),
    ),
    off(
        "ssh-userdir",
        Some(true),
        "the directory .ssh of every home",
        "keys in an image are the way into it; what users met goes by `known-hosts`",
        &[Tree("~/.ssh")],
    ),
    on(
        "sssd-db-log",
        "SSSD's caches of users, passwords and tickets, and its logs",
        &[
            File("/var/log/sssd/*"),
            File("/var/lib/sss/db/*"),
            File("/var/lib/sss/mc/*"),
            File("/var/lib/sss/secrets/*"),
        ],
    ),
    on("tmp-files", "everything in /tmp and /var/tmp", &[Inside("/tmp"), Inside("/var/tmp")]),
    on(
        "udev-persistent-net",
        "names of network cards by their address",
        &[File("/etc/udev/rules.d/70-persistent-net.rules")],
    ),
    with(
        Special::UserAccount,
        off(
            "user-account",
            Some(false),
            "people's accounts with their homes, except those that the recipe makes",
            "an account in an image is the way into it",
            &[],
        ),
    ),
    on("utmp", "who is logged in", &[File("/run/utmp"), File("/var/run/utmp")]),
    on("yum-uuid", "the number by which Fedora counts machines", &[File("/var/lib/yum/uuid")]),
    on("zsh-history", "what was typed into zsh", &[File("~/.zsh_history"), File("~/.zhistory")]),
];

const LOGS: [Target; 14] = [
    // Those that must be there: who logged in when.
    Empty("/var/log/{wtmp,btmp,lastlog,faillog,tallylog}"),
    Tree(
        "/var/log/{*.log*,audit/*,cron*,dmesg*,maillog*,mail/*,messages*,secure*,spooler*,ntp,debug*,syslog*,\
         firewalld*,grubby*,xferlog*,anaconda.syslog,anaconda/*,installer/*,sa/*,gdm/*,lightdm/*,ntpstats/*,rhsm/*,\
         journal/*,aptitude*,apt/*,exim4/*,ConsoleKit/*,unattended-upgrades/*,amazon/*}",
    ),
    File("/var/log/{btmp,wtmp,lastlog,faillog,tallylog}?*"),
    EmptyBelow("/var/log"),
    Empty("/var/named/data/named.run"),
    File("/var/lib/logrotate.status"),
    File("/var/lib/logrotate/{logrotate.status,status}"),
    File(
        "/root/{install.log,install.log.syslog,anaconda-ks.cfg,anaconda-post.log,initial-setup-ks.cfg,original-ks.cfg}",
    ),
    Tree("/var/cache/gdm/*"),
    Tree("/var/lib/{AccountService,AccountsService}/users/*"),
    Tree("/var/lib/fprint/*"),
    Tree("/var/cache/fontconfig/*"),
    Tree("/var/cache/man/*"),
    File("/etc/Pegasus/*.{cnf,crt,csr,pem,srl}"),
];
