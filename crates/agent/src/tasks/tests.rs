#![allow(clippy::unwrap_used)]
use std::os::unix::fs::PermissionsExt;

use hardtack_credentials::TaskKind;

use super::*;
use crate::testing::Tree;

const SOON: Patience = Patience { pause: Duration::from_millis(1), call: Duration::from_secs(60) };
const BOOT: &str = "proc/sys/kernel/random/boot_id";

fn task(name: &str, kind: TaskKind) -> Task {
    Task { name: name.to_owned(), kind, ..Task::default() }
}

fn config(tasks: Vec<Task>) -> AgentConfig {
    AgentConfig { tasks, ..AgentConfig::default() }
}

/// A program of the tree's, which may be called.
fn program(tree: Tree, path: &str, text: &str) -> Tree {
    let tree = tree.file(path, text);
    let full = tree.host().path(path);
    std::fs::set_permissions(full, std::fs::Permissions::from_mode(0o700)).unwrap();
    tree
}

fn script(tree: Tree, name: &str, text: &str) -> Tree {
    program(tree, &format!("{TASKS}/{name}")[1..], text)
}

fn states(host: &Host, config: &AgentConfig) -> Vec<State> {
    look(host, config).into_iter().map(|line| line.state).collect()
}

fn outcome(tree: &Tree, name: &str) -> Outcome {
    parse(tree.read(&format!("{TASKS}/{name}.json")[1..]).as_bytes()).unwrap()
}

#[test]
fn nothing_runs_where_the_overlay_is_missing_and_only_logins_are_wanted() {
    let tree = Tree::new().file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    let tree = script(tree, "0001-a", "#!/bin/sh\nexit 0\n");
    let mut config = config(vec![task("0001-a", TaskKind::Script)]);
    for (word, is) in [("login-only", State::Skipped), ("plain", State::Done)] {
        config.overlay = Some(hardtack_credentials::OverlayConfig {
            mode: "crypt".into(),
            on_failure: word.into(),
            ..Default::default()
        });
        run_with(&tree.host(), &config, SOON).unwrap();
        assert_eq!(states(&tree.host(), &config), [is]);
    }
}

#[test]
fn each_task_runs_once_in_order_and_a_failure_keeps_nobody() {
    let tree = Tree::new().file(BOOT, "one\n");
    let root = tree.host().path("/").display().to_string();
    let tree = script(tree, "0001-a", &format!("#!/bin/sh\necho a >> {root}/order\n"));
    let tree = script(tree, "0002-b", &format!("#!/bin/sh\necho SECRET; echo b >> {root}/order; exit 7\n"));
    // Without a first line, and killed.
    let tree = script(tree, "0003-c", &format!("echo c >> {root}/order\nkill -9 $$\n"));
    let tree = script(tree, "0004-d", "#!/no/such/thing\n");
    let host = tree.host();
    let config =
        config(["0001-a", "0002-b", "0003-c", "0004-d"].map(|name| task(name, TaskKind::Script)).to_vec());
    assert_eq!(states(&host, &config), [State::Waiting; 4]);
    let ran = run_with(&host, &config, SOON).unwrap();
    assert_eq!(tree.read("order"), "a\nb\nc\n");
    let ends: Vec<(State, Option<i32>, Option<i32>)> =
        ran.iter().map(|line| (line.state, line.status, line.signal)).collect();
    assert_eq!(
        ends,
        [
            (State::Done, Some(0), None),
            (State::Failed, Some(7), None),
            (State::Failed, None, Some(9)),
            (State::Failed, None, None),
        ]
    );
    assert!(ran[3].text().contains("its first line names is not in the image"), "{}", ran[3].text());
    assert_eq!(outcome(&tree, "0002-b").tail, "SECRET\n");
    let text = summary(&ran);
    assert!(text.contains("1 of 4 tasks") && text.contains("0002-b ended with status 7"), "{text}");
    assert!(text.contains("was ended by signal 9") && !text.contains("SECRET"), "{text}");
    let log = &LOG[1..];
    assert!(
        tree.read(log).contains("SECRET\n") && tree.read(log).contains("script 0003-c\n"),
        "{}",
        tree.read(log)
    );
    assert_eq!(tree.metadata(log).permissions().mode() & 0o777, 0o600);
    assert_eq!(tree.metadata(&format!("{TASKS}/0002-b.json")[1..]).permissions().mode() & 0o777, 0o600);
    // The next boot.
    let tree = tree.file(BOOT, "two\n");
    assert!(run_with(&host, &config, SOON).unwrap().is_empty());
    assert_eq!(tree.read("order"), "a\nb\nc\n");
    assert_eq!(states(&host, &config), ends.iter().map(|(state, ..)| *state).collect::<Vec<_>>());
    assert!(run(&host, &config).is_err(), "never on the machine that is running");
}

