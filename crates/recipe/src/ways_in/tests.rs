#![allow(clippy::unwrap_used)]
//! Who can still log in.

use hardtack_credentials::AccountConfig;
use hardtack_guest::MemoryTree;

use super::*;

const KEY: &str = "ssh-ed25519 AAAA x\n";

/// Debian with a user `debian` (password, key) and the given sshd_config.
fn tree(sshd_config: &str) -> MemoryTree {
    MemoryTree::new()
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n",
        )
        .file("/etc/ssh/sshd_config", sshd_config)
        .file("/etc/passwd", "root:x:0:0::/root:/bin/bash\ndebian:x:1000:1000::/home/debian:/bin/bash\n")
        .file("/etc/shadow", "root:*:19000::::::\ndebian:$6$abcdefgh$0123456789:19000:0:99999:7:::\n")
        .file("/etc/group", "root:x:0:\ndebian:x:1000:\nsudo:x:27:debian\n")
        .file("/bin/bash", "")
        .file("/home/debian/.ssh/authorized_keys", KEY)
}

fn try_it(
    tree: &MemoryTree,
    step: &MfaStep,
    enrols: bool,
    accounts: Vec<AccountConfig>,
) -> Result<Vec<String>, String> {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    cx.agent.accounts = accounts;
    let judge = Judge::read(cx.stage, coming(Some(step), enrols, &cx).unwrap(), Some(1)).unwrap();
    let notes = somebody(step, &judge, &[]).map_err(|error| error.to_string())?;
    Ok(notes.into_iter().map(|note| note.text).collect())
}

fn step(user: &str) -> MfaStep {
    MfaStep { users: vec![user.to_owned()], ..MfaStep::default() }
}

#[test]
fn a_complete_user_is_a_way_in() {
    assert_eq!(try_it(&tree(""), &step("debian"), true, Vec::new()), Ok(Vec::new()));
    assert_eq!(
        try_it(&tree("AllowGroups sudo\nAllowUsers deb*@10.*\n"), &step("debian"), true, Vec::new()),
        Ok(Vec::new())
    );
    let secret = tree("").file("/home/debian/.google_authenticator", "X");
    assert_eq!(try_it(&secret, &step("debian"), false, Vec::new()), Ok(Vec::new()));
}

#[test]
fn nobody_left_is_refused_with_the_reason() {
    let shadow = |line: &str| tree("").file("/etc/shadow", format!("{line}\n"));
    for (tree, user, wanted) in [
        (tree("DenyUsers debian\n"), "debian", "DenyUsers (/etc/ssh/sshd_config:1)"),
        (tree("AllowUsers bob\n"), "debian", "AllowUsers"),
        (tree("AllowGroups wheel\n"), "debian", "AllowGroups"),
        (tree("PermitRootLogin no\n"), "root", "no password"),
        (tree("AuthorizedKeysFile /etc/keys/%u\n"), "debian", "no SSH key"),
        (shadow("debian:!$6$abcdefgh$0123456789:19000::::::"), "debian", "no password"),
        (shadow("debian::19000::::::"), "debian", "no password"),
        (shadow("debian:$6$abcdefgh$0123456789:19000:::::1:"), "debian", "expired"),
        (
            tree("").file("/etc/passwd", "debian:x:1000:1000::/home/debian:/usr/sbin/nologin\n"),
            "debian",
            "shell",
        ),
        (tree(""), "ghost", "no password"),
        (
            tree("").file("/usr/bin/cloud-init", "").file(
                "/etc/cloud/cloud.cfg",
                "users: [default]\nsystem_info: {default_user: {name: debian}}\n",
            ),
            "debian",
            "cloud-init locks",
        ),
    ] {
        let error = try_it(&tree, &step(user), true, Vec::new()).expect_err(wanted);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    assert!(try_it(&tree(""), &step("debian"), false, Vec::new()).unwrap_err().contains("enrols"));
}

#[test]
fn a_key_may_come_with_the_launch() {
    let cloud = MemoryTree::new()
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n",
        )
        .file("/usr/bin/cloud-init", "")
        .file(
            "/etc/cloud/cloud.cfg",
            "users:\n - default\nsystem_info:\n  default_user:\n    name: debian\n",
        );
    let account =
        AccountConfig { name: "debian".into(), password_hash: "$6$x$y".into(), ..AccountConfig::default() };
    let notes = try_it(&cloud, &step("debian"), true, vec![account]).unwrap();
    assert!(notes[0].contains("with the launch"), "{notes:?}");
}

/// A password that the agent will make is one; and a recovery account is a user like the others.
#[test]
fn a_password_of_the_first_boot_is_a_way_in() {
    let random = AccountConfig {
        name: "rescue".into(),
        random_password: Some(hardtack_credentials::RandomPassword::default()),
        authorized_keys: vec![KEY.trim().into()],
        ..AccountConfig::default()
    };
    assert_eq!(try_it(&tree(""), &step("rescue"), true, vec![random.clone()]), Ok(Vec::new()));
    let both = MfaStep { users: vec!["ghost".into(), "rescue".into()], ..MfaStep::default() };
    let notes = try_it(&tree(""), &both, true, vec![random.clone()]).unwrap();
    assert!(notes.len() == 1 && notes[0].contains("ghost: it has no password"), "{notes:?}");
    let keyless = AccountConfig { authorized_keys: Vec::new(), ..random };
    let error = try_it(&tree(""), &step("rescue"), true, vec![keyless]).unwrap_err();
    assert!(error.contains("rescue: it has no SSH key"), "{error}");
}
