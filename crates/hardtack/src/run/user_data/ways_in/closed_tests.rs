//! User-data that closes the way in, or opens it wider than the image's recipe.
#![allow(clippy::unwrap_used)]

use hardtack_userdata::check::{CheckOptions, check};

use super::look;
use super::tests::{KEY, codes, found, hardened, plain};

const UNIT: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";

/// User-data that writes one file.
pub(super) fn writes(path: &str, content: &str) -> String {
    let content = content.replace('\n', "\n      ");
    format!("#cloud-config\nwrite_files:\n  - path: {path}\n    content: |\n      {content}\n")
}

pub(super) fn drop_in(line: &str) -> String {
    writes("/etc/ssh/sshd_config.d/00-a.conf", line)
}

#[test]
fn the_command_line_of_sshd_counts() {
    let hard = hardened().file("/lib/systemd/system/ssh.service", UNIT);
    let told = found(
        &hard,
        &writes("/etc/default/ssh", "SSHD_OPTS=\"-o AuthenticationMethods=publickey -o UsePAM=no\""),
    );
    let undone: Vec<&str> = told.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(undone, ["image-sshd-undone!", "image-sshd-undone!"], "{told:?}");
    assert!(told[0].1.starts_with("/etc/default/ssh:1 makes AuthenticationMethods publickey"), "{told:?}");
    let drop_in = "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o AuthenticationMethods=publickey";
    let told = found(&hard, &writes("/etc/systemd/system/ssh.service.d/o.conf", drop_in));
    assert_eq!(told[0].0, "image-sshd-undone!");
    assert!(told[0].1.contains("o.conf:3 makes"), "{told:?}");
    let unit = "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/other";
    let whole = codes(&hard, &writes("/etc/systemd/system/ssh.service", unit));
    assert!(whole.contains(&"image-sshd-undone!".to_owned()), "{whole:?}");
    let other = codes(&hard, &writes("/etc/systemd/system/ssh.service", "[Service]\nExecStart=/bin/true"));
    assert_eq!(other, ["image-sshd-broken!", "image-no-way-in!"]);
    // A unit of the image that says nothing of it is none that the user-data broke.
    let bare = hardened().file("/lib/systemd/system/ssh.service", "[Unit]\n");
    assert!(codes(&bare, "#cloud-config\nhostname: web\n").is_empty());
    let masked = codes(
        &bare,
        "#cloud-config\nwrite_files:\n  - {path: /etc/systemd/system/ssh.service, content: ''}\n",
    );
    assert_eq!(masked, ["image-sshd-broken!", "image-no-way-in!"]);
    let gate = codes(&hard, &writes("/etc/systemd/system/ssh.service.d/zz-hardtack-guard.conf", "[Service]"));
    assert_eq!(gate, ["image-recipe-undone!"]);
    // What changes nothing.
    for (path, text) in [
        ("/etc/default/ssh", "SSHD_OPTS=-e"),
        ("/etc/default/ssh", "SSHD_OPTS=\"-o UsePAM=yes\""),
        ("/etc/systemd/system/ssh.service.d/o.conf", "[Service]\nRestart=always"),
    ] {
        assert!(
            codes(&hard, &writes(path, text)).is_empty(),
            "{text}: {:?}",
            found(&hard, &writes(path, text))
        );
    }
    assert_eq!(codes(&hard, &writes("/etc/systemd/system/ssh.socket", "[Socket]")), ["image-sshd-changed"]);
}

#[test]
fn account_and_session_of_pam_count() {
    for stack in ["account", "session"] {
        let image = hardened()
            .file(
                "/etc/pam.d/sshd",
                "@include common-auth\nauth required pam_google_authenticator.so\n\
             @include common-account\nsession required pam_unix.so\naccount required pam_unix.so\n",
            )
            .file("/etc/pam.d/common-account", "account required pam_unix.so\n");
        let text = writes("/etc/pam.d/common-account", &format!("{stack} required pam_deny.so"));
        assert_eq!(codes(&image, &text), ["image-pam-undone!", "image-no-way-in!"], "{stack}");
    }
}

