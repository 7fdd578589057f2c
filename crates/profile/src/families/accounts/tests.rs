//! Accounts as Debian 12 leaves them, and traps.
#![allow(clippy::print_stderr)]

use std::process::Command;

use hardtack_guest::{MemoryTree, Stage};

use crate::testing::{carry_out, look};
use crate::{Finding, Settings, rules};

const DEFS: &str = "# PASS_MAX_DAYS	1\nUMASK		022\nPASS_MAX_DAYS	99999\nPASS_MIN_DAYS	0\nPASS_WARN_AGE	7\n\
                    ENCRYPT_METHOD SHA512\n#SHA_CRYPT_MIN_ROUNDS 5000\n#YESCRYPT_COST_FACTOR 5\n";
/// `boss` has a password, `keys` only keys.
const SHADOW: &str = "root:*:20779:0:99999:7:::\nboss:$y$j9T$abc$def:19000:0:99999:7:::\nkeys:!:20779:0:99999:7:::\n\
                      new:$6$abc$def::0:99999:7:::\n";

fn debian() -> MemoryTree {
    MemoryTree::new()
        .file("/etc/login.defs", DEFS)
        .file("/etc/default/useradd", "# INACTIVE=-1\nSHELL=/bin/sh\n")
        .file("/etc/shadow", SHADOW)
        .file("/etc/profile", "if [ \"$PS1\" ]; then umask 022; fi\n")
        .file("/etc/bash.bashrc", "[ -z \"$PS1\" ] && return\n")
        .file("/root/.bashrc", "# umask 022\n  umask 022\numask 077\n")
        .file("/etc/shells", "# shells\n/bin/sh\n/usr/sbin/nologin\n")
        .file("/usr/sbin/chpasswd", "NONE DES SHA512 YESCRYPT")
}

fn ids() -> Vec<&'static str> {
    let ids = rules().iter().map(|rule| rule.id);
    let of = ["pass-", "umask-", "tmout", "nologin-", "root-locked", "securetty", "sulogin"];
    ids.filter(|id| of.iter().any(|start| id.starts_with(start))).collect()
}

#[test]
fn files_are_changed_line_by_line_and_accounts_without_a_password_stay() {
    let tree = debian();
    let ids = ids();
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let failed: Vec<_> = ids
        .iter()
        .zip(&before)
        .filter(|(_, found)| matches!(found, Finding::Fail { .. }))
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(
        failed,
        [
            "pass-max-days",
            "pass-min-days",
            "pass-rounds",
            "pass-inactive",
            "pass-change-past",
            "umask-login-defs",
            "umask-profile",
            "umask-root",
            "tmout",
            "nologin-shells"
        ]
    );
    for (id, found) in ids.iter().zip(&after).filter(|(id, _)| **id != "securetty") {
        assert_eq!(*found, Finding::Pass, "{id}");
    }
    let text = |path: &str| stage.read_text(path).unwrap().unwrap();
    assert_eq!(
        text("/etc/login.defs"),
        "# PASS_MAX_DAYS	1\nUMASK	027\nPASS_MAX_DAYS	365\nPASS_MIN_DAYS	1\nPASS_WARN_AGE	7\nENCRYPT_METHOD	YESCRYPT\n\
         #SHA_CRYPT_MIN_ROUNDS 5000\n#YESCRYPT_COST_FACTOR 5\nSHA_CRYPT_MIN_ROUNDS	65536\nYESCRYPT_COST_FACTOR	6\n"
    );
    assert_eq!(
        text("/etc/shadow"),
        "root:*:20779:0:99999:7:::\nboss:$y$j9T$abc$def:19000:0:365:7:45::\nkeys:!:20779:0:99999:7:::\n\
         new:$6$abc$def:19675:0:365:7:45::\n"
    );
    assert_eq!(text("/root/.bashrc"), "# umask 022\n  umask 027\numask 077\n");
    assert_eq!(text("/etc/shells"), "# shells\n/bin/sh\n");
    assert_eq!(text("/etc/bash.bashrc"), "[ -z \"$PS1\" ] && return\n");
}

#[test]
fn bashrc_is_written_only_for_checkers() {
    let settings = Settings { checker_friendly: true, ..Settings::default() };
    let tree = debian();
    let (_, after, stage) = carry_out(&tree, &settings, &["umask-profile"]);
    assert_eq!(after, [Finding::Pass]);
    assert!(stage.read_text("/etc/bash.bashrc").unwrap().unwrap().ends_with("return\numask 027\n"));
}

