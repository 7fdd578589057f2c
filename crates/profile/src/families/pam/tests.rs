//! PAM's rules over Debian 12's stacks, and over those of others.

use hardtack_guest::pam::{Answer, Facility, Outcome, Step, can_succeed, steps, update};
use hardtack_guest::{MemoryTree, Set, Stage};

use crate::testing::{carry_out, look};
use crate::{Bench, Error, Finding, Settings, rules};

const HEAD: &str = "# here are the per-package modules (the \"Primary\" block)\n";
const MIDDLE: &str = "# here's the fallback if no module succeeds\n";
const LATE: &str = "# and here are more per-package modules (the \"Additional\" block)\n";
const END: &str = "# end of pam-auth-update config\n";

const UNIX: &str = "Name: Unix authentication
Default: yes
Priority: 256
Auth-Type: Primary
Auth:
\t[success=end default=ignore]\tpam_unix.so nullok try_first_pass
Auth-Initial:
\t[success=end default=ignore]\tpam_unix.so nullok
Account-Type: Primary
Account:
\t[success=end new_authtok_reqd=done default=ignore]\tpam_unix.so
Account-Initial:
\t[success=end new_authtok_reqd=done default=ignore]\tpam_unix.so
Session-Type: Additional
Session:
\trequired\tpam_unix.so
Session-Initial:
\trequired\tpam_unix.so
Password-Type: Primary
Password:
\t[success=end default=ignore]\tpam_unix.so obscure use_authtok try_first_pass yescrypt
Password-Initial:
\t[success=end default=ignore]\tpam_unix.so obscure yescrypt
";
const PWQUALITY: &str = "Name: Pwquality password strength checking
Default: yes
Priority: 1024
Conflicts: cracklib
Password-Type: Primary
Password:
\trequisite\t\t\tpam_pwquality.so retry=3
Password-Initial:
\trequisite\t\t\tpam_pwquality.so retry=3
";
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/security";

/// Debian's stacks as its installer leaves them, with these modules.
fn debian(modules: &[&str]) -> MemoryTree {
    let stack = |facility: &str, primary: &str, additional: &str| {
        format!(
            "# shared\n{HEAD}{primary}{MIDDLE}{facility}\trequisite\t\t\tpam_deny.so\n\
             {facility}\trequired\t\t\tpam_permit.so\n{LATE}{additional}{END}"
        )
    };
    let jump = "[success=1 default=ignore]";
    let mut tree = MemoryTree::new()
        .file("/usr/sbin/pam-auth-update", "#!/usr/bin/perl\n")
        .file("/usr/share/pam-configs/unix", UNIX)
        .file("/etc/pam.d/common-auth", stack("auth", &format!("auth\t{jump}\tpam_unix.so nullok\n"), ""))
        .file(
            "/etc/pam.d/common-account",
            stack("account", "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n", ""),
        )
        .file(
            "/etc/pam.d/common-password",
            stack("password", &format!("password\t{jump}\tpam_unix.so obscure yescrypt\n"), ""),
        )
        .file("/var/lib/pam/seen", "unix\n")
        .file("/var/lib/pam/auth", "Module: unix\n[success=end default=ignore]\tpam_unix.so nullok\n")
        .file(
            "/var/lib/pam/account",
            "Module: unix\n[success=end new_authtok_reqd=done default=ignore]\tpam_unix.so\n",
        )
        .file(
            "/var/lib/pam/password",
            "Module: unix\n[success=end default=ignore]\tpam_unix.so obscure yescrypt\n",
        )
        .file(&format!("{LIBRARY}/pam_unix.so"), "\0gost_yescrypt\0");
    for kind in ["session", "session-noninteractive"] {
        let text = stack(
            "session",
            "session\t[default=1]\t\t\tpam_permit.so\n",
            "session\trequired\tpam_unix.so \n",
        );
        let saved = "Module: null\n[default=1]\t\t\tpam_permit.so\nModule: unix\nrequired\tpam_unix.so\n";
        tree = tree
            .file(&format!("/etc/pam.d/common-{kind}"), text)
            .file(&format!("/var/lib/pam/{kind}"), saved);
    }
    modules.iter().fold(tree, |tree, module| tree.file(&format!("{LIBRARY}/{module}"), ""))
}

