#![allow(clippy::unwrap_used)]
use hardtack_guest::{Change, MemoryTree, Stage};

use super::*;
use crate::steps::agent::CONFIG;

const SETUP: &[u8] = b"#!/bin/sh\necho hello\n";

fn task(work: Work<'_>) -> NewTask<'_> {
    NewTask { step: "firstboot", name: "", work, stop: false, retry: false }
}

fn image() -> MemoryTree {
    MemoryTree::new().file("/bin/sh", "").dir("/var/lib")
}

/// Stages `tasks` and what the agent step adds, over `tree`.
fn run(
    tree: &MemoryTree,
    tasks: &[NewTask<'_>],
) -> Result<(Vec<Change>, AgentConfig, Vec<String>), StepError> {
    let mut lower = Stage::new(tree);
    let mut cx = Context::for_tests(&mut lower);
    for new in tasks {
        stage(&mut cx, new)?;
    }
    finish(&mut cx)?;
    let notes = cx.notes.iter().map(|note| note.text.clone()).collect();
    let config = cx.agent.clone();
    Ok((lower.changes().unwrap(), config, notes))
}

fn paths(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{:?} {}", change.op, change.path)).collect()
}

#[test]
fn scripts_are_files_of_roots_and_packages_are_names() {
    let packages = ["htop".to_owned(), "g++".to_owned()];
    let script = NewTask { name: "dir/set up.json", retry: true, ..task(Work::Script(SETUP)) };
    let tasks = [
        script,
        task(Work::Command("touch /x")),
        NewTask { stop: true, ..task(Work::Install(&packages)) },
        task(Work::Update),
    ];
    let tree = image();
    let mut lower = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut lower);
    for new in &tasks {
        stage(&mut cx, new).unwrap();
    }
    let names: Vec<&str> = cx.agent.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["0001-set_up_json", "0002-command", "0003-install", "0004-update"]);
    assert!(cx.agent.tasks[0].retry && cx.agent.tasks[2].stop && !cx.agent.tasks[3].stop);
    assert_eq!(cx.agent.tasks[2].packages, packages);
    assert_eq!(cx.notes[2].text, "at first boot: install 0003-install: htop, g++");
    let path = format!("{TASKS}/0001-set_up_json");
    let known = lower.stat(&path).unwrap().unwrap();
    assert_eq!((known.mode & 0o7777, known.uid, known.gid), (0o700, 0, 0));
    assert_eq!(lower.stat(TASKS).unwrap().unwrap().mode & 0o7777, 0o700);
    let plan = crate::Plan::new(&lower).unwrap().to_text().unwrap();
    assert!(plan.contains("+echo hello") && plan.contains("+touch /x"), "what will run is shown: {plan}");
    let command = lower.read_text(&format!("{TASKS}/0002-command")).unwrap().unwrap();
    assert_eq!(command, "#!/bin/sh\ntouch /x\n");
    assert!(lower.stat(&format!("{TASKS}/0003-install")).unwrap().is_none());
}

/// An image that this recipe was built into, booted.
fn booted(tasks: &[NewTask<'_>]) -> MemoryTree {
    let (_, config, _) = run(&image(), tasks).unwrap();
    let mut tree = image().file_as(CONFIG, serde_json::to_string(&config).unwrap(), 0o600, 0, 0);
    for (task, known) in tasks.iter().zip(&config.tasks) {
        if let Work::Script(bytes) = task.work {
            tree = tree.file_as(&format!("{TASKS}/{}", known.name), bytes, 0o700, 0, 0);
        }
        tree = tree.file(&format!("{TASKS}/{}.json", known.name), "{}");
    }
    tree
}

#[test]
fn a_task_that_is_another_one_now_runs_again_and_the_same_one_does_not() {
    let one = ["a".to_owned()];
    let other = ["b".to_owned()];
    let old = [task(Work::Script(SETUP)), task(Work::Install(&one))];
    let tree = booted(&old);
    let told = paths(&run(&tree, &old).unwrap().0).join("\n");
    assert!(!told.contains("000"), "a second build changes no task: {told}");
    let new = [task(Work::Script(b"#!/bin/sh\necho there\n")), task(Work::Install(&one))];
    let (changes, ..) = run(&tree, &new).unwrap();
    let told = paths(&changes).join("\n");
    assert!(told.contains("0001-script.json") && !told.contains("0002"), "{told}");
    let new = [task(Work::Script(SETUP)), task(Work::Install(&other))];
    let told = paths(&run(&tree, &new).unwrap().0).join("\n");
    assert!(told.contains("0002-install.json") && !told.contains("0001"), "{told}");
    // One that the recipe no longer has leaves nothing behind.
    let told = paths(&run(&tree, &new[1..]).unwrap().0).join("\n");
    assert!(told.contains("0001-script") && told.contains("0002-install.json"), "{told}");
    let told = paths(&run(&tree, &[]).unwrap().0).join("\n");
    assert!(told.contains(TASKS), "{told}");
}

#[test]
fn what_cannot_start_is_refused_now() {
    let refused = |new: NewTask<'_>| run(&image(), &[new]).unwrap_err().to_string();
    let crlf = NewTask { name: "x.sh", ..task(Work::Script(b"#!/bin/sh\r\necho\r\n")) };
    assert!(refused(crlf).contains("x.sh:1: the line ends as on Windows"), "{}", refused(crlf));
    assert!(refused(task(Work::Script(b""))).contains("is empty"));
    assert!(refused(task(Work::Command(" \n"))).contains("is empty"));
    for wrong in ["", "-y", "a b", "x;y", "$(id)", "--purge", "\u{e4}"] {
        let names = [wrong.to_owned()];
        assert!(refused(task(Work::Uninstall(&names))).contains("is not the name of a package"), "{wrong}");
    }
    assert!(refused(task(Work::Install(&[]))).contains("no package"));
    let (_, _, notes) = run(&image(), &[task(Work::Script(b"#!/usr/bin/python3 -u\n"))]).unwrap();
    assert!(notes[0].contains("the image has no /usr/bin/python3"), "{notes:?}");
    let (_, _, notes) = run(&image(), &[task(Work::Script(b"echo\n"))]).unwrap();
    assert!(notes[0].contains("/bin/sh runs it"), "{notes:?}");
}

#[test]
fn nothing_is_written_through_a_link_of_the_image() {
    let tree = image().dir("/var/lib/hardtack").link(TASKS, "/etc").file("/etc/0001-script", "theirs");
    let mut lower = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut lower);
    stage(&mut cx, &task(Work::Script(SETUP))).unwrap();
    assert_eq!(lower.read("/etc/0001-script").unwrap().unwrap(), b"theirs");
    assert_eq!(lower.read(&format!("{TASKS}/0001-script")).unwrap().unwrap(), SETUP);
}