#[test]
fn a_time_out_of_somebody_elses_stays_and_is_judged() {
    let settings = Settings::default();
    for (text, wanted) in [
        ("declare -xr TMOUT=600\n", "Pass"),
        ("TMOUT=600\nreadonly TMOUT\nexport TMOUT\n", "Pass"),
        ("readonly TMOUT=900 ; export TMOUT\n", "Pass"),
        ("export TMOUT=600\n", "TMOUT is not readonly"),
        ("TMOUT=1200; readonly TMOUT; export TMOUT\n", "more than 900"),
        ("TMOUT=0; readonly TMOUT; export TMOUT\n", "is no time"),
        ("# TMOUT=600\n", "Pass"),
    ] {
        let tree = debian().file("/etc/profile.d/tmout.sh", text);
        let (_, after, stage) = carry_out(&tree, &settings, &["tmout"]);
        match &after[0] {
            Finding::Fail { why, .. } => assert!(why[0].contains(wanted), "{text}: {why:?}"),
            found => assert_eq!((found, wanted), (&Finding::Pass, "Pass"), "{text}"),
        }
        let ours = stage.stat("/etc/profile.d/60-hardtack.sh").unwrap().is_some();
        assert_eq!(ours, text.starts_with('#'), "{text}");
    }
    let tree = debian().file("/etc/profile.d/a.sh", "TMOUT=9\n").file("/etc/profile.d/b.sh", "TMOUT=9\n");
    let found = look(&Stage::new(&tree), &settings, &["tmout"]);
    assert!(
        matches!(&found[0], Finding::Fail { why, .. } if why.iter().any(|why| why.contains("second place")))
    );
}

#[test]
fn a_later_umask_counts_in_every_form() {
    let settings = Settings::default();
    for (text, wanted) in [
        ("umask 0077", true),
        ("umask 002", false),
        ("umask -S u=rwx,g=rx,o=", true),
        ("umask u=rwx,g=rwx,o=", false),
    ] {
        let tree = MemoryTree::new().file("/etc/profile", "umask 027\n").file("/etc/profile.d/x.sh", text);
        let found = look(&Stage::new(&tree), &settings, &["umask-profile"]);
        assert_eq!(found[0] == Finding::Pass, wanted, "{text}: {found:?}");
    }
}

#[test]
fn real_shells_take_the_file_twice() {
    let tree = debian();
    let (_, _, stage) = carry_out(&tree, &Settings::default(), &["umask-profile", "tmout"]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("profile.sh");
    std::fs::write(&path, stage.read_text("/etc/profile.d/60-hardtack.sh").unwrap().unwrap()).unwrap();
    for shell in ["bash", "dash"] {
        let script = format!(
            ". {0}; . {0}; env | grep TMOUT; umask; (unset TMOUT) 2>/dev/null || echo fixed",
            path.display()
        );
        let Ok(output) = Command::new(shell).env_remove("TMOUT").arg("-c").arg(script).output() else {
            eprintln!("SKIPPED: {shell} is not there");
            continue;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout), "TMOUT=900\n0027\nfixed\n", "{shell}");
        assert!(output.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn weak_and_missing_passwords_of_root_are_told() {
    for (field, wanted) in
        [("", "needs no password"), ("$1$a$b", "weak hash"), ("abcdefghijklm", "weak hash")]
    {
        let tree = MemoryTree::new().file("/etc/shadow", format!("root:{field}:20000:0:99999:7:::\n"));
        let found = look(&Stage::new(&tree), &Settings::default(), &["root-locked"]);
        assert!(matches!(&found[0], Finding::Fail { why, .. } if why[0].contains(wanted)), "{found:?}");
    }
}

#[test]
fn terminals_of_root_where_somebody_asks() {
    let tree = MemoryTree::new()
        .file("/etc/pam.d/login", "auth required pam_securetty.so\n")
        .file("/etc/securetty", "tty1\nttyS0\npts/0\n");
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &["securetty"]);
    assert!(matches!(&before[0], Finding::Fail { why, .. } if why == &["pts/0 is no console"]));
    assert_eq!(after, [Finding::Pass]);
    assert_eq!(stage.read_text("/etc/securetty").unwrap().unwrap(), "tty1\nttyS0\n");
    let tree = MemoryTree::new().file(
        "/etc/systemd/system/rescue.service.d/x.conf",
        "[Service]\nEnvironment=\"SYSTEMD_SULOGIN_FORCE=1\"\n",
    );
    let found = look(&Stage::new(&tree), &Settings::default(), &["sulogin"]);
    assert!(matches!(&found[0], Finding::Fail { .. }));
}
