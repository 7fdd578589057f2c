#![allow(clippy::unwrap_used)]

use hardtack_guest::MemoryTree;

use super::*;
use crate::steps::operation::tests::output;
use crate::{RealFiles, load_recipe};

const CONFIG: &str = "/etc/hardtack/agent.json";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann";
const HARDENED: &str = "  - user: {name: ann, password: {hash: \"$6$abcdefgh$D7W7qyozKBT.t6FD3DVYHvADbIO0eSyI4.p20LaEUjro8PqTGYYo/EQcuNjhFbzo9Yg5ir1KIEqFY/yJpgFph0\"}, authorized_keys: [KEY]}\n  \
                        - mfa: {users: [ann]}\n  - agent\n  - firstboot-command: echo A\n";

fn recipe(name: &str, steps: &str) -> Recipe {
    let text = format!("recipe: 1\nname: {name}\nsteps:\n{}", steps.replace("KEY", KEY));
    load_recipe(std::path::Path::new("r.yaml"), &text, &|_| None, &RealFiles).unwrap()
}

fn elf(kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    (bytes[18], bytes[32], bytes[54], bytes[56], bytes[64], bytes[72]) = (62, 64, 56, 1, kind, 120);
    bytes.extend(b"/lib64/ld-linux-x86-64.so.2\0");
    bytes
}

fn image() -> MemoryTree {
    let sshd = "@include common-auth\naccount required pam_nologin.so\n";
    MemoryTree::new()
        .file("/usr/bin/dash", elf(3))
        .link("/usr/bin/sh", "dash")
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/usr/sbin/init", "/lib/systemd/systemd")
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/system/multi-user.target", "")
        .file("/boot/vmlinuz-6.1.0-56-cloud-amd64", "")
        .dir("/etc/systemd/system")
        .dir("/home")
        .dir("/var/lib")
        .dir("/root")
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n\n",
        )
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        .file_as("/etc/shadow", "root:*:19000::::::\n", 0o640, 0, 42)
        .file("/etc/group", "root:x:0:\n")
        .file("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
        .file("/etc/ssh/ssh_host_ed25519_key", "")
        .file("/etc/pam.d/common-auth", "auth required pam_unix.so\n")
        .file("/etc/pam.d/sshd", sshd)
        .file("/etc/pam.d/login", sshd)
        .file("/usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "")
}

fn around() -> Surroundings {
    Surroundings { agent_binary: Some(elf(1)), ..Surroundings::default() }
}

/// What the recipe makes of `tree`, twice: the second time nothing changes.
fn built(tree: &MemoryTree, recipe: &Recipe) -> MemoryTree {
    let mut stage = Stage::new(tree);
    stage_recipe(recipe, &mut stage, &around()).unwrap();
    let made = output(&stage);
    assert_eq!(changed(&made, recipe), Vec::<String>::new(), "a second build changes nothing");
    made
}

fn changed(tree: &MemoryTree, recipe: &Recipe) -> Vec<String> {
    let mut stage = Stage::new(tree);
    stage_recipe(recipe, &mut stage, &around()).unwrap();
    stage.edits().unwrap().iter().map(|edit| edit.path.to_string()).collect()
}

fn told(tree: &MemoryTree) -> AgentConfig {
    steps::agent::known(&Stage::new(tree)).unwrap().unwrap()
}

fn tasks(tree: &MemoryTree) -> Vec<(String, String)> {
    told(tree).tasks.into_iter().map(|task| (task.name, task.of)).collect()
}

fn text(tree: &MemoryTree, path: &str) -> Option<String> {
    Stage::new(tree).read_text(path).unwrap()
}

#[test]
fn operations_that_undo_each_other_are_named() {
    let files =
        "  - files:\n    - {append: /a, line: k=1}\n    - {replace: /a, match: '^k=.*$', with: k=2}\n";
    let tree = MemoryTree::new();
    let mut stage = Stage::new(&tree);
    let error = stage_recipe(&recipe("r", files), &mut stage, &Surroundings::default()).unwrap_err();
    assert!(error.to_string().contains("two operations undo each other on /a"), "{error}");
}

/// A hardened image stays what it is, whoever builds on it.
#[test]
fn what_another_recipe_does_not_speak_of_stays() {
    let first = recipe("hardened", HARDENED);
    let made = built(&image(), &first);
    let before = told(&made);
    assert!(before.mfa.is_some() && before.promise.is_some() && !before.accounts[0].password_hash.is_empty());
    let second = recipe("other", "  - run-command: echo B\n");
    let made = built(&made, &second);
    let after = told(&made);
    assert_eq!(
        (&after.mfa, &after.accounts, &after.promise),
        (&before.mfa, &before.accounts, &before.promise)
    );
    assert_eq!((&*after.recipe, &after.mode, &after.doors), ("hardened", &before.mode, &before.doors));
    let units = "/etc/systemd/system/multi-user.target.wants";
    for unit in ["hardtack-enrol.service", "hardtack-guard.service", "hardtack-guard.path"] {
        assert!(Stage::new(&made).lstat(&format!("{units}/{unit}")).unwrap().is_some(), "{unit}");
    }
    // The first recipe is still what the image is, and what has nothing for the agent does not touch it.
    assert_eq!(changed(&made, &first), Vec::<String>::new());
    assert_eq!(changed(&made, &recipe("third", "  - touch: /srv\n")), ["/srv"]);
    let verified = crate::verify(&first, &made, &around()).unwrap();
    let failed: Vec<_> = verified
        .controls
        .iter()
        .filter(|control| control.outcome != hardtack_report::Outcome::Pass)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    // Another user beside the first.
    let made = built(&made, &recipe("more", "  - user: {name: bob}\n"));
    let names: Vec<String> = told(&made).accounts.into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["ann", "bob"]);
}

