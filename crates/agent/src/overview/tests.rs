#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::Tree;

const CONFIG: &str = r#"{"version":1,"recipe":"debian-3fa","mode":"replace","mfa":{"users":["ann"]},
    "doors":["su: asks for the password only"],"promise":{"sshd":[],"services":[]}}"#;
const GUARD: &str = r#"{"version":1,"time":"2026-11-21T10:00:00Z","verdict":"holds","action":"none"}"#;
const ENROLMENT: &str =
    r#"{"version":1,"users":[{"name":"ann","state":"fresh","reason":null,"printed":"sealed"}]}"#;

/// A machine whose boot has ended well.
fn tree() -> Tree {
    Tree::new()
        .file("etc/hardtack/agent.json", CONFIG)
        .file("etc/hostname", "web-1\n")
        .file("run/hardtack/guard.json", GUARD)
        .file("run/hardtack/enrolment.json", ENROLMENT)
        .file("run/hardtack/printed.json", r#"{"whole":true,"drift":[]}"#)
        .file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
}

fn shown(tree: &Tree) -> (State, String) {
    let overview = collect::collect(&tree.host());
    let text = text::write(&overview);
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    (overview.state, text)
}

#[test]
fn a_machine_on_which_all_is_well_says_so() {
    let (state, text) = shown(&tree());
    assert_eq!(state, State::Done, "{text}");
    assert_eq!(state.exit_code(), 0);
    for said in [
        "done, and all is well",
        "ann: enrolled, no code used yet, sealed in the block",
        "logins ask for what was promised (judged 2026-11-21T10:00:00Z)",
        "su: asks for the password only",
        "web-1",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// The outcome is of the boot; who has logged in since is seen in the user's file, as the module writes it.
#[test]
fn a_code_that_was_used_after_the_boot_is_told() {
    let user = rustix::process::geteuid().as_raw();
    let tree = tree().file("etc/passwd", &format!("ann:x:{user}:{user}::/home/ann:/bin/sh\n")).file(
        "home/ann/.google_authenticator",
        "5EENRV74MYRS6G4UYZMKTKSGKM\n\" RATE_LIMIT 3 30 1795310333\n\" WINDOW_SIZE 4\n\
             \" DISALLOW_REUSE 59843677\n\" TOTP_AUTH\n30116782\n98721882\n10291978\n42715075\n70813242\n",
    );
    let (_, text) = shown(&tree);
    assert!(text.contains("ann: enrolled, a code was used, sealed in the block"), "{text}");
}

#[test]
fn drift_and_failures_are_problems() {
    let weak = r#"{"version":1,"verdict":"weaker","ssh_held":true,"action":"ssh stopped",
        "weaknesses":[{"what":"/etc/ssh/sshd_config.d/x.conf:1: UsePAM no","hint":"remove it"}]}"#;
    let report = r#"{"version":1,"datasource":"d","keys":[{"key":"ntp","state":"failed","file":"ud","line":3,
        "reason":"no such client"},{"key":"apt","state":"applied"},{"key":"snap","state":"unsupported"}],
        "commands":[{"name":"runcmd[0]","status":1,"tail":"password hunter2"},{"name":"runcmd[1]","status":0}],
        "parts":[{"name":"part-001","line":1,"message":"is Python"}]}"#;
    let enrolment = r#"{"users":[{"name":"ann","state":"failed","reason":"no home"}]}"#;
    let tree = tree()
        .file("run/hardtack/guard.json", weak)
        .file("run/hardtack/report.json", report)
        .file("run/hardtack/enrolment.json", enrolment);
    let (state, text) = shown(&tree);
    assert_eq!((state, state.exit_code()), (State::Failed, 1));
    for said in [
        "UsePAM no; remove it",
        "SSH is stopped until that is repaired",
        "ud:3: ntp failed: no such client",
        "runcmd[0]: ended with status 1",
        "part-001: is Python",
        "ann is not enrolled: no home",
        "1 of 2 commands succeeded",
        "snap is unsupported",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{said}: {text}");
    }
    let json = serde_json::to_value(collect::collect(&tree.host())).unwrap();
    assert_eq!(json["state"], "failed");
    assert_eq!(json["guard"]["ssh_held"], true);
    assert!(!json.to_string().contains("hunter2") && !text.contains("hunter2"), "{json}");
}

#[test]
fn a_boot_without_a_block_has_not_ended() {
    let tree = tree();
    std::fs::remove_file(tree.host().path("/run/hardtack/printed.json")).unwrap();
    let (state, text) = shown(&tree);
    assert_eq!((state, state.exit_code()), (State::Running, 2), "{text}");
}

#[test]
fn tasks_are_told_without_what_they_printed() {
    let config = CONFIG.replace(
        "\"mfa\"",
        r#""tasks":[{"name":"0001-a"},{"name":"0002-b"},{"name":"0003-c","kind":"update"}],"mfa""#,
    );
    let tree = tree()
        .file("etc/hardtack/agent.json", &config)
        .file("proc/sys/kernel/random/boot_id", "one\n")
        .file("var/lib/hardtack/tasks/0001-a.json", r#"{"state":"done","status":0,"milliseconds":1234}"#)
        .file("var/lib/hardtack/tasks/0002-b.json", r#"{"state":"running","boot_id":"one"}"#);
    let (state, text) = shown(&tree);
    assert_eq!(state, State::Running, "{text}");
    for said in ["tasks       0001-a done in 1.2 s\n", "0002-b runs\n", "0003-c waits\n"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let failed = r#"{"state":"failed","status":7,"milliseconds":90,"tail":"password hunter2"}"#;
    let tree = tree.file("var/lib/hardtack/tasks/0002-b.json", failed);
    let (state, text) = shown(&tree);
    assert_eq!(state, State::Failed, "{text}");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("- task 0002-b ended with status 7 after 0.0 s; /var/log/hardtack-tasks.log"),
        "{text}"
    );
    let json = serde_json::to_value(collect::collect(&tree.host())).unwrap();
    assert_eq!((&json["tasks"][1]["status"], &json["tasks"][2]["state"]), (&7.into(), &"waiting".into()));
    assert_eq!(json["tasks"][2]["kind"], "update");
    assert!(!json.to_string().contains("hunter2") && !text.contains("hunter2"), "{json}");
}

#[test]
fn an_overlay_that_is_missing_is_a_problem() {
    let config = CONFIG.replace("\"mfa\"", "\"overlay\":{\"mode\":\"crypt\"},\"mfa\"");
    let (state, text) = shown(&tree().file("etc/hardtack/agent.json", &config));
    assert_eq!(state, State::Failed);
    assert!(text.contains("/ should be an overlay (crypt) and is a plain file system"), "{text}");
}

#[test]
fn a_machine_that_no_build_has_made_is_told_apart() {
    let (state, text) = shown(&Tree::new());
    assert_eq!(state, State::Failed);
    assert!(text.contains("agent.json is missing"), "{text}");
}

#[test]
fn long_words_and_control_characters_stay_inside_the_columns() {
    let long =
        format!("{{\"verdict\":\"weaker\",\"weaknesses\":[{{\"what\":\"\\u001b[2J{}\"}}]}}", "x".repeat(500));
    let (_, text) = shown(&tree().file("run/hardtack/guard.json", &long));
    assert!(!text.contains('\u{1b}'), "{text}");
}
