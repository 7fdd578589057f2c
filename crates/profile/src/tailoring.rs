//! Lists of exceptions for what people run on hardened machines.

/// What to leave out for one use of a machine, each with its reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Tailoring {
    /// Its name.
    pub name: &'static str,
    /// For whom it is.
    pub about: &'static str,
    /// Rules by their ids, and why they are left out.
    pub exceptions: &'static [(&'static str, &'static str)],
}

impl Tailoring {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TAILORINGS.iter().find(|tailoring| tailoring.name == name)
    }

    /// Why it leaves out this rule.
    #[must_use]
    pub fn reason(&self, rule: &str) -> Option<&'static str> {
        self.exceptions.iter().find(|(id, _)| *id == rule).map(|(_, reason)| *reason)
    }
}

/// What the firewall of level 2 does to programs that call other machines.
const CALLS_OUT: &str = "the firewall of level 2 lets out names, time, HTTP and HTTPS only";

/// The firewall opens SSH and nothing else, as long as no ports are named.
const SERVES: &str =
    "`open-ports` names no port that it serves: what reaches this machine is filtered in front of it";

/// All of them. What is in the image already (Docker, snapd, NFS, Azure's agent) is found without being named: these are
/// for what comes later.
pub const TAILORINGS: &[Tailoring] = &[
    Tailoring {
        name: "docker",
        about: "containers that are installed on the running machine: Docker, Podman, containerd",
        exceptions: &[
            ("sys-ip-forward", "what containers send is forwarded"),
            ("fw-nft-forward", "bridges of containers that are not there yet cannot be named"),
            ("mod-overlay", "images of containers are layers of overlay"),
            ("mount-var-opts", "layers below /var/lib hold devices and set-user-ID programs"),
        ],
    },
    Tailoring {
        name: "kubernetes",
        about: "a node of Kubernetes: kubelet, k3s, with any network plug-in",
        exceptions: &[
            ("sys-ip-forward", "what pods send is forwarded"),
            ("sys-rp-filter", "answers of pods come by tunnels and other interfaces than their requests"),
            ("fw-nft-forward", "the interfaces of pods are made by the network plug-in"),
            ("fw-nft-deny", "kubelet, node ports and the plug-in's tunnels are reached by other nodes"),
            ("fw-nft-output", "the API server, etcd and other nodes are reached by many ports"),
            ("mod-overlay", "images of containers are layers of overlay"),
            ("mod-sctp", "services of Kubernetes may speak SCTP"),
            ("mount-var-opts", "layers below /var/lib hold devices and set-user-ID programs"),
        ],
    },
    Tailoring {
        name: "ansible",
        about: "Ansible, becoming root by sudo without a password; with cis-1 it needs no exception",
        exceptions: &[(
            "sudo-nopasswd",
            "its user logs in by key and has no password that sudo could ask for",
        )],
    },
    Tailoring {
        name: "ansible-su",
        about: "Ansible with `become_method: su`",
        exceptions: &[("su-group", "an ordinary user calls su")],
    },
    Tailoring {
        name: "tmp-scripts",
        about: "scripts and installers that start programs in /tmp: user scripts of cloud-init, self-extracting archives",
        exceptions: &[
            ("mount-tmp-noexec", "programs are unpacked into /tmp, or written there, and started"),
            ("mount-shm-noexec", "programs are unpacked into /dev/shm and started"),
            ("mount-var-tmp-opts", "programs are unpacked into /var/tmp and started"),
        ],
    },
    Tailoring {
        name: "clear-passwords",
        about: "user-data that sets passwords in clear (`plain_text_passwd`, `chpasswd` of type text or RANDOM)",
        exceptions: &[(
            "pwquality-root",
            "cloud-init makes no further user once a password is refused, the default user with its keys neither",
        )],
    },
    Tailoring {
        name: "snapd",
        about: "snaps that are installed on the running machine",
        exceptions: &[
            ("mod-squashfs", "snaps are squashfs"),
            ("mod-unused-fs", "snaps in containers are mounted by FUSE"),
            ("mount-var-opts", "snaps below /var/lib/snapd hold set-user-ID programs"),
        ],
    },
    Tailoring {
        name: "azure",
        about: "images for Azure that do not tell so themselves",
        exceptions: &[("mod-udf", "the provisioning disc is UDF")],
    },
    Tailoring {
        name: "bastion",
        about: "a machine that people go through to others, and VS Code Remote",
        exceptions: &[
            ("sshd-disable-forwarding", "connections to machines behind it are forwarded"),
            ("fw-nft-output", CALLS_OUT),
        ],
    },
    Tailoring {
        name: "web-server",
        about: "nginx, Apache, lighttpd",
        exceptions: &[
            ("svc-web", "it is a web server"),
            ("fw-nft-deny", SERVES),
            ("umask-login-defs", "what people put into web roots is read by the server's user"),
            ("umask-profile", "what people put into web roots is read by the server's user"),
            ("homes", "web roots in homes are reached by the server's user"),
        ],
    },
    Tailoring {
        name: "dns-server",
        about: "BIND, Unbound, dnsmasq, answering the network",
        exceptions: &[
            ("svc-dns", "it is a name server"),
            ("svc-dnsmasq", "it is a name server"),
            ("fw-nft-deny", SERVES),
        ],
    },
    Tailoring {
        name: "database",
        about: "PostgreSQL and MariaDB, whose account works in a shell",
        exceptions: &[
            ("system-shells", "postgres has a shell: its tools are run as that user"),
            ("fw-nft-deny", SERVES),
        ],
    },
    Tailoring {
        name: "log-host",
        about: "the machine to which others send their logs",
        exceptions: &[
            ("rsyslog-no-listen", "it takes logs of others"),
            ("journald-remote-off", "it takes journals of others"),
            ("fw-nft-deny", SERVES),
        ],
    },
    Tailoring {
        name: "nfs-client",
        about: "shares of NFS, and of clouds (EFS, Filestore), mounted on the running machine",
        exceptions: &[
            ("svc-rpcbind", "NFS before version 4 asks it for ports"),
            ("mod-unused-fs", "NFS' modules are among those that nobody uses elsewhere"),
            ("fw-nft-output", CALLS_OUT),
        ],
    },
    Tailoring {
        name: "several-interfaces",
        about: "machines with several networks whose routes are not the same both ways",
        exceptions: &[
            ("sys-rp-filter", "answers come by another interface than their requests"),
            ("sys-log-martians", "each such packet would be a line in the log"),
        ],
    },
    Tailoring {
        name: "debugging",
        about: "machines on which people look into running programs",
        exceptions: &[
            ("sys-ptrace", "gdb and strace attach to programs that are running"),
            ("sys-perf", "perf reads counters of one's own programs"),
            ("sys-kptr", "addresses of the kernel have names in what perf shows"),
        ],
    },
    Tailoring {
        name: "serial-rescue",
        about: "machines that are rescued by SysRq over the serial console",
        exceptions: &[("sys-sysrq", "a machine that hangs is synced and rebooted from its console")],
    },
    Tailoring {
        name: "sctp",
        about: "telephony, and clusters that speak SCTP",
        exceptions: &[("mod-sctp", "it speaks SCTP"), ("fw-nft-deny", SERVES), ("fw-nft-output", CALLS_OUT)],
    },
    Tailoring {
        name: "long-sessions",
        about: "tmux, screen, and shells that wait for hours",
        exceptions: &[("tmout", "shells in tmux and screen wait without being typed into")],
    },
];

#[cfg(test)]
mod tests {
    use super::{TAILORINGS, Tailoring};
    use crate::rule::rule;

    #[test]
    fn they_name_rules() {
        for tailoring in TAILORINGS {
            assert_eq!(Tailoring::named(tailoring.name), Some(tailoring), "a name twice");
            for (id, reason) in tailoring.exceptions {
                assert!(rule(id).is_some() && !reason.is_empty(), "{}: {id}", tailoring.name);
            }
        }
    }
}
