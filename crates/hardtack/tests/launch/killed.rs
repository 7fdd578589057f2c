//! Launches on this machine that are killed, at any moment: they go on with their journal, and `undo` leaves nothing. QEMU is
//! played by this test program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::USER_DATA;
use crate::workshop::{Folder, Ran};

const PLAY: &str = "HARDTACK_PLAY_QEMU";
/// Two instances of a private network, which need no image.
const LAUNCH: &str = "launch -f web.yaml --netboot --network lab -n 2 --accel tcg --journal launch.journal";
/// Milliseconds until the kill.
const MOMENTS: [u64; 8] = [5, 40, 90, 160, 260, 400, 600, 900];

#[test]
fn plays_qemu() {
    if std::env::var_os(PLAY).is_none() {
        return;
    }
    let listener = UnixListener::bind("monitor").unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    writeln!(stream, "{{\"QMP\": {{}}}}").unwrap();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let _ = line.unwrap();
        writeln!(stream, "{{\"return\": []}}").unwrap();
    }
    std::process::exit(0);
}

fn command(folder: &Folder, arguments: &str) -> Command {
    let mut command = folder.command(arguments);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.path("programs").display()));
    command
}

fn expect(folder: &Folder, arguments: &str) -> Ran {
    let ran = Ran::of(&command(folder, arguments).output().unwrap());
    assert_eq!(ran.code, Some(0), "{arguments}: {}{}", ran.out, ran.err);
    ran
}

/// Processes that work in an instance's directory, by their numbers.
fn at_work(folder: &Folder) -> Vec<i32> {
    let instances = folder.path("catalog/instances");
    let works = |number: &i32| {
        std::fs::read_link(format!("/proc/{number}/cwd")).is_ok_and(|place| place.starts_with(&instances))
    };
    let listed = std::fs::read_dir("/proc").unwrap().flatten();
    listed.filter_map(|found| found.file_name().to_str()?.parse().ok()).filter(works).collect()
}

#[test]
fn a_launch_here_that_is_killed_goes_on_or_is_undone() {
    let folder = Folder::new();
    folder.write("web.yaml", USER_DATA);
    let this = std::env::current_exe().unwrap();
    std::fs::create_dir(folder.path("programs")).unwrap();
    let qemu = folder.path("programs/qemu-system-x86_64");
    let play = format!("{PLAY}=1 exec '{}' --exact --nocapture killed::plays_qemu", this.display());
    std::fs::write(&qemu, format!("#!/bin/sh\n{play}\n")).unwrap();
    std::fs::set_permissions(&qemu, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut began = 0;
    for (round, moment) in MOMENTS.iter().enumerate() {
        let mut launch = command(&folder, LAUNCH);
        let mut launch = launch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(*moment));
        launch.kill().unwrap();
        launch.wait().unwrap();
        began += usize::from(!folder.names("catalog/instances").is_empty());
        if round % 2 == 1 {
            // Whoever killed the launch may have killed more.
            let killed: Vec<String> = at_work(&folder).iter().map(i32::to_string).collect();
            if round % 4 == 3 && !killed.is_empty() {
                let _ = Command::new("kill").arg("-KILL").args(&killed).stderr(Stdio::null()).status();
            }
            let ran = expect(&folder, LAUNCH);
            assert_eq!(crate::ids(&ran.out).len(), 2, "{}", ran.out);
            assert_eq!(folder.names("catalog/instances").len(), 2);
        }
        if folder.path("launch.journal").exists() {
            expect(&folder, "undo launch.journal");
            // Where nothing was left to keep it for, it is gone.
            let _ = std::fs::remove_file(folder.path("launch.journal"));
        }
        assert_eq!(folder.names("catalog/instances"), [""; 0], "after {moment} ms");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !at_work(&folder).is_empty() {
            assert!(Instant::now() < deadline, "after {moment} ms: {:?}", at_work(&folder));
            std::thread::sleep(Duration::from_millis(20));
        }
        let members = std::fs::read_to_string(folder.path("catalog/networks/lab/members.json"));
        assert!(members.as_ref().map_or(true, |members| members == "[]"), "{members:?}");
    }
    assert!(began > 0, "no launch came as far as an instance");
}
