#![allow(clippy::unwrap_used, clippy::print_stderr)]
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Random bytes.
pub(crate) fn urandom(buffer: &mut [u8]) -> std::io::Result<()> {
    use std::io::Read as _;
    std::fs::File::open("/dev/urandom")?.read_exact(buffer)
}

/// A user with everything.
pub(crate) fn user() -> UserCredentials {
    let user = crate::console::tests::sample().users[0].plain().unwrap().clone();
    UserCredentials { password: "kT8 vR\"2\\x".into(), ..user }
}

/// A private key and its public line.
pub(crate) struct Pair {
    pub(crate) private: PathBuf,
    pub(crate) public: String,
}

/// A key of `ssh-keygen` or `age-keygen`; `None` (said aloud) where the tool or age is missing.
pub(crate) fn pair(directory: &Path, kind: &str, bits: u32) -> Option<Pair> {
    let present = |tool: &str| Command::new(tool).arg("-?").output().is_ok();
    if let Some(missing) = ["ssh-keygen", "age", "age-keygen"].into_iter().find(|tool| !present(tool)) {
        assert!(std::env::var_os("CI").is_none(), "{missing} is missing");
        eprintln!("SKIPPED: {missing} is not installed");
        return None;
    }
    let private = directory.join(format!("{kind}{bits}"));
    if kind == "age" {
        let made = Command::new("age-keygen").arg("-o").arg(&private).output().unwrap();
        assert!(made.status.success());
        let public = Command::new("age-keygen").arg("-y").arg(&private).output().unwrap();
        return Some(Pair { private, public: String::from_utf8(public.stdout).unwrap().trim().to_owned() });
    }
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-b", &bits.to_string(), "-N", "", "-C", "carol@laptop", "-f"])
        .arg(&private)
        .status()
        .unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(private.with_extension("pub")).unwrap().trim().to_owned();
    Some(Pair { private, public })
}