#[test]
fn one_that_must_not_fail_stops_those_after_it_until_it_succeeds() {
    let tree = script(Tree::new().file(BOOT, "one\n"), "0001-a", "#!/bin/sh\nexit 1\n");
    let root = tree.host().path("/").display().to_string();
    let tree = script(tree, "0002-b", &format!("#!/bin/sh\necho b >> {root}/order\n"));
    let host = tree.host();
    let mut config = config(vec![
        Task { stop: true, ..task("0001-a", TaskKind::Script) },
        task("0002-b", TaskKind::Command),
    ]);
    let ran = run_with(&host, &config, SOON).unwrap();
    assert_eq!(ran[1].state, State::Skipped);
    assert_eq!(states(&host, &config), [State::Failed, State::Skipped]);
    assert!(run_with(&host, &config, SOON).unwrap().is_empty(), "nothing new");
    assert!(!host.exists("/order"));
    // With `retry` it is tried again, and the others come after it.
    config.tasks[0].retry = true;
    let tree = script(tree, "0001-a", "#!/bin/sh\nexit 0\n");
    run_with(&host, &config, SOON).unwrap();
    assert_eq!(states(&host, &config), [State::Done, State::Done]);
    run_with(&host, &config, SOON).unwrap();
    assert_eq!(tree.read("order"), "b\n", "done is done, also with retry");
}

#[test]
fn one_that_the_machine_went_down_under_is_told_and_left_alone() {
    let running = r#"{"state":"running","boot_id":"one"}"#;
    for (record, retry) in [(running, false), (running, true), ("{dam", false)] {
        let tree = Tree::new().file(BOOT, "two\n").file(&format!("{TASKS}/0001-a.json")[1..], record);
        let root = tree.host().path("/").display().to_string();
        let tree = script(tree, "0001-a", &format!("#!/bin/sh\necho a >> {root}/order\n"));
        let host = tree.host();
        let config = config(vec![Task { retry, ..task("0001-a", TaskKind::Script) }]);
        assert_eq!(states(&host, &config), [State::Interrupted], "{record}");
        let ran = run_with(&host, &config, SOON).unwrap();
        assert_eq!(host.exists("/order"), retry, "{record}");
        if retry {
            assert_eq!(ran[0].state, State::Done);
            continue;
        }
        assert!(ran[0].is_wrong() && ran[0].text().contains("was interrupted"), "{}", ran[0].text());
        assert!(run_with(&host, &config, SOON).unwrap().is_empty(), "told once");
        assert_eq!(states(&host, &config), [State::Interrupted], "and still known");
    }
    // In the boot in which it began it runs.
    let tree = Tree::new().file(BOOT, "one\n").file(&format!("{TASKS}/0001-a.json")[1..], running);
    assert_eq!(states(&tree.host(), &config(vec![task("0001-a", TaskKind::Script)])), [State::Running]);
}

