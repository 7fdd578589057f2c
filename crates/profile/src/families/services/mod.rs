//! Services and clients that must not be there.
//!
//! A service is out of the way when no package brings it, or nothing starts it: its units are masked, which is done in the
//! image; maintainer scripts that remove packages run on the machine only. Clients have nothing to mask: the package
//! manager removes them at first boot. An image that is made to serve the web or names gets an exception by its owner.

mod mail;
mod service;

#[cfg(test)]
mod tests;

use crate::packages::Unwanted;
use crate::{Level, Rule};
use mail::MailLocal;
use service::ListenList;
pub(super) use service::Service;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "svc-autofs",
        "2.1.1",
        Level::One,
        "no automounter runs",
        "it mounts what anybody plugs in or names, file systems of strangers among them",
        &Service::new("svc-autofs", &["autofs.service"]),
    ),
    Rule::new(
        "svc-avahi",
        "2.1.2",
        Level::One,
        "Avahi does not run",
        "it tells the network which services there are, and answers to anybody",
        &Service::new("svc-avahi", &["avahi-daemon.service", "avahi-daemon.socket"]),
    ),
    Rule::new(
        "svc-dhcpd",
        "2.1.3",
        Level::One,
        "no DHCP server runs",
        "a second one in a network hands out wrong addresses and routes",
        &Service::new(
            "svc-dhcpd",
            &[
                "isc-dhcp-server.service",
                "isc-dhcp-server6.service",
                "kea-dhcp4-server.service",
                "kea-dhcp6-server.service",
                "kea-dhcp-ddns-server.service",
                "dhcpd.service",
            ],
        ),
    ),
    Rule::new(
        "svc-dns",
        "2.1.4",
        Level::One,
        "no name server runs",
        "an open resolver is used to flood others, and bind has a history of holes",
        &Service::new("svc-dns", &["named.service", "bind9.service"]),
    ),
    Rule::new(
        "svc-dnsmasq",
        "2.1.5",
        Level::One,
        "dnsmasq does not run as a service of its own",
        "it answers DNS and DHCP on all networks; what lxd and libvirt start for their bridges stays",
        &Service::new("svc-dnsmasq", &["dnsmasq.service"]),
    ),
    Rule::new(
        "svc-ftp",
        "2.1.6",
        Level::One,
        "no FTP server runs",
        "FTP sends passwords and files in clear",
        &Service::new(
            "svc-ftp",
            &["vsftpd.service", "vsftpd.socket", "proftpd.service", "pure-ftpd.service"],
        )
        .inetd(&["ftp"]),
    )
    .baseline(),
    Rule::new(
        "svc-ldap",
        "2.1.7",
        Level::One,
        "no LDAP server runs",
        "a directory that nobody looks after is a list of all accounts",
        &Service::new("svc-ldap", &["slapd.service"]),
    ),
    Rule::new(
        "svc-imap",
        "2.1.8",
        Level::One,
        "no IMAP or POP3 server runs",
        "a mail server is large, and open to all who know a password",
        &Service::new("svc-imap", &["dovecot.service", "dovecot.socket", "cyrus-imapd.service"])
            .inetd(&["imap", "imap2", "imaps", "pop3", "pop-3", "pop3s"]),
    ),
    Rule::new(
        "svc-nfs",
        "2.1.9",
        Level::One,
        "no NFS server runs",
        "exports trust the numbers of users that the client names",
        &Service::new("svc-nfs", &["nfs-server.service", "nfs-kernel-server.service"]),
    ),
    Rule::new(
        "svc-nis",
        "2.1.10",
        Level::One,
        "no NIS server runs",
        "NIS hands out password hashes without asking who wants them",
        &Service::new("svc-nis", &["ypserv.service", "ypbind.service", "nis.service"]),
    )
    .baseline(),
    Rule::new(
        "svc-cups",
        "2.1.11",
        Level::One,
        "no print server runs",
        "nobody prints from a server, and cups-browsed takes orders from the network",
        &Service::new("svc-cups", &["cups.service", "cups.socket", "cups.path", "cups-browsed.service"]),
    ),
    Rule::new(
        "svc-rpcbind",
        "2.1.12",
        Level::One,
        "rpcbind does not run",
        "it tells anybody where RPC services listen, and its answers are used to flood others",
        &Service::new("svc-rpcbind", &["rpcbind.service", "rpcbind.socket"]),
    )
    .baseline(),
    Rule::new(
        "svc-rsync",
        "2.1.13",
        Level::One,
        "no rsync daemon runs",
        "its protocol is not encrypted; over SSH the program needs no daemon",
        &Service::new("svc-rsync", &["rsync.service"]).inetd(&["rsync"]),
    ),
    Rule::new(
        "svc-samba",
        "2.1.14",
        Level::One,
        "no Samba server runs",
        "shares of a server are a way in for what spreads over them",
        &Service::new(
            "svc-samba",
            &["smbd.service", "nmbd.service", "winbind.service", "samba-ad-dc.service"],
        ),
    ),
    Rule::new(
        "svc-snmp",
        "2.1.15",
        Level::One,
        "no SNMP agent runs",
        "versions 1 and 2c ask for a word in clear only, and tell all about the machine",
        &Service::new("svc-snmp", &["snmpd.service", "snmptrapd.service", "snmptrapd.socket"]),
    ),
    Rule::new(
        "svc-tftp",
        "2.1.16",
        Level::One,
        "no TFTP server runs",
        "TFTP asks nobody who they are",
        &Service::new("svc-tftp", &["tftpd-hpa.service", "atftpd.service", "atftpd.socket", "tftp.socket"])
            .inetd(&["tftp"]),
    )
    .baseline(),
    Rule::new(
        "svc-squid",
        "2.1.17",
        Level::One,
        "no web proxy runs",
        "an open proxy is used by others, in this machine's name",
        &Service::new("svc-squid", &["squid.service", "squid3.service"]),
    ),
    Rule::new(
        "svc-web",
        "2.1.18",
        Level::One,
        "no web server runs",
        "a web server that nobody asked for is a way in; an image that is made to be one gets an exception",
        &Service::new(
            "svc-web",
            &[
                "apache2.service",
                "apache-htcacheclean.service",
                "nginx.service",
                "lighttpd.service",
                "httpd.service",
                "httpd.socket",
            ],
        ),
    ),
    Rule::new(
        "svc-xinetd",
        "2.1.19",
        Level::One,
        "no inetd runs",
        "what it starts is old, and seldom looked at",
        &Service::new(
            "svc-xinetd",
            &[
                "xinetd.service",
                "inetd.service",
                "inetutils-inetd.service",
                "openbsd-inetd.service",
                "rlinetd.service",
            ],
        ),
    )
    .baseline(),
    Rule::new(
        "svc-x11",
        "2.1.20",
        Level::DebianOne,
        "there is no X server",
        "nobody sits at a server's screen, and an X server is large and close to the hardware",
        &Unwanted(&["xserver-common", "xserver-xorg-core"]),
    ),
    Rule::new(
        "svc-mta-local",
        "2.1.21",
        Level::One,
        "the mail server listens to this machine only",
        "mail of the system needs no port that is open to the network",
        &MailLocal,
    ),
    Rule::new(
        "svc-listen-list",
        "2.1.22",
        Level::One,
        "what listens to the network is listed",
        "a service that nobody expected is found by looking at what listens",
        &ListenList,
    ),
    Rule::new(
        "cli-nis",
        "2.2.1",
        Level::One,
        "there is no NIS client",
        "NIS trusts whoever answers first",
        &Unwanted(&["nis", "ypbind-mt", "yp-tools"]),
    ),
    Rule::new(
        "cli-rsh",
        "2.2.2",
        Level::One,
        "there is no rsh client",
        "rsh sends all in clear and trusts addresses",
        &Unwanted(&["rsh-client", "rsh-redone-client"]),
    )
    .baseline(),
    Rule::new(
        "cli-talk",
        "2.2.3",
        Level::One,
        "there is no talk client",
        "talk is not encrypted",
        &Unwanted(&["talk", "inetutils-talk", "ytalk"]),
    ),
    Rule::new(
        "cli-telnet",
        "2.2.4",
        Level::One,
        "there is no telnet client",
        "telnet sends passwords in clear",
        &Unwanted(&["telnet", "inetutils-telnet", "telnet-ssl"]),
    ),
    Rule::new(
        "cli-ldap",
        "2.2.5",
        Level::One,
        "there are no LDAP clients",
        "they are of use to who wants to read a directory",
        &Unwanted(&["ldap-utils"]),
    ),
    Rule::new(
        "cli-ftp",
        "2.2.6",
        Level::One,
        "there is no FTP client",
        "FTP sends passwords and files in clear",
        &Unwanted(&["ftp", "tnftp", "inetutils-ftp"]),
    ),
];
