#![allow(clippy::unwrap_used)]
use hardtack_credentials::{AccountConfig, MfaConfig, PackagesConfig};
use hardtack_guest::{MemoryTree, Stage};

use super::*;

/// An ELF head: x86-64 unless changed, with one program header of `kind`.
pub(super) fn elf(machine: u16, kind: u32) -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56] = 1;
    bytes[64..68].copy_from_slice(&kind.to_le_bytes());
    bytes[72] = 120;
    bytes.extend(b"/lib64/ld-linux-x86-64.so.2\0");
    bytes
}

const PT_INTERP: u32 = 3;
pub(super) const X86_64: u16 = 62;

pub(super) fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/usr/bin/dash", elf(X86_64, PT_INTERP))
        .link("/usr/bin/sh", "dash")
        .link("/bin", "usr/bin")
        .link("/sbin", "usr/sbin")
        .link("/lib", "usr/lib")
        .link("/usr/sbin/init", "/lib/systemd/systemd")
        .file("/usr/lib/systemd/systemd", "")
        .file("/usr/lib/systemd/system/multi-user.target", "")
        .file("/boot/vmlinuz-6.1.0-56-cloud-amd64", "")
}

pub(super) fn trusty() -> MemoryTree {
    MemoryTree::new()
        .file("/bin/dash", elf(X86_64, PT_INTERP))
        .link("/bin/sh", "dash")
        .file("/sbin/init", elf(X86_64, PT_INTERP))
        .file_as(
            "/etc/rc.local",
            "#!/bin/sh -e\n# exit 0 at the end\nif false; then\n  exit 1\nfi\nexit 0\n",
            0o755,
            0,
            0,
        )
        .file("/boot/vmlinuz-3.13.0-24-generic", "")
}

fn run(
    tree: &MemoryTree,
    fill: impl FnOnce(&mut Context<'_, '_>),
    check: impl FnOnce(Result<(), StepError>, &mut Context<'_, '_>),
) {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    cx.agent_binary = Some(elf(X86_64, 1));
    fill(&mut cx);
    let result = apply(&AgentStep::default(), &mut cx);
    check(result, &mut cx);
}

pub(super) fn text(cx: &Context<'_, '_>, path: &str) -> String {
    cx.stage.read_text(path).unwrap().unwrap_or_else(|| panic!("{path} is missing"))
}

#[test]
fn systemd_gets_a_unit_for_everything_there_is_to_do() {
    run(
        &debian(),
        |cx| {
            cx.agent.mfa = Some(MfaConfig { users: vec!["debian".into()], ..MfaConfig::default() });
            cx.agent.accounts = vec![AccountConfig {
                name: "debian".into(),
                password_hash: "$6$salt$hash".into(),
                ..AccountConfig::default()
            }];
        },
        |result, cx| {
            result.unwrap();
            assert_eq!(cx.stage.stat(PROGRAM).unwrap().unwrap().mode & 0o7777, 0o755);
            assert_eq!(cx.stage.read_link(COMMAND).unwrap().as_deref(), Some(PROGRAM));
            assert_eq!(cx.stage.stat(CONFIG).unwrap().unwrap().mode & 0o7777, 0o600);
            assert!(text(cx, CONFIG).contains("\"debian\""));
            assert!(cx.stage.secrets().iter().any(|secret| secret == "$6$salt$hash"));
            for name in ["hardtack-enrol.service", "hardtack-credentials.service"] {
                let target = cx.stage.read_link(&format!("{WANTS}/{name}")).unwrap().unwrap();
                assert_eq!(target, format!("/usr/lib/systemd/system/{name}"));
                assert!(text(cx, &target).contains("[Install]"));
            }
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-packages.service")).unwrap().is_none());
            assert!(
                text(cx, "/usr/lib/systemd/system/serial-getty@.service.d/hardtack.conf").contains("After=")
            );
            assert!(cx.stage.stat(RC_LOCAL).unwrap().is_none());
        },
    );
}

#[test]
fn deferred_packages_get_their_unit_and_lose_it_again() {
    run(
        &debian(),
        |cx| cx.agent.packages = Some(PackagesConfig::default()),
        |result, cx| {
            result.unwrap();
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-packages.service")).unwrap().is_some());
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-enrol.service")).unwrap().is_none());
            cx.agent.packages = None;
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-packages.service")).unwrap().is_none());
            assert!(cx.stage.stat("/usr/lib/systemd/system/hardtack-packages.service").unwrap().is_none());
        },
    );
}

