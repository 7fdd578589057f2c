//! A hardening profile on a machine that runs: somebody with all factors gets in, other people's checkers agree with ours,
//! and the disk of the machine still is what the profile says.

use std::path::Path;
use std::process::Command;

use hardtack_tests::image::Images;
use hardtack_tests::python;
use hardtack_tests::tools::{output, run};
use hardtack_tests::vm::{Launch, seed};
use serde_json::Value;

use crate::codes::block;
use crate::hardened::{Hardened, Owner, PLAIN, RECIPE, UP, text};
use crate::workshop::{PASSWORD, Workshop};

/// Of a plain root in a chroot Lynis 3.0.8 thinks 55.
const LYNIS: u32 = 74;
const SSH_AUDIT: &str = "ssh-audit==3.9.0";

const HARD: &str = "recipe: 1
name: debian-3fa
profile:
  name: LEVEL
  packages: repository
  ssh-from: [10.0.2.0/24]
  firewall-rollback: 120
MORE
steps:
  - generalize
  - packages: {install: [libpam-google-authenticatorLYNIS]}
  - user:
      name: debian
      password: {env: DEBIAN_PASSWORD}
      authorized_keys: [id_ed25519.pub]
      sudo: \"ALL=(ALL) NOPASSWD:ALL\"
  - mfa: {users: [debian], seal: auto}
  - agent: {mode: companion}
";

/// The package of AIDE's configuration calls `ucf` for each of its 166 files, which takes a machine without KVM longer
/// than all the rest: it is in the boot with Lynis only.
const AIDE: [&str; 3] = ["aide-installed", "aide-timer", "aide-audit-tools"];

/// What `hardtack verify` says of a disk, as JSON.
fn verdict(workshop: &Workshop, against: &str, disk: &Path) -> Value {
    let mut command = workshop.command();
    command.args(["verify", against]).arg(disk).args(["--format", "json", "--packages-cache", "packages"]);
    serde_json::from_slice(&output(&mut command).stdout).unwrap()
}

/// The controls of the profile that failed, but for those that are `left` out.
fn failures(verdict: &Value, left: &[&str]) -> Vec<String> {
    let controls = verdict["controls"].as_array().unwrap().iter();
    controls
        .filter(|control| control["outcome"] == "fail" && control["id"].as_str().unwrap().starts_with("cis-"))
        .filter(|control| {
            !left.iter().any(|name| control["id"].as_str().unwrap().contains(&format!("/{name} ")))
        })
        .map(|control| format!("{}: {}", control["id"], control["why"]))
        .collect()
}

/// Lynis' report, one number of it.
fn hardening_index(report: &str) -> u32 {
    let line = report.lines().find_map(|line| line.strip_prefix("hardening_index="));
    line.unwrap_or_else(|| panic!("no index in {report}")).trim().parse().unwrap()
}

/// Lynis on the running machine.
fn audit_by_lynis(owner: &mut Owner<'_>) {
    owner.root("/usr/sbin/lynis audit system --quick --no-colors >/dev/null; true");
    let report = owner.root("cat /var/log/lynis-report.dat");
    let index = hardening_index(&report);
    let suggestions = report.lines().filter(|line| line.starts_with("suggestion[]=")).count();
    let against =
        report.lines().filter(|line| line.starts_with("warning[]=") || line.starts_with("suggestion[]="));
    eprintln!("lynis: {index}, {suggestions} suggestions:\n{}", against.collect::<Vec<_>>().join("\n"));
    assert!(index >= LYNIS, "lynis: {index}");
}

/// What ssh-audit has against the machine behind `port`: failures and warnings.
fn ssh_audit(workshop: &Workshop, port: u16) -> Option<(Vec<String>, Vec<String>)> {
    let environment = match python::environment("ssh-audit", &[SSH_AUDIT], workshop.path()) {
        Ok(environment) => environment,
        Err(why) => {
            eprintln!("SKIPPED: ssh-audit: {why}");
            return None;
        }
    };
    let mut command = Command::new(environment.join("bin/ssh-audit"));
    command.args([
        "--no-colors",
        "--skip-rate-test",
        "--level",
        "warn",
        "-p",
        &port.to_string(),
        "127.0.0.1",
    ]);
    let said = String::from_utf8(output(&mut command).stdout).unwrap();
    let of = |word: &str| said.lines().filter(|line| line.contains(word)).map(str::to_owned).collect();
    Some((of("[fail]"), of("[warn]")))
}

