//! Sealed parts and the keys that open them, made by ssh-keygen, openssl and age-keygen.

use std::process::Command;

use hardtack_credentials::seal::{Recipient, seal};
use hardtack_credentials::{SealedCredentials, WithheldCredentials};
use zeroize::Zeroizing;

use super::*;

const PASSPHRASE: &str = "correct horse";

/// Answers in turn, then gives nothing.
struct Person(Vec<&'static str>, Vec<String>);

impl Ask for Person {
    fn passphrase(&mut self, prompt: &str) -> std::io::Result<Answer> {
        self.1.push(prompt.to_owned());
        if self.0.is_empty() {
            return Ok(Answer::Nothing);
        }
        Ok(Answer::Given(Zeroizing::new(self.0.remove(0).as_bytes().to_vec())))
    }
}

/// False, visibly, where a program is missing.
fn has(program: &str) -> bool {
    if Command::new(program).arg("-?").output().is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{program} is missing");
    eprintln!("SKIPPED: {program} is not installed");
    false
}

fn call(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A directory of keys.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// The key's public line.
    fn ssh(&self, name: &str, arguments: &[&str]) -> String {
        let path = self.path(name);
        call("ssh-keygen", &[&["-q", "-C", "me", "-f", &path], arguments].concat());
        self.public(name)
    }

    fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap().trim().to_owned()
    }
}

fn sealed_for(name: &str, recipients: &[&str]) -> UserPart {
    let recipients: Vec<Recipient> = recipients.iter().map(|text| Recipient::parse(text).unwrap()).collect();
    let user = UserCredentials { password: "Rnd-pass".into(), ..user(name) };
    let sealed = seal(&user, &recipients, &mut crate::random::fill).unwrap();
    UserPart::Sealed(SealedCredentials { name: name.into(), sealed, left_out: 0 })
}

fn sealed_log(parts: Vec<UserPart>) -> String {
    sealed_by("ssh", parts)
}

fn sealed_by(seal: &str, parts: Vec<UserPart>) -> String {
    log(&[Block { seal: seal.into(), users: parts, ..block("a", &[]) }])
}

fn with(identities: &[&str]) -> ConsoleArgs {
    ConsoleArgs { identity: identities.iter().map(PathBuf::from).collect(), ..ConsoleArgs::default() }
}

fn ask(arguments: &ConsoleArgs, log: &str, person: &mut dyn Ask) -> (u8, String, String) {
    run_with(arguments, log, later(5), Terminal { width: None, color: false }, None, person)
}

/// Opened, and everything is there.
fn assert_opens(arguments: &ConsoleArgs, log: &str, person: &mut dyn Ask, what: &str) {
    let (code, out, err) = ask(arguments, log, person);
    assert_eq!(code, 0, "{what}: {err}");
    for part in [SECRET, "30116782", "otpauth://totp/", "Password: Rnd-pass", "█"] {
        assert!(out.contains(part), "{what}: {part}\n{out}{err}");
    }
    assert!(!err.contains(SECRET) && !err.contains("Rnd-pass"), "{what}: {err}");
}

