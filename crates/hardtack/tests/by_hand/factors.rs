//! Three factors on an image like Ubuntu 14.04: Upstart, one partition, cloud-init, no pam-auth-update.

use std::process::Command;

use hardtack_tests::tools::run;

use crate::scene::{Scene, have, holds, recipe};

const PASSWORD: &str = "CANARY-mango-street";

const COMMON_AUTH: &str = "# here are the per-package modules (the \"Primary\" block)\n\
auth\t[success=1 default=ignore]\tpam_unix.so nullok_secure\n\
# here's the fallback if no module succeeds\n\
auth\trequisite\t\t\tpam_deny.so\nauth\trequired\t\t\tpam_permit.so\nauth\toptional\t\t\tpam_cap.so\n";

const CLOUD: &str = "users:\n  - default\ndisable_root: true\nsystem_info:\n  distro: ubuntu\n  default_user:\n    name: ubuntu\n    \
lock_passwd: True\n    gecos: Ubuntu\n    groups: [adm, sudo]\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n    shell: /bin/bash\n";

/// What the recipe looks at in Ubuntu 14.04's cloud image.
fn trusty(scene: &Scene) {
    let status: String = [
        ("libc6", "2.19-0ubuntu6.15"),
        ("libpam0g", "1.1.8-1ubuntu2.2"),
        ("openssh-server", "1:6.6p1-2ubuntu2.13"),
        ("cloud-init", "0.7.5-0ubuntu1.23"),
        ("upstart", "1.12.1-0ubuntu4.2"),
    ]
    .iter()
    .map(|(name, version)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nMulti-Arch: same\nArchitecture: amd64\nVersion: {version}\n\
             Maintainer: test\nDescription: test\n\n"
        )
    })
    .collect();
    let service = "@include common-auth\n@include common-account\n@include common-session\n";
    let mut files = vec![
        (
            "/etc/os-release",
            "NAME=\"Ubuntu\"\nVERSION=\"14.04.6 LTS, Trusty Tahr\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"14.04\"\n",
        ),
        ("/etc/fstab", "LABEL=cloudimg-rootfs\t/\t ext4\tdefaults\t0 0\n"),
        (
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nsshd:x:103:65534::/var/run/sshd:/usr/sbin/nologin\n",
        ),
        ("/etc/group", "root:x:0:\nadm:x:4:\nsudo:x:27:\nshadow:x:42:\nnogroup:x:65534:\n"),
        ("/etc/shadow", "root:*:17000:0:99999:7:::\nsshd:*:17000:0:99999:7:::\n"),
        ("/etc/gshadow", "root:*::\nadm:*::\nsudo:*::\nshadow:*::\n"),
        ("/etc/apt/sources.list", "deb http://archive.ubuntu.com/ubuntu trusty main universe\n"),
        ("/etc/init/ssh.conf", "start on runlevel [2345]\nexec /usr/sbin/sshd -D\n"),
        ("/etc/rc.local", "#!/bin/sh -e\n#\n# rc.local\n\nexit 0\n"),
        ("/etc/cloud/cloud.cfg", CLOUD),
        ("/etc/cloud/cloud.cfg.d/", ""),
        ("/etc/pam.d/common-auth", COMMON_AUTH),
        ("/etc/pam.d/common-account", "account\trequired\tpam_permit.so\n"),
        ("/etc/pam.d/common-session", "session\trequired\tpam_unix.so\n"),
        (
            "/etc/ssh/sshd_config",
            "Port 22\nProtocol 2\nPubkeyAuthentication yes\nPermitEmptyPasswords no\n\
             ChallengeResponseAuthentication no\nPasswordAuthentication no\nUsePAM yes\n",
        ),
        ("/bin/bash", "#!stand-in"),
        ("/sbin/init", "#!upstart"),
        ("/sbin/initctl", "#!upstart"),
        ("/usr/bin/cloud-init", "#!/usr/bin/python\n"),
        ("/usr/sbin/sshd", "#!stand-in"),
        ("/lib/modules/3.13.0-170-generic/modules.dep", ""),
        ("/lib/x86_64-linux-gnu/security/pam_unix.so", "stand-in"),
        ("/root/", ""),
        ("/home/", ""),
        ("/var/lib/dpkg/status", &status),
        ("/var/lib/dpkg/arch", "amd64\n"),
        ("/var/lib/dpkg/info/libc6.list", ""),
    ];
    files.extend(["sshd", "login", "su", "sudo"].map(|name| match name {
        "sshd" => ("/etc/pam.d/sshd", service),
        "login" => ("/etc/pam.d/login", service),
        "su" => ("/etc/pam.d/su", service),
        _ => ("/etc/pam.d/sudo", service),
    }));
    scene.mbr("trusty.raw", 48, "-L cloudimg-rootfs -O ^metadata_csum,^64bit", &files);
    scene.sh("qemu-img convert -O qcow2 trusty.raw trusty.img");
}