/// What Debian's age says to a sealed part.
fn age(armored: &str, key: &Path) -> Option<String> {
    let mut child = Command::new("age")
        .args(["-d", "-i"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(armored.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

pub(crate) fn identity(path: &Path) -> Box<dyn age::Identity> {
    let text = std::fs::read_to_string(path).unwrap();
    match text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")) {
        Some(key) => Box::new(key.parse::<age::x25519::Identity>().unwrap()),
        None => Box::new(age::ssh::Identity::from_buffer(text.as_bytes(), None).unwrap()),
    }
}

#[test]
fn what_is_sealed_is_opened_by_us_and_by_age() {
    let directory = tempfile::tempdir().unwrap();
    let kinds = [("ed25519", 256), ("rsa", 2048), ("rsa", 3072), ("rsa", 4096), ("age", 0)];
    let Some(pairs) =
        kinds.iter().map(|(kind, bits)| pair(directory.path(), kind, *bits)).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let all: Vec<Recipient> = pairs.iter().map(|pair| Recipient::parse(&pair.public).unwrap()).collect();
    let together = seal(&user(), &all, &mut urandom).unwrap();
    for (pair, recipient) in pairs.iter().zip(&all) {
        let alone = fit(&user(), std::slice::from_ref(recipient), &mut urandom).unwrap();
        assert_eq!((alone.name.as_str(), alone.left_out), ("debian", 0));
        let identity = identity(&pair.private);
        for sealed in [&alone.sealed, &together] {
            assert!(is_armored(sealed));
            assert_eq!(open(sealed, &[identity.as_ref()]).unwrap(), user());
            let text = age(sealed, &pair.private).unwrap_or_else(|| panic!("age refuses {}", pair.public));
            assert!(text.starts_with("Your new secret key is: 5EENRV74MYRS6G4UYZMKTKSGKM\n"), "{text}");
            assert!(text.contains("\n  30116782\n") && text.contains("\nPassword: kT8 vR\"2\\x\n"), "{text}");
            assert!(!sealed.contains('\r') && sealed.ends_with(&format!("\n{END_ARMOR}\n")));
            assert!(sealed.lines().all(|line| line.len() <= 64));
        }
        assert_eq!(alone.open(&[identity.as_ref()]).unwrap(), user());
        let other = SealedCredentials { name: "carol".into(), ..alone.clone() };
        assert!(matches!(other.open(&[identity.as_ref()]), Err(OpenError::NotCredentials(_))));
        // Another key of the list does not open what is sealed to this one alone.
        for stranger in pairs.iter().filter(|other| other.private != pair.private) {
            let stranger = super::tests::identity(&stranger.private);
            let error = open(&alone.sealed, &[stranger.as_ref()]).unwrap_err();
            assert!(matches!(error, OpenError::NoKey(_)), "{error}");
        }
        // The other way round: age seals, we open.
        let mut child = Command::new("age")
            .args(["-a", "-r", &pair.public])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(plaintext(&user()).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(is_armored(&text), "{text}");
        assert_eq!(open(&text, &[identity.as_ref()]).unwrap(), user());
    }
    assert!(header::describe(&header::stanzas(&together).unwrap()).contains("3 keys of ssh-rsa"));
}

#[test]
fn keys_of_other_types_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let Some(good) = pair(directory.path(), "ed25519", 256) else { return };
    let curve = pair(directory.path(), "ecdsa", 521).unwrap().public;
    let small = pair(directory.path(), "rsa", 1024).unwrap().public;
    let good = good.public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let sk = {
        let mut blob = Vec::new();
        for part in [&b"sk-ssh-ed25519@openssh.com"[..], &[7; 32], b"ssh:"] {
            blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
            blob.extend_from_slice(part);
        }
        format!("sk-ssh-ed25519@openssh.com {}", STANDARD.encode(blob))
    };
    let text = format!(
        "# a comment\r\n\r\n{good} first key\r\n\t {good}\r\n\
         no-port-forwarding,command=\"echo \\\"Please login as the user, not root\\\"; sleep 10\" {other} b\r\n\
         restrict,from=\"10.0.0.0/8,::1\"\t{curve}\n\
         cert-authority,no-pty {other}x\n\
         CERT-AUTHORITY {}\n\
         command=\"cert-authority is, not, here\" {small}\n\
         ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t c\n\
         {sk} k\u{1b}[2J\u{e9}\n\
         ssh-ed25519 garbage\nssh-rsa\ncommand=\"never closed {good}\nssh-rsa {}\n{}\n",
        other.replace("HsK", "HsL"),
        good.split(' ').nth(1).unwrap(),
        "x".repeat(100_000),
    );
    let found = recipients(&text);
    let usable: Vec<String> = found.usable.iter().map(ToString::to_string).collect();
    assert_eq!(usable, [good.as_str(), other]);
    assert_eq!(
        found.unusable,
        [
            "ecdsa-sha2-nistp521 (carol@laptop)",
            "ssh-rsa (1024 bits, carol@laptop)",
            "sk-ssh-ed25519@openssh.com (k?[2J?)"
        ]
    );
    assert!(matches!(Recipient::parse(&curve), Err(RecipientError::CannotOpen { .. })));
    assert!(Recipient::parse(&small).unwrap_err().to_string().contains("1024 bits"));
    let secret = std::fs::read_to_string(directory.path().join("ed25519256")).unwrap();
    assert_eq!(Recipient::parse(&secret), Err(RecipientError::Private));
    for (text, wanted) in [
        ("", RecipientError::NotOne),
        ("carol", RecipientError::NotOne),
        ("/etc/ssh/key.pub", RecipientError::NotOne),
        ("AGE-SECRET-KEY-1QQQ", RecipientError::Private),
        ("age1qqqq", RecipientError::Damaged { kind: "age1…".into() }),
        ("age1yubikey1qqqq", RecipientError::CannotOpen { kind: "age's plugins".into() }),
        ("ssh-rsa AAAA", RecipientError::Damaged { kind: "ssh-rsa".into() }),
        ("ssh-ed25519", RecipientError::Damaged { kind: "ssh-ed25519".into() }),
    ] {
        assert_eq!(Recipient::parse(text), Err(wanted), "{text}");
    }
    let long = "é".repeat(30_000);
    assert_eq!(Recipient::parse(&long), Err(RecipientError::NotOne));
}

/// A key line of strings.
fn line(kind: &str, parts: &[&[u8]]) -> String {
    let mut blob = Vec::new();
    for part in [&[kind.as_bytes()], parts].concat() {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(part);
    }
    format!("{kind} {}", STANDARD.encode(blob))
}

/// A key of RSA whose modulus is made up.
fn rsa(bytes: usize, seed: u8) -> String {
    let mut modulus = vec![0xc5; bytes];
    modulus[7] = seed;
    modulus.insert(0, 0);
    line("ssh-rsa", &[&[1, 0, 1], &modulus])
}

/// A key of ed25519: a multiple of the base point's encoding is not needed, any point does.
fn ed25519s(count: usize) -> Vec<Recipient> {
    (0..=u16::MAX)
        .filter_map(|seed| {
            let mut key = [9; 32];
            key[..2].copy_from_slice(&seed.to_be_bytes());
            Recipient::parse(&line("ssh-ed25519", &[&key])).ok()
        })
        .take(count)
        .collect()
}

#[test]
fn hostile_keys_are_passed_over() {
    let modulus = [&[0][..], &[0xc5; 256]].concat();
    let even = [&[0][..], &[0xc5; 255], &[0xc4]].concat();
    for (kind, parts) in [
        ("ssh-rsa", vec![&[0][..], &modulus]),
        ("ssh-rsa", vec![&[0, 0, 0], &modulus]),
        ("ssh-rsa", vec![&[][..], &modulus]),
        ("ssh-rsa", vec![&[1, 0, 1], &[0]]),
        ("ssh-rsa", vec![&[1, 0, 1], &modulus[1..]]),
        ("ssh-rsa", vec![&[1, 0, 1], &modulus, b"more"]),
        ("ssh-ed25519", vec![&[0; 31][..]]),
        ("ssh-ed25519", vec![&[0; 32]]),
        ("ssh-ed25519", vec![&[9; 32], &[9; 32]]),
    ] {
        let found = recipients(&line(kind, &parts));
        assert_eq!(found, Recipients::default(), "{kind} {parts:?}");
    }
    // The identity, a point of order one.
    let mut one = [0; 32];
    one[0] = 1;
    assert!(recipients(&line("ssh-ed25519", &[&one])).usable.is_empty());
    for (parts, wanted) in [
        ([&[1][..], &modulus], "ssh-rsa (with an unusual exponent)"),
        ([&[4], &modulus], "ssh-rsa (with an unusual exponent)"),
        ([&[1, 0, 0, 0, 0, 0, 1], &modulus], "ssh-rsa (with an unusual exponent)"),
        ([&[1, 0, 1], &even], "ssh-rsa (with an unusual exponent)"),
    ] {
        assert_eq!(recipients(&line("ssh-rsa", &parts)).unusable, [wanted]);
    }
    assert_eq!(recipients(&rsa(1024, 1)).unusable, ["ssh-rsa (8192 bits)"]);
    let long = (0..20_000).map(|seed: u32| line("ssh-ed25519", &[&[seed.to_be_bytes(); 8].concat()]) + "\n");
    let found = recipients(&long.collect::<String>());
    assert_eq!(found.usable.len(), 512);
    let part = fit(&user(), &found.usable, &mut urandom).unwrap();
    assert!(part.left_out > 450 && part.sealed.len() < SEALED_LIMIT);
}

#[test]
fn as_many_keys_as_fit_count_and_the_smallest_first() {
    let cost = |part: &SealedCredentials| part.sealed.len() + part.sealed.lines().count();
    for (ed25519, rsa4096, most_left_out) in
        [(1, 0, 0), (5, 0, 0), (20, 0, 7), (0, 1, 0), (1, 2, 1), (20, 5, 13)]
    {
        let mut keys: Vec<Recipient> =
            (0..rsa4096).map(|seed| Recipient::parse(&rsa(512, seed)).unwrap()).collect();
        keys.extend(ed25519s(ed25519));
        let part = fit(&user(), &keys, &mut urandom).unwrap();
        assert!(cost(&part) <= SEALED_LIMIT, "{}", cost(&part));
        assert!(part.left_out <= most_left_out, "{ed25519} {rsa4096}: {} left out", part.left_out);
        let stanzas = header::stanzas(&part.sealed).unwrap();
        let count = |kind: &str| stanzas.iter().filter(|stanza| stanza.kind == kind).count();
        assert_eq!(count("ssh-ed25519") + count("ssh-rsa") + part.left_out, keys.len());
        assert!(count("ssh-rsa") == 0 || count("ssh-ed25519") == ed25519);
    }
    assert_eq!(fit(&user(), &[], &mut urandom), Err(SealError::NoRecipients));
    let huge = UserCredentials { password: "x".repeat(9000), ..user() };
    assert_eq!(fit(&huge, &ed25519s(2), &mut urandom), Err(SealError::TooLong(2)));
}

#[test]
fn what_is_no_sealed_part_is_an_error() {
    let part = fit(&user(), &ed25519s(2), &mut urandom).unwrap().sealed;
    let key: age::x25519::Identity = age::x25519::Identity::generate();
    let good =
        seal(&user(), &[Recipient::parse(&key.to_public().to_string()).unwrap()], &mut urandom).unwrap();
    assert_eq!(open(&good, &[&key]).unwrap(), user());
    let identity: &[&dyn age::Identity] = &[&key];
    let bomb = |stanzas: usize| {
        let header = format!("age-encryption.org/v1\n{}--- {}\n", "-> x\n\n".repeat(stanzas), "A".repeat(43));
        let text = STANDARD.encode(header);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("{BEGIN_ARMOR}\n{}\n{END_ARMOR}\n", lines.join("\n"))
    };
    for (name, text) in [
        ("nothing", String::new()),
        ("words", "Your new secret key is: 5EEN".into()),
        ("no end", good.replace(END_ARMOR, "")),
        ("no beginning", good.replace(BEGIN_ARMOR, "")),
        ("cut", good[..good.len() / 2].to_owned()),
        (
            "a line lost",
            good.lines()
                .enumerate()
                .filter(|(at, _)| *at != 2)
                .map(|(_, line)| format!("{line}\n"))
                .collect(),
        ),
        ("binary", format!("{BEGIN_ARMOR}\n\0\u{1b}\n{END_ARMOR}\n")),
        ("carriage returns", good.replace('\n', "\r\n")),
        (
            "a megabyte",
            format!("{BEGIN_ARMOR}\n{}{END_ARMOR}\n", format!("{}\n", "A".repeat(64)).repeat(16_384)),
        ),
        ("a bomb", bomb(6000)),
        ("many stanzas", bomb(500)),
        ("nobody's", bomb(0)),
    ] {
        let error = open(&text, identity).unwrap_err();
        assert!(!error.to_string().is_empty(), "{name}");
        let expected = matches!(error, OpenError::NotSealed(_) | OpenError::NoKey(_) | OpenError::Damaged);
        assert!(expected, "{name}: {error:?}");
    }
    assert!(matches!(open(&part, identity), Err(OpenError::NoKey(_))));
    // Every third letter changed is told, whatever the reason.
    for at in (BEGIN_ARMOR.len() + 1..good.len() - END_ARMOR.len() - 2).step_by(3) {
        let mut bytes = good.clone().into_bytes();
        if bytes[at] == b'\n' {
            continue;
        }
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(bytes).unwrap();
        assert!(open(&text, identity).is_err(), "letter {at}");
    }
    // Sealed by somebody else for the public key, who sends escape sequences.
    let recipient = Recipient::parse(&key.to_public().to_string()).unwrap();
    for hostile in [
        UserCredentials { secret: "!".into(), ..user() },
        UserCredentials { otpauth: "otpauth://\u{1b}[2J".into(), ..user() },
        UserCredentials { password: "a\nb".into(), ..user() },
        UserCredentials { name: "\u{1b}".into(), ..user() },
        UserCredentials { name: "debian".into(), ..UserCredentials::default() },
        UserCredentials { scratch_codes: vec!["1;reboot".into()], ..user() },
    ] {
        let sealed = seal(&hostile, std::slice::from_ref(&recipient), &mut urandom).unwrap();
        assert!(matches!(open(&sealed, identity), Err(OpenError::NotCredentials(_))), "{:?}", hostile.secret);
    }
}