#[test]
fn a_recipe_that_asks_less_of_logins_than_the_image_promises_is_refused() {
    let made = built(&image(), &recipe("hardened", HARDENED));
    for (steps, wanted) in [
        (
            "  - write: {path: /etc/pam.d/sshd, content: \"auth required pam_unix.so\\n\"}\n",
            "/etc/pam.d/sshd",
        ),
        ("  - delete: /etc/ssh/sshd_config.d/00-hardtack.conf\n", "nowhere in force"),
        ("  - sshd: {AuthenticationMethods: publickey}\n", "contradicts the mfa step"),
        ("  - sshd: {DenyUsers: ann}\n", "nobody could log in"),
    ] {
        let mut stage = Stage::new(&made);
        let error = stage_recipe(&recipe("weak", steps), &mut stage, &around()).expect_err(wanted);
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
    // More directives, and another who may log in with all factors, are no weakness.
    let made = built(&made, &recipe("strict", "  - sshd: {MaxAuthTries: 4}\n"));
    let promise = told(&made).promise.unwrap();
    assert!(promise.sshd.contains(&("MaxAuthTries".to_owned(), "4".to_owned())), "{promise:?}");
}

/// A name that is misspelt is told by its place, with the one that was meant.
#[test]
fn who_is_named_and_made_by_nobody_is_told_by_place() {
    let image = image();
    let refused = |steps: &str| {
        let mut stage = Stage::new(&image);
        match stage_recipe(&recipe("r", steps), &mut stage, &around()).unwrap_err() {
            StepError::Refused { what, hint, .. } => (what, hint.unwrap_or_default()),
            other => panic!("{other}"),
        }
    };
    let misspelt = HARDENED.replace("users: [ann]", "users: [anna]");
    let (what, hint) = refused(&misspelt);
    let place =
        "nobody could log in: r.yaml:5:19: `mfa.users` names anna: no step `user` makes anna, and the image";
    assert!(what.contains(place) && !what.contains("password"), "{what}");
    assert_eq!(hint, "did you mean `ann`?");
    let (what, hint) = refused(&HARDENED.replace("users: [ann]", "users: [zacharias]"));
    assert!(what.contains("names zacharias") && hint.contains("steps user and agent"), "{what} {hint}");
    // Whom sshd lets in, by its list.
    let listed = format!("{HARDENED}  - sshd: {{AllowUsers: [amn, \"other*\", root]}}\n");
    let (what, hint) = refused(&listed);
    assert!(what.contains("AllowUsers (") && what.contains("r.yaml:8:12: `AllowUsers` names amn"), "{what}");
    assert!(!what.contains("names other") && !what.contains("names root"), "{what}");
    assert_eq!(hint, "did you mean `ann`?");
    // One who gets in is enough; the other name is still worth a line.
    let both = HARDENED.replace("users: [ann]", "users: [ann, anna]");
    let text = format!("{both}  - sshd: {{AllowUsers: ann anna amn}}\n");
    let mut stage = Stage::new(&image);
    let notes = stage_recipe(&recipe("r", &text), &mut stage, &around()).unwrap();
    for wanted in ["r.yaml:5:24: `mfa.users` names anna", "r.yaml:8:12: `AllowUsers` names amn"] {
        let note = notes.iter().find(|note| note.text.contains(wanted)).expect(wanted);
        assert!(note.weight == Weight::Warning && note.text.ends_with("did you mean `ann`?"), "{note:?}");
    }
}

#[test]
fn a_damaged_configuration_is_refused_by_name() {
    let tree = image().file_as(CONFIG, "{\"mfa\": ", 0o600, 0, 0);
    let mut stage = Stage::new(&tree);
    let error = stage_recipe(&recipe("r", "  - touch: /x\n"), &mut stage, &around()).unwrap_err().to_string();
    assert!(error.contains("/etc/hardtack/agent.json:1:"), "{error}");
}

#[test]
fn tasks_of_other_recipes_stay_and_a_recipe_replaces_its_own() {
    let of = |name: &str, commands: &[&str]| {
        let steps: String = commands.iter().map(|text| format!("  - firstboot-command: {text}\n")).collect();
        recipe(name, &steps)
    };
    let script = |tree: &MemoryTree, name: &str| text(tree, &format!("/var/lib/hardtack/tasks/{name}"));
    let pair = |name: &str, of: &str| (name.to_owned(), of.to_owned());
    let made = built(&image(), &of("a", &["echo A"]));
    let made = built(&made, &of("b", &["echo B"]));
    assert_eq!(tasks(&made), [pair("0001-command", "a"), pair("0002-command", "b")]);
    assert!(script(&made, "0001-command").unwrap().contains("echo A"));
    assert!(script(&made, "0002-command").unwrap().contains("echo B"));
    assert_eq!(changed(&made, &of("a", &["echo A"])), Vec::<String>::new());
    // One more comes last, and what is the recipe's already keeps its place, so that it does not run again.
    let booted = made.clone().file("/var/lib/hardtack/tasks/0001-command.json", "{}");
    let booted = booted.file("/var/lib/hardtack/tasks/0002-command.json", "{}");
    let more = built(&booted, &of("a", &["echo A", "echo C"]));
    assert_eq!(
        tasks(&more),
        [pair("0001-command", "a"), pair("0002-command", "b"), pair("0003-command", "a")]
    );
    assert!(script(&more, "0001-command.json").is_some() && script(&more, "0002-command.json").is_some());
    // Another text runs again; those of the other recipe do not.
    let other = built(&booted, &of("a", &["echo D"]));
    assert!(script(&other, "0001-command.json").is_none() && script(&other, "0002-command.json").is_some());
    let none = built(&booted, &recipe("a", "  - touch: /x\n"));
    assert_eq!(tasks(&none), [pair("0002-command", "b")]);
    assert!(script(&none, "0001-command").is_none() && script(&none, "0002-command").is_some());
}
