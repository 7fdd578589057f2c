//! `--wait`: states, and credentials.

use hardtack_fake_cloud::{Cloud, Console, Fault, FaultKind, Options, Service};
use serde_json::Value;

use crate::block::{SECRET, block, sealed_block};
use crate::workshop::{Folder, Ran};
use crate::{euca_scene, scene};

const ON: &str = "--on aws --region us-east-1";

#[test]
fn the_final_state_is_printed() {
    let (folder, cloud, _) = scene(|options| options.instance_polls = 2);
    let ran = folder
        .command_at(&cloud, &format!("launch web -f web.yaml {ON} --wait"))
        .env("HARDTACK_TEST_HASTE", "1")
        .output()
        .unwrap();
    let out = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success() && out.contains("\trunning\t"), "{out}");
}

#[test]
fn an_instance_that_ends_is_told_with_its_reason_and_its_journal() {
    let (folder, cloud, _) =
        scene(|options| options.instances_fail = Some("Server.InternalError".to_owned()));
    let ran = folder
        .command_at(&cloud, &format!("launch web -f web.yaml {ON} --wait"))
        .env("HARDTACK_TEST_HASTE", "1")
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{err}");
    assert!(err.contains("InternalError") && err.contains("hardtack undo web-"), "{err}");
    assert!(String::from_utf8(ran.stdout).unwrap().starts_with("RESERVATION\t"));
}

#[test]
fn nobody_is_told_how_to_log_in_where_nothing_runs() {
    let (folder, cloud, _) =
        scene(|options| options.instances_fail = Some("Server.InternalError".to_owned()));
    let ran = hasty(&folder, &cloud, 1, &format!("launch web -f web.yaml {ON} --wait=ssh"));
    assert!(ran.err.contains("InternalError"), "{}", ran.err);
    assert!(ran.out.starts_with("RESERVATION\t") && !ran.out.contains("Log in:"), "{}", ran.out);
}

#[test]
fn without_credentials_in_time_the_answer_is_no() {
    let (folder, cloud, _) = scene(|_| {});
    let line = format!("launch web -f web.yaml {ON} --wait=credentials --timeout 1s --json");
    let ran = folder.command_at(&cloud, &line).env("HARDTACK_TEST_HASTE", "1").output().unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{err}");
    let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(document["instances"][0]["credentials"].is_null(), "{document}");
    assert!(err.contains("hardtack console i-") && err.contains("--wait"), "{err}");
}

/// A machine that needs a while: nothing of its console at first, then the beginning only.
fn slow(text: &str) -> impl FnOnce(&mut Options) {
    let console = Console::new().boot(6, 200_000).then(text);
    move |options| {
        (options.instance_polls, options.console_empty, options.console_first) = (2, 2, 2);
        options.consoles = vec![console];
    }
}

fn hasty(folder: &Folder, cloud: &Cloud, code: i32, line: &str) -> Ran {
    let ran = Ran::of(&folder.command_at(cloud, line).env("HARDTACK_TEST_HASTE", "1").output().unwrap());
    assert_eq!(ran.code, Some(code), "{line}: {}{}", ran.out, ran.err);
    assert!(!ran.err.contains(SECRET), "{}", ran.err);
    ran
}

#[test]
fn credentials_come_from_consoles_of_every_kind() {
    for (euca, kind) in [(false, "t3.small"), (false, "t2.small"), (true, "m1.small")] {
        let (folder, cloud, image) = if euca { euca_scene(slow(&block())) } else { scene(slow(&block())) };
        let on = if euca { "--on euca" } else { ON };
        let throttled = |action| Fault::new(Service::Ec2, action, FaultKind::Status(503)).after(1).times(6);
        cloud.inject(throttled("GetConsoleOutput"));
        cloud.inject(throttled("DescribeInstances"));
        let line =
            format!("launch {image} -f web.yaml -t {kind} {on} --wait=credentials --journal a.journal");
        let ran = hasty(&folder, &cloud, 0, &line);
        let one = &cloud.instances()[0];
        assert!(ran.out.contains(&format!("INSTANCE\t{}\t", one.id)), "{}", ran.out);
        assert!(ran.out.contains(SECRET) && ran.out.contains("debian@"), "{kind}: {}", ran.out);
        // The same again looks, and starts nothing.
        let json = hasty(&folder, &cloud, 0, &format!("{line} --json"));
        let document: Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(document["instances"][0]["credentials"]["users"][0]["secret"], SECRET, "{document}");
        assert_eq!(cloud.instances().len(), 1);
        hasty(&folder, &cloud, 0, "undo a.journal");
    }
}

