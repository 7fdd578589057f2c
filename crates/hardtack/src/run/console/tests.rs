#![allow(clippy::unwrap_used, clippy::print_stderr)]
mod sealed;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hardtack_credentials::{HostKey, Root, Surroundings as Printed, otpauth};

use super::*;
use crate::keys::passphrase::Answer;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKOqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";
const SECRET: &str = "5EENRV74MYRS6G4UYZMKTKSGKM";
/// 2026-11-21T10:00:00Z
const PRINTED: u64 = 1_795_255_200;

fn user(name: &str) -> UserCredentials {
    UserCredentials {
        name: name.into(),
        secret: SECRET.into(),
        otpauth: otpauth::url("debian-3fa", name, "web-1", None, SECRET),
        scratch_codes: vec!["30116782".into()],
        password: String::new(),
    }
}

fn block(boot: &str, users: &[&str]) -> Block {
    Block {
        hardtack: 1,
        boot_id: boot.into(),
        instance_id: None,
        hostname: "web-1".into(),
        time: time::format_utc(PRINTED),
        seal: "none".into(),
        users: users.iter().map(|name| UserPart::Plain(user(name))).collect(),
        host_keys: vec![HostKey::from_public_file(ED25519).unwrap()],
        root: Root::default(),
        doors: vec!["su".into()],
        drift: Vec::new(),
    }
}

fn log(blocks: &[Block]) -> String {
    let printed = Printed { synchronised: Some(false), ..Printed::default() };
    blocks
        .iter()
        .map(|block| format!("login: \r\n{}", block.render(&printed).replace('\n', "\r\n")))
        .collect()
}

fn later(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(PRINTED.saturating_add_signed(seconds))
}

/// No terminal.
struct Nobody;

impl Ask for Nobody {
    fn passphrase(&mut self, _: &str) -> std::io::Result<Answer> {
        Ok(Answer::NoTerminal)
    }
}

/// Exit code, standard output, standard error.
fn run_with(
    arguments: &ConsoleArgs,
    log: &str,
    written: SystemTime,
    terminal: Terminal,
    ssh_directory: Option<&Path>,
    person: &mut dyn Ask,
) -> (u8, String, String) {
    let around = Surroundings {
        terminal,
        now: later(0),
        printed: PrintedAt::With(written),
        ssh_directory: ssh_directory.map(Path::to_owned),
        again: arguments.targets.first().map_or(String::new(), |path| words::word(path)),
        host: None,
    };
    run_around(arguments, log, &around, person)
}

fn run_around(
    arguments: &ConsoleArgs,
    log: &str,
    around: &Surroundings,
    person: &mut dyn Ask,
) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = match console(arguments, log.as_bytes(), around, person, &mut out, &mut err) {
        Ok(_) => 0,
        Err(error) => {
            err.extend_from_slice(error.report().as_bytes());
            error.exit_code()
        }
    };
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn run_at(
    arguments: &ConsoleArgs,
    log: &str,
    written: SystemTime,
    terminal: Terminal,
) -> (u8, String, String) {
    run_with(arguments, log, written, terminal, None, &mut Nobody)
}

fn run(arguments: &ConsoleArgs, log: &str) -> (u8, String, String) {
    run_at(arguments, log, later(5), Terminal { width: None, color: false })
}

