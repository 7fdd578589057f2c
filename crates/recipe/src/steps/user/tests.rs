#![allow(clippy::unwrap_used)]

use hardtack_credentials::RandomPassword;
use hardtack_guest::{MemoryTree, Stage};

use super::*;
use crate::model::KeySource;
use crate::secret::Secret;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAsPz8Kb4Ckw5Ga4v+PIPkDvgTnYKQkGJpYyZ0B me";

fn step() -> UserStep {
    UserStep {
        name: "debian".to_owned(),
        password: Some(Password::Clear(Secret::new("correct horse"))),
        authorized_keys: vec![KeySource { origin: "id.pub".to_owned(), text: KEY.into() }],
        ..UserStep::default()
    }
}

fn run<'t>(stage: &mut Stage<'t>) {
    let mut cx = Context::for_tests(stage);
    let step = step();
    apply(&[&step], &mut cx).unwrap();
    assert!(cx.notes.iter().any(|note| note.text.contains("the same for every instance")));
    assert!(cx.notes.iter().all(|note| !note.text.contains("correct horse")));
}

#[test]
fn with_cloud_init_one_snippet_carries_the_hash() {
    let tree = MemoryTree::new().file("/usr/bin/cloud-init", "").file(
        "/etc/cloud/cloud.cfg",
        "users:\n - default\nsystem_info:\n  default_user:\n    name: debian\n",
    );
    let mut stage = Stage::new(&tree);
    run(&mut stage);
    let text = stage.read_text(SNIPPET).unwrap().unwrap();
    let yaml: Value = serde_yaml::from_str(&text).unwrap();
    let user = &yaml["system_info"]["default_user"];
    assert!(accounts::verifies("correct horse", user["hashed_passwd"].as_str().unwrap()));
    assert_eq!(user["lock_passwd"].as_bool(), Some(false));
    assert_eq!(user["ssh_authorized_keys"][0].as_str(), Some(KEY));
    assert_eq!(stage.stat(SNIPPET).unwrap().unwrap().mode, 0o600);
    assert_eq!(stage.changes().unwrap().len(), 2, "the snippet and its directory");
}

#[test]
fn a_hash_that_verifies_is_kept() {
    let stored = accounts::hash_password("correct horse", "another image", "debian").unwrap();
    let tree = MemoryTree::new()
        .file("/etc/passwd", "debian:x:1000:1000::/home/debian:/bin/bash\n")
        .file("/etc/shadow", format!("debian:{stored}:1:0:99999:7:::\n"))
        .file("/etc/group", "debian:x:1000:\n")
        .file_as("/home/debian/.ssh/authorized_keys", format!("{KEY}\n"), 0o600, 1000, 1000);
    let mut stage = Stage::new(&tree);
    run(&mut stage);
    assert!(stage.changes().unwrap().is_empty());
}

#[test]
fn without_cloud_init_the_account_is_made() {
    let tree = MemoryTree::new().file("/etc/passwd", "").file("/etc/shadow", "").file("/etc/group", "");
    let mut stage = Stage::new(&tree);
    run(&mut stage);
    let account = accounts::user(&stage, "debian").unwrap().unwrap();
    let field = accounts::password_field(&stage, "debian").unwrap().unwrap();
    assert!(accounts::verifies("correct horse", &field));
    let keys = stage.stat("/home/debian/.ssh/authorized_keys").unwrap().unwrap();
    assert_eq!((keys.mode, keys.uid, keys.gid), (0o600, account.uid, account.gid));
    let mut again = Vec::new();
    let mut second = Context::for_tests(&mut stage);
    let step = step();
    apply(&[&step], &mut second).unwrap();
    again.append(&mut second.notes);
    assert!(again.iter().all(|note| note.step == STEP));
}

#[test]
fn users_of_the_image_stay_beside_those_of_the_recipe() {
    let tree = MemoryTree::new()
        .file("/usr/bin/cloud-init", "")
        .file("/etc/cloud/cloud.cfg", "users: [default]\nsystem_info: {default_user: {name: admin}}\n")
        .file("/etc/cloud/cloud.cfg.d/50-ops.cfg", "users: [default, {name: ops}, {name: debian}]\n");
    let mut stage = Stage::new(&tree);
    run(&mut stage);
    let yaml: Value = serde_yaml::from_str(&stage.read_text(SNIPPET).unwrap().unwrap()).unwrap();
    let users = yaml["users"].as_sequence().unwrap();
    assert_eq!(users.len(), 3, "{users:?}");
    assert_eq!((users[0].as_str(), users[1]["name"].as_str()), (Some("default"), Some("ops")));
    assert_eq!(users[2]["name"].as_str(), Some("debian"));
    assert!(users[2]["hashed_passwd"].as_str().is_some());
}