/// All rules of the family but those about packages.
fn ids() -> Vec<&'static str> {
    let of = ["pam-", "faillock-", "pwquality-", "pwhistory-", "unix-"];
    let ids = rules().iter().map(|rule| rule.id);
    let ours = ids.filter(|id| of.iter().any(|start| id.starts_with(start)));
    ours.filter(|id| !matches!(*id, "pam-packages" | "pam-pwquality-pkg")).collect()
}

fn lines(stage: &Stage<'_>, path: &str) -> Vec<String> {
    let text = stage.read_text(path).unwrap().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_stacks_are_those_that_the_tool_makes() {
    let tree = debian(&["pam_faillock.so", "pam_pwhistory.so", "pam_pwquality.so"])
        .file("/usr/share/pam-configs/pwquality", PWQUALITY)
        .file("/var/cache/cracklib/cracklib_dict.pwd", "");
    let ids = ids();
    let (before, after, mut stage) = carry_out(&tree, &Settings::default(), &ids);
    let wrong: Vec<_> =
        ids.iter().zip(&before).filter(|(_, found)| matches!(found, Finding::Fail { .. })).collect();
    assert_eq!(wrong.len(), 18, "{wrong:#?}");
    for (id, found) in ids.iter().zip(&after) {
        assert_eq!(*found, Finding::Pass, "{id}");
    }
    assert_eq!(
        lines(&stage, "/etc/pam.d/common-auth"),
        [
            "auth requisite pam_faillock.so preauth",
            "auth [success=2 default=ignore] pam_unix.so try_first_pass",
            "auth [default=die] pam_faillock.so authfail",
            "auth requisite pam_deny.so",
            "auth required pam_permit.so",
        ]
    );
    assert_eq!(lines(&stage, "/etc/pam.d/common-account")[0], "account required pam_faillock.so");
    assert_eq!(
        lines(&stage, "/etc/pam.d/common-password")[..3],
        [
            "password requisite pam_pwquality.so retry=3",
            "password requisite pam_pwhistory.so remember=24 enforce_for_root try_first_pass use_authtok",
            "password [success=1 default=ignore] pam_unix.so obscure use_authtok try_first_pass yescrypt",
        ]
    );
    // The package's profile is untouched, and the tool keeps what was taken out of its line.
    assert_eq!(stage.read_text("/usr/share/pam-configs/unix").unwrap().unwrap(), UNIX);
    let auth = stage.read_text("/etc/pam.d/common-auth").unwrap();
    assert_eq!(update(&mut stage, "unix").unwrap(), Outcome::Done);
    assert_eq!(stage.read_text("/etc/pam.d/common-auth").unwrap(), auth);
}

#[test]
fn use_authtok_only_where_a_module_before_asks() {
    let tree = debian(&["pam_faillock.so", "pam_pwhistory.so"]);
    let ids =
        ["pam-pwhistory-on", "pwhistory-remember", "pwhistory-root", "pwhistory-authtok", "unix-authtok"];
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert_eq!(
        lines(&stage, "/etc/pam.d/common-password")[..2],
        [
            "password requisite pam_pwhistory.so remember=24 enforce_for_root",
            "password [success=1 default=ignore] pam_unix.so obscure use_authtok try_first_pass yescrypt",
        ]
    );
    assert!(
        matches!(&after[3], Finding::Exception(why) if why.contains("every change would fail")),
        "{after:?}"
    );
    assert_eq!(after[4], Finding::Pass);

    let tree = MemoryTree::new()
        .file("/etc/pam.d/common-auth", "auth required pam_unix.so\n")
        .file("/etc/pam.d/common-password", "password requisite pam_pwhistory.so use_authtok\n");
    let found = look(&Stage::new(&tree), &Settings::default(), &["pwhistory-authtok"]);
    assert!(matches!(&found[0], Finding::Fail { why, .. } if why[0].contains("every change")), "{found:?}");
}

#[test]
fn what_no_rule_wants_any_more_goes() {
    let tree = debian(&["pam_faillock.so", "pam_pwhistory.so"]);
    let (_, _, mut stage) = carry_out(&tree, &Settings::default(), &["pam-faillock-on", "pam-pwhistory-on"]);
    let settings = Settings::default();
    Bench::new(&mut stage, &settings, 0, &[]).finish().unwrap();
    assert_eq!(
        lines(&stage, "/etc/pam.d/common-auth")[0],
        "auth [success=1 default=ignore] pam_unix.so nullok"
    );
    let left: Vec<_> = stage.edits().unwrap().into_iter().map(|edit| edit.path.to_string()).collect();
    assert!(!left.iter().any(|path| path.starts_with("/usr/share/pam-configs/hardtack")), "{left:?}");
}

#[test]
fn before_pam_1_4_it_is_pam_tally2() {
    let tree = debian(&["pam_tally2.so"]);
    let ids = ["pam-faillock-on", "faillock-deny", "faillock-unlock"];
    let (_, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert_eq!(after, [Finding::Pass, Finding::Pass, Finding::Pass]);
    assert_eq!(
        lines(&stage, "/etc/pam.d/common-auth")[0],
        "auth required pam_tally2.so deny=5 unlock_time=900"
    );
    assert_eq!(stage.stat("/etc/security/faillock.conf").unwrap(), None);
}

#[test]
fn a_stack_changed_by_hand_is_refused_by_name_and_what_holds_is_left() {
    let common = "auth\trequired\tpam_mine.so\n";
    let changed = |text: &str| {
        let tree = debian(&["pam_faillock.so"]);
        let old = Stage::new(&tree).read_text("/etc/pam.d/common-auth").unwrap().unwrap();
        tree.file("/etc/pam.d/common-auth", old.replace(HEAD, &format!("{HEAD}{text}")))
    };
    let tree = changed(common);
    let mut stage = Stage::new(&tree);
    let settings = Settings::default();
    let mut bench = Bench::new(&mut stage, &settings, 0, &[]);
    crate::rule("pam-faillock-on").unwrap().measure.apply(&mut bench).unwrap();
    let Err(Error::Refused { what, hint, .. }) = bench.finish() else { panic!() };
    assert!(what.starts_with("/etc/pam.d/common-auth:3: this line was edited by hand"), "{what}");
    assert!(hint.contains("pam-auth-update --force"));

    // The same lock, made by hand.
    let text = "auth required pam_faillock.so preauth\nauth [success=2 default=ignore] pam_unix.so\nauth [default=die] \
                pam_faillock.so authfail\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    let tree = debian(&["pam_faillock.so"]).file("/etc/pam.d/common-auth", text).file(
        "/etc/pam.d/common-account",
        "account required pam_faillock.so\naccount required pam_unix.so\n",
    );
    let (before, after, stage) = carry_out(&tree, &settings, &["pam-faillock-on"]);
    assert_eq!((&before[0], &after[0]), (&Finding::Pass, &Finding::Pass));
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn a_lock_that_locks_nobody_fails() {
    let settings = Settings::default();
    let found = |auth: &str, account: &str| {
        let tree =
            MemoryTree::new().file("/etc/pam.d/common-auth", auth).file("/etc/pam.d/common-account", account);
        let mut found = look(&Stage::new(&tree), &settings, &["pam-faillock-on"]);
        match found.remove(0) {
            Finding::Fail { why, .. } => why.join("\n"),
            other => format!("{other:?}"),
        }
    };
    let account = "account required pam_faillock.so\n";
    let unix = "auth [success=2 default=ignore] pam_unix.so\n";
    let end = "auth [default=die] pam_faillock.so authfail\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
    let good = format!("auth requisite pam_faillock.so preauth\n{unix}{end}");
    assert_eq!(found(&good, account), "Pass");
    assert!(found(&good, "account required pam_unix.so\n").contains("takes the count back"));
    let optional = format!("auth optional pam_faillock.so preauth\n{unix}{end}");
    assert!(found(&optional, account).contains("gets through all the same"));
    let late = format!("{unix}{end}");
    assert!(found(&late, account).contains("only behind pam_unix"));
    assert!(
        found("bad\\", account).contains("pam.d/common-auth") || !found("bad\\", account).contains("Pass")
    );
}

#[test]
fn the_main_file_of_pwquality_has_the_last_word() {
    let tree = debian(&[])
        .file("/etc/security/pwquality.conf", "# minlen = 8\nminlen = 9\ndcredit = -1\n")
        .file("/etc/security/pwquality.conf.d/10-x.conf", "minlen = 20\n");
    let settings = Settings::default();
    let before = look(&Stage::new(&tree), &settings, &["pwquality-minlen"]);
    let Finding::Fail { why, places } = &before[0] else { panic!("{before:?}") };
    assert_eq!(why[0], "minlen is 9; 14 or more is wanted");
    assert_eq!((places[0].path.as_str(), places[0].line), ("/etc/security/pwquality.conf", Some(2)));
    let (_, after, stage) = carry_out(&tree, &settings, &["pwquality-minlen", "pwquality-root"]);
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    let main = stage.read_text("/etc/security/pwquality.conf").unwrap().unwrap();
    assert_eq!(main, "# minlen = 8\nminlen = 14\ndcredit = -1\n");
}

#[test]
fn until_there_is_a_dictionary_it_is_not_asked() {
    let drop_in = super::quality::DROP_IN;
    let tree = debian(&["pam_pwquality.so"])
        .file("/var/lib/hardtack/packages/cracklib-runtime_2.9.6-5+b1_amd64.deb", "");
    let settings = Settings::default();
    let (_, after, stage) = carry_out(&tree, &settings, &["pwquality-dict", "pwquality-root"]);
    assert!(matches!(after[0], Finding::FirstBoot(_)), "{after:?}");
    let text = stage.read_text(drop_in).unwrap().unwrap();
    assert!(text.contains("dictcheck = 0\n"), "{text}");
    let script = stage.read_text(crate::first_boot::SCRIPT).unwrap().unwrap();
    assert!(script.contains("\nlook pwquality-dict rule_pwquality_dict\n"), "{script}");
    // The machine has made it, and the script did the rest: there is nothing left to do.
    let there = tree.clone().file("/var/cache/cracklib/cracklib_dict.pwd", "");
    let lived = there.clone().file(drop_in, text.replace("= 0", "= 1"));
    let (before, _, stage) = carry_out(&lived, &settings, &["pwquality-dict", "pwquality-root"]);
    assert_eq!(before[0], Finding::Pass);
    assert_eq!(stage.read_text(drop_in).unwrap().unwrap(), text.replace("= 0", "= 1"));
    // It made none; and nobody looked, though it is there.
    let failed =
        tree.file(drop_in, text.as_str()).file("/var/lib/hardtack/profile.tsv", "pwquality-dict\tfail\tno\n");
    for tree in [failed, there.file(drop_in, text)] {
        let finding = &look(&Stage::new(&tree), &settings, &["pwquality-dict"])[0];
        assert!(matches!(finding, Finding::Fail { .. }), "{finding:?}");
    }
}

#[test]
fn authselect_is_left_to_the_first_boot() {
    let stack = "auth sufficient pam_unix.so nullok\nauth required pam_deny.so\naccount required pam_unix.so\n\
                 password sufficient pam_unix.so sha512\nsession required pam_unix.so\n";
    let tree = MemoryTree::new()
        .file("/usr/bin/authselect", "")
        .file("/etc/pam.d/system-auth", stack)
        .file("/etc/pam.d/password-auth", stack)
        .file(&format!("{LIBRARY}/pam_faillock.so"), "");
    let ids = ["pam-faillock-on", "unix-nullok", "unix-hash", "faillock-deny", "pam-unix-on"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert!(matches!(&after[0], Finding::FirstBoot(what) if what.contains("with-faillock")), "{after:?}");
    assert!(matches!(&after[1], Finding::FirstBoot(what) if what.contains("without-nullok")), "{after:?}");
    assert_eq!(after[2..], [Finding::Pass, Finding::Pass, Finding::Pass]);
    assert_eq!(stage.read_text("/etc/pam.d/system-auth").unwrap().unwrap(), stack);

    let nothing = MemoryTree::new();
    let found = look(&Stage::new(&nothing), &Settings::default(), &ids);
    assert!(found.iter().all(|found| matches!(found, Finding::NotApplicable(_))), "{found:?}");
}

#[test]
fn a_one_time_code_behind_the_stack_is_asked_all_the_same() {
    let tree = debian(&["pam_faillock.so"]);
    let (_, _, mut stage) = carry_out(&tree, &Settings::default(), &["pam-faillock-on", "unix-nullok"]);
    let sshd = "@include common-auth\nauth required pam_google_authenticator.so noskewadj\n";
    stage.write("/etc/pam.d/sshd", sshd, Set::default()).unwrap();
    let asked = steps(&stage, "sshd", Facility::Auth).unwrap();
    let gets_in = |wrong: &[&str]| {
        can_succeed(&asked, |step| match step.module.as_str() {
            "pam_deny.so" => vec![Answer::Failure],
            module if wrong.contains(&module) => vec![Answer::Failure],
            "pam_faillock.so" if step.arguments == ["authfail"] => vec![Answer::Failure, Answer::Success],
            _ => vec![Answer::Success],
        })
    };
    assert!(gets_in(&[]));
    for wrong in ["pam_unix.so", "pam_google_authenticator.so", "pam_faillock.so"] {
        assert!(!gets_in(&[wrong]), "{wrong}");
    }
    // A wrong code is not counted: the line that counts stands before the one that asks.
    let line = |what: &dyn Fn(&Step) -> bool| asked.iter().position(what).unwrap();
    assert!(line(&|step| step.arguments == ["authfail"]) < line(&|step| step.module.contains("google")));
}

#[test]
fn a_one_time_code_that_may_be_left_out_is_none() {
    let with = |line: &str| {
        MemoryTree::new()
            .file("/etc/pam.d/sshd", format!("@include common-auth\n{line}"))
            .file("/etc/pam.d/common-auth", "auth required pam_unix.so\n")
    };
    let judge = |tree: &MemoryTree| look(&Stage::new(tree), &Settings::default(), &["mfa-google"]).remove(0);
    assert_eq!(judge(&with("auth required pam_google_authenticator.so noskewadj\n")), Finding::Pass);
    for line in ["", "auth required pam_google_authenticator.so nullok\n"] {
        assert!(matches!(judge(&with(line)), Finding::Fail { .. }), "{line}");
    }
}

#[test]
fn a_stack_that_lets_everybody_through_is_no_stack() {
    let tree = |sshd: &str, password: &str| {
        let mut tree =
            MemoryTree::new().file("/etc/pam.d/sshd", format!("{sshd}@include common-auth\n")).file(
                "/etc/pam.d/common-password",
                format!("{password}password requisite pam_unix.so yescrypt\n"),
            );
        for (service, kind) in
            [("common-auth", "auth"), ("common-account", "account"), ("common-session", "session")]
        {
            tree = tree.file(&format!("/etc/pam.d/{service}"), format!("{kind} required pam_unix.so\n"));
        }
        tree
    };
    let judge = |tree: &MemoryTree| look(&Stage::new(tree), &Settings::default(), &["pam-unix-on"]).remove(0);
    assert_eq!(judge(&tree("", "")), Finding::Pass);
    for (sshd, password, file) in [
        ("auth sufficient pam_permit.so\n", "", "/etc/pam.d/sshd"),
        ("", "password [success=done default=ignore] pam_permit.so\n", "/etc/pam.d/common-password"),
    ] {
        let Finding::Fail { places, .. } = judge(&tree(sshd, password)) else { panic!("{file}") };
        assert_eq!((places[0].path.as_str(), places[0].line), (file, Some(1)));
    }
}
