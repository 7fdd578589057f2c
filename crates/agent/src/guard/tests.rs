#![allow(clippy::unwrap_used)]
use hardtack_credentials::{AgentConfig, MfaConfig};
use hardtack_login::Promise;

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::testing::Tree;

const NOW: u64 = 1_763_720_000;
const DROP_IN: &str =
    "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes\n";

/// A machine that keeps the promise.
fn tree() -> Tree {
    Tree::new()
        .file("etc/passwd", "ann:x:1000:1000::/home/ann:/bin/bash\n")
        .file("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n")
        .file("etc/ssh/sshd_config.d/00-hardtack.conf", DROP_IN)
        .file(
            "var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n",
        )
        .file("usr/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n")
        .file("sys/class/tty/console/active", "ttyS0\n")
        .file("dev/ttyS0", "")
}

fn config(on_drift: &str) -> AgentConfig {
    let line = |keyword: &str, value: &str| (keyword.to_owned(), value.to_owned());
    AgentConfig {
        mfa: Some(MfaConfig { users: vec!["ann".into()], on_drift: on_drift.into(), ..MfaConfig::default() }),
        promise: Some(Promise {
            sshd: vec![
                line("AuthenticationMethods", "publickey,keyboard-interactive"),
                line("KbdInteractiveAuthentication", "yes"),
                line("UsePAM", "yes"),
            ],
            ..Promise::default()
        }),
        ..AgentConfig::default()
    }
}

#[test]
fn a_machine_that_keeps_the_promise_is_left_alone() {
    let tree = tree();
    let state = look(&tree.host(), &config("stop-ssh"), NOW);
    assert_eq!((state.verdict, state.ssh_held), (Verdict::Holds, false), "{state:?}");
    assert_eq!(state.action, "none");
    assert_eq!(current(&tree.host()).unwrap(), state);
    assert_eq!(tree.metadata("run/hardtack/guard.json").mode() & 0o7777, 0o600);
}

#[test]
fn what_user_data_writes_is_found_and_stops_ssh() {
    for (path, text, said) in [
        ("etc/ssh/sshd_config.d/00-a.conf", "AuthenticationMethods any\n", "00-a.conf:1"),
        (
            "etc/ssh/sshd_config.d/50-x.conf",
            "Match User bob\n AuthenticationMethods publickey\n",
            "50-x.conf:2",
        ),
        (
            "etc/systemd/system/ssh.service.d/a.conf",
            "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o UsePAM=no\n",
            "a.conf:3",
        ),
        ("etc/ssh/sshd_config.d/00-a.conf", "Include /etc/ssh/sshd_config.d/00-a.conf\n", "cannot be judged"),
    ] {
        let tree = tree().file(path, text);
        let state = look(&tree.host(), &config("stop-ssh"), NOW);
        assert!(state.ssh_held && state.action == "ssh stopped", "{text}: {state:?}");
        assert!(state.drift().iter().any(|drift| drift.contains(said)), "{text}: {state:?}");
        let warned = look(&tree.host(), &config("warn"), NOW);
        assert_eq!((warned.verdict, warned.ssh_held), (Verdict::Weaker, false));
        assert_eq!(warned.action, "warned");
    }
}

#[test]
fn what_cannot_be_read_is_not_trusted() {
    let tree = tree().link("etc/ssh/sshd_config.d/01-x.conf", "01-x.conf");
    let state = look(&tree.host(), &config("stop-ssh"), NOW);
    assert!(state.ssh_held, "{state:?}");
    assert!(state.weaknesses[0].what.contains("cannot be judged"), "{state:?}");
}

