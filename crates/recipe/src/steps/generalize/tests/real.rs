//! Real Debian roots, as the test images are made of.

use std::path::PathBuf;
use std::process::Command;

use hardtack_guest::HostTree;

use super::*;

/// The root of `suite` without what only takes time; `None`, said aloud, where the images were not made.
fn root(suite: &str) -> Option<tempfile::TempDir> {
    let cache =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    let archive = cache.join(format!("{suite}.tar"));
    if !archive.exists() {
        eprintln!("SKIPPED: {} is not there (`cargo xtask images` makes it)", archive.display());
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(directory.path());
    tar.args([
        "--exclude=./usr/share",
        "--exclude=./usr/lib/modules",
        "--exclude=./usr/lib/python3",
        "--exclude=./dev",
    ]);
    assert!(tar.status().unwrap().success());
    Some(directory)
}

/// Runs `generalize` on a real root; the changes, and those of a second run over them in the stage.
fn generalized(suite: &str, makes_keys: &str) {
    let Some(directory) = root(suite) else { return };
    let tree = HostTree::new(directory.path());
    let recipe = load_recipe(
        std::path::Path::new("r.yaml"),
        "recipe: 1\nsteps: [generalize]\n",
        &|_| None,
        &RealFiles,
    )
    .unwrap();
    let mut stage = Stage::new(&tree);
    stage_recipe(&recipe, &mut stage, &Surroundings::default()).unwrap();
    let lines: Vec<String> = stage
        .changes()
        .unwrap()
        .iter()
        .map(|change| format!("{} {}", change.op.name(), change.path))
        .collect();
    for wanted in [
        "write /etc/machine-id",
        "write /etc/resolv.conf",
        "remove /etc/passwd-",
        "remove /etc/shadow-",
        "remove /etc/ssh/ssh_host_ed25519_key",
        "remove /etc/ssh/ssh_host_ed25519_key.pub",
        "write /etc/systemd/system-preset/00-hardtack.preset",
        "write /etc/systemd/system/systemd-firstboot.service.d/hardtack.conf",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}: {lines:#?}");
    }
    // Nothing outside of these, and nothing of a package.
    let known = [
        "/etc/machine-id",
        "/etc/resolv.conf",
        "/etc/ssh/ssh_host_",
        "/etc/systemd/",
        "/var/log/",
        "/var/cache/",
        "/var/lib/apt/lists/",
        "/var/lib/dbus/machine-id",
        "/var/lib/systemd/",
        "/tmp/",
        "/var/tmp/",
        "/var/lib/dhcp",
    ];
    let others: Vec<&String> = lines
        .iter()
        .filter(|line| !line.ends_with('-') && !known.iter().any(|start| line.contains(&format!(" {start}"))))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    let presets = stage.read_text("/etc/systemd/system-preset/00-hardtack.preset").unwrap().unwrap();
    assert!(presets.contains(&format!("\nenable {makes_keys}\n")), "{presets}");
    assert!(
        presets.contains("\nenable ssh.service\n") && presets.contains("\nenable getty@.service\n"),
        "{presets}"
    );
    assert!(presets.contains("\ndisable systemd-networkd-wait-online.service\n"), "{presets}");
}

#[test]
fn debian_12() {
    generalized("bookworm", "cloud-init.service");
}

#[test]
fn debian_13() {
    generalized("trixie", "sshd-keygen.service");
}