#[test]
fn prints_the_credentials_and_counts_the_others() {
    let damaged = log(&[block("c", &["debian"])]).replace(SECRET, "5EENRV74MYRS6G4UYZMKTKSGKKM");
    let text = format!("{}{damaged}", log(&[block("a", &["debian"]), block("b", &["debian"])]));
    let (code, out, err) = run(&ConsoleArgs::default(), &text);
    assert_eq!(code, 0, "{err}");
    for part in [
        "boot b",
        &format!("secret key is: {SECRET}"),
        "  30116782",
        "otpauth://totp/",
        "(ED25519)",
        "█",
        "  - su",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert!(err.contains("1 older block(s)") && err.contains("1 damaged block(s)"), "{err}");
    assert!(err.contains("the newest block is damaged"), "{err}");
    assert!(!err.contains(SECRET));
}

#[test]
fn exit_codes() {
    let one = log(&[block("a", &["debian"])]);
    let forged = log(&[block("a", &["debian"]), Block { hostname: "x".into(), ..block("a", &["debian"]) }]);
    let code = ConsoleArgs { code: true, ..ConsoleArgs::default() };
    let eve = ConsoleArgs { user: Some("eve".into()), ..code.clone() };
    for (name, arguments, log, wanted) in [
        ("none", &ConsoleArgs::default(), "Debian\r\nlogin:".to_owned(), 1),
        ("damaged", &ConsoleArgs::default(), one.replace("sha256: ", "sha256:"), 3),
        ("contradiction", &ConsoleArgs::default(), forged, 3),
        ("fingerprints only", &ConsoleArgs::default(), log(&[block("a", &[])]), 0),
        ("no code without a secret", &code, log(&[block("a", &[])]), 1),
        ("whose code?", &code, log(&[block("a", &["debian", "carol"])]), 2),
        ("unknown user", &eve, one.clone(), 2),
    ] {
        let (code, out, err) = run(arguments, &log);
        assert_eq!(code, wanted, "{name}: {err}");
        assert_eq!(out.is_empty(), wanted != 0, "{name}: {out}");
    }
    let (_, out, _) = run(&ConsoleArgs::default(), &log(&[block("a", &[])]));
    assert!(out.contains("Fingerprints only") && out.contains("SHA256:"), "{out}");
}

#[test]
fn the_code_stands_alone() {
    let arguments = ConsoleArgs { code: true, user: Some("carol".into()), ..ConsoleArgs::default() };
    let (code, out, err) = run(&arguments, &log(&[block("a", &["debian", "carol"])]));
    let key = base32::decode(SECRET).unwrap();
    assert_eq!((code, out), (0, format!("{}\n", totp::code(&key, PRINTED))), "{err}");
    assert!(err.contains("valid for 30 more seconds"), "{err}");
    assert!(!err.contains("warning"), "{err}");
}

#[test]
fn a_wrong_clock_is_told_with_the_code() {
    let arguments = ConsoleArgs { code: true, ..ConsoleArgs::default() };
    let unsure = log(&[block("a", &["debian"])]);
    let sure = unsure.replace("NOT SYNCHRONISED", "synchronised");
    for (log, written, wanted) in [
        (&unsure, 30, None),
        (&unsure, -30, None),
        (&unsure, -31, Some("31 s ahead")),
        (&unsure, 31, Some("31 s before the log")),
        (&unsure, 86_400, Some("86400 s before the log")),
        (&sure, 86_400, None),
        (&sure, -3600, Some("3600 s ahead")),
    ] {
        let (code, _, err) = run_at(&arguments, log, later(written), Terminal { width: None, color: false });
        assert_eq!(code, 0);
        match wanted {
            Some(text) => assert!(err.contains(text), "{written}: {err}"),
            None => assert!(!err.contains("warning"), "{written}: {err}"),
        }
    }
}

/// Nobody knows when an instance has printed its block, but that it was after its start.
#[test]
fn an_instance_is_not_slow_because_its_block_is_old() {
    let arguments = ConsoleArgs { code: true, ..ConsoleArgs::default() };
    let log = log(&[block("a", &["debian"])]);
    for (now, started, wanted) in [
        (57, Some(-60), None),
        (86_400, Some(-60), None),
        (57, Some(30), None),
        (57, Some(31), Some("31 s before the instance was started")),
        (86_400, None, None),
        (-31, Some(-60), Some("31 s ahead: it said 2026-11-21T10:00:00Z, and the log was read")),
        (-31, None, Some("31 s ahead")),
    ] {
        let around = Surroundings {
            terminal: Terminal { width: None, color: false },
            now: later(now),
            printed: PrintedAt::Since(started.map(later)),
            ssh_directory: None,
            again: String::new(),
            host: None,
        };
        let (code, _, err) = run_around(&arguments, &log, &around, &mut Nobody);
        assert_eq!(code, 0);
        match wanted {
            Some(text) => assert!(err.contains(text), "{now} {started:?}: {err}"),
            None => assert!(!err.contains("warning"), "{now} {started:?}: {err}"),
        }
    }
}

#[test]
fn json_is_the_block_as_printed() {
    let arguments = ConsoleArgs { json: true, ..ConsoleArgs::default() };
    let (code, out, _) = run(&arguments, &log(&[block("a", &["debian"])]));
    assert_eq!((code, out), (0, format!("{}\n", block("a", &["debian"]).json())));
}

#[test]
fn known_hosts_grow_once_and_keep_their_mode() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("known_hosts");
    let arguments = ConsoleArgs {
        known_hosts: Some(path.clone()),
        host: Some("127.0.0.1:2222".into()),
        ..ConsoleArgs::default()
    };
    // OpenSSH knows no dsa keys any more, and says so at each line of them.
    let mut of_old = block("a", &[]);
    of_old.host_keys.push(HostKey::from_public_file("ssh-dss AAAAB3NzaC1kc3MAAAAQEREREREREREREREREREREQAAAAUSEhISEgAAABATExMTExMTExMTExMTExMTAAAAEBQUFBQUFBQUFBQUFBQUFBQ=").unwrap());
    let log = log(&[of_old]);
    assert_eq!(run(&arguments, &log).0, 0);
    let line = format!("[127.0.0.1]:2222 {ED25519}\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);

    std::fs::write(&path, "other ssh-rsa AAAA").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for added in ["1 host key(s)", "0 host key(s)"] {
        let (code, _, err) = run(&arguments, &log);
        assert!(code == 0 && err.contains(added), "{err}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("other ssh-rsa AAAA\n{line}"));
    }
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o644);

    std::fs::write(&path, "[127.0.0.1]:2222 ssh-ed25519 AAAAold\n").unwrap();
    let (_, _, err) = run(&arguments, &log);
    assert!(
        err.contains("known_hosts:1: another key") && err.contains("ssh-keygen -R '[127.0.0.1]:2222'"),
        "{err}"
    );

    let wrong = ConsoleArgs { host: Some("a b".into()), ..arguments.clone() };
    assert_eq!(run(&wrong, &log).0, 2);
    let missing = ConsoleArgs { known_hosts: Some(directory.path().join("no/file")), ..arguments.clone() };
    assert_eq!(run(&missing, &log).0, 4);
    let first = directory.path().join(".ssh/known_hosts");
    let new_home = ConsoleArgs { known_hosts: Some(first.clone()), ..arguments };
    assert_eq!(run(&new_home, &log).0, 0);
    assert_eq!(std::fs::read_to_string(&first).unwrap(), line);
    assert_eq!(first.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
}

fn zbarimg(picture: &Path) -> Option<String> {
    let Ok(output) = std::process::Command::new("zbarimg").args(["--raw", "-q"]).arg(picture).output() else {
        assert!(std::env::var_os("CI").is_none(), "zbarimg is missing: install zbar-tools");
        eprintln!("SKIPPED: zbarimg is not installed (zbar-tools)");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn pictures_are_private_and_never_replaced_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let text = log(&[block("a", &["debian"])]);
    let with = |path: PathBuf, force| ConsoleArgs { qr: Some(path), force, ..ConsoleArgs::default() };
    for name in ["code.png", "code.SVG"] {
        let path = directory.path().join(name);
        assert_eq!(run(&with(path.clone(), false), &text).0, 0);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(run(&with(path.clone(), false), &text).0, 4);
        assert_eq!(run(&with(path, true), &text).0, 0);
    }
    if let Some(read) = zbarimg(&directory.path().join("code.png")) {
        assert_eq!(read, user("debian").otpauth);
    }
    let gif = directory.path().join("code.gif");
    assert_eq!(run(&with(gif.clone(), false), &text).0, 2);
    assert!(!gif.exists());
    assert_eq!(run(&with(directory.path().join("b.svg"), false), &log(&[block("a", &[])])).0, 1);
}

#[test]
fn the_terminal_decides_how_the_code_is_drawn() {
    let text = log(&[block("a", &["debian"])]);
    for (width, color, wanted, absent) in [
        (Some(200), true, "\u{1b}[48;5;231m  ", "█"),
        (Some(80), true, "\u{1b}[38;5;16m\u{1b}[48;5;231m ", "\u{1b}[48;5;16m"),
        (Some(80), false, "█", "\u{1b}"),
        (None, false, "█", "\u{1b}"),
        (Some(30), true, "--qr FILE.png", "\u{1b}"),
    ] {
        let (code, out, _) = run_at(&ConsoleArgs::default(), &text, later(0), Terminal { width, color });
        assert_eq!(code, 0);
        assert!(out.contains(wanted) && !out.contains(absent), "{width:?} {color}\n{out}");
    }
}

#[test]
fn logs_come_from_files_and_long_ones_from_their_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("serial.log");
    let text = log(&[block("a", &["debian"])]);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(input::read(&path).unwrap().bytes, text.as_bytes());
    assert!(matches!(input::read(&path).unwrap().printed, PrintedAt::With(_)));
    let long = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    long.set_len(hardtack_credentials::console::LOG_LIMIT as u64 + 10).unwrap();
    assert_eq!(input::read(&path).unwrap().bytes.len(), hardtack_credentials::console::LOG_LIMIT);
    assert_eq!(input::read(&directory.path().join("none")).err().unwrap().exit_code(), 4);
}