/// The packages that the recipe asks for, in a folder that stands for the repositories.
fn packages(scene: &Scene) {
    for (name, depends, file) in [
        (
            "libpam-google-authenticator",
            "libc6 (>= 2.4), libpam0g (>= 0.99), libqrencode3",
            "lib/x86_64-linux-gnu/security/pam_google_authenticator.so",
        ),
        ("libqrencode3", "libc6 (>= 2.4)", "usr/lib/x86_64-linux-gnu/libqrencode.so.3"),
    ] {
        let folder = file.rsplit_once('/').unwrap().0;
        scene.sh(&format!(
            "mkdir -p deb/DEBIAN deb/{folder} pool; echo stand-in > deb/{file}; \
             printf 'Package: {name}\\nVersion: 20130529-2\\nArchitecture: amd64\\nMaintainer: test\\nDepends: {depends}\\nDescription: test\\n' \
             > deb/DEBIAN/control; dpkg-deb --root-owner-group -Zgzip --build deb pool >&2; rm -r deb"
        ));
    }
}

#[test]
fn ubuntu_asks_for_key_password_and_code() {
    if !have(&["mke2fs", "sfdisk", "qemu-img", "debugfs", "e2fsck", "dpkg-deb", "openssl"]) {
        return;
    }
    let scene = Scene::new().with("UBUNTU_PASSWORD", PASSWORD);
    trusty(&scene);
    packages(&scene);
    let said = scene.build(
        &recipe("ubuntu-3fa.yaml"),
        &scene.path("trusty.img"),
        "out.raw",
        &["--packages-from", "pool", "--packages-cache", "cache"],
    );
    assert!(!said.contains(PASSWORD), "{said}");
    let made = scene.partition("out.raw", 1);

    // The module, from its package.
    assert!(made.has("/lib/x86_64-linux-gnu/security/pam_google_authenticator.so"));
    let status = made.cat("/var/lib/dpkg/status");
    for name in ["libpam-google-authenticator", "libqrencode3"] {
        assert!(status.contains(&format!("Package: {name}\nStatus: install ok installed\n")), "{status}");
    }
    // The three lines, and what followed them.
    let stack = made.cat("/etc/pam.d/common-auth");
    let lines: Vec<String> = stack
        .lines()
        .filter(|line| line.starts_with("auth"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lines[0], "auth requisite pam_unix.so nullok_secure");
    assert!(lines[1].starts_with("auth requisite pam_google_authenticator.so"), "{stack}");
    assert_eq!(lines[2], "auth [success=1 default=ignore] pam_permit.so");
    assert!(!lines[1].contains("nullok"), "nobody passes without a secret: {stack}");
    assert_eq!(
        lines[3..],
        ["auth requisite pam_deny.so", "auth required pam_permit.so", "auth optional pam_cap.so"]
    );
    // sshd takes the first value of a directive.
    let sshd = made.cat("/etc/ssh/sshd_config");
    let first = |name: &str| {
        sshd.lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .split_once(' ')
            .unwrap()
            .1
            .to_owned()
    };
    assert_eq!(first("ChallengeResponseAuthentication"), "yes", "{sshd}");
    assert!(first("AuthenticationMethods").starts_with("publickey,keyboard-interactive"), "{sshd}");
    assert_eq!((first("UsePAM").as_str(), first("PasswordAuthentication").as_str()), ("yes", "no"), "{sshd}");
    // The password: a hash, for cloud-init, that root alone can read.
    const CFG: &str = "/etc/cloud/cloud.cfg.d/95-hardtack.cfg";
    let cloud = made.cat(CFG);
    assert_eq!(made.mode(CFG).as_deref(), Some("0600"));
    assert!(cloud.to_lowercase().contains("lock_passwd: false"), "{cloud}");
    let hash = cloud.split(['"', '\'', ' ', '\n']).find(|word| word.starts_with("$6$")).unwrap().to_owned();
    let salt = hash.split('$').nth(2).unwrap();
    let theirs = run(Command::new("openssl").args(["passwd", "-6", "-salt", salt, PASSWORD]));
    assert_eq!(hash, theirs.trim(), "openssl makes another one of the password");
    assert_eq!(made.cat("/etc/cloud/cloud.cfg"), CLOUD);
    assert_eq!(made.mode("/etc/hardtack/agent.json").as_deref(), Some("0600"));
    // Enrolment is left to the first boot, before anybody logs in; nothing secret is here.
    let local = made.cat("/etc/rc.local");
    let (enrol, exit) = (local.find("hardtack-agent enrol").unwrap(), local.find("exit 0").unwrap());
    assert!(local.starts_with("#!/bin/sh -e\n") && enrol < exit, "{local}");
    let agent: serde_json::Value = serde_json::from_str(&made.cat("/etc/hardtack/agent.json")).unwrap();
    assert!(agent["mfa"].to_string().contains("ubuntu"), "{agent}");
    for path in ["/home/ubuntu/.google_authenticator", "/root/google-auth.txt"] {
        assert!(!made.has(path), "{path}");
    }
    let disk = made.bytes();
    assert!(!holds(&disk, PASSWORD) && holds(&disk, salt), "the password is on the disk");

    // Without the variable nothing is built, and the message names it.
    let bare = Scene::new();
    let source = scene.path("trusty.img").display().to_string();
    let told = bare.expect(2, &["build", &recipe("ubuntu-3fa.yaml"), "--source", &source, "--plan"]);
    assert!(told.contains("UBUNTU_PASSWORD"), "{told}");
}
