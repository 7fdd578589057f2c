//! What the real programs of Debian 12 and 13 make of our files, and what ssh-audit makes of the real sshd.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hardtack_tests::python;
use support::{Root, only};

const MINE: [&str; 6] = ["sshd-", "sudo-", "su-group", "motd-", "issue-", "gdm-"];

/// Families that edit main files of packages.
const DIVERTED: [&str; 12] = [
    "sshd-",
    "sudo-",
    "su-group",
    "motd-",
    "issue-",
    "pass-",
    "umask-",
    "tmout",
    "faillock-",
    "pwquality-",
    "logrotate",
    "journald-",
];

/// What the roots are unpacked without.
const NOT_THERE: [&str; 4] = ["usr/share/", "lib/modules/", "usr/lib/modules/", "boot/"];

/// Longer than any machine takes to start sshd.
const PATIENCE: Duration = Duration::from_secs(60);

fn taken(root: &Root) {
    let mut profile = only(&MINE);
    profile.settings.ssh_group = Some("sshusers".to_owned());
    profile.settings.checker_friendly = true;
    root.carry_out(&profile);
    fs::create_dir_all(root.path("/run/sshd")).unwrap();
    root.said("/usr/sbin/sshd", &["-t"]);
    let effective = root.said("/usr/sbin/sshd", &["-T", "-C", "user=root,host=x,addr=192.0.2.1"]);
    for line in [
        "permitrootlogin no",
        "maxauthtries 4",
        "logingracetime 60",
        "loglevel VERBOSE",
        "allowgroups sshusers",
        "banner /etc/issue.net",
        "disableforwarding yes",
        "x11forwarding no",
        "passwordauthentication no",
        "usepam yes",
        "requiredrsasize 3072",
        "modulifile /etc/ssh/moduli.hardtack",
        "hostkey /etc/ssh/ssh_host_ed25519_key",
        "hostkey /etc/ssh/ssh_host_rsa_key",
    ] {
        assert!(effective.lines().any(|there| there == line), "{line} is missing in\n{effective}");
    }
    assert_eq!(effective.lines().filter(|line| line.starts_with("hostkey ")).count(), 2, "{effective}");
    root.said("/usr/sbin/visudo", &["-c"]);
    let defaults = root.said("/usr/bin/sudo", &["-V"]);
    for line in ["Path to log file: /var/log/sudo.log", "Authentication timestamp timeout: 15.0 minutes"] {
        assert!(defaults.contains(line), "{line} is missing in\n{defaults}");
    }
    root.said("/usr/sbin/grpck", &["-r"]);
    // The default user of cloud-init, as it reads its files.
    let cloud = "from cloudinit import util; c = util.read_conf_with_confd('/etc/cloud/cloud.cfg'); \
                 print(c['system_info']['default_user']['groups'], c['ssh_genkeytypes'])";
    let said = root.said("/usr/bin/python3", &["-c", cloud]);
    assert!(said.contains("'sudo'") && said.contains("'sshusers'] ['ed25519', 'rsa']"), "{said}");
    assert_eq!(changed(root), [""; 0]);
}

/// What dpkg finds other than its packages have brought it.
fn changed(root: &Root) -> Vec<String> {
    let said = root.run("/usr/bin/dpkg", &["-V"]);
    String::from_utf8_lossy(&said.stdout)
        .lines()
        .filter_map(|line| Some(line.split_once(" /")?.1.to_owned()))
        .filter(|path| !NOT_THERE.iter().any(|out| path.starts_with(out)))
        .collect()
}

/// All of level 2 that needs no further package: no conffile is edited where dpkg looks, and a new version of its package
/// leaves ours alone.
#[test]
fn dpkg_finds_its_packages_as_they_came() {
    let Some(root) = Root::unpack("bookworm") else { return };
    assert_eq!(changed(&root), [""; 0]);
    let before = fs::read_to_string(root.path("/etc/login.defs")).unwrap();
    let mut profile = only(&DIVERTED);
    profile.settings.checker_friendly = true;
    root.carry_out(&profile);
    assert_eq!(changed(&root), [""; 0]);
    let list = root.said("/usr/bin/dpkg-divert", &["--list", "/etc/*"]);
    for path in ["/etc/login.defs", "/etc/default/useradd", "/etc/security/faillock.conf", "/etc/pam.d/su"] {
        assert!(list.contains(&format!("local diversion of {path} to {path}.distrib\n")), "{list}");
    }
    assert_eq!(fs::read_to_string(root.path("/etc/login.defs.distrib")).unwrap(), before);

    // A new version of the package, made of the old one's own parts.
    let ours = fs::read_to_string(root.path("/etc/login.defs")).unwrap();
    let script = "set -e; mkdir -p /tmp/new/DEBIAN /tmp/new/etc; cd /tmp/new; \
                  { sed \"s/PASS_MAX_DAYS.*/PASS_MAX_DAYS 7/\" /etc/login.defs.distrib; echo \"# newer\"; } > etc/login.defs; \
                  echo /etc/login.defs > DEBIAN/conffiles; dpkg -s login | sed \"/^Status:/d; /^Conffiles:/,/^[A-Z]/{/^Conffiles:/d; \
                  /^ /d}; s/^Version: .*/&+new/; /^Pre-Depends:/d\" > DEBIAN/control; dpkg-deb -b . /tmp/new.deb >/dev/null; \
                  dpkg --force-confnew -i /tmp/new.deb";
    let (well, said) = root.inside(script);
    assert!(well, "{said}");
    assert_eq!(fs::read_to_string(root.path("/etc/login.defs")).unwrap(), ours);
    assert!(fs::read_to_string(root.path("/etc/login.defs.distrib")).unwrap().ends_with("# newer\n"));
}

