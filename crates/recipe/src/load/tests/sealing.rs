//! `seal`, `recovery`, `on_drift` and passwords that the agent makes.
#![allow(clippy::unwrap_used)]

use hardtack_credentials::RandomPassword;

use super::*;
use crate::model::{Drift, Recovery, Seal};

/// The recipient that age's own documentation has.
const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO5h8DIySxBfG9xH1ZyDnaU10tByk9debZSCglI01tqy ops@laptop";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDqADjNi0CjyjG0UuIg1q4DPMkdSlZ2tb7NuyfjL7KiHweA7+2jNt7Xn3u8lJpoZOzEL8T4RAXOQVQc0yAjNXaHgI4ZKm7tKCbSnlPy4604qfmPtWseQJoP2e02dj3UBU7q5eBb7vyGol7dWfjeqGUw0aVbw1xey7wnC9BWZyuRVylqaqJkvKWWfZ5N3nnOIJgDRIGEbAQE/1cMjNsbklPdJSrHNGERzPyL7g0m1/MZBX3AI1DUprnN6M/L754SPSmhL9UkzL8L36Md7lFtj8RxENQlOPB1VIstylTdxiNuy/+HN9zKmqCPl67pK45RJM3f/YFDmxH4aEMjs6teiwBH r";
const WEAK: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDW9dzbfw9VJq6aFAdq+oaGgQoRZb6j+RcYOHY3uqCBXeEZZvNohTEx/7BgmAxCP4HgPsma55rwa9JxC2M3D2inxtt8UWMjQa0crWJQcBHn+Azh1PoBk19HGjH29ZINxku67FdlNSXQzvXSeO8egVVQSD0sHEHjRWijKSR04YiO+Q== r";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBDcx88Kcz5+WxwrzfkPTHvTsinwfRkVaD4Qn0QNBMr+lu1j0ZghERQ/YzR0jWKQwY1n519D9zaSfAU2CL+kyoHU= c";
const TOKEN: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIO5h8DIySxBfG9xH1ZyDnaU10tByk9debZSCglI01tqyAAAABHNzaDo= s";
const CERTIFICATE: &str = "ecdsa-sha2-nistp256-cert-v01@openssh.com AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgNSedPNbNCblTqL/hQVLIcYjTa+PB3S7lsekABjln2uAAAAAIbmlzdHAyNTYAAABBBDcx88Kcz5+WxwrzfkPTHvTsinwfRkVaD4Qn0QNBMr+lu1j0ZghERQ/YzR0jWKQwY1n519D9zaSfAU2CL+kyoHUAAAAAAAAAAAAAAAEAAAABeAAAAAUAAAABYQAAAAAAAAAA//////////8AAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACDuYfAyMksQXxvcR9Wcg52lNdLQcpPXXm2UgoJSNNbasgAAAFMAAAALc3NoLWVkMjU1MTkAAABA9jEg4gT8RXDvnZ47Npbs75zOMIV3/QzeiYpNlrrOUbuIEhDTrKNOuf3phLzpYDxpSUDw31So4kpWSDOFB+xxDg== c";

/// A folder with files of keys in it.
fn folder() -> Folder {
    let folder = Folder::new();
    for (name, content) in [
        ("ops.pub", format!("{ED25519}\n")),
        ("recipients", format!("# the team\r\n{AGE}\r\n\r\n  # carol\r\n{ED25519}\r\n")),
        ("github.keys", format!("{RSA}\n{ED25519}")),
        ("authorized_keys", format!("from=\"10.0.0.0/8, 1.2.3.4\",no-pty {ED25519}\n{RSA}\n")),
        ("rescue.pub", format!("{ED25519}\n")),
        ("rescue-recipients", format!("{AGE}\n")),
        ("id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEcanary\n".to_owned()),
        ("key.txt", "# public key: age1x\nAGE-SECRET-KEY-1CANARYCANARY\n".to_owned()),
        ("ecdsa.keys", format!("{ED25519}\n{ECDSA}\n")),
        ("comments", "# nothing\n\n".to_owned()),
        ("list.csv", "canary-in-a-file;1\n".repeat(50)),
        ("ca", format!("cert-authority {ED25519}\n")),
    ] {
        std::fs::write(folder.path(name), content).unwrap();
    }
    std::fs::write(folder.path("binary"), [0xff, 0xfe, 0x41, 0]).unwrap();
    folder
}

fn seal(folder: &Folder, seal: &str) -> Result<Seal, LoadError> {
    let recipe = folder.steps(&format!("  - mfa: {{users: [a], seal: {seal}}}\n  - agent\n"))?;
    Ok(recipe.mfa().unwrap().seal.clone())
}

