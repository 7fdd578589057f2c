#![allow(clippy::unwrap_used)]
//! Everything in which a machine asks for less than its recipe promised.

use super::*;
use crate::memory::MemoryFiles;

const MAIN: &str = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n";
const DROP_IN: &str = "UsePAM yes\nKbdInteractiveAuthentication yes\nPubkeyAuthentication yes\n\
                       PasswordAuthentication no\nPermitEmptyPasswords no\n\
                       AuthenticationMethods publickey,keyboard-interactive\nMaxAuthTries 4\n";
const UNIT: &str = "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n";
const COMMON: &str = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
const CODE: &str = "@include common-auth\nauth required pam_google_authenticator.so noskewadj\n";

/// Debian as a recipe leaves it.
fn machine() -> MemoryFiles {
    MemoryFiles::new()
        .file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.2p1-2+deb12u5\n",
        )
        .file("/etc/ssh/sshd_config", MAIN)
        .file("/etc/ssh/sshd_config.d/00-hardtack.conf", DROP_IN)
        .file("/lib/systemd/system/ssh.service", UNIT)
        .file("/etc/pam.d/common-auth", COMMON)
        .file("/etc/pam.d/other", "@include common-auth\n")
        .file("/etc/pam.d/sshd", CODE)
        .file("/etc/pam.d/login", CODE)
        .file("/etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n")
        .file("/usr/lib/x86_64-linux-gnu/security/pam_google_authenticator.so", "")
}

fn promise(files: &MemoryFiles) -> Promise {
    let line = |text: &str| {
        let (keyword, value) = text.split_once(' ').unwrap();
        (keyword.to_owned(), value.to_owned())
    };
    let asks = |service: &str| ServicePromise {
        service: service.to_owned(),
        code: true,
        password: true,
        locked: false,
    };
    Promise {
        sshd: DROP_IN.lines().map(line).collect(),
        blocks: Vec::new(),
        kept: kept(files).unwrap(),
        services: vec![asks("sshd"), asks("login")],
    }
}

/// What is found on `files` of what is promised on the machine.
fn told(files: &MemoryFiles) -> Vec<String> {
    let found = promise(&machine()).check(files).unwrap();
    found.into_iter().map(|weakness| weakness.what).collect()
}

#[test]
fn what_weakens_nothing_is_passed_over() {
    let ours = "[Service]\nExecStartPre=/usr/lib/hardtack/hardtack-agent guard --gate\n\
                ExecReload=-/usr/lib/hardtack/hardtack-agent guard\n";
    for (path, text) in [
        ("/etc/hostname", "x"),
        ("/etc/systemd/system/ssh.service.d/hardtack.conf", ours),
        ("/etc/systemd/system/ssh@.service.d/hardtack.conf", ours),
        ("/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\n"),
        (
            "/etc/ssh/sshd_config.d/00-a.conf",
            "X11Forwarding no\nPermitRootLogin no\nAuthorizedKeysFile .ssh/authorized_keys\n",
        ),
        (
            "/etc/ssh/sshd_config.d/00-a.conf",
            "AuthorizedKeysCommand none\nStrictModes yes\nTrustedUserCAKeys none\n",
        ),
        (
            "/etc/ssh/sshd_config.d/90-a.conf",
            "Match User bob\nPermitRootLogin no\nPasswordAuthentication no\nX11Forwarding yes\nAuthorizedKeysFile none\n",
        ),
        ("/etc/default/ssh", "SSHD_OPTS=\"-e -o UsePAM=yes -p 2222\"\n"),
        ("/lib/systemd/system/ssh@.service", "[Service]\nExecStart=-/usr/sbin/sshd -i $SSHD_OPTS\n"),
        (
            "/lib/systemd/system/sshd-keygen.service",
            "[Service]\nExecStart=/usr/libexec/openssh/sshd-keygen rsa\n",
        ),
        (
            "/etc/pam.d/sshd",
            "auth required pam_faildelay.so\n@include common-auth\nauth requisite pam_google_authenticator.so noskewadj debug\n",
        ),
    ] {
        let none: [&str; 0] = [];
        assert_eq!(told(&machine().file(path, text)), none, "{path}: {text}");
    }
}

