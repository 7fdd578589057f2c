#![allow(clippy::unwrap_used)]
//! Small trees, each with one thing about them.

use hardtack_guest::{MemoryTree, sshd};

use super::*;

const DEBIAN: &str = "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n";

fn with(config: &str, pam: Option<PamService>, mut user: User) -> Vec<String> {
    let tree = MemoryTree::new().file("/etc/ssh/sshd_config", config).file("/bin/bash", "");
    let stage = Stage::new(&tree);
    let config = Config::load(&stage, sshd::NEWEST).unwrap();
    user.shell = "/bin/bash".to_owned();
    let users = vec![user];
    let judge = Judge::of(&stage, Some(config), users, pam.into_iter().collect(), Coming::default()).unwrap();
    judge.ways().ways.into_iter().flat_map(|way| way.with).collect()
}

fn user(uid: u32, password: &'static str, keys: usize) -> User {
    User { name: "joe".to_owned(), uid, password, keys, groups: vec!["staff".to_owned()], ..User::default() }
}

fn stack(password: bool, code: bool) -> Option<PamService> {
    Some(PamService { name: "sshd".to_owned(), open: true, password, code, problem: None })
}

#[test]
fn factors_of_ssh() {
    let pam = "UsePAM yes\n";
    for (config, stack, mut user, wanted) in [
        (pam, stack(true, false), user(1000, "set", 1), &["key", "password"][..]),
        (pam, stack(true, false), user(1000, "locked", 1), &["key"]),
        (pam, stack(true, false), user(0, "set", 1), &["key"]),
        ("UsePAM yes\nPermitRootLogin no\n", stack(true, false), user(0, "set", 1), &[]),
        (pam, stack(true, true), user(1000, "set", 0), &["password+code"]),
        (
            "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n",
            stack(true, true),
            user(1000, "set", 1),
            &["key+password+code"],
        ),
        (
            "UsePAM yes\nAuthenticationMethods publickey,keyboard-interactive\n",
            stack(true, true),
            user(1000, "set", 0),
            &[],
        ),
        ("AllowGroups wheel\n", None, user(1000, "set", 1), &[]),
        ("AllowUsers joe@10.*\nPasswordAuthentication no\n", None, user(1000, "set", 1), &["key"]),
        ("DenyUsers j*\n", None, user(1000, "set", 1), &[]),
        ("DenyUsers joe@*\n", None, user(1000, "set", 1), &[]),
        ("DenyUsers joe@10.*\nPasswordAuthentication no\n", None, user(1000, "set", 1), &["key"]),
        ("AuthorizedKeysFile none\n", None, user(1000, "set", 1), &["password"]),
        ("AuthorizedKeysFile none\nPasswordAuthentication no\n", None, user(1000, "set", 1), &[]),
        ("Match User joe\nPasswordAuthentication no\n", None, user(1000, "set", 1), &["key"]),
        ("PermitEmptyPasswords yes\n", None, user(1000, "none", 0), &["nothing"]),
        ("", None, user(1000, "none", 0), &[]),
    ] {
        user.code_secret = true;
        assert_eq!(with(config, stack, user), wanted, "{config}");
    }
}

#[test]
fn what_stops_sshd_and_what_a_login_may_do_is_told() {
    let report = |config: &str| {
        let tree = MemoryTree::new().file("/etc/ssh/sshd_config", config).file("/bin/bash", "");
        let stage = Stage::new(&tree);
        let config = Config::load(&stage, sshd::NEWEST).unwrap();
        let users = vec![User { shell: "/bin/bash".to_owned(), ..user(1000, "set", 1) }];
        let judge = Judge::of(&stage, Some(config), users, Vec::new(), Coming::default()).unwrap();
        judge.ways().to_text()
    };
    let text = report("PasswordAuthentication no\nMatch User joe\nForceCommand /bin/false\n");
    assert!(text.contains("joe: key (ForceCommand /bin/false (/etc/ssh/sshd_config:3))"), "{text}");
    let text = report("Match Usr joe\nPasswordAuthentication no\n");
    assert!(
        text.contains("not judged    sshd: /etc/ssh/sshd_config:1: Match: \"Usr\" is no criterion"),
        "{text}"
    );
    let text = report("ForceCommand none\n");
    assert!(!text.contains("ForceCommand") && !text.contains("not judged"), "{text}");
}

