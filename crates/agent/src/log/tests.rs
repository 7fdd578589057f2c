#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::execute::testing::map;
use crate::testing::{Tree, is_root};

fn quiet(log: &Log, host: &Host, output: &str) {
    log.configure(host, &map(&format!("output: {output}")), "final");
}

#[test]
fn words_come_behind_what_programs_printed_before() {
    let tree = Tree::new();
    let host = tree.host();
    let log = Log::open(&host);
    quiet(&log, &host, "{final: ['>> /out', '> /err']}");
    let (mut out, mut error) = log.writers().unwrap();
    out.write_all(b"program\n").unwrap();
    error.write_all(b"complaint\n").unwrap();
    log.output(b"agent\n");
    assert_eq!(tree.read("out"), "program\nagent\n");
    assert_eq!(tree.read("err"), "complaint\n");
    // The same again changes nothing; something else does, and > begins anew.
    quiet(&log, &host, "{final: ['>> /out', '> /err']}");
    out.write_all(b"more\n").unwrap();
    quiet(&log, &host, "{final: '> /out'}");
    assert_eq!(tree.read("out"), "");
    log.warn("careful");
    assert_eq!(tree.read("out"), "hardtack: WARNING: careful\n");
    assert_eq!(log.told(), [("WARNING", "careful".to_owned())]);
    assert!(tree.read("var/log/cloud-init.log").contains("agent[WARNING]: careful"));
}

#[test]
fn what_a_line_quotes_moves_no_cursor() {
    let tree = Tree::new();
    let host = tree.host();
    let log = Log::open(&host);
    quiet(&log, &host, "{final: '> /out'}");
    log.warn("`\u{1b}[2J\u{0}\u{9b}x` is odd\nagent[ERROR]: forged\n");
    assert_eq!(tree.read("out"), "hardtack: WARNING: `?[2J??x` is odd agent[ERROR]: forged\n");
    let file = tree.read("var/log/cloud-init.log");
    assert!(file.ends_with("agent[WARNING]: `?[2J??x` is odd agent[ERROR]: forged\n"), "{file}");
}

#[test]
fn secrets_of_the_configuration_are_in_no_line() {
    let tree = Tree::new();
    let host = tree.host();
    let log = Log::open(&host);
    log.configure(
        &host,
        &map("output: {all: '>> /out'}\npassword: open-sesame\nusers: [{name: joe, passwd: '$6$ab$cdefgh'}]"),
        "final",
    );
    log.info("said open-sesame");
    log.warn("said open-sesame");
    log.error("hash $6$ab$cdefgh");
    let told: String = log.told().into_iter().map(|(_, text)| text).collect();
    for text in [told, tree.read("out"), tree.read("var/log/cloud-init.log")] {
        assert!(!text.contains("sesame") && !text.contains("cdefgh"), "{text}");
        assert!(text.contains("said <redacted>"), "{text}");
    }
}

#[test]
fn the_logs_are_for_the_group_adm() {
    if !is_root() {
        return;
    }
    let tree = Tree::new()
        .file("etc/group", "root:x:0:\nadm:x:4321:\n")
        .file("etc/passwd", "root:x:0:0::/root:/bin/sh\nsyslog:x:4444:4444::/:/bin/false\n");
    let host = tree.host();
    let log = Log::open(&host);
    for path in ["var/log/cloud-init.log", "var/log/cloud-init-output.log"] {
        let found = tree.metadata(path);
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o640, 0, 4321), "{path}");
    }
    log.configure(&host, &map("syslog_fix_perms: ['nobody-here:adm', 'syslog:adm', 'root:root']"), "init");
    assert_eq!(tree.metadata("var/log/cloud-init.log").uid(), 4444);
    drop(log);
    // What somebody has made stricter stays so; what is wider becomes narrower.
    for (mode, expected) in [(0o600, 0o600), (0o666, 0o640)] {
        let path = host.path("/var/log/cloud-init.log");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        drop(Log::open(&host));
        assert_eq!(tree.metadata("var/log/cloud-init.log").mode() & 0o7777, expected);
    }
}

#[test]
fn the_console_alone_sees_what_no_log_may_hold() {
    let tree = Tree::new().file("dev/console", "");
    let host = tree.host();
    let log = Log::open(&host);
    quiet(&log, &host, "{final: '>> /out'}");
    assert!(log.console(b"secret\n"));
    assert_eq!(tree.read("dev/console"), "secret\n");
    log.console_or_output(b"table\n");
    assert_eq!(tree.read("out"), "");
    fs::remove_file(host.path("/dev/console")).unwrap();
    assert!(!log.console(b"secret\n"));
    log.console_or_output(b"table\n");
    assert_eq!(tree.read("out"), "table\n");
}

#[test]
fn what_goes_on_in_the_background_can_still_be_heard() {
    let tree = Tree::new();
    let host = tree.host();
    let log = Log::open(&host);
    quiet(&log, &host, "{final: '>> /out'}");
    let (mut out, error) = log.writers().unwrap();
    drop(error);
    drop(log);
    // Without a reader this would fail.
    out.write_all(b"later\n").unwrap();
    drop(out);
    let started = std::time::Instant::now();
    while tree.read("out") != "later\n" {
        assert!(started.elapsed() < Duration::from_secs(30), "{}", tree.read("out"));
        std::thread::sleep(Duration::from_millis(5));
    }
}