#[test]
fn sealed_credentials_are_opened_by_the_key_that_is_given() {
    let keys = Folder::new();
    keys.sh("ssh-keygen -q -t ed25519 -N '' -C a -f key; ssh-keygen -q -t ed25519 -N '' -C b -f other");
    let text = sealed_block(&std::fs::read_to_string(keys.path("key.pub")).unwrap());
    let (folder, cloud, _) = scene(slow(&text));
    let line = |journal: &str, identity: &str| {
        let path = keys.path(identity).display().to_string();
        format!("launch web -f web.yaml {ON} --wait=credentials --journal {journal} --identity {path}")
    };
    let ran = hasty(&folder, &cloud, 0, &line("a.journal", "key"));
    assert!(ran.out.contains(SECRET), "{}", ran.out);
    let login = format!("Log in: ssh -o IdentitiesOnly=yes -i {} debian@", keys.path("key").display());
    assert!(ran.out.contains(&login), "{}", ran.out);
    // A key made for the launch is the default user's; the part was sealed to a key of this one's.
    let ran = hasty(&folder, &cloud, 0, &format!("{} --new-key new.pem", line("n.journal", "key")));
    assert!(ran.out.contains(&login) && folder.path("new.pem").exists(), "{}", ran.out);
    let ran = hasty(&folder, &cloud, 1, &line("a.journal", "other"));
    assert!(!ran.out.contains(SECRET), "{}", ran.out);
    let without = hasty(
        &folder,
        &cloud,
        0,
        &format!("launch web -f web.yaml {ON} --wait=credentials --journal a.journal"),
    );
    assert!(!without.out.contains(SECRET) && without.out.contains("SHA256:"), "{}", without.out);
    assert_eq!(cloud.instances().len(), 2, "one of each journal");
}

#[test]
fn an_instance_that_ends_while_its_credentials_are_waited_for_is_told() {
    let (folder, cloud, _) = scene(|options| {
        options.consoles = vec![Console::new().boot(2, 2000).then("Kernel panic - not syncing: VFS\r\n")];
    });
    let line = format!("launch web -f web.yaml {ON} --wait=credentials --journal a.journal");
    let child = folder
        .command_at(&cloud, &line)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    assert!(cloud.wait_until(std::time::Duration::from_secs(30), |log| {
        log.iter().any(|entry| entry.action == "GetConsoleOutput")
    }));
    cloud.fail_instance(&cloud.instances()[0].id, "Server.InternalError", "Server.InternalError: it broke");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("it broke") && ran.err.contains("Kernel panic"), "{}", ran.err);
    assert!(ran.out.contains("\tterminated\t"), "{}", ran.out);
    hasty(&folder, &cloud, 0, "undo a.journal");
}

#[test]
fn when_time_is_up_the_last_lines_the_cause_and_the_command_are_told() {
    let (folder, cloud, _) = scene(|options| {
        options.consoles =
            vec![Console::of(format!("{}Kernel panic - not syncing: VFS\r\n", "Started x\r\n".repeat(60)))];
    });
    let ran =
        hasty(&folder, &cloud, 1, &format!("launch web -f web.yaml {ON} --wait=credentials --timeout 1s"));
    let id = &cloud.instances()[0].id;
    assert!(ran.err.contains(&format!("the last 40 lines of {id}'s console:")), "{}", ran.err);
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("  | ")).count(), 40);
    assert!(
        ran.err.contains("panic") && ran.err.contains(&format!("hardtack console {id} {ON} --wait")),
        "{}",
        ran.err
    );
}