#[test]
fn what_cloud_init_would_do_instead_is_refused() {
    let cases = [
        ("99-lock.cfg", "system_info: {default_user: {lock_passwd: true}}", "lock_passwd"),
        ("99-hash.cfg", "system_info: {default_user: {hashed_passwd: x}}", "hashed_passwd"),
        ("99-keys.cfg", "system_info: {default_user: {ssh_authorized_keys: [x]}}", "ssh_authorized_keys"),
        ("10-pass.cfg", "password: debian", "`password`"),
        ("10-list.cfg", "chpasswd: {list: 'root:x\\n\\ndebian:y'}", "`chpasswd`"),
        ("10-users.cfg", "chpasswd: {users: [{name: debian, type: RANDOM}]}", "`chpasswd`"),
        ("10-lock.cfg", "system_info: {default_user: {lock_passwd: true}}", ""),
        ("99-open.cfg", "system_info: {default_user: {lock_passwd: false}}", ""),
    ];
    for (name, text, wanted) in cases {
        let tree = MemoryTree::new()
            .file("/usr/bin/cloud-init", "")
            .file("/etc/cloud/cloud.cfg", "system_info: {default_user: {name: debian}}\n")
            .file(&format!("/etc/cloud/cloud.cfg.d/{name}"), text.replace("\\n", "\n"));
        let mut stage = Stage::new(&tree);
        let step = step();
        let found = apply(&[&step], &mut Context::for_tests(&mut stage));
        match found {
            Ok(()) => assert_eq!(wanted, "", "{name}"),
            Err(error) => {
                let said = error.to_string();
                assert!(!wanted.is_empty() && said.contains(wanted) && said.contains(name), "{name}: {said}");
            }
        }
    }
    let tree = MemoryTree::new()
        .file("/usr/bin/cloud-init", "")
        .file("/etc/cloud/cloud.cfg", "system_info: {default_user: {name: admin}}\n")
        .file("/etc/cloud/cloud.cfg.d/99-x.cfg", "users: [default]\n");
    let mut stage = Stage::new(&tree);
    let step = step();
    let said = apply(&[&step], &mut Context::for_tests(&mut stage)).unwrap_err().to_string();
    assert!(said.contains("99-x.cfg") && said.contains("`users`"), "{said}");
}

#[test]
fn an_existing_account_gets_shell_and_name_and_a_rule_that_sudo_reads() {
    let tree = MemoryTree::new()
        .file("/etc/passwd", "a.b:x:1000:1000:Old,,:/home/a:/bin/sh\n")
        .file("/etc/shadow", "a.b:!:1:0:99999:7:::\n")
        .file("/etc/group", "a.b:x:1000:\n");
    let mut stage = Stage::new(&tree);
    let step = UserStep {
        name: "a.b".to_owned(),
        shell: Some("/bin/zsh".to_owned()),
        gecos: Some("New".to_owned()),
        sudo: Some("ALL=(ALL) ALL".to_owned()),
        ..UserStep::default()
    };
    apply(&[&step], &mut Context::for_tests(&mut stage)).unwrap();
    let passwd = stage.read_text("/etc/passwd").unwrap().unwrap();
    assert_eq!(passwd, "a.b:x:1000:1000:New:/home/a:/bin/zsh\n");
    let rule = stage.read_text("/etc/sudoers.d/90-hardtack-a_b").unwrap().unwrap();
    assert_eq!(rule, "a.b ALL=(ALL) ALL\n");
}

fn random() -> UserStep {
    let random = RandomPassword { length: 24, expire: true, ..RandomPassword::default() };
    UserStep { password: Some(Password::Random(random)), ..step() }
}

const CLOUD: &str = "users: [default]\nsystem_info: {default_user: {name: debian, lock_passwd: true}}\n";