#[test]
fn every_format_opens_with_and_without_a_passphrase() {
    if !has("ssh-keygen") || !has("openssl") {
        return;
    }
    let keys = Keys::new();
    let ed25519 = keys.ssh("ed25519", &["-t", "ed25519", "-N", ""]);
    let rsa = keys.ssh("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    let ed25519_log = sealed_log(vec![sealed_for("debian", &[&ed25519])]);
    let rsa_log = sealed_log(vec![sealed_for("debian", &[&rsa])]);
    assert_opens(&with(&[&keys.path("ed25519")]), &ed25519_log, &mut Nobody, "ed25519");
    assert_opens(&with(&[&keys.path("rsa")]), &rsa_log, &mut Nobody, "rsa");
    let copy = |name: &str, from: &str| {
        std::fs::copy(keys.path(from), keys.path(name)).unwrap();
        std::fs::set_permissions(keys.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        keys.path(name)
    };
    let mut locked: Vec<(String, bool)> = Vec::new();
    for cipher in call("ssh", &["-Q", "cipher"]).lines() {
        for (from, is_rsa) in [("ed25519", false), ("rsa", true)] {
            let path = copy(&format!("{from}-{cipher}"), from);
            call(
                "ssh-keygen",
                &["-q", "-p", "-a", "2", "-Z", cipher, "-P", "", "-N", PASSPHRASE, "-f", &path],
            );
            locked.push((path, is_rsa));
        }
    }
    // PKCS#1 is what AWS hands out; PKCS#8 what openssl writes today.
    let pkcs1 = copy("pkcs1.pem", "rsa");
    call("ssh-keygen", &["-q", "-p", "-m", "PEM", "-P", "", "-N", "", "-f", &pkcs1]);
    assert!(std::fs::read_to_string(&pkcs1).unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    assert_opens(&with(&[&pkcs1]), &rsa_log, &mut Nobody, "PKCS#1");
    let pass = format!("pass:{PASSPHRASE}");
    for cipher in ["-aes128", "-aes192", "-aes256", "-des3"] {
        let path = keys.path(&format!("pkcs1{cipher}"));
        call("openssl", &["rsa", "-in", &pkcs1, "-out", &path, "-traditional", cipher, "-passout", &pass]);
        assert!(std::fs::read_to_string(&path).unwrap().contains("DEK-Info"));
        locked.push((path, true));
    }
    let pkcs8 = keys.path("pkcs8");
    call("openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", &pkcs1, "-out", &pkcs8]);
    assert_opens(&with(&[&pkcs8]), &rsa_log, &mut Nobody, "PKCS#8");
    for (index, how) in [
        &["-v2", "aes-256-cbc"][..],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"],
        &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "5000"],
        &["-v2", "des3"],
        &["-scrypt", "-scrypt_N", "1024"],
    ]
    .into_iter()
    .enumerate()
    {
        let path = keys.path(&format!("pkcs8-{index}"));
        call(
            "openssl",
            &[&["pkcs8", "-topk8", "-in", &pkcs1, "-out", &path, "-passout", &pass], how].concat(),
        );
        locked.push((path, true));
    }
    for format in ["PEM", "PKCS8"] {
        let path = copy(&format!("keygen-{format}"), "rsa");
        call("ssh-keygen", &["-q", "-p", "-m", format, "-P", "", "-N", PASSPHRASE, "-f", &path]);
        locked.push((path, true));
    }
    for (path, is_rsa) in locked {
        let log = if is_rsa { &rsa_log } else { &ed25519_log };
        let mut person = Person(vec!["wrong", PASSPHRASE], Vec::new());
        assert_opens(&with(&[&path]), log, &mut person, &path);
        assert!(person.1.len() == 2 && person.1[0].contains(&path), "{:?}", person.1);
    }
    // Ed25519 in PKCS#8, which OpenSSH reads since 9.6.
    let pkcs8 = keys.path("ed25519-pkcs8");
    call("openssl", &["genpkey", "-algorithm", "ed25519", "-out", &pkcs8]);
    let (code, _, err) = ask(&with(&[&pkcs8]), &ed25519_log, &mut Nobody);
    assert!(code == 1 && err.contains("is ssh-ed25519 SHA256:"), "{err}");
}

#[test]
fn age_identity_files_open() {
    if !has("age-keygen") {
        return;
    }
    let keys = Keys::new();
    let (one, two) = (keys.path("one"), keys.path("two"));
    for path in [&one, &two] {
        call("age-keygen", &["-o", path]);
    }
    let recipient = call("age-keygen", &["-y", &two]).trim().to_owned();
    let both = keys.path("both");
    let text = [&one, &two].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&both, text.replace('\n', "\r\n")).unwrap();
    let log = sealed_log(vec![sealed_for("debian", &[&recipient])]);
    assert_opens(&with(&[&both]), &log, &mut Nobody, "several keys");
    let (code, out, err) = ask(&with(&[&one]), &log, &mut Nobody);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("it is sealed to an age key"), "{err}");
}