#[test]
fn everything_that_weakens_is_told_with_its_line() {
    let dropin = "/etc/ssh/sshd_config.d/00-a.conf";
    let block = "/etc/ssh/sshd_config.d/90-a.conf";
    let start = "/etc/systemd/system/ssh.service.d/agent.conf";
    for (path, text, wanted) in [
        (dropin, "\nAuthenticationMethods any\n", "00-a.conf:2: AuthenticationMethods any is read before"),
        (dropin, "AuthenticationMethods publickey\n", "00-a.conf:1: AuthenticationMethods publickey is read"),
        (dropin, "PermitEmptyPasswords yes\n", "00-a.conf:1: PermitEmptyPasswords yes"),
        (dropin, "MaxAuthTries 100\n", "00-a.conf:1: MaxAuthTries 100"),
        (
            dropin,
            "AuthorizedKeysCommand /x\n",
            "00-a.conf:1: AuthorizedKeysCommand /x lets in holders of other keys",
        ),
        (dropin, "AuthorizedKeysFile .ssh/authorized_keys /tmp/k\n", "00-a.conf:1: AuthorizedKeysFile"),
        (dropin, "TrustedUserCAKeys /tmp/ca\n", "00-a.conf:1: TrustedUserCAKeys /tmp/ca"),
        (dropin, "StrictModes no\n", "00-a.conf:1: StrictModes no"),
        (
            block,
            "Match User bob\n AuthenticationMethods publickey\n",
            "90-a.conf:2: AuthenticationMethods publickey in the block \"Match User bob\"",
        ),
        (block, "Match all\nMaxAuthTries 9\n", "90-a.conf:2: MaxAuthTries 9 in the block"),
        (block, "Match Address 10.0.0.0/8\nAuthorizedKeysFile /tmp/k\n", "90-a.conf:2: AuthorizedKeysFile"),
        (block, "Match User bob\nTrustedUserCAKeys /tmp/k\n", "90-a.conf:2: TrustedUserCAKeys"),
        (block, "Match User root\nPermitRootLogin yes\n", "90-a.conf:2: PermitRootLogin yes"),
        (block, "UsePAM maybe\n", "90-a.conf:1: UsePAM: \"maybe\""),
        // Written as the build writes it, by somebody else.
        (
            "/etc/ssh/sshd_config.d/00-hardtack.conf",
            "Match User *\nAuthenticationMethods publickey\n",
            "hardtack.conf:2",
        ),
        (
            "/etc/ssh/sshd_config.d/00-hardtack.conf",
            "X11Forwarding no\n",
            "AuthenticationMethods publickey,keyboard-interactive is nowhere in force",
        ),
        (
            "/etc/default/ssh",
            "SSHD_OPTS=-oAuthenticationMethods=none\n",
            "/etc/default/ssh:1: options for sshd (-o, -f)",
        ),
        (
            "/etc/default/ssh",
            "SSHD_OPTS='-f /etc/ssh/x'\n",
            "/etc/default/ssh:1: options for sshd (-o, -f) win over its configuration: it reads /etc/ssh/x",
        ),
        (
            start,
            "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /eic %%u\"\n",
            "agent.conf:3: AuthorizedKeysCommand /eic %u lets in",
        ),
        (
            start,
            "[Service]\nExecStart=\nExecStart=/bin/dropbear -F\n",
            "agent.conf:3: the unit starts /bin/dropbear",
        ),
        (
            "/lib/systemd/system/ssh@.service",
            "[Service]\nExecStart=-/usr/sbin/sshd -i -oUsePAM=no\n",
            "ssh@.service:2: options",
        ),
        (
            "/etc/systemd/system/x.service",
            "[Service]\nExecStart=/usr/sbin/sshd -D -oUsePAM=no\n",
            "x.service:2: options",
        ),
        ("/etc/pam.d/sshd", "@include common-auth\n", "/etc/pam.d/sshd asks for no code"),
        (
            "/etc/pam.d/sshd",
            "auth sufficient pam_unix.so\nauth required pam_google_authenticator.so noskewadj\n",
            "/etc/pam.d/sshd:1: pam_unix.so (sufficient) lets sshd succeed without the code",
        ),
        (
            "/etc/pam.d/common-auth",
            "auth sufficient pam_unix.so\n",
            "common-auth:1: pam_unix.so (sufficient)",
        ),
        ("/etc/pam.d/common-auth", "auth required pam_permit.so\n", "asks for no password"),
        (
            "/etc/pam.d/common-auth",
            "auth required /tmp/pam_unix.so\n",
            "common-auth:1: /tmp/pam_unix.so is not the module",
        ),
        (
            "/etc/pam.d/login",
            "@include common-auth\nauth required pam_google_authenticator.so\n",
            "/etc/pam.d/login:2: pam_google_authenticator.so without noskewadj",
        ),
        (
            "/etc/pam.d/sshd",
            "@include common-auth\nauth required pam_google_authenticator.so noskewadj secret=/x\n",
            "/etc/pam.d/sshd:2: pam_google_authenticator.so has the option secret=/x",
        ),
        (
            "/etc/pam.d/sshd",
            "@include common-auth\nauth required pam_google_authenticator.so noskewadj\nauth required pam_google_authenticator.so noskewadj\n",
            "sshd:3: pam_google_authenticator.so is asked a second time",
        ),
        ("/etc/pam.d/su", "auth required pam_google_authenticator.so nullok\n", "/etc/pam.d/su:1: nullok"),
        (
            "/etc/pam.d/sshd",
            "@include common-auth\nauth required pam_google_authenticator.so noskewadj\nauth required pam_deny.so\n",
            "/etc/pam.d/sshd refuses everybody",
        ),
    ] {
        let found = told(&machine().file(path, text));
        assert!(found.iter().any(|what| what.contains(wanted)), "{path}: {text}: {wanted}: {found:#?}");
    }
}