/// A key without its comment.
fn bare(key: &str) -> String {
    key.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn seal_takes_three_words_and_recipients() {
    let folder = folder();
    for (text, wanted) in [
        ("none", Seal::None),
        ("ssh", Seal::Ssh),
        ("auto", Seal::Auto),
        ("{recipients: ops.pub}", Seal::Recipients(vec![bare(ED25519)])),
        ("{recipients: [recipients]}", Seal::Recipients(vec![AGE.to_owned(), bare(ED25519)])),
        ("{recipients: [github.keys]}", Seal::Recipients(vec![bare(RSA), bare(ED25519)])),
        ("{recipients: [authorized_keys, ops.pub]}", Seal::Recipients(vec![bare(ED25519), bare(RSA)])),
        ("{recipients: [{file: ops.pub}]}", Seal::Recipients(vec![bare(ED25519)])),
        (&format!("{{recipients: [{AGE}, \"{RSA}\"]}}"), Seal::Recipients(vec![AGE.to_owned(), bare(RSA)])),
        (&format!("{{recipients: [{AGE}, {AGE}]}}"), Seal::Recipients(vec![AGE.to_owned()])),
    ] {
        assert_eq!(seal(&folder, text).unwrap_or_else(|error| panic!("{text}\n{error}")), wanted, "{text}");
    }
    assert_eq!(folder.steps("  - mfa: {users: [a]}\n").unwrap().mfa().unwrap().seal, Seal::None);
}

/// What is wrong, where (in line 3), and what must not be shown.
#[test]
fn what_cannot_open_anything_is_refused_with_its_place() {
    let folder = folder();
    for (text, column, part) in [
        ("shh".to_owned(), 29, "`seal` takes `none`, `ssh`, `auto` or"),
        ("yes".to_owned(), 29, "`seal` takes"),
        ("[ops.pub]".to_owned(), 29, "`seal` takes"),
        ("ops.pub".to_owned(), 29, "`seal` takes"),
        ("{recipents: [ops.pub]}".to_owned(), 30, "unknown key `recipents`"),
        ("{}".to_owned(), 29, "needs the key `recipients`"),
        ("{recipients: []}".to_owned(), 42, "is empty"),
        ("{recipients: }".to_owned(), 40, "found nothing"),
        ("{recipients: [5]}".to_owned(), 43, "takes text"),
        ("{recipients: [\"\"]}".to_owned(), 43, "is empty"),
        ("{recipients: [gone.pub]}".to_owned(), 43, "gone.pub: no such file"),
        ("{recipients: [ops.pub, id_ed25519]}".to_owned(), 52, "id_ed25519: a private key stands"),
        ("{recipients: [key.txt]}".to_owned(), 43, "key.txt: a private key stands"),
        ("{recipients: [AGE-SECRET-KEY-1CANARY]}".to_owned(), 43, "a private key stands"),
        ("AGE-SECRET-KEY-1CANARY".to_owned(), 29, "a private key stands"),
        (
            "{recipients: [\"-----BEGIN RSA PRIVATE KEY-----\\nCANARY\"]}".to_owned(),
            43,
            "a private key stands",
        ),
        ("{recipients: [ecdsa.keys]}".to_owned(), 43, "ecdsa.keys:2: "),
        (format!("{{recipients: [\"{ECDSA}\"]}}"), 43, "ecdsa-sha2-nistp256 cannot open"),
        (format!("{{recipients: [\"{TOKEN}\"]}}"), 43, "sk-ssh-ed25519@openssh.com cannot open"),
        (format!("{{recipients: [\"{CERTIFICATE}\"]}}"), 43, "is a certificate"),
        (format!("{{recipients: [\"{WEAK}\"]}}"), 43, "1024 bits"),
        (format!("{{recipients: [\"{}x\"]}}", &AGE[..61]), 43, "damaged"),
        (format!("{{recipients: [\"{}\"]}}", &ED25519[..60]), 43, "damaged"),
        ("{recipients: [ca]}".to_owned(), 43, "cert-authority"),
        ("{recipients: [comments]}".to_owned(), 43, "comments: holds no recipient"),
        ("{recipients: [binary]}".to_owned(), 43, "binary: is not text"),
    ] {
        let error = seal(&folder, &text).expect_err(&text);
        let found = findings(&folder, &error);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (3, column), "{text}: {found:?}");
        assert!(found[0].2.contains(part), "{text}: {found:?}");
        let shown = format!("{error} {error:?}").to_ascii_lowercase();
        assert!(!shown.contains("canary"), "{shown}");
    }
    let error = seal(&folder, "{recipents: [ops.pub]}").unwrap_err();
    assert!(error.render().contains("did you mean `recipients`?"), "{}", error.render());
    assert!(seal(&folder, "atuo").unwrap_err().render().contains("did you mean `auto`?"));
    // A file of something else is one mistake, and nothing of it is shown.
    let error = seal(&folder, "{recipients: [list.csv]}").unwrap_err();
    assert_eq!(error.findings().count(), 3);
    assert!(!error.render().contains("canary"), "{}", error.render());
    // Beside any other mistake, too.
    let error = seal(&folder, "{recipents: [AGE-SECRET-KEY-1CANARY]}").unwrap_err();
    assert!(!error.render().contains("CANARY"), "{}", error.render());
}