/// The orders that the issue is about: a missing name here fails nowhere else before a real boot.
#[test]
fn enrolment_and_host_keys_are_ordered_between_cloud_init_and_every_name_of_ssh() {
    for ours in ["hardtack-enrol.service", "hardtack-host-keys.service"] {
        let text = UNITS.iter().find(|unit| unit.name == ours).unwrap().text;
        let words = |key: &str| -> Vec<&str> {
            text.lines().filter_map(|line| line.strip_prefix(key)).flat_map(str::split_whitespace).collect()
        };
        for unit in ["ssh.service", "ssh.socket", "sshd.service", "sshd.socket"] {
            assert!(words("Before=").contains(&unit), "{ours}: {unit}");
        }
        for unit in ["cloud-init.service", "cloud-init-network.service"] {
            assert!(words("After=").contains(&unit), "{ours}: {unit}");
        }
        let packages = words("After=").contains(&"hardtack-packages.service");
        assert_eq!(packages, ours == "hardtack-enrol.service");
        // With these it would be after basic.target, and so after ssh.socket: a cycle.
        assert!(text.contains("DefaultDependencies=no"), "{ours}");
    }
}

#[test]
fn tasks_get_their_unit_and_lose_it_again_and_an_overlay_is_warned_of() {
    let unit = format!("{WANTS}/hardtack-tasks.service");
    let work = tasks::Work::Command("touch /x");
    let task = tasks::NewTask { step: "run-command", name: "", work, stop: false, retry: false };
    run(
        &debian(),
        |cx| tasks::stage(cx, &task).unwrap(),
        |result, cx| {
            result.unwrap();
            let target = cx.stage.read_link(&unit).unwrap().unwrap();
            // Else multi-user.target waits for it, and what is ordered after that for the tasks.
            assert!(text(cx, &target).contains("DefaultDependencies=no"));
            let config: AgentConfig = serde_json::from_str(&text(cx, CONFIG)).unwrap();
            assert_eq!(config.tasks[0].name, "0001-command");
            assert!(!text(cx, CONFIG).contains("touch"), "the text is in the task's file");
            assert!(!cx.notes.iter().any(|note| note.text.contains("every boot")));
            cx.agent.overlay = Some(hardtack_credentials::OverlayConfig {
                mode: "crypt".into(),
                random_key: true,
                ..Default::default()
            });
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.notes.iter().any(|note| note.text.contains("its tasks run at every boot")));
            cx.agent.tasks.clear();
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.stage.lstat(&unit).unwrap().is_none());
            assert!(cx.stage.stat("/var/lib/hardtack/tasks").unwrap().is_none());
        },
    );
}

#[test]
fn host_keys_are_made_where_nobody_else_does() {
    let unit = format!("{WANTS}/hardtack-host-keys.service");
    let ssh = || debian().file("/usr/sbin/sshd", "").file("/usr/bin/ssh-keygen", "");
    for (tree, wanted) in
        [(ssh(), true), (ssh().file("/etc/ssh/ssh_host_rsa_key", "x"), false), (debian(), false)]
    {
        run(
            &tree,
            |_| {},
            |result, cx| {
                result.unwrap();
                assert_eq!(cx.stage.lstat(&unit).unwrap().is_some(), wanted);
                assert_eq!(text(cx, CONFIG).contains("\"host_keys\": true"), wanted);
            },
        );
    }
}

