#![allow(clippy::unwrap_used)]
use hardtack_guest::{MemoryTree, Stage};

use super::super::apply;
use super::super::tests::{X86_64, debian, elf, text, trusty};
use super::*;
use crate::model::{AgentMode, AgentStep};

const REPLACE: AgentStep = AgentStep { mode: AgentMode::Replace };
const COMPANION: AgentStep = AgentStep { mode: AgentMode::Companion };

/// A Debian with the package cloud-init.
fn with_cloud_init() -> MemoryTree {
    debian()
        .file("/var/lib/dpkg/status", "Package: cloud-init\nStatus: install ok installed\n")
        .file("/var/lib/dpkg/diversions", "/bin/sh\n/bin/sh.distrib\ndash\n")
        .file_as("/usr/bin/cloud-init", "#!/usr/bin/python3\n", 0o755, 0, 0)
        .file_as("/usr/bin/cloud-id", "#!/usr/bin/python3\n# id\n", 0o755, 0, 0)
        .file("/usr/lib/systemd/system/cloud-init.service", "[Service]\n")
        .file("/usr/lib/udev/rules.d/90-cloud-init-hook-hotplug.rules", "")
        .link(
            "/etc/systemd/system/cloud-init.target.wants/cloud-init.service",
            "/usr/lib/systemd/system/cloud-init.service",
        )
}

fn with_rpm() -> MemoryTree {
    debian().dir("/var/lib/rpm").file_as("/usr/bin/cloud-init", "#!/usr/bin/python3\n", 0o755, 0, 0)
}

fn run(
    tree: &MemoryTree,
    steps: &[AgentStep],
    check: impl FnOnce(Result<(), StepError>, &mut Context<'_, '_>),
) {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    cx.agent_binary = Some(elf(X86_64, 1));
    let mut result = Ok(());
    for step in steps {
        result = result.and_then(|()| apply(step, &mut cx));
    }
    check(result, &mut cx);
}

fn link(cx: &Context<'_, '_>, path: &str) -> String {
    cx.stage.read_link(path).unwrap().unwrap_or_else(|| panic!("{path} is no link"))
}

#[test]
fn cloud_inits_names_are_ours() {
    run(&with_cloud_init(), &[REPLACE], |result, cx| {
        result.unwrap();
        for (name, stage) in [
            ("cloud-init-local.service", "local"),
            // By both of its names.
            ("cloud-init-network.service", "network"),
            ("cloud-init.service", "network"),
            ("cloud-config.service", "config"),
            ("cloud-final.service", "final"),
        ] {
            let unit = text(cx, &format!("{SYSTEM}/{name}"));
            assert!(unit.contains(&format!("ExecStart={PROGRAM} stage {stage}\n")), "{name}: {unit}");
        }
        for (link_path, _) in wants() {
            assert!(link(cx, &link_path).starts_with("/etc/systemd/system/cloud-"), "{link_path}");
        }
        for path in [
            "/etc/systemd/system-generators/cloud-init-generator",
            "/etc/systemd/system/cloud-init-hotplugd.socket",
            "/etc/udev/rules.d/90-cloud-init-hook-hotplug.rules",
        ] {
            assert_eq!(link(cx, path), "/dev/null", "{path}");
        }
        assert!(text(cx, "/etc/hardtack/agent.json").contains("\"mode\": \"replace\""));
        // CoreOS' section belongs to the stages.
        assert!(cx.stage.lstat("/usr/lib/systemd/system/hardtack-coreos.service").unwrap().is_none());
    });
}

#[test]
fn the_tools_move_aside_as_dpkg_divert_does_it() {
    run(&with_cloud_init(), &[REPLACE], |result, cx| {
        result.unwrap();
        assert_eq!(link(cx, "/usr/bin/cloud-init"), PROGRAM);
        assert_eq!(text(cx, "/usr/bin/cloud-id.distrib"), "#!/usr/bin/python3\n# id\n");
        assert_eq!(cx.stage.stat("/usr/bin/cloud-id.distrib").unwrap().unwrap().mode & 0o7777, 0o755);
        assert_eq!(
            text(cx, "/var/lib/dpkg/diversions"),
            "/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/cloud-init\n/usr/bin/cloud-init.distrib\n:\n\
             /usr/bin/cloud-id\n/usr/bin/cloud-id.distrib\n:\n"
        );
    });
}

#[test]
fn a_second_build_changes_nothing() {
    for tree in [with_cloud_init(), with_rpm(), debian()] {
        let states = |steps: &[AgentStep]| {
            let mut found = Vec::new();
            run(&tree, steps, |result, cx| {
                result.unwrap();
                found = cx
                    .stage
                    .edits()
                    .unwrap()
                    .iter()
                    .map(|edit| format!("{} {:?}", edit.path, edit.state))
                    .collect();
            });
            found
        };
        assert_eq!(states(&[REPLACE]), states(&[REPLACE, REPLACE]));
    }
}