#[test]
fn secrets_of_another_machine_that_stayed_hold_ssh() {
    let tree = tree()
        .file("run/hardtack/enrolment.json", r#"{"version":1,"foreign":["/home/ann: a secret stayed"]}"#);
    for on_drift in ["stop-ssh", "warn"] {
        let state = look(&tree.host(), &config(on_drift), NOW);
        assert!(state.ssh_held && state.drift()[0].contains("a secret stayed"), "{state:?}");
    }
}

/// The enrolment has crashed: what it should have dropped would be accepted.
#[test]
fn secrets_of_another_machine_hold_ssh_where_nobody_has_looked_at_them() {
    let of = |uuid: &str| format!(r#"{{"product_uuid":"{uuid}"}}"#);
    let tree = tree()
        .file("sys/class/dmi/id/product_uuid", "4c4c4544-0042-3510-8052-b4c04f4b3132\n")
        .file("var/lib/hardtack/identity.json", &of("4c4c4544-0042-3510-8052-b4c04f4b3133"));
    let state = look(&tree.host(), &config("stop-ssh"), NOW);
    assert!(state.ssh_held && state.drift()[0].contains("another machine"), "{state:?}");
    let tree = tree.file("var/lib/hardtack/identity.json", &of("4c4c4544-0042-3510-8052-b4c04f4b3132"));
    assert!(!look(&tree.host(), &config("stop-ssh"), NOW).ssh_held);
}

#[test]
fn an_older_build_and_a_lost_user_are_told_and_weaken_nothing() {
    let tree = tree().file("etc/passwd", "");
    let mut config = config("stop-ssh");
    config.promise = None;
    let state = look(&tree.host(), &config, NOW);
    assert_eq!((state.verdict, state.ssh_held), (Verdict::Unknown, false));
    assert!(state.notes.iter().any(|note| note.contains("older hardtack")), "{state:?}");
    assert!(state.notes.iter().any(|note| note.contains("there is no way in")), "{state:?}");
}

#[test]
fn what_appears_after_the_block_is_told_once_and_so_is_its_end() {
    let tree = tree();
    let host = tree.host();
    let config = config("stop-ssh");
    let weak = "AuthenticationMethods any\n";
    let tree = tree.file("etc/ssh/sshd_config.d/00-a.conf", weak);
    look(&host, &config, NOW);
    assert_eq!(tree.read("dev/ttyS0"), "", "the block will say it");
    crate::again::print(&host, "block", &[]).unwrap();
    look(&host, &config, NOW);
    let told = tree.read("dev/ttyS0");
    assert!(told.contains("LOGINS ASK FOR LESS") && told.contains("00-a.conf:1"), "{told}");
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    look(&host, &config, NOW + 1);
    assert_eq!(tree.read("dev/ttyS0"), told, "once");
    let tree = tree.file("etc/ssh/sshd_config.d/00-a.conf", "");
    let state = look(&host, &config, NOW + 2);
    assert_eq!(state.verdict, Verdict::Holds);
    assert!(tree.read("dev/ttyS0").contains("promised again"));
}

#[test]
fn what_the_block_says_is_not_told_again() {
    let tree = tree().file("etc/ssh/sshd_config.d/00-a.conf", "AuthenticationMethods any\n");
    let host = tree.host();
    let config = config("warn");
    let drift = look(&host, &config, NOW).drift();
    again::print(&host, "block", &drift).unwrap();
    look(&host, &config, NOW);
    assert_eq!(tree.read("dev/ttyS0"), "\nblock\n");
    let tree = tree.file("etc/ssh/sshd_config.d/00-a.conf", "");
    look(&host, &config, NOW);
    assert!(tree.read("dev/ttyS0").contains("promised again"));
}

#[test]
fn ssh_is_released_by_the_guard_that_held_it_and_not_for_ever() {
    let mut state = State { verdict: Verdict::Weaker, ssh_held: true, ..State::default() };
    state.hold(&["ssh.service".to_owned()]);
    assert!(state.release().is_empty(), "not while it is weaker");
    let mut after = State::default();
    for round in 1..=5 {
        after.take_over(&state);
        after.hold(&["ssh.service".to_owned()]);
        assert_eq!(after.release(), ["ssh.service"], "{round}");
        state = after.clone();
    }
    after.hold(&["ssh.service".to_owned()]);
    assert!(after.release().is_empty());
    assert!(after.notes[0].contains("systemctl start ssh.service"), "{after:?}");
}

#[test]
fn a_run_that_takes_no_file_keeps_nobody_out() {
    // /run/hardtack is a file: nothing can be written.
    let tree = tree().file("run/hardtack", "");
    assert_eq!(look(&tree.host(), &config("stop-ssh"), NOW).verdict, Verdict::Holds);
    assert!(current(&tree.host()).is_none());
}

#[test]
fn the_gate_refuses_by_one_exit_status_only() {
    let tree = tree().file("etc/ssh/sshd_config.d/00-a.conf", "AuthenticationMethods any\n");
    let state = judge_only(&tree.host(), &config("stop-ssh"), true, NOW);
    assert!(state.ssh_held && current(&tree.host()).unwrap().ssh_held);
    assert!(!judge_only(&tree.host(), &config("warn"), false, NOW).ssh_held);
    assert_eq!(Mode::named("gate"), Some(Mode::Gate));
    assert_eq!(Mode::named("open"), None);
}

/// Files alone can say that SSH must stop, and not that it may start.
#[test]
fn files_alone_stop_and_never_release() {
    let tree = tree();
    let host = tree.host();
    look_at_files(&host, &config("stop-ssh"), NOW);
    assert!(current(&host).is_none(), "sshd has not been asked");
    let tree = tree.file("etc/ssh/sshd_config.d/00-a.conf", "AuthenticationMethods any\n");
    look_at_files(&host, &config("warn"), NOW);
    assert!(current(&host).is_none());
    look_at_files(&host, &config("stop-ssh"), NOW);
    assert!(current(&host).unwrap().ssh_held);
    // What a guard has ended without systemd's answer is started again by the next.
    let ended = ["ssh.service".to_owned(), "ssh@0-192.0.2.1:22.service".to_owned()];
    let state = judge::judge(&host, &config("stop-ssh"), None, NOW);
    assert_eq!(act(&host, state, &ended, None).held, ["ssh.service"]);
    let _tree = tree.file("etc/ssh/sshd_config.d/00-a.conf", "");
    look_at_files(&host, &config("stop-ssh"), NOW);
    assert!(current(&host).unwrap().ssh_held, "until sshd has been asked");
    let state = look(&host, &config("stop-ssh"), NOW);
    assert_eq!((state.verdict, state.held.len(), state.released), (Verdict::Holds, 0, 1));
}