/// The guard judges what the enrolment has left, before SSH, and each start of SSH.
#[test]
fn the_guard_stands_before_every_unit_that_lets_ssh_in() {
    let unit = |name: &str| UNITS.iter().find(|unit| unit.name == name).unwrap().text;
    let words = |name: &str, key: &str| -> Vec<String> {
        unit(name)
            .lines()
            .filter_map(|line| line.strip_prefix(key))
            .flat_map(str::split_whitespace)
            .map(str::to_owned)
            .collect()
    };
    // The last one ends pam_nologin's answer to whoever logs in on a console.
    for login in ["ssh.service", "ssh.socket", "sshd.service", "sshd.socket", "systemd-user-sessions.service"]
    {
        for ours in ["hardtack-enrol.service", "hardtack-guard.service"] {
            assert!(words(ours, "Before=").iter().any(|name| name == login), "{ours}: {login}");
        }
    }
    for first in ["hardtack-enrol.service", "cloud-init.service", "cloud-init-network.service"] {
        assert!(words("hardtack-guard.service", "After=").iter().any(|name| name == first), "{first}");
    }
    for name in ["hardtack-guard.service", "hardtack-guard.path", "hardtack-watch.service"] {
        assert!(unit(name).contains("DefaultDependencies=no"), "{name}");
        assert!(words(name, "Conflicts=").iter().any(|name| name == "shutdown.target"), "{name}");
    }
    let fill = |cx: &mut Context<'_, '_>| cx.agent.mfa = Some(MfaConfig::default());
    run(&debian(), fill, |result, cx| {
        result.unwrap();
        let directory = "/usr/lib/systemd/system";
        for (unit, section) in
            [("ssh.service", "[Service]"), ("sshd@.service", "[Service]"), ("ssh.socket", "[Socket]")]
        {
            let text = text(cx, &format!("{directory}/{unit}.d/{GUARD_DROP_IN}"));
            assert!(text.contains(section) && text.contains("hardtack-agent guard --gate"), "{text}");
        }
        assert!(GUARD_DROP_IN > "override.conf", "an `ExecStartPre=` of `systemctl edit` would take it away");
        assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-guard.path")).unwrap().is_some());
        assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-watch.service")).unwrap().is_none());
        assert!(text(cx, &format!("{directory}/hardtack-watch.service")).contains("guard --watch"));
        cx.agent.mfa = None;
        apply(&AgentStep::default(), cx).unwrap();
        assert!(cx.stage.lstat(&format!("{directory}/ssh.service.d/{GUARD_DROP_IN}")).unwrap().is_none());
        assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-guard.path")).unwrap().is_none());
    });
}

#[test]
fn a_reload_is_judged_before_sshd_rereads_anything() {
    let unit = "[Service]\nExecStart=/usr/sbin/sshd -D\nExecReload=/usr/sbin/sshd -t\nExecReload=/bin/kill -HUP $MAINPID\n";
    let tree = debian().file("/usr/lib/systemd/system/ssh.service", unit);
    run(
        &tree,
        |cx| cx.agent.mfa = Some(MfaConfig::default()),
        |result, cx| {
            result.unwrap();
            let text = text(cx, &format!("/usr/lib/systemd/system/ssh.service.d/{GUARD_DROP_IN}"));
            let reloads: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix("ExecReload=")).collect();
            let gate = format!("{PROGRAM} guard --gate");
            assert_eq!(reloads, ["", &gate, "/usr/sbin/sshd -t", "/bin/kill -HUP $MAINPID"]);
        },
    );
    assert_eq!(reload("[Service]\nExecStart=/usr/sbin/sshd -D\n"), "");
    assert_eq!(reload("ExecReload=/bin/kill \\\n -HUP $MAINPID\n"), "");
}

#[test]
fn without_systemd_rc_local_starts_the_agent_once() {
    run(
        &trusty(),
        |_| {},
        |result, cx| {
            result.unwrap();
            let first = text(cx, RC_LOCAL);
            let (head, tail) = first.split_once(RC_BEGIN).unwrap();
            assert!(head.starts_with("#!") && head.lines().count() == 1, "{first}");
            assert!(tail.ends_with("exit 0\n"), "{first}");
            assert!(first.contains("hardtack-agent enrol") && first.contains("hardtack-agent print &"));
            apply(&AgentStep::default(), cx).unwrap();
            assert_eq!(text(cx, RC_LOCAL), first);
            assert_eq!(cx.notes.len(), 1);
        },
    );
}

#[test]
fn rc_local_of_any_shape_takes_our_lines() {
    for (text, wanted) in [
        ("", RC_LINES.to_owned()),
        ("#!/bin/sh", format!("#!/bin/sh\n{RC_LINES}")),
        ("#!/bin/sh\nexit", format!("#!/bin/sh\n{RC_LINES}exit")),
        ("exit 0\nexiting\n", format!("{RC_LINES}exit 0\nexiting\n")),
        // An exit that is indented ends the script too.
        (
            "#!/bin/sh -e\nif x; then\n  exit 1\nfi\n  exit 0\n# end\n",
            format!("#!/bin/sh -e\n{RC_LINES}if x; then\n  exit 1\nfi\n  exit 0\n# end\n"),
        ),
    ] {
        assert!(is_shell(text), "{text:?}");
        assert_eq!(with_our_lines(text), wanted, "{text:?}");
        assert_eq!(with_our_lines(&wanted), wanted, "{text:?}");
    }
}

