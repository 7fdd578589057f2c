//! The real programs of auditd, aide and iptables over what the profile writes, in a root of Debian 12 that has them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use support::{Root, only};

const PACKAGES: [&str; 5] = ["auditd", "audispd-plugins", "aide", "aide-common", "iptables"];

/// One root for all: the packages come from the mirror.
#[test]
#[ignore = "the full suite: packages of Debian's mirror are installed in a root"]
fn the_real_programs_agree() {
    let Some(root) = Root::unpack("bookworm") else { return };
    if let Err(why) = root.install(&PACKAGES) {
        assert!(std::env::var_os("CI").is_none(), "no mirror: {why}");
        eprintln!("SKIPPED: packages from Debian's mirror: {why}");
        return;
    }
    // The database of aide comes last, when nothing is changed any more.
    iptables(&root);
    root.carry_out(&only(&["audit", "aide"]));
    auditd(&root);
    aide(&root);
}

/// nft is not in this root: iptables does it, in both of its forms.
fn iptables(root: &Root) {
    let mut profile = only(&["fw-"]);
    profile.settings.ssh_from = vec!["203.0.113.0/24".to_owned(), "2001:db8::/32".to_owned()];
    root.carry_out(&profile);
    for kind in ["legacy", "nft"] {
        for program in ["iptables", "ip6tables"] {
            root.said(
                "/usr/bin/update-alternatives",
                &["--set", program, &format!("/usr/sbin/{program}-{kind}")],
            );
        }
        let (_, said) = root.inside("iptables -S");
        if !said.contains("-P INPUT ACCEPT") {
            eprintln!("SKIPPED: this kernel has no tables for iptables-{kind}: {said}");
            continue;
        }
        let script = "set -e; iptables -N DOCKER; hardtack-firewall status; hardtack-firewall load; hardtack-firewall load; \
                      hardtack-firewall status; iptables -S; ip6tables -S; hardtack-firewall unload; \
                      hardtack-firewall status; echo left; iptables -S; ip6tables -S";
        let (well, said) = root.inside(script);
        assert!(well, "{kind}: {said}");
        assert!(said.starts_with("not in force\nnot confirmed"), "{kind}: {said}");
        let (loaded, left) = said.split_once("left\n").unwrap();
        for line in [
            "\nin force\nnot confirmed",
            "-A HARDTACK -s 203.0.113.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\n",
            "-A HARDTACK -s 2001:db8::/32 -p tcp -m tcp --dport 22 -j ACCEPT\n",
            "-A HARDTACK -p udp -m udp --sport 67 --dport 68 -j ACCEPT\n",
            "-A HARDTACK -j DROP\n",
        ] {
            assert!(loaded.contains(line), "{kind}: no {line}{said}");
        }
        // Loaded twice, and the chain is jumped to once in each family.
        assert_eq!(loaded.matches("-A INPUT -j HARDTACK\n").count(), 2, "{kind}: {said}");
        assert!(left.contains("-N DOCKER\n") && !left.contains("HARDTACK"), "{kind}: {left}");
    }
}

fn auditd(root: &Root) {
    // The rules join in the order that the kernel needs, and every call has a number. Loading them would change the
    // kernel of this machine.
    let (_, said) = root.inside("augenrules --check");
    assert!(said.contains("Rules have changed") || said.contains("No change"), "{said}");
    let (_, said) = root.inside("augenrules >/dev/null 2>&1; cat /etc/audit/audit.rules");
    assert!(
        said.lines().filter(|line| line.starts_with("-a") || line.starts_with("-w")).count() > 50,
        "{said}"
    );
    assert_eq!(said.lines().rfind(|line| !line.is_empty()), Some("-e 2"), "{said}");
    let calls = "for pair in b64:x86_64 b32:i386; do for call in $(sed -n \"s/.*arch=${pair%:*} -S \\([^ ]*\\).*/\\1/p\" \
                 /etc/audit/audit.rules | tr , ' '); do ausyscall ${pair#*:} $call --exact >/dev/null || echo $call; done; done";
    assert_eq!(root.inside(calls), (true, String::new()));
}

fn aide(root: &Root) {
    // aide finds no difference between the root and the database that was written here.
    let (_, said) = root.inside("aide --config=/etc/hardtack/aide.conf --check");
    assert!(said.contains("found NO differences"), "{said}");
    // And it does look: a changed program is told.
    let (_, said) = root.inside(
        "echo x >> /usr/sbin/zic; chmod 700 /etc/fstab; aide --config=/etc/hardtack/aide.conf --check",
    );
    assert!(said.contains("/usr/sbin/zic") && said.contains("/etc/fstab"), "{said}");
}