/// Neither the image's password, locked or not, nor any of ours is there until the agent has made one.
#[test]
fn a_random_password_is_the_agents_to_make() {
    let shadow = |field: &str| format!("debian:{field}:1:0:99999:7:::\n");
    for (cloud, before, after) in [
        (false, "$6$salt$hash", "!"),
        (false, "!$6$salt$hash", "!"),
        (false, "", "!"),
        (false, "*", "*"),
        (true, "$6$salt$hash", "*"),
        (true, "!$6$salt$hash", "*"),
        (true, "!", "*"),
    ] {
        let mut tree = MemoryTree::new()
            .file("/etc/passwd", "debian:x:1000:1000::/home/debian:/bin/bash\n")
            .file("/etc/shadow", shadow(before))
            .file("/etc/group", "debian:x:1000:\n");
        if cloud {
            tree = tree.file("/usr/bin/cloud-init", "").file("/etc/cloud/cloud.cfg", CLOUD);
        }
        let mut stage = Stage::new(&tree);
        let mut cx = Context::for_tests(&mut stage);
        let step = random();
        apply(&[&step], &mut cx).unwrap();
        assert!(cx.notes.iter().all(|note| !note.text.contains("the same for every instance")));
        assert!(cx.notes.iter().any(|note| note.text.contains("made on each instance")));
        let account = &cx.agent.accounts[0];
        assert_eq!(account.password_hash, "");
        assert_eq!(
            account.random_password.as_ref().map(|random| (random.length, random.expire)),
            Some((24, true))
        );
        let found = cx.stage.read_text("/etc/shadow").unwrap().unwrap();
        assert_eq!(found, shadow(after), "{cloud} {before}");
        if cloud {
            let yaml: Value = serde_yaml::from_str(&cx.stage.read_text(SNIPPET).unwrap().unwrap()).unwrap();
            let user = &yaml["system_info"]["default_user"];
            assert_eq!(user["lock_passwd"].as_bool(), Some(false));
            assert!(user["passwd"].is_null() && user["hashed_passwd"].is_null());
        }
    }
    let tree = MemoryTree::new().file("/etc/passwd", "").file("/etc/shadow", "").file("/etc/group", "");
    let mut stage = Stage::new(&tree);
    apply(&[&random()], &mut Context::for_tests(&mut stage)).unwrap();
    assert_eq!(accounts::password_field(&stage, "debian").unwrap().as_deref(), Some("!"));
}

#[test]
fn cloud_init_makes_the_user_of_a_random_password_without_any() {
    for (config, path) in [(CLOUD, "default_user"), ("system_info: {default_user: {name: admin}}\n", "users")]
    {
        let tree = MemoryTree::new().file("/usr/bin/cloud-init", "").file("/etc/cloud/cloud.cfg", config);
        let mut stage = Stage::new(&tree);
        apply(&[&random()], &mut Context::for_tests(&mut stage)).unwrap();
        let yaml: Value = serde_yaml::from_str(&stage.read_text(SNIPPET).unwrap().unwrap()).unwrap();
        let user = match path {
            "users" => &yaml["users"][1],
            _ => &yaml["system_info"]["default_user"],
        };
        assert_eq!(user["name"].as_str(), Some("debian"));
        assert_eq!((user["passwd"].as_str(), user["lock_passwd"].as_bool()), (Some("*"), Some(false)));
        assert!(stage.stat("/etc/shadow").unwrap().is_none());
    }
}

#[test]
fn a_password_of_cloud_inits_configuration_is_no_random_one() {
    for (name, text, wanted) in [
        ("10-hash.cfg", "system_info: {default_user: {hashed_passwd: x}}", "`hashed_passwd`"),
        ("99-plain.cfg", "system_info: {default_user: {plain_text_passwd: x}}", "`plain_text_passwd`"),
        ("99-lock.cfg", "system_info: {default_user: {lock_passwd: true}}", "`lock_passwd`"),
        ("10-pass.cfg", "password: debian", "`password`"),
    ] {
        let tree = MemoryTree::new()
            .file("/usr/bin/cloud-init", "")
            .file("/etc/cloud/cloud.cfg", CLOUD)
            .file(&format!("/etc/cloud/cloud.cfg.d/{name}"), text);
        let error =
            apply(&[&random()], &mut Context::for_tests(&mut Stage::new(&tree))).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains(name), "{error}");
    }
}