#[test]
fn keys_that_open_nothing_are_told_apart() {
    if !has("ssh-keygen") {
        return;
    }
    let keys = Keys::new();
    let right = keys.ssh("right", &["-t", "ed25519", "-N", PASSPHRASE, "-a", "2"]);
    let rsa = keys.ssh("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]);
    keys.ssh("other", &["-t", "ed25519", "-N", PASSPHRASE, "-a", "2"]);
    keys.ssh("ecdsa", &["-t", "ecdsa", "-N", ""]);
    let log = sealed_log(vec![sealed_for("debian", &[&right, &rsa])]);
    let fingerprint = call("ssh-keygen", &["-lf", &keys.path("right.pub")]);
    let start = fingerprint.split("SHA256:").nth(1).unwrap().get(..5).unwrap().to_owned();

    // Another's key: its passphrase is not asked for, and the recipients are told.
    let mut person = Person(vec![PASSPHRASE], Vec::new());
    let (code, out, err) = ask(&with(&[&keys.path("other")]), &log, &mut person);
    assert_eq!((code, out.as_str(), person.1.len()), (1, "", 0), "{err}");
    for part in [
        "none of the keys given opens debian's part (it is sealed to 2 recipients: ".to_owned(),
        format!("ssh-ed25519 SHA256:{start}…"),
        "ssh-rsa SHA256:".to_owned(),
        format!("{} is ssh-ed25519 SHA256:", keys.path("other")),
    ] {
        assert!(err.contains(&part), "{part}\n{err}");
    }
    // Three tries.
    let mut person = Person(vec!["a", "b", "c", PASSPHRASE], Vec::new());
    let (code, out, err) = ask(&with(&[&keys.path("right")]), &log, &mut person);
    assert_eq!((code, out.as_str(), person.1.len()), (1, "", 3), "{err}");
    assert!(err.contains("wrong passphrase, 3 times") && person.1[1].contains("wrong passphrase"), "{err}");
    // Nobody there, nothing typed.
    let (code, _, err) = ask(&with(&[&keys.path("right")]), &log, &mut Nobody);
    assert!(code == 1 && err.contains("no terminal") && err.contains("--passphrase-file"), "{err}");
    let (code, _, err) = ask(&with(&[&keys.path("right")]), &log, &mut Person(Vec::new(), Vec::new()));
    assert!(code == 1 && err.contains("no passphrase was given"), "{err}");
    // From a file: the first line.
    let file = keys.path("passphrase");
    let from_file =
        ConsoleArgs { passphrase_file: Some(file.clone().into()), ..with(&[&keys.path("right")]) };
    std::fs::write(&file, format!("{PASSPHRASE}\r\nanother line\n")).unwrap();
    assert_opens(&from_file, &log, &mut Nobody, "passphrase file");
    std::fs::write(&file, "wrong").unwrap();
    let (code, _, err) = ask(&from_file, &log, &mut Nobody);
    assert!(code == 1 && err.contains("is not this key's") && !err.contains("wrong"), "{err}");
    std::fs::write(&file, "\n").unwrap();
    assert_eq!(ask(&from_file, &log, &mut Nobody).0, 3);
    // Useless keys are told, and do not get in the way of a useful one.
    for (name, what) in [("ecdsa", "an ecdsa key"), ("rsa.pub", "a public key")] {
        let (code, out, err) = ask(&with(&[&keys.path(name)]), &log, &mut Nobody);
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains(what) && err.contains("hint: "), "{err}");
        let (code, out, err) = ask(&with(&[&keys.path(name), &keys.path("rsa")]), &log, &mut Nobody);
        assert!(code == 0 && out.contains(SECRET) && err.contains(what), "{err}");
    }
    assert_eq!(ask(&with(&[&keys.path("none")]), &log, &mut Nobody).0, 4);
    // A key without a passphrase is tried before anybody is asked.
    let mut person = Person(vec![PASSPHRASE], Vec::new());
    assert_opens(&with(&[&keys.path("right"), &keys.path("rsa")]), &log, &mut person, "both");
    assert!(person.1.is_empty());
}

/// A recovery account with recipients of its own, in a block that is sealed to login keys.
#[test]
fn a_part_for_age_keys_is_not_called_one_for_login_keys() {
    const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let log = sealed_log(vec![sealed_for("rescue", &[AGE])]);
    let (code, out, err) = run(&ConsoleArgs { targets: vec!["log".into()], ..ConsoleArgs::default() }, &log);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("User rescue\nSealed to the recipe's recipient(s): open with"), "{out}");
}

