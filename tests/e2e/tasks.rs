//! What a recipe leaves for the first boot: each task runs once, a failure is told and stops nobody, and a second
//! boot runs none of them again.

use std::path::Path;

use hardtack_tests::image::Images;
use hardtack_tests::vm::Launch;

use crate::replaced::{Replaced, Running, assert_lines};

/// One more step's operations, and steps of their own behind it.
const STEPS: &str = r#"      - {mkdir: /srv/tasks}
  - run-command: "echo hunter2; echo command >>/srv/tasks/order"
  - firstboot: ./first.py
  - firstboot: ./broken.sh
  - firstboot-install: [no-such-package]
"#;
const PYTHON: &str = r#"#!/usr/bin/python3
import os
with open("/srv/tasks/order", "a") as order:
    order.write("python " + os.environ["HARDTACK_TASK"] + "\n")
"#;
const BROKEN: &str = "#!/bin/sh\necho broken >>/srv/tasks/order\nexit 7\n";
const ORDER: &str = "command\npython 0002-first.py\nbroken\n";
/// Four tries of apt, on a machine whose resolver never answers, under emulation.
const MINUTES: usize = 15;

fn scripts(directory: &Path) {
    std::fs::write(directory.join("first.py"), PYTHON).unwrap();
    std::fs::write(directory.join("broken.sh"), BROKEN).unwrap();
}

/// Waits for the end of the unit and says how it ended.
fn end(running: &Running<'_>) -> String {
    let mut state = String::new();
    for _ in 0..MINUTES {
        state = running.root(
            "for second in $(seq 30); do state=$(systemctl is-active hardtack-tasks.service); \
             [ $state = activating ] || [ $state = inactive ] || break; sleep 2; done; echo $state",
        );
        if !matches!(state.trim(), "activating" | "inactive") {
            break;
        }
    }
    state.trim().to_owned()
}

fn tasks(replaced: &Replaced) {
    let seed = replaced.seed("i-tasks", "#cloud-config\nssh_authorized_keys: [KEY]\n");
    let running = replaced.boot("first", Launch::seed(&seed));
    assert_eq!(
        end(&running),
        "failed",
        "two tasks fail: {}",
        running.root("journalctl -b -u hardtack-tasks.service")
    );
    assert_eq!(running.root("cat /srv/tasks/order"), ORDER);
    let facts = running.root(
        "hardtack-agent status --json; echo \"exit $?\"; stat -c \"%n %a\" /var/log/hardtack-tasks.log \
         /var/lib/hardtack/tasks /var/lib/hardtack/tasks/0002-first.py; grep -c ^== /var/log/hardtack-tasks.log",
    );
    assert_lines(
        &facts,
        &[
            "exit 1",
            "/var/log/hardtack-tasks.log 600",
            "/var/lib/hardtack/tasks 700",
            "/var/lib/hardtack/tasks/0002-first.py 700",
            "4",
        ],
    );
    let json: serde_json::Value = serde_json::from_str(facts.split("exit ").next().unwrap()).unwrap();
    let told: Vec<(&str, &str, i64)> = json["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            (
                task["name"].as_str().unwrap(),
                task["state"].as_str().unwrap(),
                task["status"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("0001-command", "done", 0),
            ("0002-first.py", "done", 0),
            ("0003-broken.sh", "failed", 7),
            // Neither a network nor a package of that name.
            ("0004-install", "failed", 100),
        ]
    );
    let console = running.vm.log();
    assert!(console.contains("HARDTACK: task 0003-broken.sh ended with status 7"), "nothing on the console");
    assert!(!console.contains("hunter2"), "a task's output on the console");
    assert!(running.root("cat /var/log/hardtack-tasks.log").contains("hunter2\n"));
    running.power_off();

    let running = replaced.boot("second", Launch::seed(&seed));
    assert_eq!(end(&running), "active", "nothing ran");
    assert_eq!(running.root("cat /srv/tasks/order"), ORDER);
    assert_eq!(running.root("grep -c ^== /var/log/hardtack-tasks.log").trim(), "4");
    let text = running.root("hardtack-agent status; true");
    assert!(text.contains("0003-broken.sh ended with status 7"), "{text}");
    let cycles = running.root("journalctl -b -o cat --no-pager _PID=1 | grep -i \"ordering cycle\"; true");
    assert_eq!(cycles, "", "systemd found units that wait for each other");
}

#[test]
fn tasks_run_once_beside_cloud_init() {
    let Some(images) = Images::find() else { return };
    tasks(&Replaced::build_beside_with(&images, "debian12", "bookworm", STEPS, scripts));
}

#[test]
#[ignore = "the full suite boots it; beside cloud-init it is booted always"]
fn tasks_run_once_in_cloud_inits_place() {
    let Some(images) = Images::find() else { return };
    tasks(&Replaced::build_with(&images, "debian12", "bookworm", STEPS, scripts));
}
