//! What the rules are told besides.

/// Where packages come from that rules want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packages {
    /// The image's own package manager installs what is missing, at first boot.
    #[default]
    FirstBoot,
    /// The build takes them from the repositories of the recipe's step `packages`, or of the image.
    Repository,
    /// They are left out.
    None,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    #[default]
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The words of recipes, and of packet filters.
    pub const WORDS: &'static [(&'static str, Self)] = &[("tcp", Self::Tcp), ("udp", Self::Udp)];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A port that the firewall opens besides SSH's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenPort {
    /// Of which protocol.
    pub protocol: Protocol,
    /// From 1.
    pub port: u16,
    /// Networks that it is open to; empty: all.
    pub from: Vec<String>,
}

/// What the rules are told besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Networks that SSH is open to, as `10.0.0.0/8` and `fd00::/8`; empty: all.
    pub ssh_from: Vec<String>,
    /// Ports that the firewall opens besides SSH's.
    pub open_ports: Vec<OpenPort>,
    /// The text of /etc/issue and /etc/issue.net; `None` for ours.
    pub banner: Option<String>,
    /// Only key exchanges that a quantum computer does not break: clients since OpenSSH 8.5.
    pub post_quantum_only: bool,
    /// Values also go into main files, where checkers look that do not read drop-ins.
    pub checker_friendly: bool,
    /// Where packages come from.
    pub packages: Packages,
    /// The firewall reopens after so many minutes unless somebody confirms it; `None` for ten.
    pub firewall_rollback: Option<u32>,
    /// The firewall is confirmed in the image: it never reopens by itself.
    pub firewall_confirmed: bool,
    /// The group whose members may log in over SSH; `None`: nobody is kept out by a group.
    pub ssh_group: Option<String>,
    /// Time servers; empty: the cloud's own.
    pub time_servers: Vec<String>,
    /// Where rsyslog sends what it gets, `host:port`.
    pub log_host: Option<String>,
    /// The hash of the boot menu's password, `grub.pbkdf2.sha512…`.
    pub boot_password: Option<String>,
    /// How large /tmp may become in memory, as `25%` or `512m`; `None`: half of it.
    pub tmp_size: Option<String>,
}