#[test]
fn without_a_key_the_block_says_who_can_open_it() {
    if !has("ssh-keygen") {
        return;
    }
    let keys = Keys::new();
    let key = keys.ssh("id", &["-t", "ed25519", "-N", ""]);
    let withheld = WithheldCredentials { name: "eve".into(), withheld: "only an ecdsa key".into() };
    let parts = vec![sealed_for("debian", &[&key]), UserPart::Withheld(withheld)];
    let log = sealed_log(parts);
    let (code, out, err) =
        run(&ConsoleArgs { targets: vec!["my log".into()], ..ConsoleArgs::default() }, &log);
    assert_eq!(code, 0, "{err}");
    for part in [
        "User debian\nSealed to the login key(s): open with `hardtack console 'my log' --identity KEY`\n",
        "  ssh-ed25519 SHA256:",
        "User eve\nNot printed: only an ecdsa key\n",
        "(ED25519)",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert!(!out.contains("otpauth"));
    // On a terminal: with the key that lies there.
    let terminal = Terminal { width: Some(80), color: false };
    let (_, out, _) =
        run_with(&ConsoleArgs::default(), &log, later(5), terminal, Some(keys.0.path()), &mut Nobody);
    assert!(out.contains(&format!("--identity {}`", keys.path("id"))), "{out}");
    for (user, wanted) in [("debian", "--identity KEY opens it"), ("eve", "only an ecdsa key")] {
        let picture = keys.0.path().join("code.png");
        for arguments in [
            ConsoleArgs { code: true, ..ConsoleArgs::default() },
            ConsoleArgs { qr: Some(picture.clone()), ..ConsoleArgs::default() },
        ] {
            let arguments = ConsoleArgs { user: Some(user.into()), ..arguments };
            let (code, out, err) = run(&arguments, &log);
            assert_eq!((code, out.as_str()), (1, ""), "{err}");
            assert!(err.contains(wanted) && !picture.exists(), "{err}");
        }
    }
}

#[test]
fn the_command_that_logs_in_has_the_key_that_opened() {
    if !has("ssh-keygen") {
        return;
    }
    let keys = Keys::new();
    let mine = keys.ssh("mine", &["-t", "ed25519", "-N", ""]);
    let other = keys.ssh("other", &["-t", "ed25519", "-N", ""]);
    let log = sealed_log(vec![sealed_for("debian", &[&mine]), sealed_for("carol", &[&other])]);
    let around = Surroundings {
        terminal: Terminal { width: None, color: false },
        now: later(5),
        printed: PrintedAt::Since(None),
        ssh_directory: None,
        again: "i-1".into(),
        host: Some(("127.0.0.1".into(), 2222)),
    };
    let both = [keys.path("other"), keys.path("mine")];
    let line = |key: &str, user: &str| {
        format!("\nLog in: ssh -o IdentitiesOnly=yes -i {key} -p 2222 {user}@127.0.0.1\n")
    };
    let (code, out, err) =
        run_around(&with(&[both[0].as_str(), both[1].as_str()]), &log, &around, &mut Nobody);
    assert!(
        out.contains(&line(&both[1], "debian")) && out.contains(&line(&both[0], "carol")),
        "{code} {out}{err}"
    );
    let (_, out, _) = run_around(&with(&[&both[1]]), &log, &around, &mut Nobody);
    assert!(out.contains(&line(&both[1], "debian")) && out.contains(&line("KEY", "carol")), "{out}");
    // A recipe's recipients open, and need not log in.
    let of_recipe = sealed_by("recipients", vec![sealed_for("debian", &[&mine])]);
    let (_, out, _) = run_around(&with(&[&both[1]]), &of_recipe, &around, &mut Nobody);
    assert!(out.contains(SECRET) && out.contains(&line("KEY", "debian")), "{out}");
}

#[test]
fn an_opened_block_serves_every_option() {
    if !has("ssh-keygen") {
        return;
    }
    let keys = Keys::new();
    let mine = keys.ssh("mine", &["-t", "ed25519", "-N", ""]);
    let other = keys.ssh("other", &["-t", "ed25519", "-N", ""]);
    let log = sealed_log(vec![sealed_for("debian", &[&mine]), sealed_for("carol", &[&other])]);
    let with_mine = with(&[&keys.path("mine")]);
    // The others stay as they are.
    let (code, out, err) = run(&with_mine, &log);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains(SECRET) && out.contains("User carol\nSealed to"), "{out}");
    // The one that opened is meant.
    let key = base32::decode(SECRET).unwrap();
    let (code, out, err) = run(&ConsoleArgs { code: true, ..with_mine.clone() }, &log);
    assert_eq!((code, out), (0, format!("{}\n", totp::code(&key, PRINTED))), "{err}");
    let picture = keys.0.path().join("code.svg");
    let arguments = ConsoleArgs { qr: Some(picture.clone()), ..with_mine.clone() };
    assert_eq!(run(&arguments, &log).0, 0);
    assert_eq!(picture.metadata().unwrap().mode() & 0o777, 0o600);
    // JSON: opened in place, in the block's order.
    let (code, out, _) = run(&ConsoleArgs { json: true, ..with_mine.clone() }, &log);
    assert_eq!(code, 0);
    let block: Block = serde_json::from_str(&out).unwrap();
    assert!(block.users[0].plain().is_some_and(|user| user.secret == SECRET && user.password == "Rnd-pass"));
    assert!(matches!(&block.users[1], UserPart::Sealed(part) if part.name == "carol"));
    let (_, out, _) = run(&ConsoleArgs { json: true, ..ConsoleArgs::default() }, &log);
    assert!(!out.contains(SECRET) && out.matches("\"sealed\"").count() == 2, "{out}");
    // Another's part.
    let (code, _, err) = run(&ConsoleArgs { user: Some("carol".into()), ..with_mine.clone() }, &log);
    assert!(code == 1 && err.contains("none of the keys given opens carol's part"), "{err}");
    assert_eq!(run(&ConsoleArgs { user: Some("eve".into()), ..with_mine.clone() }, &log).0, 2);
    // Nothing sealed: the key was not needed.
    let (code, _, err) = run(&with_mine, &super::log(&[super::block("a", &["debian"])]));
    assert!(code == 0 && err.contains("--identity was not needed"), "{err}");
}