/// A machine of Debian 12 with two people, a getty on tty1 and a serial console.
fn machine(sshd_config: &str) -> MemoryTree {
    let hash = "$6$abcdefgh$0123456789";
    MemoryTree::new()
        .file("/var/lib/dpkg/status", DEBIAN)
        .file("/etc/ssh/sshd_config", sshd_config)
        .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n")
        .file("/etc/shadow", format!("root:*:1::::::\nann:{hash}:19000::::::\nbob:!:19000::::::\n"))
        .file("/etc/group", "ann:x:1000:\nbob:x:1001:\n")
        .file("/bin/bash", "")
        .file("/home/bob/.ssh/authorized_keys", "ssh-ed25519 AAAA x\n")
        .file("/etc/pam.d/sshd", "auth required pam_unix.so\naccount required pam_unix.so\n")
        .file("/etc/pam.d/login", "auth required pam_unix.so\naccount required pam_unix.so\n")
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/system-generators/systemd-getty-generator", "")
        .file("/usr/lib/systemd/system/getty@.service", "[Service]\nExecStart=-/sbin/agetty -o '-p -- \\\\u' --noclear - $TERM\n")
        .file("/usr/lib/systemd/system/serial-getty@.service", "[Service]\nExecStart=-/sbin/agetty --keep-baud 115200 %I $TERM\n")
        .link("/etc/systemd/system/getty.target.wants/getty@tty1.service", "/usr/lib/systemd/system/getty@.service")
        .file("/boot/vmlinuz-6.1", "")
        .file("/boot/grub/grub.cfg", "set superusers=\"a\"\nmenuentry 'x' {\n linux /boot/vmlinuz-6.1 root=UUID=1 console=tty0 console=ttyS0,115200\n}\n")
}

fn told(tree: &MemoryTree) -> Vec<String> {
    told_with(tree, Coming::default())
}

fn told_with(tree: &MemoryTree, coming: Coming) -> Vec<String> {
    let stage = Stage::new(tree);
    let found = Judge::read(&stage, coming, None).unwrap().ways();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    found.ways.iter().map(|way| format!("{} {}", way.by, way.sentence())).collect()
}

#[test]
fn a_machine_of_two_people() {
    let plain = machine("UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n");
    assert_eq!(told(&plain), ["ssh bob: key", "console ann: password, on tty1 ttyS0"]);
    let stage = Stage::new(&plain);
    let found = Judge::read(&stage, Coming::default(), None).unwrap().ways();
    let shut: Vec<_> = found.shut_out.iter().map(|one| format!("{}: {}", one.who, one.why)).collect();
    assert_eq!(shut, ["root: it has no SSH key", "ann: it has no SSH key"]);
    let text = found.to_text();
    assert!(text.contains("\n  console       ann: password, on tty1 ttyS0\n"), "{text}");
}

/// What holds only for connections from somewhere is a way of its own; one for users is no second one.
#[test]
fn a_match_block_opens_a_way_for_some_connections() {
    let config = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                  Match Address 10.0.0.0/8\nPasswordAuthentication yes\n\
                  Match User bob\nPubkeyAuthentication no\n";
    assert_eq!(
        told(&machine(config)),
        [
            "ssh ann: password, where Match Address 10.0.0.0/8 (/etc/ssh/sshd_config:4)",
            "console ann: password, on tty1 ttyS0",
        ]
    );
    // Who else must match does.
    let other = config.replace("10.0.0.0/8", "10.0.0.0/8 User bob");
    assert_eq!(told(&machine(&other)), ["console ann: password, on tty1 ttyS0"]);
}