#[test]
fn directives_that_let_nobody_in() {
    for line in [
        "ForceCommand /bin/false",
        "HostKey /nonexistent",
        "RevokedKeys /nonexistent",
        "ChrootDirectory /nonexistent",
        "MaxStartups 0",
        "LoginGraceTime 1",
        "MaxSessions 0",
        "ListenAddress 127.0.0.1:22",
        "PubkeyAcceptedAlgorithms ssh-rsa",
        "AllowUsers nobody",
        "DenyUsers debian",
        "AllowGroups sshusers",
    ] {
        for image in [plain(), hardened()] {
            let text = drop_in(line);
            let codes = codes(&image, &text);
            assert!(codes.contains(&"image-no-way-in!".to_owned()), "{line}: {codes:?}");
            let report = check("u", text.as_bytes(), &CheckOptions::default());
            let found = look(&report, &image, 20_600).unwrap().findings;
            let closed = found.iter().find(|finding| finding.code == "image-no-way-in").unwrap();
            // Keys that sshd lacks are told of the whole: several files make it together.
            let told = ["ForceCommand", "AllowUsers", "DenyUsers", "AllowGroups"];
            let one_line = told.iter().any(|keyword| line.starts_with(keyword));
            assert!(!one_line || closed.place.span.line > 1, "{line}: the file to blame is shown");
        }
    }
    for line in [
        "HostKey /etc/ssh/ssh_host_ed25519_key",
        "MaxStartups 10:30:100",
        "LoginGraceTime 1m",
        "ChrootDirectory none",
        "RevokedKeys none",
        "PermitRootLogin no",
        "X11Forwarding no",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
    ] {
        let codes = codes(&plain(), &drop_in(line));
        assert!(!codes.iter().any(|code| code.ends_with('!')), "{line}: {codes:?}");
    }
}

