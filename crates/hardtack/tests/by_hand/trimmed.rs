//! A template that starts fast and is nobody's.

use crate::scene::{Scene, have, recipe};

const MACHINE: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_template_is_trimmed_and_nobodys() {
    if !have(&["mke2fs", "sfdisk", "qemu-img", "debugfs", "e2fsck"]) {
        return;
    }
    let scene = Scene::new();
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
            ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("/etc/ssh/sshd_config", "UsePAM yes\n"),
            ("/etc/ssh/ssh_host_ed25519_key", "PRE-MADE\n"),
            ("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 PRE-MADE\n"),
            ("/etc/ssh/ssh_host_rsa_key", "PRE-MADE\n"),
            ("/etc/systemd/system/multi-user.target.wants/exim4.service", "->/usr/lib/systemd/system/exim4.service"),
            ("/etc/systemd/system/sendmail.service", "[Service]\nExecStart=/usr/sbin/sendmail\n"),
            ("/usr/lib/systemd/system/exim4.service", "[Service]\nExecStart=/usr/sbin/exim4\n"),
            ("/usr/lib/systemd/system/man-db.timer", "[Timer]\nOnCalendar=daily\n"),
            ("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n"),
            ("/usr/lib/systemd/systemd", "#!stand-in"),
            ("/usr/sbin/exim4", "#!stand-in"),
            ("/usr/sbin/sshd", "#!stand-in"),
            ("/usr/bin/ssh-keygen", "#!stand-in"),
            ("/bin/bash", "#!stand-in"),
            ("/root/.bash_history", "ssh somewhere-CANARY\n"),
            ("/var/log/syslog", "boot of somebody-CANARY\n"),
            ("/var/lib/dpkg/arch", "amd64\n"),
            (
                "/var/lib/dpkg/status",
                "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n\
                 Maintainer: test\nDescription: test\n\nPackage: systemd\nStatus: install ok installed\n\
                 Architecture: amd64\nVersion: 252.36-1\nMaintainer: test\nDescription: test\n\n",
            ),
        ],
    );
    scene.sh("qemu-img convert -c -O qcow2 base.raw base.qcow2");
    scene.build(
        &recipe("trimmed.yaml"),
        &scene.path("base.qcow2"),
        "template.qcow2",
        &["--compression", "zstd"],
    );
    let info = scene.sh("qemu-img info template.qcow2; qemu-img check template.qcow2");
    assert!(info.contains("compression type: zstd"), "{info}");
    let made = scene.partition("template.qcow2", 1);

    // Masked, and not removed: who depends on their packages still has them.
    for unit in ["sendmail.service", "exim4.service", "postfix.service", "man-db.timer", "e2scrub_all.timer"]
    {
        assert_eq!(made.link(&format!("/etc/systemd/system/{unit}")).as_deref(), Some("/dev/null"), "{unit}");
    }
    assert!(made.has("/usr/sbin/exim4") && made.has("/usr/lib/systemd/system/exim4.service"));
    // IPv6 off.
    assert_eq!(made.cat("/etc/modprobe.d/no-ipv6.conf"), "blacklist ipv6\n");
    let sysctl = made.cat("/etc/sysctl.d/90-no-ipv6.conf");
    for place in ["all", "default", "lo"] {
        let line = format!("net.ipv6.conf.{place}.disable_ipv6 = 1");
        assert!(sysctl.lines().any(|found| found == line), "{sysctl}");
    }
    // Nobody's: keys, name, traces. Somebody makes the keys again, before SSH.
    for gone in ["ed25519_key", "ed25519_key.pub", "rsa_key"] {
        assert!(!made.has(&format!("/etc/ssh/ssh_host_{gone}")), "{gone}");
    }
    assert!(!made.cat("/etc/machine-id").contains(MACHINE));
    assert!(!made.has("/root/.bash_history"));
    let maker = made.link("/etc/systemd/system/multi-user.target.wants/hardtack-host-keys.service");
    let maker =
        maker.or_else(|| made.link("/etc/systemd/system/sysinit.target.wants/hardtack-host-keys.service"));
    let maker = maker.unwrap_or_else(|| panic!("nobody makes host keys"));
    let unit = made.cat(&format!("/usr/lib/systemd/system/{}", maker.rsplit('/').next().unwrap()));
    assert!(unit.contains("Before=") && unit.contains("ssh.service"), "{unit}");
    // What was taken out is not in the rest of the disk either.
    let disk = made.bytes();
    for trace in ["PRE-MADE", "somewhere-CANARY", "somebody-CANARY"] {
        assert!(!crate::scene::holds(&disk, trace), "{trace} is still on the disk");
    }
}