/// A package manager that notes how it is called; `rest` decides how it ends.
fn fake(name: &str, database: &str, rest: &str) -> Tree {
    let tree = Tree::new().file(BOOT, "one\n").file(database, "");
    let root = tree.host().path("/").display().to_string();
    program(
        tree,
        &format!("usr/bin/{name}"),
        &format!("#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >> {root}/calls\n{rest}\n"),
    )
}

#[test]
fn packages_come_by_the_image_s_own_manager() {
    let mut install = task("0001-i", TaskKind::Install);
    install.packages = vec!["htop".to_owned(), "g++".to_owned()];
    let mut remove = task("0002-r", TaskKind::Uninstall);
    remove.packages = vec!["nano".to_owned()];
    let config = config(vec![install, remove, task("0003-u", TaskKind::Update)]);
    let cases = [
        (
            "apt-get",
            "var/lib/dpkg/status",
            "update|install htop g++|remove nano|update|upgrade --with-new-pkgs",
        ),
        ("dnf", "etc/yum.repos.d/x.repo", "-y install htop g++|-y remove nano|-y upgrade"),
        ("yum", "etc/yum.repos.d/x.repo", "-y install htop g++|-y remove nano|-y upgrade"),
        ("zypper", "etc/zypp/zypp.conf", "refresh|install -l htop g++|remove nano|refresh|update -l"),
        ("apk", "etc/apk/world", "update|add htop g++|del nano|update|upgrade"),
        ("pacman", "var/lib/pacman/x", "-Syu --needed htop g++|-R nano|-Syu"),
    ];
    for (name, database, wanted) in cases {
        let tree = fake(name, database, "exit 0");
        run_with(&tree.host(), &config, SOON).unwrap();
        assert_eq!(states(&tree.host(), &config), [State::Done; 3], "{name}");
        let calls = tree.read("calls");
        let wanted: Vec<&str> = wanted.split('|').collect();
        assert_eq!(calls.lines().count(), wanted.len(), "{calls}");
        for (call, wanted) in calls.lines().zip(wanted) {
            assert!(call.starts_with("noninteractive ") && call.ends_with(wanted), "{name}: {call}");
            assert_eq!(name == "apt-get", call.contains("--force-confold") && call.contains("-y"), "{call}");
        }
    }
    let none = Tree::new();
    let ran = run_with(&none.host(), &config, SOON).unwrap();
    assert!(ran[0].text().contains("no package manager"), "{}", ran[0].text());
}

#[test]
fn a_network_that_fails_is_tried_again_and_a_wrong_name_is_not() {
    let mut install = task("0001-i", TaskKind::Install);
    install.packages = vec!["htop".to_owned()];
    let config = config(vec![install]);
    let calls = |tree: &Tree| tree.read("calls").lines().count();
    let apt = |rest: &str| fake("apt-get", "var/lib/dpkg/status", rest);

    let down = apt("echo \"E: Failed to fetch http://x  Temporary failure resolving 'x'\"; exit 100");
    let ran = run_with(&down.host(), &config, SOON).unwrap();
    assert_eq!((ran[0].state, ran[0].status), (State::Failed, Some(100)));
    assert_eq!(calls(&down), 5, "the lists four times, and then what is there");
    assert!(outcome(&down, "0001-i").tail.contains("Temporary failure"));

    let wrong = apt("case $* in *install*) echo 'E: Unable to locate package htop'; exit 100;; esac");
    let ran = run_with(&wrong.host(), &config, SOON).unwrap();
    assert_eq!((ran[0].status, calls(&wrong)), (Some(100), 2));

    // The second try has a network.
    let comes =
        apt("test $(wc -l < ${0%/usr/bin/apt-get}/calls) -gt 1 || { echo 'E: Failed to fetch'; exit 100; }");
    let ran = run_with(&comes.host(), &config, SOON).unwrap();
    assert_eq!((ran[0].status, calls(&comes)), (Some(0), 3));
}