/// With `lynis` that is in the image and runs there, which takes most of the time.
fn profiled(level: &str, image: &str, suite: &str, more: &str, lynis: bool) {
    let left: &[&str] = if lynis { &[] } else { &AIDE };
    let mut settings = more.to_owned();
    for (number, control) in left.iter().enumerate() {
        let head = if number == 0 { "  exceptions:\n" } else { "" };
        settings += &format!("{head}  - {{control: {control}, reason: it takes long}}\n");
    }
    let Some(images) = Images::find() else { return };
    let workshop = Workshop::new(&images, suite);
    std::fs::write(
        workshop.path().join(RECIPE),
        HARD.replace("LEVEL", level)
            .replace("MORE\n", &settings)
            .replace("LYNIS", if lynis { ", lynis" } else { "" }),
    )
    .unwrap();
    let Some(disk) = workshop.build_from_mirror(RECIPE, &images.disk(image)) else { return };
    for (against, left) in [(level, left), (RECIPE, &[])] {
        assert_eq!(
            failures(&verdict(&workshop, against, &disk), left),
            [""; 0],
            "{against}, before the boot"
        );
    }
    let hardened = Hardened { workshop, disk };
    let seed_file = hardened.workshop.path().join("seed.img");
    seed(&seed_file, "i-profiled", PLAIN);
    let mut vm = hardened.start("profiled", Launch::seed(&seed_file));
    vm.wait_for(UP);
    let console = block(&hardened.workshop, &vm.console, &["id_ed25519"]);
    let secret = text(&console["users"][0], "secret");
    let mut owner =
        Owner::new(&hardened.workshop, vm.port, "debian", &hardened.workshop.key, PASSWORD, &secret);
    // The second level has sudo ask for a password, whatever the recipe's user may do.
    owner.sudo_asks = level == "cis-2";

    // The machine is up, and nothing failed on the way.
    let state = owner.root("systemctl is-system-running --wait; systemctl --failed --no-legend --plain");
    assert!(state.starts_with("running"), "{state}");
    // Real checkers.
    for (what, command) in [
        ("sshd", "sshd -t"),
        ("sudo", "visudo -c >/dev/null"),
        ("nft", "nft -c -f /etc/hardtack/firewall.nft"),
        ("passwd", "pwck -r -q; grpck -r"),
        ("dpkg", "dpkg --audit"),
    ] {
        assert_eq!(owner.root(command), "", "{what}");
    }
    let audit = owner.root("command -v augenrules >/dev/null && augenrules --check; true");
    assert!(audit.is_empty() || audit.contains("No change"), "{audit}");
    let changed = owner.root("dpkg -V; true");
    for line in changed.lines() {
        assert!(line.contains(" c /"), "dpkg -V: {line}");
    }
    eprintln!("conffiles that differ:\n{changed}");
    let live = owner.root("sysctl -n net.ipv4.conf.all.send_redirects kernel.kptr_restrict fs.suid_dumpable");
    assert_eq!(live, "0\n2\n0\n");
    let table = owner.root("nft list table inet hardtack");
    assert!(table.contains("policy drop"), "{table}");
    if lynis {
        audit_by_lynis(&mut owner);
    }
    if let Some((fails, warns)) = ssh_audit(&hardened.workshop, vm.port) {
        eprintln!("{SSH_AUDIT}: {} fail, {} warn\n{}", fails.len(), warns.len(), warns.join("\n"));
        assert_eq!(fails, [""; 0]);
        assert!(more.is_empty() || warns.is_empty(), "{warns:?}");
    }
    let record = owner.root("cat /var/lib/hardtack/profile.tsv");
    eprintln!("at first boot:\n{record}");
    assert!(record.lines().count() > 3, "{record}");
    let failed: Vec<&str> = record.lines().filter(|line| line.contains("\tfail\t")).collect();
    // Our Debian 13 has no resolver: that nobody could ask for updates is what the control is to say.
    let offline =
        failed.iter().all(|line| line.starts_with("updates-applied\t") && line.contains("Failed to fetch"));
    assert!(offline, "{failed:?}");
    let unasked = &["updates-applied"][..failed.len()];

    let disk = hardened.disk.clone();
    owner.power_off(vm);
    // The same controls, on the disk of a machine that has lived.
    for (against, left) in [(level, [left, unasked].concat()), (RECIPE, unasked.to_vec())] {
        assert_eq!(
            failures(&verdict(&hardened.workshop, against, &disk), &left),
            [""; 0],
            "{against}, after the boot"
        );
    }
    run(Command::new("qemu-img").args(["check", "-q"]).arg(&disk));
}

#[test]
fn level_1_on_debian_12() {
    profiled("cis-1", "debian12", "bookworm", "", false);
}

#[test]
#[ignore = "the full suite: Lynis and AIDE take long on a machine without KVM"]
fn level_1_on_debian_12_and_lynis() {
    profiled("cis-1", "debian12", "bookworm", "", true);
}

#[test]
#[ignore = "the full suite boots it; level 1 is booted always"]
fn level_2_on_debian_12() {
    profiled("cis-2", "debian12", "bookworm", "", false);
}

#[test]
#[ignore = "the full suite boots it; the other release is booted always"]
fn level_1_and_post_quantum_keys_only_on_debian_13() {
    profiled("cis-1", "debian13", "trixie", "  post-quantum-only: true\n", false);
}