#[test]
fn drift_stops_ssh_unless_the_recipe_says_otherwise() {
    let folder = folder();
    for (text, wanted) in
        [("", Drift::StopSsh), (", on_drift: stop-ssh", Drift::StopSsh), (", on_drift: warn", Drift::Warn)]
    {
        let recipe = folder.steps(&format!("  - mfa: {{users: [a]{text}}}\n")).unwrap();
        assert_eq!(recipe.mfa().unwrap().on_drift, wanted, "{text}");
    }
    let error = folder.steps("  - mfa: {users: [a], on_drift: stop_ssh}\n").unwrap_err();
    assert_eq!(findings(&folder, &error)[0].1, 33);
    assert!(error.render().contains("did you mean `stop-ssh`?"), "{}", error.render());
}

#[test]
fn the_recovery_account_is_a_user_like_any_other() {
    let folder = folder();
    let recipe = folder
        .steps("  - mfa: {users: [a], recovery: {user: rescue, authorized_keys: [rescue.pub]}}\n  - agent\n")
        .unwrap();
    let mfa = recipe.mfa().unwrap();
    assert_eq!(mfa.users, ["a", "rescue"]);
    assert_eq!(mfa.recovery, Some(Recovery { user: "rescue".to_owned(), recipients: Vec::new() }));
    let user = recipe.users().next().unwrap();
    assert_eq!((user.name.as_str(), user.sudo.as_deref()), ("rescue", Some("ALL=(ALL) ALL")));
    assert_eq!(user.password, Some(Password::Random(RandomPassword::default())));
    assert_eq!(user.authorized_keys[0].origin, "rescue.pub");
    let recipe = folder
        .steps(
            "  - mfa:\n      users: [a]\n      recovery: {user: rescue, recipients: [rescue-recipients, ops.pub], sudo: no, password: {env: DEBIAN_PASSWORD}}\n",
        )
        .unwrap();
    assert_eq!(recipe.mfa().unwrap().recovery.as_ref().unwrap().recipients, [AGE.to_owned(), bare(ED25519)]);
    let user = recipe.users().next().unwrap();
    assert_eq!(user.sudo, None);
    assert!(matches!(&user.password, Some(Password::Clear(secret)) if secret.reveal() == PASSWORD));
    // The same step again is let go, account and all.
    let twice = "  - mfa: {users: [a], recovery: {user: rescue}}\n".repeat(2);
    assert_eq!(folder.steps(&format!("{twice}  - agent\n")).unwrap().users().count(), 1);
}

#[test]
fn a_recovery_account_is_nobody_else() {
    let folder = folder();
    for (steps, place, related, part) in [
        ("  - mfa: {users: [a, b], recovery: {user: b}}\n  - agent\n", (3, 43), None, "is in `users`"),
        (
            "  - user: {name: b}\n  - mfa: {users: [a], recovery: {user: b}}\n  - agent\n",
            (4, 40),
            Some((3, 5)),
            "has a step `user`",
        ),
        (
            "  - mfa: {users: [a], recovery: {user: b}}\n  - agent\n  - user: {name: b}\n",
            (3, 40),
            Some((5, 5)),
            "has a step `user`",
        ),
        ("  - mfa: {users: [a], recovery: {user: b}}\n", (3, 40), None, "made by the agent"),
        ("  - mfa: {users: [a], recovery: {}}\n  - agent\n", (3, 23), None, "needs the key `user`"),
        ("  - mfa: {users: [a], recovery: b}\n  - agent\n", (3, 33), None, "takes a mapping"),
        ("  - mfa: {users: [a], recovery: {usr: b}}\n  - agent\n", (3, 34), None, "unknown key `usr`"),
        (
            "  - mfa: {users: [a], recovery: {user: \"a b\"}}\n  - agent\n",
            (3, 40),
            None,
            "cannot be the name",
        ),
        (
            "  - mfa: {users: [a], recovery: {user: b, recipients: []}}\n  - agent\n",
            (3, 55),
            None,
            "is empty",
        ),
        (
            "  - mfa: {users: [a], recovery: {user: b}}\n  - agent\n  - sshd: {DenyUsers: b}\n",
            (5, 12),
            Some((3, 5)),
            "lets `b` in",
        ),
        (
            "  - mfa: {users: [a], recovery: {user: b}}\n  - agent\n  - sshd: {AllowUsers: a}\n",
            (5, 12),
            Some((3, 5)),
            "leaves `b` out",
        ),
    ] {
        let error = folder.steps(steps).err().unwrap_or_else(|| panic!("accepted: {steps}"));
        let all: Vec<_> = error.findings().collect();
        let (_, finding) = all.first().unwrap();
        assert!(all.len() == 1 && finding.message.contains(part), "{steps}{error}");
        // Step `sshd` has its place by key, as its other findings.
        assert_eq!((finding.line(), finding.column()), place, "{steps}{error}");
        assert_eq!(finding.related.first().map(|(span, _)| (span.line, span.column)), related, "{steps}");
    }
}

