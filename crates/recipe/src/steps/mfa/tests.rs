#![allow(clippy::unwrap_used)]
//! The step on small trees that look like Debian's.

use hardtack_guest::{MemoryTree, Stage};

use super::*;
use crate::model::{MatchPolicy, SshdStep};

const MAIN: &str = "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n";
const COMMON: &str = "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\tpam_deny.so\nauth\trequired\tpam_permit.so\n";
pub(super) const SSHD: &str =
    "@include common-auth\naccount required pam_nologin.so\n@include common-account\n";
const LOGIN: &str = "auth optional pam_faildelay.so delay=3000000\nauth requisite pam_nologin.so\n@include common-auth\nauth optional pam_group.so\n";
const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-hardtack.conf";

pub(super) fn debian(version: &str) -> MemoryTree {
    MemoryTree::new()
        .file(
            "/var/lib/dpkg/status",
            format!("Package: openssh-server\nStatus: install ok installed\nVersion: {version}\n\n"),
        )
        .file("/etc/ssh/sshd_config", MAIN)
        .file("/etc/pam.d/common-auth", COMMON)
        .file("/etc/pam.d/common-account", "account required pam_permit.so\n")
        .file("/etc/pam.d/sshd", SSHD)
        .file("/etc/pam.d/login", LOGIN)
        .file("/etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n")
        .file("/usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "")
}

pub(super) fn step() -> MfaStep {
    MfaStep { users: vec!["debian".into()], ..MfaStep::default() }
}

/// The text of a file after the step, or the step's error.
fn run(tree: &MemoryTree, step: &MfaStep, path: &str) -> Result<String, String> {
    let mut stage = Stage::new(tree);
    let mut cx = Context::for_tests(&mut stage);
    for _ in 0..2 {
        apply(step, &mut cx).map_err(|error| error.to_string())?;
    }
    Ok(stage.read_text(path).unwrap().unwrap_or_default())
}

#[test]
fn all_three_factors_on_debian_12() {
    let text = run(&debian("1:9.2p1-2+deb12u5"), &step(), DROP_IN).unwrap();
    let wanted = "# hardtack: section mfa\nUsePAM yes\nKbdInteractiveAuthentication yes\nChallengeResponseAuthentication yes\n\
                  PubkeyAuthentication yes\nPasswordAuthentication no\nPermitEmptyPasswords no\n\
                  AuthenticationMethods publickey,keyboard-interactive\n";
    assert!(text.ends_with(wanted), "{text}");
    let pam = run(&debian("1:9.2p1-2"), &step(), "/etc/pam.d/sshd").unwrap();
    assert_eq!(
        pam,
        "@include common-auth\n# hardtack: begin\nauth required pam_google_authenticator.so noskewadj\n# hardtack: end\n\
         account required pam_nologin.so\n@include common-account\n"
    );
    assert_eq!(run(&debian("1:9.2p1-2"), &step(), "/etc/pam.d/common-auth").unwrap(), COMMON);
}

#[test]
fn every_choice_settles_its_files() {
    let change = |edit: fn(&mut MfaStep)| {
        let mut step = step();
        edit(&mut step);
        step
    };
    let two = |factors: [Factor; 2]| MfaStep { factors: factors.to_vec(), ..step() };
    for (step, path, wanted) in [
        (
            two([Factor::Publickey, Factor::Totp]),
            "/etc/pam.d/sshd",
            "# hardtack: was: @include common-auth\nauth required pam_google",
        ),
        (
            two([Factor::Publickey, Factor::Totp]),
            DROP_IN,
            "AuthenticationMethods publickey,keyboard-interactive\n",
        ),
        (two([Factor::Password, Factor::Totp]), DROP_IN, "AuthenticationMethods keyboard-interactive\n"),
        (
            two([Factor::Password, Factor::Totp]),
            "/etc/pam.d/sshd",
            "@include common-auth\n# hardtack: begin\nauth required",
        ),
        (
            change(|s| s.others = Others::Publickey),
            DROP_IN,
            "# hardtack: section match\nMatch User *,!debian\n    AuthenticationMethods publickey\n",
        ),
        (
            step(),
            "/etc/pam.d/login",
            "@include common-auth\n# hardtack: begin\nauth required pam_google_authenticator.so noskewadj\n",
        ),
        (
            change(|s| s.console = Console::Locked),
            "/etc/pam.d/login",
            "# hardtack: begin\nauth requisite pam_deny.so\naccount requisite",
        ),
        (change(|s| s.console = Console::Password), "/etc/pam.d/login", LOGIN),
        (
            change(|s| s.scope = Scope::Login),
            "/etc/pam.d/common-auth",
            "auth\trequisite\t\t\tpam_unix.so nullok\nauth\trequisite\t\t\tpam_google_authenticator.so noskewadj\nauth\t[success=1 default=ignore]\tpam_permit.so\nauth\trequisite\tpam_deny.so\n",
        ),
        (change(|s| s.scope = Scope::Login), "/etc/pam.d/sshd", SSHD),
    ] {
        let text = run(&debian("1:9.2p1-2"), &step, path).unwrap();
        assert!(text.contains(wanted), "{path}: {text}");
    }
}

#[test]
fn doors_are_told() {
    let tree = debian("1:9.2p1-2")
        .file("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n")
        .file(
            "/etc/cloud/cloud.cfg",
            "system_info:\n  default_user:\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n",
        )
        .file("/boot/grub/grub.cfg", "menuentry x {}\n")
        .file("/etc/pam.d/cockpit", SSHD)
        .file("/etc/pam.d/vsftpd.distrib", SSHD)
        .file("/var/lib/dpkg/diversions", "/etc/pam.d/vsftpd\n/etc/pam.d/vsftpd.distrib\n:\n");
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    let step = MfaStep { console: Console::Password, others: Others::Publickey, ..step() };
    apply(&step, &mut cx).unwrap();
    for wanted in [
        "console logins",
        "su asks",
        "sudo asks cloud-init's user for nothing",
        "GRUB's editor",
        "not listed",
        "cockpit (PAM service)",
    ] {
        assert!(cx.agent.doors.iter().any(|door| door.contains(wanted)), "{wanted}: {:?}", cx.agent.doors);
        assert!(cx.notes.iter().any(|note| note.text.contains(wanted)), "{wanted}: {:?}", cx.notes);
    }
    assert!(cx.agent.doors.iter().all(|door| door.chars().count() <= 78));
    // What closes it is told who builds, and not on the console.
    let sudo = cx.notes.iter().find(|note| note.text.contains("sudo asks")).unwrap();
    assert!(sudo.text.ends_with("; write `sudo: \"ALL=(ALL:ALL) ALL\"` in the step `user`"), "{sudo:?}");
    assert!(!cx.agent.doors.iter().any(|door| door.contains("step `user`")), "{:?}", cx.agent.doors);
    // What a diversion put aside is no service.
    assert!(!cx.agent.doors.iter().any(|door| door.contains(".distrib")), "{:?}", cx.agent.doors);
    assert_eq!(cx.agent.mfa.unwrap().others, "publickey");
}

#[test]
fn what_weakens_is_refused_by_file_and_line() {
    let base = || debian("1:9.2p1-2");
    let block =
        |lines: &str| base().file("/etc/ssh/sshd_config", format!("{MAIN}Match User backup\n{lines}"));
    for (tree, wanted) in [
        (block("    AuthenticationMethods publickey\n"), "/etc/ssh/sshd_config:5"),
        (block("AuthenticationMethods any\n"), "stops sshd from starting"),
        (block("KbdInteractiveAuthentication no\n"), "sshd_config:5"),
        (block("ChallengeResponseAuthentication no\n"), "sshd_config:5"),
        (block("PermitRootLogin yes\n"), "sshd_config:5"),
        (block("AuthorizedKeysFile /tmp/keys\n"), "sshd_config:5"),
        (block("AuthorizedKeysCommand /bin/evil\n"), "sshd_config:5"),
        (base().file("/etc/ssh/sshd_config.d/00-aaa.conf", "UsePAM no\n"), "00-aaa.conf:1"),
        (
            base().file("/etc/ssh/sshd_config.d/90-x.conf", "Match all\nAuthenticationMethods publickey\n"),
            "90-x.conf:2",
        ),
        (
            base().file("/etc/ssh/sshd_config.d/90-x.conf", "\nUsePAM maybe\n"),
            "90-x.conf:2: UsePAM: \"maybe\"",
        ),
        (base().file("/etc/ssh/sshd_config.d/90-x.conf", "Frobnicate yes\n"), "90-x.conf:1: OpenSSH 9.2"),
        (
            base().file("/etc/ssh/sshd_config.d/90-x.conf", "Match host=*.x AuthorizedKeysFile\n"),
            "90-x.conf:1",
        ),
        (
            base().file("/etc/ssh/sshd_config.d/90-x.conf", "Match all User bob\n"),
            "90-x.conf:1: Match: \"all\"",
        ),
        (
            base().file("/etc/ssh/sshd_config.d/90-x.conf", "\nInclude /etc/ssh/sshd_config.d/*.conf\n"),
            "90-x.conf:2: Include",
        ),
        // The line of the image, not the one behind our own at the top.
        (
            base().file("/etc/ssh/sshd_config", "Port 22\nMatch User x\nPermitRootLogin yes\n"),
            "/etc/ssh/sshd_config:3: PermitRootLogin yes in the block \"Match User x\" (/etc/ssh/sshd_config:2)",
        ),
        (base().file("/etc/default/ssh", "SSHD_OPTS=-oAuthenticationMethods=none\n"), "/etc/default/ssh:1"),
        (
            base().file("/etc/pam.d/su", "auth required pam_google_authenticator.so nullok\n"),
            "/etc/pam.d/su:1",
        ),
        (base().file("/etc/pam.d/common-auth", "auth sufficient pam_unix.so\n"), "common-auth:1"),
        (
            base().file(
                "/etc/pam.d/common-auth",
                format!("auth [success=4 default=ignore] pam_rootok.so\n{COMMON}"),
            ),
            "common-auth:1",
        ),
        (
            base().file(
                "/etc/pam.d/sshd",
                format!("auth required pam_google_authenticator.so noskewadj secret=/x\n{SSHD}"),
            ),
            "/etc/pam.d/sshd:1",
        ),
        (base().file("/etc/pam.d/sshd", "account required pam_nologin.so\n"), "/etc/pam.d/sshd"),
        (base().file("/etc/pam.d/sshd", "auth required pam_permit.so\n"), "no password"),
        (debian("1:5.9p1-5ubuntu1"), "6.2"),
        (debian("1:9.2p1-2").file("/var/lib/dpkg/status", ""), "no openssh-server"),
    ] {
        let error = run(&tree, &step(), DROP_IN).expect_err(wanted);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    let without = MemoryTree::new().file(
        "/var/lib/dpkg/status",
        "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2\n",
    );
    assert!(run(&without, &step(), DROP_IN).unwrap_err().contains("neither in the image"));
}

#[test]
fn harmless_blocks_stay_and_override_switches_the_others_off() {
    let text = format!(
        "{MAIN}Match Group sftp\n    ChrootDirectory /srv\n    ForceCommand internal-sftp\n    PasswordAuthentication no\n"
    );
    let tree = debian("1:9.2p1-2").file("/etc/ssh/sshd_config", &text);
    assert_eq!(run(&tree, &step(), "/etc/ssh/sshd_config").unwrap(), text);

    let text =
        format!("{MAIN}Match User backup\n    AuthenticationMethods publickey\n    X11Forwarding no\n");
    let tree = debian("1:9.2p1-2").file("/etc/ssh/sshd_config", text);
    let step = MfaStep { match_blocks: MatchPolicy::Override, ..step() };
    let found = run(&tree, &step, "/etc/ssh/sshd_config").unwrap();
    assert!(
        found.ends_with(
            "Match User backup\n# hardtack: override: AuthenticationMethods publickey\n    X11Forwarding no\n"
        ),
        "{found}"
    );
}

#[test]
fn a_hand_written_line_without_noskewadj_is_put_right() {
    let tree = debian("1:9.2p1-2")
        .file("/etc/pam.d/sshd", "@include common-auth\nauth required pam_google_authenticator.so\n");
    assert_eq!(
        run(&tree, &step(), "/etc/pam.d/sshd").unwrap(),
        "@include common-auth\n# hardtack: begin\n# hardtack: was: auth required pam_google_authenticator.so\n\
         auth required pam_google_authenticator.so noskewadj\n# hardtack: end\n"
    );
    let good = "@include common-auth\nauth required pam_google_authenticator.so noskewadj\n";
    let tree = debian("1:9.2p1-2").file("/etc/pam.d/sshd", good);
    assert_eq!(run(&tree, &step(), "/etc/pam.d/sshd").unwrap(), good);
}

#[test]
fn the_sshd_step_shares_the_drop_in_and_contradicts_nobody() {
    let tree = debian("1:9.2p1-2");
    let sshd = |directives: &[(&str, &str)]| SshdStep {
        directives: directives.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        match_blocks: MatchPolicy::Refuse,
    };
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    let good = sshd(&[("permitrootlogin", "no"), ("MaxAuthTries", "4"), ("PasswordAuthentication", "no")]);
    for _ in 0..2 {
        crate::steps::sshd::apply(&good, Some(&step()), &mut cx).unwrap();
        apply(&step(), &mut cx).unwrap();
    }
    let text = cx.stage.read_text(DROP_IN).unwrap().unwrap();
    assert!(text.ends_with("# hardtack: section sshd\nPermitRootLogin no\nMaxAuthTries 4\n"), "{text}");
    for (directives, wanted) in [
        (&[("PasswordAuthentication", "yes")][..], "contradicts"),
        (&[("ChallengeResponseAuthentication", "no")], "contradicts"),
        (&[("PermitRootLogn", "no")], "no directive"),
        (&[("PermitRootLogin", "maybe")], "none of"),
        (&[("PerSourcePenalties", "yes")], "9.8"),
        (&[("Match", "User x")], "no directive with a value"),
    ] {
        let error = crate::steps::sshd::apply(&sshd(directives), Some(&step()), &mut cx).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
    }
}

#[test]
fn settings_that_cannot_be_meant() {
    for step in [
        MfaStep { users: Vec::new(), ..step() },
        MfaStep { factors: vec![Factor::Totp], ..step() },
        MfaStep { scope: Scope::Login, console: Console::Password, ..step() },
    ] {
        let error = apply(&step, &mut Context::for_tests(&mut Stage::new(&debian("1:9.2p1-2")))).unwrap_err();
        assert!(matches!(error, StepError::Usage { .. }), "{error}");
    }
}

/// What the agent is told to hold the machine to.
#[test]
fn the_promise_is_what_was_proven() {
    let tree = debian("1:9.2p1-2")
        .file("/etc/pam.d/sudo", "@include common-auth\n")
        .file("/etc/pam.d/cron", "@include common-account\n")
        .file(
            "/lib/systemd/system/ssh.service.d/eic.conf",
            "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /eic %%u\"\n",
        )
        .file("/lib/systemd/system/ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n")
        .file("/etc/default/ssh", "SSHD_OPTS=-oUsePAM=yes\n");
    let mut stage = Stage::new(&tree);
    let mut cx = Context::for_tests(&mut stage);
    let own = MfaStep { others: Others::Publickey, scope: Scope::Login, ..step() };
    apply(&own, &mut cx).unwrap();
    let sshd = SshdStep {
        directives: vec![("MaxAuthTries".to_owned(), "4".to_owned())],
        match_blocks: MatchPolicy::Refuse,
    };
    crate::steps::sshd::apply(&sshd, Some(&own), &mut cx).unwrap();
    let promise = promise(&own, Some(&sshd), &cx).unwrap();
    let value =
        |keyword: &str| promise.sshd.iter().find(|(known, _)| known == keyword).map(|(_, v)| v.as_str());
    assert_eq!(value("AuthenticationMethods"), Some("publickey,keyboard-interactive"));
    assert_eq!(value("MaxAuthTries"), Some("4"));
    assert_eq!(promise.blocks[0].criteria, "User *,!debian");
    assert_eq!(promise.kept, [("AuthorizedKeysCommand".to_owned(), vec!["/eic %u".to_owned()])]);
    let services: Vec<(&str, bool, bool)> =
        promise.services.iter().map(|s| (s.service.as_str(), s.code, s.password)).collect();
    let all = ["sshd", "login", "common-auth", "su", "sudo"].map(|service| (service, true, true));
    assert_eq!(services, all);
    assert_eq!(promise.check(&*cx.stage).unwrap(), []);
    refuse_weakness(&promise, &cx).unwrap();
    // A later step that undoes it.
    cx.stage.write("/etc/pam.d/sudo", "auth required pam_unix.so\n", hardtack_guest::Set::default()).unwrap();
    let error = refuse_weakness(&promise, &cx).unwrap_err().to_string();
    assert!(error.contains("/etc/pam.d/sudo asks for no code"), "{error}");
}

#[test]
fn sshd_that_a_unit_starts_otherwise_is_refused() {
    let unit = "[Service]\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";
    for (path, text, wanted) in [
        (
            "/lib/systemd/system/ssh@.service",
            "[Service]\nExecStart=-/usr/sbin/sshd -i -o UsePAM=no\n",
            "ssh@.service:2",
        ),
        (
            "/etc/systemd/system/ssh.service.d/x.conf",
            "[Service]\nEnvironment=SSHD_OPTS=-oUsePAM=no\n",
            "x.conf:2",
        ),
        (
            "/etc/systemd/system/ssh.service.d/x.conf",
            "[Service]\nEnvironment=SSHD_OPTS=-f/etc/x\n",
            "x.conf:2",
        ),
    ] {
        let tree = debian("1:9.2p1-2").file("/lib/systemd/system/ssh.service", unit).file(path, text);
        let error = run(&tree, &step(), DROP_IN).expect_err(wanted);
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
}

/// An image with SELinux: what its configuration says, and its kernel's command line.
fn labelled(mode: &str, options: &str) -> MemoryTree {
    let contexts = "/etc/selinux/default/contexts/files/file_contexts";
    // As the package selinux-policy-default has it.
    let rules = "/.*\tsystem_u:object_r:default_t:s0\n/home/[^/]+/.+\tunconfined_u:object_r:user_home_t:s0\n";
    let entry = format!("menuentry 'x' {{\n linux /boot/vmlinuz-6.1 root=UUID=1 {options}\n}}\n");
    debian("1:9.2p1-2")
        .file("/etc/selinux/config", format!("SELINUX={mode}\nSELINUXTYPE=default\n"))
        .file(contexts, rules)
        .file("/boot/vmlinuz-6.1", "")
        .file("/boot/grub/grub.cfg", entry)
}

#[test]
fn selinux_that_enforces_would_shut_everybody_out() {
    let on = "security=selinux selinux=1";
    let path = "/etc/pam.d/sshd";
    let error = run(&labelled("enforcing", on), &step(), path).unwrap_err();
    assert!(
        error.contains("/home/debian/.google_authenticator unconfined_u:object_r:user_home_t:s0"),
        "{error}"
    );
    for (mode, options, told) in [
        ("permissive", on, "SELINUX=enforcing would shut everybody out"),
        ("enforcing", "quiet", "once the kernel's command line switches SELinux on"),
        ("disabled", on, ""),
    ] {
        let tree = labelled(mode, options);
        let mut stage = Stage::new(&tree);
        let mut cx = Context::for_tests(&mut stage);
        apply(&step(), &mut cx).unwrap();
        let notes: Vec<&str> = cx.notes.iter().map(|note| note.text.as_str()).collect();
        let found = notes.iter().any(|note| note.contains(".google_authenticator unconfined_u"));
        assert_eq!(found, !told.is_empty(), "{mode}: {notes:?}");
        assert!(told.is_empty() || notes.iter().any(|note| note.contains(told)), "{mode}: {notes:?}");
    }
    // Without codes the module is not asked.
    let plain =
        MfaStep { factors: vec![Factor::Publickey, Factor::Password], console: Console::Password, ..step() };
    assert!(run(&labelled("enforcing", on), &plain, path).is_ok());
}