#[test]
fn a_part_that_was_exchanged_is_refused() {
    if !has("ssh-keygen") {
        return;
    }
    let keys = Keys::new();
    let mine = keys.ssh("mine", &["-t", "ed25519", "-N", ""]);
    let UserPart::Sealed(part) = sealed_for("carol", &[&mine]) else { panic!() };
    let exchanged = UserPart::Sealed(SealedCredentials { name: "debian".into(), ..part });
    let (code, out, err) = run(&with(&[&keys.path("mine")]), &sealed_log(vec![exchanged]));
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("belongs to another user"), "{err}");
}

#[test]
fn drift_is_loud() {
    let drift = vec!["PasswordAuthentication is yes\u{7}".to_owned()];
    let log = log(&[Block { drift, ..block("a", &["debian"]) }]);
    let (code, out, err) = run(&ConsoleArgs::default(), &log);
    assert_eq!(code, 0);
    assert!(out.contains("!!! THIS MACHINE ASKS FOR LESS") && out.contains("!!!   - PasswordAuthentication"));
    assert!(err.contains("WARNING") && !err.contains('\u{7}'), "{err}");
    let (_, out, err) = run(&ConsoleArgs { code: true, ..ConsoleArgs::default() }, &log);
    assert!(out.len() == 7 && err.contains("WARNING"), "{err}");
}

/// Sealed twice, a part is another text; only with the key can be told that it says the same.
#[test]
fn two_blocks_of_one_boot_must_have_the_same_sealed() {
    if !has("age-keygen") {
        return;
    }
    let keys = Keys::new();
    let (mine, other) = (keys.path("mine"), keys.path("other"));
    for path in [&mine, &other] {
        call("age-keygen", &["-o", path]);
    }
    let public = |path: &str| call("age-keygen", &["-y", path]).trim().to_owned();
    let recipient = public(&mine);
    let sealed = |secret: &str, to: &str| {
        let user = UserCredentials {
            secret: secret.into(),
            otpauth: otpauth::url("debian-3fa", "debian", "web-1", None, secret),
            ..user("debian")
        };
        let sealed = seal(&user, &[Recipient::parse(to).unwrap()], &mut crate::random::fill).unwrap();
        UserPart::Sealed(SealedCredentials { name: "debian".into(), sealed, left_out: 0 })
    };
    let twice = |first: UserPart, second: UserPart| {
        log(&[first, second].map(|part| Block { seal: "ssh".into(), users: vec![part], ..block("a", &[]) }))
    };
    let forged = "AAAAAAAAAAAAAAAAAAAAAAAAAA";
    let same = twice(sealed(SECRET, &recipient), sealed(SECRET, &recipient));
    let (code, out, err) = ask(&with(&[&mine]), &same, &mut Nobody);
    assert!(code == 0 && out.contains(SECRET) && !err.contains("boot"), "{err}");
    for (first, second) in [(SECRET, forged), (forged, SECRET)] {
        let differ = twice(sealed(first, &recipient), sealed(second, &recipient));
        let (code, out, err) = ask(&with(&[&mine]), &differ, &mut Nobody);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(err.contains("different credentials sealed for user \"debian\""), "{err}");
        assert!(err.contains("trust neither") && !err.contains(SECRET) && !err.contains(forged), "{err}");
        // Nothing can be told without the key.
        assert_eq!(ask(&with(&[]), &differ, &mut Nobody).0, 0);
    }
    // Of what the key does not open nothing is known, which is said.
    let strange = twice(sealed(forged, &public(&other)), sealed(SECRET, &recipient));
    let (code, out, err) = ask(&with(&[&mine]), &strange, &mut Nobody);
    assert!(code == 0 && out.contains(SECRET), "{err}");
    assert!(err.contains("another part of user \"debian\"") && err.contains("not known"), "{err}");
    let (code, _, err) = ask(&with(&[&mine, &other]), &strange, &mut Nobody);
    assert_eq!(code, 3, "{err}");
    // A code is not shown either.
    let differ = twice(sealed(forged, &recipient), sealed(SECRET, &recipient));
    let (code, out, err) = ask(&ConsoleArgs { code: true, ..with(&[&mine]) }, &differ, &mut Nobody);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
}