#[test]
fn passwords_are_made_as_the_recipe_says() {
    let folder = folder();
    let signs = "!\"#$%&'()*+,-./:;<=>?@";
    for (text, wanted) in [
        ("random".to_owned(), RandomPassword::default()),
        ("{random: {}}".to_owned(), RandomPassword::default()),
        ("{random: }".to_owned(), RandomPassword::default()),
        (
            "{random: {length: 24, expire: true}}".to_owned(),
            RandomPassword { length: 24, expire: true, ..RandomPassword::default() },
        ),
        (
            format!("{{random: {{length: 128, chars: '{}'}}}}", signs.replace('\'', "''")),
            RandomPassword { length: 128, chars: signs.to_owned(), ..RandomPassword::default() },
        ),
        (
            "{random: {length: 12, chars: \"0123456789\"}}".to_owned(),
            RandomPassword { length: 12, chars: "0123456789".to_owned(), ..RandomPassword::default() },
        ),
    ] {
        let steps = format!("  - user: {{name: a, password: {text}}}\n  - agent\n");
        let recipe = folder.steps(&steps).unwrap_or_else(|error| panic!("{steps}{error}"));
        assert_eq!(recipe.users().next().unwrap().password, Some(Password::Random(wanted)), "{text}");
    }
    for (text, column, part) in [
        ("{random: {length: 11}}", 49, "from 12 to 128"),
        ("{random: {length: 129}}", 49, "from 12 to 128"),
        ("{random: {length: long}}", 49, "from 12 to 128"),
        ("{random: {chars: abc}}", 48, "at least 10"),
        ("{random: {chars: \"\"}}", 48, "at least 10"),
        ("{random: {chars: abcdefghija}}", 48, "holds `a` twice"),
        ("{random: {chars: \"abcdefghi jk\"}}", 48, "holds ` `"),
        ("{random: {chars: \"abcdefghijkä\"}}", 48, "printable ASCII"),
        ("{random: {chars: \"abcdefghijk\\n\"}}", 48, "holds `\\n`"),
        ("{random: {chars: 1234567890}}", 48, "takes text"),
        ("{random: {lenght: 20}}", 41, "unknown key `lenght`"),
        ("{random: {expire: maybe}}", 49, "true or false"),
        ("{random: yes}", 40, "takes a mapping"),
        ("{random: {}, env: DEBIAN_PASSWORD}", 31, "takes one of"),
    ] {
        let error =
            folder.steps(&format!("  - user: {{name: a, password: {text}}}\n  - agent\n")).expect_err(text);
        let found = findings(&folder, &error);
        assert!(found.len() == 1 && found[0].2.contains(part), "{text}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (3, column), "{text}: {found:?}");
    }
    let error = folder.steps("  - user: {name: a, password: random}\n").unwrap_err();
    let found = findings(&folder, &error);
    assert_eq!((found.len(), found[0].0, found[0].1), (1, 3, 31), "{found:?}");
    assert!(error.render().contains("password: random") && error.render().contains("- agent: {}"), "{error}");
}

#[test]
fn the_shipped_sealed_recipe_loads() {
    let folder = folder();
    let recipe = folder.load(&shipped("debian-sealed.yaml")).unwrap();
    let mfa = recipe.mfa().unwrap();
    assert_eq!(mfa.users, ["debian", "rescue"]);
    assert_eq!(mfa.seal, Seal::Recipients(vec![AGE.to_owned(), bare(ED25519)]));
    assert_eq!(mfa.recovery, Some(Recovery { user: "rescue".to_owned(), recipients: vec![AGE.to_owned()] }));
    let names: Vec<_> = recipe.steps.iter().map(Step::name).collect();
    assert_eq!(names, ["packages", "user", "user", "mfa", "sshd", "agent"]);
    assert!(recipe.users().all(|user| matches!(user.password, Some(Password::Random(_)))));
    assert!(recipe.warnings.is_empty());
}