#[test]
fn every_directive_of_the_recipe_counts() {
    let image = hardened().file("/etc/ssh/sshd_config.d/00-hardtack.conf", "MaxAuthTries 4\nUsePAM yes\n");
    let told = found(&image, &drop_in("MaxAuthTries 100"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "image-sshd-undone!");
    assert!(told[0].1.contains("makes MaxAuthTries 100, and the image's recipe says 4"), "{told:?}");
    assert!(codes(&plain(), &drop_in("MaxAuthTries 100")).is_empty());
}

#[test]
fn other_files_close_the_way_in() {
    for (path, text) in [
        ("/etc/ssh/sshd_not_to_be_run", "x"),
        ("/etc/nologin", "x"),
        ("/etc/nsswitch.conf", "passwd: none"),
        ("/etc/hosts.deny", "sshd: ALL"),
    ] {
        let image = plain().file("/usr/sbin/sshd", "ELF libwrap.so.0");
        let codes = codes(&image, &writes(path, text));
        assert!(codes.contains(&"image-no-way-in!".to_owned()), "{path}: {codes:?}");
    }
    // sshd without libwrap does not look there.
    assert!(codes(&plain(), &writes("/etc/hosts.deny", "sshd: ALL")).is_empty());
    assert!(codes(&plain(), &writes("/etc/nsswitch.conf", "passwd: files systemd")).is_empty());
    // systemd removes it when the boot is through.
    assert_eq!(codes(&plain(), &writes("/run/nologin", "x")), ["image-user-without-way-in"]);
    let module = writes("/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "x");
    assert_eq!(codes(&hardened(), &module), ["image-pam-undone!"]);
    assert_eq!(codes(&plain(), &writes("/usr/sbin/sshd", "x")), ["image-sshd-broken!"]);
}

#[test]
fn accounts_end() {
    // 2026-05-27 is day 20600.
    for (date, ended) in [("'2020-01-01'", true), ("'2026-05-27'", true), ("'2026-05-28'", false)] {
        let text = format!(
            "#cloud-config\nusers:\n  - name: debian\n    expiredate: {date}\n    ssh_authorized_keys: ['{KEY}']\n"
        );
        let codes = codes(&plain(), &text);
        assert_eq!(codes.contains(&"image-no-way-in!".to_owned()), ended, "{date}: {codes:?}");
    }
}

#[test]
fn the_overlays_device_is_taken() {
    let image = hardened().file(
        "/etc/hardtack/agent.json",
        r#"{"version":1,"recipe":"c","overlay":{"mode":"crypt","device":"/dev/vdb"},
            "mfa":{"users":["debian"],"others":"refuse"},
            "accounts":[{"name":"debian","password_hash":"$6$CANARY$CANARY"}]}"#,
    );
    for text in [
        "#cloud-config\ndisk_setup:\n  /dev/vdb: {table_type: gpt, layout: true}\n".to_owned(),
        "#cloud-config\nfs_setup:\n  - {device: /dev/vdb1, filesystem: ext4}\n".to_owned(),
        "#cloud-config\nmounts:\n  - [vdb, /data, ext4, 'defaults,nofail']\n".to_owned(),
        writes("/etc/crypttab", "foo /dev/vdb none"),
    ] {
        assert_eq!(codes(&image, &text), ["image-overlay-undone!"], "{text}");
        assert!(codes(&image, &text.replace("vdb", "vdc")).is_empty(), "{text}");
    }
}

#[test]
fn keys_that_others_can_write() {
    let text = format!(
        "#cloud-config\nwrite_files:\n  - path: /home/debian/.ssh/authorized_keys\n    content: '{KEY}'\n    \
         permissions: '0666'\n    defer: true\n"
    );
    let told = found(&plain(), &text);
    assert!(
        told.iter().any(|(code, why)| code == "image-no-way-in!" && why.contains("StrictModes")),
        "{told:?}"
    );
    let closed = found(&plain(), &text.replace("0666", "0600"));
    assert!(!closed.iter().any(|(code, _)| code == "image-no-way-in!"), "{closed:?}");
}

#[test]
fn lines_at_the_end_take_no_account_away() {
    let text = "#cloud-config\nwrite_files:\n  - {path: /etc/shadow, append: true, content: \"toor:*:1::::::\\n\"}\n";
    assert_eq!(codes(&plain(), text), ["image-accounts-replaced"]);
    let whole = codes(&plain(), &text.replace("append: true, ", ""));
    assert!(whole.contains(&"image-accounts-replaced!".to_owned()), "{whole:?}");
    let sudo = writes("/etc/sudoers.d/zz", "ALL ALL=(ALL) NOPASSWD: ALL");
    assert_eq!(codes(&plain(), &sudo), ["image-sudo-opened"]);
    assert!(codes(&plain(), &writes("/etc/sudoers.d/zz", "joe ALL=(ALL) NOPASSWD: ALL")).is_empty());
}

#[test]
fn commands_that_only_look_like_it() {
    let run = |command: &str| codes(&plain(), &format!("#cloud-config\nruncmd:\n  - {command}\n"));
    for command in [
        "ssh-keyscan example.org >> /etc/ssh/ssh_known_hosts",
        "openssl passwd -6 x > /dev/null",
        "cat /etc/passwd | wc -l",
        "[usermod, -aG, docker, debian]",
        "/usr/sbin/sshd -t",
        "systemctl restart ssh.service",
    ] {
        assert!(run(command).is_empty(), "{command}: {:?}", run(command));
    }
    for command in [
        "rm /etc/ssh/ssh_host_*",
        "passwd -l debian",
        "/usr/bin/passwd -d root",
        "usermod -L debian",
        "chage -E 0 debian",
        "mount -o remount,rw /media/root-ro",
        "touch /etc/cloud/cloud-init.disabled",
        "systemctl mask hardtack-guard.path",
        "rm -r /usr/lib/systemd/system/ssh.service.d",
        "echo SSHD_OPTS= > /etc/default/ssh",
        "/usr/sbin/sshd -p 2222",
    ] {
        assert_eq!(run(command), ["image-unknowable"], "{command}");
    }
    let off = writes("/etc/cloud/cloud-init.disabled", "x");
    assert_eq!(codes(&plain(), &off), ["image-cloud-config-changed"]);
}