#[test]
fn consoles() {
    let config = "PasswordAuthentication no\nPubkeyAuthentication no\n";
    let masked = machine(config)
        .link("/etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")
        .link("/etc/systemd/system/getty@.service", "/dev/null");
    assert!(told(&masked).is_empty());
    let auto = machine(config).file(
        "/etc/systemd/system/serial-getty@ttyS0.service.d/a.conf",
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root -L %I\n",
    );
    let ways = told(&auto);
    assert_eq!(
        ways,
        ["console ann: password, on tty1", "console root, for whoever sits there: nothing, on ttyS0"]
    );
    // A later drop-in takes it back.
    let back = auto.file(
        "/etc/systemd/system/serial-getty@.service.d/b.conf",
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty -L %I\n",
    );
    assert_eq!(told(&back), ["console ann: password, on tty1 ttyS0"]);
    let emergency =
        machine(config).file("/usr/lib/systemd/system/emergency.service", "[Service]\nExecStart=-/x\n").file(
            "/etc/systemd/system/emergency.service.d/a.conf",
            "[Service]\nEnvironment=SYSTEMD_SULOGIN_FORCE=1\n",
        );
    assert!(told(&emergency).contains(
        &"emergency root: nothing (when a boot fails, or the kernel's command line asks for it)".to_owned()
    ));
    let shell = machine(config)
        .file("/usr/lib/systemd/system/debug-shell.service", "[Service]\nExecStart=/bin/sh\n")
        .link("/etc/systemd/system/sysinit.target.wants/debug-shell.service", "x");
    assert!(told(&shell).iter().any(|way| way.contains("debug-shell.service): nothing, on tty9")));
    let open = machine(config).file("/boot/grub/grub.cfg", "menuentry 'x' {\n linux /boot/vmlinuz-6.1\n}\n");
    let found = Judge::read(&Stage::new(&open), Coming::default(), None).unwrap().ways();
    assert!(found.ways.iter().any(|way| way.by == "boot loader"));
}

#[test]
fn programs_of_clouds() {
    let ssm = machine("PubkeyAuthentication no\nPasswordAuthentication no\n")
        .file("/usr/bin/amazon-ssm-agent", "")
        .file("/lib/systemd/system/amazon-ssm-agent.service", "[Service]\n");
    let line = "cloud agent SSM agent of AWS (commands, sessions): the cloud's account: commands as root, no factor is asked for";
    assert!(told(&ssm).contains(&line.to_owned()), "{:?}", told(&ssm));
    let off = ssm.link("/etc/systemd/system/amazon-ssm-agent.service", "/dev/null");
    assert!(!told(&off).contains(&line.to_owned()));
    // A snap of the seed has no unit yet.
    let snap = machine("").file("/var/lib/snapd/seed/snaps/amazon-ssm-agent_9565.snap", "");
    assert!(told(&snap).contains(&line.to_owned()));
    let off = snap.file(
        "/etc/systemd/system/snap.amazon-ssm-agent.amazon-ssm-agent.service.d/hardtack.conf",
        format!("[Unit]\n{NEVER}\n"),
    );
    assert!(!told(&off).contains(&line.to_owned()));
    // Instance Connect counts where sshd asks it, also by options of a unit: everybody has a key then.
    let connect = machine("PasswordAuthentication no\n")
        .file("/usr/share/ec2-instance-connect/eic_run_authorized_keys", "")
        .file("/usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n");
    assert!(!told(&connect).iter().any(|way| way.contains("Instance Connect")));
    let asked = connect.file(
        "/usr/lib/systemd/system/ssh.service.d/ec2-instance-connect.conf",
        "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /usr/share/ec2-instance-connect/eic_run_authorized_keys %%u %%f\" -o \"AuthorizedKeysCommandUser ec2-instance-connect\"\n",
    );
    let ways = told(&asked);
    assert!(ways.iter().any(|way| way.starts_with("cloud agent EC2 Instance Connect")), "{ways:?}");
    assert!(
        ways.contains(
            &"ssh ann: key (keys come from elsewhere (AuthorizedKeysCommand, certificates))".to_owned()
        ),
        "{ways:?}"
    );
}

#[test]
fn what_comes_with_the_launch() {
    let coming = Coming {
        default_user: Some("debian".to_owned()),
        user_data: Some("cloud-init"),
        enrols: Enrols::All,
        accounts: vec![Account { name: "carl".to_owned(), password: true, keys: 1, ..Account::default() }],
    };
    let ways = told_with(&machine("PasswordAuthentication no\nKbdInteractiveAuthentication no\n"), coming);
    assert_eq!(
        ways,
        [
            "ssh bob: key",
            "ssh carl: key (its key is put in place at first boot)",
            "ssh debian: key (its key comes with the launch)",
            "console ann: password, on tty1 ttyS0",
            "console carl: password, on tty1 ttyS0 (its password is set at first boot)",
            "cloud-init debian: keys and user-data of the launch",
        ]
    );
}
