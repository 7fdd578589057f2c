//! Ctrl-C and SIGTERM: what they leave, and what they say.

use std::process::Stdio;
use std::time::Duration;

use hardtack_fake_cloud::{Fault, FaultKind, Service};

use crate::workshop::{Folder, Ran, cloud};

/// Ends a run that waits for an answer to `action`.
fn interrupt(name: &str, code: i32, euca: bool, action: (Service, &str)) {
    let (folder, cloud) = (Folder::new(), cloud(euca));
    folder.keys();
    folder.noise("noise.raw", 4);
    std::fs::create_dir(folder.path("tmp")).unwrap();
    let line = match euca {
        true => "install noise.raw -n web-1 --on euca -b images -k user.pem -c user.crt",
        false => "install noise.raw -n web-1 --on aws --region us-east-1",
    };
    let before = folder.names(".");
    cloud.inject(Fault::new(action.0, action.1, FaultKind::Late(Duration::from_millis(400))));
    let mut command = folder.command_at(&cloud, line);
    command.env("TMPDIR", folder.path("tmp")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // The journal is there, and the call is on its way.
    let begun = std::time::Instant::now();
    let intended = || std::fs::read_to_string(folder.path("web-1.journal")).unwrap_or_default();
    let word = if euca { "object" } else { "snapshot" };
    while !intended().contains(word) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no journal");
        std::thread::sleep(Duration::from_millis(2));
    }
    folder.sh(&format!("kill -{name} {}", child.id()));
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(code), "{name}: {}{}", ran.out, ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    assert!(ran.err.contains("hardtack: stopped\n"), "{}", ran.err);
    assert!(ran.err.contains("hint: run the same command again"), "{}", ran.err);
    assert!(ran.err.contains("hardtack undo ./web-1.journal\n"), "{}", ran.err);
    let mut wanted = before;
    wanted.push("web-1.journal".to_owned());
    wanted.sort();
    assert_eq!(folder.names("."), wanted);
    assert_eq!(folder.names("tmp"), [""; 0]);
    assert!(cloud.settle(Duration::from_secs(30)));
    folder.expect_at(&cloud, 0, line).image();
    folder.expect_at(&cloud, 0, "undo web-1.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_signal_names_the_journal_and_leaves_no_file() {
    interrupt("INT", 130, false, (Service::Ebs, "StartSnapshot"));
    interrupt("TERM", 143, false, (Service::Ebs, "PutSnapshotBlock"));
    interrupt("HUP", 129, false, (Service::Ebs, "CompleteSnapshot"));
    interrupt("INT", 130, true, (Service::S3, "PutObject"));
}

#[test]
fn a_signal_leaves_nothing_half_written_in_the_catalog() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("tmp")).unwrap();
    folder.noise("noise.raw", 64);
    let files = folder.names(".");
    let mut half = 0;
    for turn in 0..8 {
        let mut command = folder.command("install noise.raw -n web");
        command.env("TMPDIR", folder.path("tmp")).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let begun = std::time::Instant::now();
        while folder.names("catalog/images").is_empty() && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_micros(300));
        }
        std::thread::sleep(Duration::from_millis(turn));
        folder.sh(&format!("kill -TERM {} 2>/dev/null || true", child.id()));
        let ran = Ran::of(&child.wait_with_output().unwrap());
        if ran.code == Some(143) {
            half += 1;
            assert!(ran.err.contains("hardtack undo ./web.journal\n"), "{}", ran.err);
            let names = folder.names("catalog/images");
            assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
            assert!(folder.path("web.journal").exists());
        } else {
            assert_eq!(ran.code, Some(0), "{}", ran.err);
        }
        folder.expect(0, "undo web.journal");
        assert_eq!(folder.names("catalog/images"), [""; 0]);
        assert_eq!(folder.names("tmp"), [""; 0]);
        let mut now = folder.names(".");
        now.retain(|name| name != "catalog");
        assert_eq!(now, files);
    }
    assert!(half > 0, "no run was stopped before its end");
}