/// Everything that mode `replace` did is undone, whatever stood at its paths before.
#[test]
fn companion_after_replace_is_companion() {
    let masked = with_cloud_init()
        .link("/etc/systemd/system/cloud-init.service", "/dev/null")
        .link("/etc/systemd/system/cloud-init-hotplugd.socket", "/dev/null")
        .file("/etc/systemd/system/cloud-final.service", "an administrator's\n");
    for tree in [with_cloud_init(), masked, with_rpm(), debian()] {
        let files = |steps: &[AgentStep]| {
            let mut found = Vec::new();
            run(&tree, steps, |result, cx| {
                result.unwrap();
                for change in cx.stage.changes().unwrap() {
                    // Directories that are empty now do no harm.
                    if change.op != hardtack_guest::Op::Mkdir {
                        found.push(format!("{} {}", change.op.name(), change.path));
                    }
                }
            });
            found
        };
        assert_eq!(files(&[COMPANION]), files(&[REPLACE, COMPANION]));
    }
}

#[test]
fn on_rpm_the_tools_are_replaced_and_that_is_told() {
    run(&with_rpm(), &[REPLACE], |result, cx| {
        result.unwrap();
        assert_eq!(link(cx, "/usr/bin/cloud-init"), PROGRAM);
        assert_eq!(link(cx, "/usr/bin/cloud-id"), PROGRAM);
        let said: Vec<_> = cx.notes.iter().filter(|note| note.text.contains("rpm -V")).collect();
        assert!(said.len() == 1 && said[0].text.starts_with("/usr/bin/cloud-init "), "{said:?}");
        // What makes the network there comes after basic.target.
        let unit = text(cx, "/etc/systemd/system/cloud-init-network.service");
        assert!(unit.contains("NetworkManager-wait-online") && !unit.contains("DefaultDependencies=no"));
        assert!(text(cx, "/etc/systemd/system/sshd@.service.d/hardtack.conf").contains("After=cloud-init"));
    });
}

#[test]
fn what_cannot_be_replaced_is_refused_or_told() {
    run(&trusty(), &[REPLACE], |result, _| {
        assert!(result.unwrap_err().to_string().contains("needs systemd"));
    });
    let taken = with_cloud_init().file("/usr/bin/cloud-id.distrib", "?");
    run(&taken, &[REPLACE], |result, _| {
        assert!(result.unwrap_err().to_string().contains("/usr/bin/cloud-id.distrib, which exists"));
    });
    let diverted = with_cloud_init()
        .file("/var/lib/dpkg/diversions", "/usr/bin/cloud-init\n/usr/bin/cloud-init.other\nother\n");
    run(&diverted, &[REPLACE], |result, _| {
        assert!(result.unwrap_err().to_string().contains("by other already"));
    });
    run(&with_cloud_init().file(DISABLED, ""), &[REPLACE], |result, cx| {
        result.unwrap();
        assert!(cx.notes.iter().any(|note| note.text.contains(DISABLED)));
    });
}

/// A missing name here fails nowhere else before a real boot.
#[test]
fn the_orders_that_others_rely_on_hold() {
    let words = |text: &str, key: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.strip_prefix(key))
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect()
    };
    let unit = |name: &str| UNITS.iter().find(|(known, _)| *known == name).unwrap().1;
    for (text, key, names) in [
        (unit("cloud-init-local.service"), "Before=", &["network-pre.target", "sysinit.target"][..]),
        (unit("cloud-init-main.service"), "Before=", &["cloud-init-local.service"]),
        (
            NETWORK.1,
            "Before=",
            &[
                "network-online.target",
                "sysinit.target",
                "ssh.service",
                "ssh.socket",
                "sshd.service",
                "sshd.socket",
                "systemd-user-sessions.service",
            ],
        ),
        (NETWORK_LATE, "Before=", &["network-online.target", "ssh.service", "sshd.service"]),
        (unit("cloud-config.service"), "After=", &["network-online.target", "cloud-config.target"]),
        (unit("cloud-config.target"), "After=", &["cloud-init-network.service"]),
        (unit("cloud-final.service"), "After=", &["cloud-config.service", "multi-user.target"]),
        (unit("cloud-init.target"), "After=", &["multi-user.target"]),
        // Purging the package takes its links in cloud-init.target.wants along.
        (unit("cloud-init.target"), "Wants=", &["cloud-init-local.service", "cloud-final.service"]),
    ] {
        for name in names {
            assert!(words(text, key).iter().any(|word| word == name), "{key}{name}\n{text}");
        }
    }
    // sshd.socket is older than basic.target, which this one comes after: a cycle.
    assert!(!words(NETWORK_LATE, "Before=").iter().any(|word| word.ends_with(".socket")));
    for (name, text) in UNITS.iter().chain([&NETWORK]).filter(|(name, _)| name.ends_with(".service")) {
        assert!(text.contains("TimeoutStartSec="), "{name}: systemd's 90 seconds would kill it");
    }
}
