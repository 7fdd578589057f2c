//! A host that lets in nothing but SSH from one network, with a way back.

use std::process::Command;

use hardtack_tests::tools::run;

use crate::scene::{AGENT, Scene, have, recipe};

/// Debian's own text, which stays beside ours.
const PACKAGES_OWN: &str = "#!/usr/sbin/nft -f\\n\\nflush ruleset\\n";

fn base(scene: &Scene) {
    scene.mbr(
        "base.raw",
        48,
        "-L root",
        &[
            ("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
            ("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n"),
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
            ("/etc/group", "root:x:0:\n"),
            ("/etc/shadow", "root:*:19000:0:99999:7:::\n"),
            ("/lib", "->usr/lib"),
            ("/etc/apt/sources.list", "deb https://deb.debian.org/debian bookworm main\n"),
            ("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n"),
            ("/usr/lib/systemd/systemd", "#!stand-in"),
            ("/bin/bash", "#!stand-in"),
            ("/var/lib/dpkg/arch", "amd64\n"),
            (
                "/var/lib/dpkg/status",
                "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\
                 Maintainer: test\nDescription: test\n\nPackage: systemd\nStatus: install ok installed\n\
                 Architecture: amd64\nVersion: 252.36-1\nMaintainer: test\nDescription: test\n\n",
            ),
        ],
    );
    // As Debian's: a unit, a conffile and a script, so that the first boot has something left to do.
    scene.sh(&format!(
        "mkdir -p deb/DEBIAN deb/usr/sbin deb/lib/systemd/system deb/etc pool; \
         printf '{PACKAGES_OWN}' > deb/etc/nftables.conf; echo /etc/nftables.conf > deb/DEBIAN/conffiles; \
         printf '#!/bin/sh\\n' > deb/usr/sbin/nft; chmod 755 deb/usr/sbin/nft deb/etc/nftables.conf; \
         printf '[Unit]\\nDescription=nftables\\n[Service]\\nType=oneshot\\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\\n' \
         > deb/lib/systemd/system/nftables.service; \
         printf '#!/bin/sh\\nset -e\\nexit 0\\n' > deb/DEBIAN/postinst; chmod 755 deb/DEBIAN/postinst; \
         printf 'Package: nftables\\nVersion: 1.0.6-2\\nArchitecture: amd64\\nMaintainer: test\\nDepends: libc6\\nDescription: test\\n' \
         > deb/DEBIAN/control; dpkg-deb --root-owner-group -Zgzip --build deb pool >&2"
    ));
}

const SUPPLY: &[&str] = &["--packages-from", "pool", "--packages-cache", "cache"];

#[test]
fn only_ssh_from_one_network_comes_in_until_the_way_back_opens() {
    if !have(&["mke2fs", "sfdisk", "qemu-img", "debugfs", "e2fsck", "dpkg-deb"]) {
        return;
    }
    let scene = Scene::new();
    base(&scene);
    let from = [SUPPLY, &["--set", "from=198.51.100.7/32"]].concat();
    scene.build(&recipe("locked-down.yaml"), &scene.path("base.raw"), "locked.qcow2", &from);
    let made = scene.partition("locked.qcow2", 1);

    let rules = made.cat("/etc/nftables.conf");
    assert!(rules.contains("ip saddr 198.51.100.7/32 tcp dport 22 counter accept"), "{rules}");
    assert!(!rules.contains("${"), "{rules}");
    assert_eq!(made.mode("/etc/nftables.conf").as_deref(), Some("0755"));
    scene.write("rules", &rules);
    nft(&scene, "rules");

    // Loaded before the network comes, by the package's unit.
    let wanted = made.link("/etc/systemd/system/sysinit.target.wants/nftables.service").unwrap();
    assert!(
        made.cat(&wanted.replace("/lib/", "/usr/lib/").replace("/usr/usr/", "/usr/"))
            .contains("/usr/sbin/nft -f")
    );
    let timers = "/etc/systemd/system/timers.target.wants/firewall-way-back.timer";
    assert_eq!(made.link(timers).as_deref(), Some("../firewall-way-back.timer"));
    let units = ["firewall-way-back.service", "firewall-way-back.timer"];
    for unit in units {
        scene.write(unit, &made.cat(&format!("/etc/systemd/system/{unit}")));
    }
    let timer = std::fs::read_to_string(scene.path(units[1])).unwrap();
    assert!(timer.contains("OnBootSec=20min") && timer.contains("OnUnitActiveSec=20min"), "{timer}");
    if have(&["systemd-analyze", "nft"]) {
        let told = scene
            .sh("systemd-analyze verify ./firewall-way-back.service ./firewall-way-back.timer 2>&1 || true");
        assert!(!told.contains("firewall-way-back"), "{told}");
    }
}

/// What nft itself says of a file of rules, in a network of its own.
fn nft(scene: &Scene, file: &str) {
    if !have(&["nft", "unshare"]) {
        return;
    }
    let file = scene.path(file);
    let alone = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net"]).args(arguments);
        command
    };
    if !alone(&["nft", "list", "ruleset"]).output().unwrap().status.success() {
        eprintln!("SKIPPED: no network namespace for nft here");
        return;
    }
    run(alone(&["nft", "-c", "-f"]).arg(&file));
    // It is no judge who lets everything pass.
    let broken = scene.path("broken");
    std::fs::write(
        &broken,
        std::fs::read_to_string(&file).unwrap().replace("tcp dport 22", "tcp dport ssh-and-more"),
    )
    .unwrap();
    assert!(!alone(&["nft", "-c", "-f"]).arg(&broken).output().unwrap().status.success());
}

#[test]
fn who_may_come_in_must_be_said() {
    if !have(&["mke2fs", "sfdisk", "dpkg-deb"]) {
        return;
    }
    let scene = Scene::new();
    base(&scene);
    let recipe = recipe("locked-down.yaml");
    let line = ["build", &recipe, "--source", "base.raw", "--output", "x.raw"];
    let line = [&line[..], AGENT, SUPPLY].concat();
    let told = scene.expect(2, &line);
    assert!(told.contains("`from` has no value") && told.contains("--set from="), "{told}");
    assert!(!scene.path("x.raw").exists());
}