/// sshd of the root, on loopback.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(root: &Root) -> Self {
        fs::create_dir_all(root.path("/run/sshd")).unwrap();
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let key = format!("/etc/ssh/ssh_host_{kind}_key");
            if root.path(&key).exists() {
                continue;
            }
            let bits: &[&str] = if kind == "rsa" { &["-b", "4096"] } else { &[] };
            root.said("/usr/bin/ssh-keygen", &[&["-q", "-t", kind, "-N", "", "-f", &key], bits].concat());
        }
        // Free a moment ago; where somebody was faster sshd says so, and another one is tried.
        for _ in 0..8 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new("chroot")
                .arg(root.path("/"))
                .args([
                    "/usr/sbin/sshd",
                    "-D",
                    "-e",
                    "-p",
                    &port.to_string(),
                    "-o",
                    "ListenAddress=127.0.0.1",
                ])
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let end = Instant::now() + PATIENCE;
            while Instant::now() < end && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, port };
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd does not listen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What ssh-audit says of the server: how many failures and warnings, and all of it.
fn audit(program: &std::path::Path, port: u16, more: &[&str]) -> (usize, usize, bool, String) {
    let output = Command::new(program)
        .args(["--skip-rate-test", "--no-colors", "-p", &port.to_string()])
        .args(more)
        .arg("127.0.0.1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |word: &str| text.matches(word).count();
    (count("[fail]"), count("[warn]"), output.status.success(), text)
}

fn audited(plain: &Root, name: &str, policy: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let program = match python::environment("ssh-audit", &["ssh-audit==3.9.0"], scratch.path()) {
        Ok(place) => place.join("bin/ssh-audit"),
        Err(error) => return eprintln!("SKIPPED: {error}"),
    };
    let server = Server::start(plain);
    let (failures, warnings, ..) = audit(&program, server.port, &[]);
    drop(server);
    assert!(failures > 0, "the plain sshd of {name} is judged harmless");
    eprintln!("{name}, plain: {failures} failures, {warnings} warnings");

    plain.carry_out(&only(&["sshd-"]));
    let server = Server::start(plain);
    let (failures, warnings, _, text) = audit(&program, server.port, &[]);
    eprintln!("{name}, compatible: {failures} failures, {warnings} warnings");
    assert_eq!(failures, 0, "{text}");
    if policy.contains("12") {
        let (.., passed, text) = audit(&program, server.port, &["-P", policy]);
        assert!(passed, "{text}");
    }
    drop(server);

    let mut strict = only(&["sshd-"]);
    strict.settings.post_quantum_only = true;
    plain.carry_out(&strict);
    let server = Server::start(plain);
    let (failures, warnings, clean, text) = audit(&program, server.port, &[]);
    eprintln!("{name}, post-quantum: {failures} failures, {warnings} warnings");
    assert!(failures == 0 && warnings == 0 && clean, "{text}");
    if policy.contains("13") {
        let (.., passed, text) = audit(&program, server.port, &["-P", policy]);
        assert!(passed, "{text}");
    }
}

/// One root for both: to unpack it takes longer than all else.
fn debian(name: &str, policy: &str) {
    let Some(root) = Root::unpack(name) else { return };
    for kind in ["ed25519", "ecdsa", "rsa"] {
        // The root's own are shorter.
        let _ = fs::remove_file(root.path(&format!("/etc/ssh/ssh_host_{kind}_key")));
    }
    audited(&root, name, policy);
    taken(&root);
}

#[test]
fn debian_12_takes_it() {
    debian("bookworm", "Hardened Debian 12 (version 3)");
}

#[test]
fn debian_13_takes_it() {
    debian("trixie", "Hardened Debian 13 (version 1)");
}