#[test]
fn all_of_it_is_told_and_nothing_twice() {
    let files = machine()
        .file("/etc/ssh/sshd_config.d/00-a.conf", "AuthenticationMethods publickey\nUsePAM no\n")
        .file("/lib/systemd/system/ssh@.service", "[Service]\nExecStart=-/usr/sbin/sshd -i -p 22\n")
        .file("/etc/pam.d/sshd", "@include common-auth\n");
    let found = told(&files);
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn what_the_image_had_is_kept_and_nothing_else() {
    let key = "/etc/systemd/system/ssh.service.d/eic.conf";
    let eic = "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /eic %%u\"\n";
    let image = machine().file(key, eic).file("/etc/ssh/sshd_config.d/10-a.conf", "RevokedKeys /etc/r\n");
    let promise = promise(&image);
    assert_eq!(promise.check(&image).unwrap(), []);
    let other = image.clone().file(key, eic.replace("/eic", "/evil"));
    assert!(promise.check(&other).unwrap()[0].what.contains("(/eic %u)"));
    // Less is never weaker; keys that come back are.
    let gone = image.clone().file(key, "[Service]\n");
    assert_eq!(promise.check(&gone).unwrap(), []);
    let back = image.file("/etc/ssh/sshd_config.d/10-a.conf", "");
    assert_eq!(promise.check(&back).unwrap()[0].what, "RevokedKeys /etc/r of the image is nowhere in force");
}

#[test]
fn blocks_of_the_recipe_are_those_that_it_names() {
    let text = format!("{DROP_IN}Match User *,!ann\n    AuthenticationMethods publickey\n");
    let files = machine().file("/etc/ssh/sshd_config.d/00-hardtack.conf", &text);
    let block = BlockPromise {
        criteria: "User *,!ann".into(),
        keyword: "AuthenticationMethods".into(),
        value: "publickey".into(),
    };
    let promise = Promise { blocks: vec![block], ..promise(&machine()) };
    assert_eq!(promise.check(&files).unwrap(), []);
    let wider = files.file("/etc/ssh/sshd_config.d/00-hardtack.conf", text.replace(",!ann", ""));
    assert_eq!(promise.check(&wider).unwrap()[0].about, About::Block);
}

#[test]
fn a_machine_without_dpkg_is_judged_with_the_newest_grammar() {
    // Words of distributions that nobody here knows stop nothing.
    let files = machine().file("/var/lib/dpkg/status", "").file(
        "/etc/ssh/sshd_config.d/50-r.conf",
        "GSSAPIStoreCredentialsOnRekey no\nFrobnicate yes\nPAMServiceName sshd\n",
    );
    let none: [&str; 0] = [];
    assert_eq!(told(&files), none);
    let weak = files.file("/etc/ssh/sshd_config.d/00-a.conf", "PAMServiceName other\n");
    assert_eq!(
        told(&weak),
        ["/etc/ssh/sshd_config.d/00-a.conf:1: PAMServiceName other leads past /etc/pam.d/sshd"]
    );
}

#[test]
fn a_service_that_is_gone_is_another_one() {
    let mut files = MemoryFiles::new();
    for path in ["/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/00-hardtack.conf"] {
        files = files.file(path, DROP_IN);
    }
    let files = files.file("/etc/pam.d/login", CODE).file("/etc/pam.d/common-auth", COMMON);
    let found = told(&files);
    assert!(found.iter().any(|what| what.starts_with("/etc/pam.d/sshd is missing")), "{found:#?}");
    assert!(found.iter().any(|what| what.contains("is nowhere: PAM refuses everybody")), "{found:#?}");
    let locked = ServicePromise { service: "login".into(), locked: true, ..ServicePromise::default() };
    let promise = Promise { services: vec![locked], ..Promise::default() };
    assert!(promise.check(&files).unwrap()[0].what.contains("locked is not in force"));
    let denied = files.file("/etc/pam.d/login", "auth requisite pam_deny.so\n");
    assert_eq!(promise.check(&denied).unwrap(), []);
}

#[test]
fn su_is_asked_by_somebody_who_is_not_root() {
    let su = format!("auth sufficient pam_rootok.so\n{CODE}");
    let files = machine().file("/etc/pam.d/su", su);
    assert_eq!(asks_for_code(&files, "su").unwrap(), Some((true, true)));
    assert_eq!(asks_for_code(&machine(), "su").unwrap(), Some((false, true)));
    assert_eq!(asks_for_code(&machine(), "cockpit").unwrap(), None);
}

#[test]
fn a_promise_of_an_older_build_is_read() {
    let text = r#"{"sshd":[["UsePAM","yes"]],"services":[{"service":"sshd","code":true}]}"#;
    let promise: Promise = serde_json::from_str(text).unwrap();
    assert_eq!((promise.sshd.len(), promise.services[0].code, promise.kept.len()), (1, true, 0));
}

#[test]
fn who_holds_keys_is_no_matter_where_nobody_is_asked_for_one() {
    let text = DROP_IN.replace("publickey,keyboard-interactive", "keyboard-interactive");
    let image = machine().file("/etc/ssh/sshd_config.d/00-hardtack.conf", &text);
    let mut promise = promise(&image);
    for (keyword, value) in &mut promise.sshd {
        if keyword == "AuthenticationMethods" {
            *value = "keyboard-interactive".to_owned();
        }
    }
    let files = image.file("/etc/ssh/sshd_config.d/00-a.conf", "AuthorizedKeysCommand /x\n");
    assert_eq!(promise.check(&files).unwrap(), []);
    promise.blocks.push(BlockPromise {
        criteria: "User bob".into(),
        keyword: "AuthenticationMethods".into(),
        value: "publickey".into(),
    });
    assert_eq!(promise.check(&files).unwrap().len(), 1);
}