#[test]
fn rc_local_may_be_no_script_of_a_shell() {
    for (text, wanted) in [
        ("#!/bin/sh -e\n", true),
        ("#! /usr/bin/env bash\n", true),
        ("#!/bin/busybox sh\n", true),
        ("#!/usr/bin/python3\n", false),
        ("#!/usr/bin/env perl\n", false),
        ("#!\n", false),
    ] {
        assert_eq!(is_shell(text), wanted, "{text}");
    }
}

#[test]
fn an_agent_that_the_image_cannot_run_is_refused() {
    let dynamic = elf(X86_64, PT_INTERP);
    let arm = elf(183, 1);
    for (program, wanted) in [
        (None, "not found"),
        (Some(b"#!/bin/sh\n".to_vec()), "not an ELF program"),
        (Some(dynamic), "not linked statically"),
        (Some(arm), "is for aarch64 and the image is for x86-64"),
    ] {
        run(
            &debian(),
            |cx| cx.agent_binary = program,
            |result, _| {
                let error = result.unwrap_err();
                let missing = matches!(error, StepError::Local { .. });
                assert_eq!(missing, wanted == "not found", "{error}");
                assert!(error.to_string().contains(wanted), "{error}");
            },
        );
    }
}

#[test]
fn an_old_kernel_is_refused_and_an_old_one_beside_a_new_one_is_told() {
    let old =
        MemoryTree::new().file("/bin/sh", elf(X86_64, 3)).file("/boot/vmlinuz-2.6.32-504.el6.x86_64", "");
    run(
        &old,
        |_| {},
        |result, _| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("2.6.32-504.el6.x86_64 is older than 3.2"), "{error}");
        },
    );
    let both = old.file("/boot/vmlinuz-5.4.0", "");
    run(
        &both,
        |_| {},
        |result, cx| {
            result.unwrap();
            assert!(cx.notes.iter().any(|note| note.text.contains("2.6.32")));
        },
    );
}

#[test]
fn an_image_without_programs_is_taken_by_its_package_database() {
    let tree = |arch: &str| MemoryTree::new().file("/var/lib/dpkg/arch", arch).dir("/usr/lib/systemd/system");
    run(
        &tree("amd64\n"),
        |_| {},
        |result, cx| {
            result.unwrap();
            assert!(cx.notes.is_empty());
        },
    );
    run(
        &tree("arm64\n"),
        |_| {},
        |result, _| {
            assert!(result.unwrap_err().to_string().contains("/var/lib/dpkg/arch"));
        },
    );
    run(
        &MemoryTree::new().dir("/usr/lib/systemd/system"),
        |_| {},
        |result, cx| {
            result.unwrap();
            assert!(cx.notes.iter().any(|note| note.text.contains("architecture is not known")));
        },
    );
}

#[test]
fn other_packages_than_those_of_the_last_build_are_not_taken_for_installed() {
    run(
        &debian(),
        |cx| cx.agent.packages = Some(PackagesConfig::default()),
        |result, cx| {
            result.unwrap();
            let outcome = "/var/lib/hardtack/packages.json";
            cx.stage.write(outcome, "{\"ok\":true}", Set::default()).unwrap();
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.stage.stat(outcome).unwrap().is_some(), "the same build again changes nothing");
            cx.agent.packages =
                Some(PackagesConfig { install: vec!["x.deb".into()], ..PackagesConfig::default() });
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.stage.stat(outcome).unwrap().is_none());
        },
    );
}

#[test]
fn passwords_are_made_without_codes_too() {
    let random = AccountConfig {
        name: "carol".into(),
        random_password: Some(hardtack_credentials::RandomPassword::default()),
        ..AccountConfig::default()
    };
    run(
        &debian(),
        |cx| cx.agent.accounts = vec![random],
        |result, cx| {
            result.unwrap();
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-enrol.service")).unwrap().is_some());
            let config: AgentConfig = serde_json::from_str(&text(cx, CONFIG)).unwrap();
            assert_eq!(config.accounts[0].random_password.as_ref().map(|random| random.length), Some(20));
            cx.agent.accounts.clear();
            apply(&AgentStep::default(), cx).unwrap();
            assert!(cx.stage.lstat(&format!("{WANTS}/hardtack-enrol.service")).unwrap().is_none());
        },
    );
}
