#![allow(clippy::unwrap_used)]
use super::*;
use crate::console::tests::{sample, surroundings};
use crate::seal::tests::{urandom, user};
use crate::seal::{Recipient, fit};

fn human(block: &Block, surroundings: &Surroundings) -> Vec<String> {
    block.render(surroundings).lines().map(str::to_owned).collect()
}

/// A name as a heading shows it.
pub(crate) fn heading(name: &str) -> String {
    super::text::plain(name)
}

#[test]
fn json_has_exactly_the_documented_members_in_order() {
    let block = Block {
        hardtack: 1,
        boot_id: "b".into(),
        instance_id: None,
        hostname: "é\u{1}\u{7f}😀".into(),
        time: "t".into(),
        seal: "none".into(),
        users: vec![UserPart::Plain(UserCredentials {
            name: "n".into(),
            secret: "S".into(),
            otpauth: "o".into(),
            scratch_codes: vec!["1".into()],
            password: String::new(),
        })],
        host_keys: vec![HostKey { kind: "k".into(), fingerprint: "SHA256:f".into(), key: "A".into() }],
        root: Root::default(),
        doors: vec!["d".into()],
        drift: Vec::new(),
    };
    assert_eq!(
        block.json(),
        r#"{"hardtack":1,"boot_id":"b","instance_id":null,"hostname":"\u00e9\u0001\u007f\ud83d\ude00","time":"t","seal":"none","users":[{"name":"n","secret":"S","otpauth":"o","scratch_codes":["1"]}],"host_keys":[{"type":"k","fingerprint":"SHA256:f","key":"A"}],"root":{"overlay":null,"device":null},"doors":["d"]}"#
    );
    assert_eq!(serde_json::from_str::<Block>(&block.json()).unwrap(), block);
}

#[test]
fn the_human_part_fits_80_columns_and_7_bits() {
    let mut block = sample();
    block.hostname = format!("{}\u{1b}[2J-----END HARDTACK CREDENTIALS-----é", "long.".repeat(60));
    block.doors.push("w".repeat(200));
    for (address, users) in
        [(None, 1), (Some("192.0.2.7".to_owned()), 2), (Some("a".repeat(300)), 1), (None, 40)]
    {
        block.users.resize(users, block.users[0].clone());
        let surroundings = Surroundings {
            address,
            packages: Some(PackagesOutcome { ok: false, detail: "sudo: é ".repeat(30) }),
            ..surroundings()
        };
        let lines = human(&block, &surroundings);
        assert!(block.render(&surroundings).len() < 64 * 1024);
        for line in &lines {
            let machine = line.starts_with('{') || line.starts_with("ssh-rsa ") || line.starts_with("ecdsa-");
            assert!(machine || line.chars().count() <= 80, "{line}");
            let code = line.contains(['▀', '▄', '█']);
            assert!(code || line.is_ascii(), "{line}");
            assert!(!line.contains('\u{1b}'));
        }
        assert_eq!(lines.iter().filter(|line| line.as_str() == END).count(), 1);
        assert_eq!(lines.first().map(String::as_str), Some(BEGIN));
        assert_eq!(lines.last().map(String::as_str), Some(END));
    }
}

#[test]
fn how_to_log_in_follows_the_factors() {
    for (factors, command, prompts) in [
        (
            &["publickey", "password", "totp"][..],
            "ssh -o IdentitiesOnly=yes -i KEY debian@ADDRESS",
            &["Password:", "Verification code:"][..],
        ),
        (&["publickey", "totp"], "ssh -o IdentitiesOnly=yes -i KEY debian@ADDRESS", &["Verification code:"]),
        (
            &["password", "totp"],
            "ssh -o PubkeyAuthentication=no debian@ADDRESS",
            &["Password:", "Verification code:"],
        ),
    ] {
        let surroundings =
            Surroundings { factors: factors.iter().map(|&f| f.to_owned()).collect(), ..surroundings() };
        let text = sample().render(&surroundings);
        assert!(text.contains("\nHow to log in"), "{text}");
        assert!(text.contains(&format!("  1. {command}\n")), "{text}");
        let is_number = |line: &str| {
            line.as_bytes().get(2).is_some_and(u8::is_ascii_digit) && line.get(3..5) == Some(". ")
        };
        let numbered = text.lines().filter(|line| is_number(line)).count();
        assert!((3..=6).contains(&numbered), "{text}");
        let mut rest = text.as_str();
        for prompt in prompts {
            rest = &rest[rest.find(prompt).unwrap()..];
        }
        assert_eq!(text.contains("\"Password:\""), factors.contains(&"password"));
    }
}

#[test]
fn the_classic_lines_are_there() {
    let text = sample().render(&surroundings());
    for line in [
        "Your new secret key is: 5EENRV74MYRS6G4UYZMKTKSGKM",
        "Your emergency scratch codes are:",
        "  30116782",
        "-----BEGIN SSH HOST KEY FINGERPRINTS-----",
        "-----BEGIN SSH HOST KEY KEYS-----",
        "Root: encrypted overlay on /dev/vdb",
        "Time: 2026-11-21 10:00:00 UTC, synchronised",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
    }
    let json = text.lines().find(|line| line.starts_with(JSON_START)).unwrap();
    assert!(text.contains(&format!("\n{json}\n{CHECKSUM_START}{}\n{END}\n", checksum(json))));
}

#[test]
fn a_block_without_users_holds_fingerprints_only() {
    let block = Block { users: Vec::new(), ..sample() };
    let text = block.render(&Surroundings { accepted: vec!["debian".into()], ..surroundings() });
    assert!(text.contains("Fingerprints only.\n"));
    assert!(text.contains("A code was accepted from debian"));
    for absent in ["secret key is", "otpauth", "5EEN", "30116782", "█"] {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn a_refusal_is_loud_and_is_no_block() {
    let text = refusal(
        "the root file system is a plain disk, although the recipe asks for an encrypted overlay on /dev/vdb",
    );
    assert!(text.contains("HARDTACK PRINTS NO CREDENTIALS"));
    assert!(!text.contains("-----"));
    assert!(text.lines().all(|line| line.starts_with("!!!") && line.len() <= 80), "{text}");
}

#[test]
fn debug_output_hides_the_secret() {
    let shown = format!("{:?}", sample());
    assert!(shown.contains("debian") && !shown.contains("5EEN") && !shown.contains("30116782"), "{shown}");
}

fn key_of_rsa(bytes: usize) -> String {
    use base64::Engine as _;
    let mut blob = Vec::new();
    for part in [&b"ssh-rsa"[..], &[1, 0, 1], &[vec![0], vec![0xc5; bytes]].concat()] {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(part);
    }
    format!("ssh-rsa {}", base64::engine::general_purpose::STANDARD.encode(blob))
}

/// Recipients: of age-keygen (as long as those of ed25519, less 12 bytes) and RSA with 4096 bits.
fn keys(small: usize, rsa: usize) -> Vec<Recipient> {
    let small = (0..small).map(|_| age::x25519::Identity::generate().to_public().to_string());
    let rsa = (0..rsa).map(|_| key_of_rsa(512));
    small.chain(rsa).map(|text| Recipient::parse(&text).unwrap()).collect()
}

/// Bytes on a serial line.
fn size(text: &str) -> usize {
    text.len() + text.lines().count()
}

/// Three host keys, as Debian's.
fn machine() -> Block {
    let mut block = sample();
    let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHFliOyIZs1gxGF3fmDxFykQhE88wy6AKDGFBfn0R6ZuvRmENABZQa9+pj9hMki+LX0qDJbmHTiWDbYv/cmFt/Q=";
    block.host_keys.push(HostKey::from_public_file(ecdsa).unwrap());
    block.host_keys.push(HostKey::from_public_file(&key_of_rsa(384)).unwrap());
    block
}

#[test]
fn a_user_takes_6_kib_and_the_block_of_one_8_kib() {
    let long = UserCredentials {
        name: "a-name-as-long-as-useradd-allows".into(),
        otpauth: crate::otpauth::url(
            &"r".repeat(40),
            &"u".repeat(40),
            &"h".repeat(40),
            Some(&"i".repeat(40)),
            "5EENRV74MYRS6G4UYZMKTKSGKM",
        ),
        password: "p".repeat(128),
        ..user()
    };
    let short = UserCredentials { name: "x".into(), password: String::new(), ..user() };
    for user in [user(), long, short] {
        let mut parts = vec![UserPart::Plain(user.clone())];
        for (small, rsa) in [(1, 0), (5, 0), (20, 0), (0, 1), (0, 2), (1, 5), (20, 20)] {
            parts.push(UserPart::Sealed(fit(&user, &keys(small, rsa), &mut urandom).unwrap()));
        }
        let reason = crate::seal::why_not(&vec!["sk-ssh-ed25519@openssh.com (carol@laptop)".to_owned(); 5]);
        parts.push(UserPart::Withheld(WithheldCredentials {
            name: user.name.clone(),
            withheld: reason.clone(),
        }));
        for part in parts {
            let surroundings = Surroundings {
                unsealed: vec![(user.name.clone(), reason.clone())],
                recovery: Some(user.name.clone()),
                address: Some("203.0.113.77".into()),
                ..surroundings()
            };
            let mut block = Block { seal: "auto".into(), users: vec![part.clone()], ..machine() };
            let one = size(&block.render(&surroundings));
            assert!(one <= room::BLOCK, "{one} bytes: {}", block.render(&surroundings));
            let mut again = part;
            match &mut again {
                UserPart::Plain(user) => user.name = "second".into(),
                UserPart::Sealed(part) => part.name = "second".into(),
                UserPart::Withheld(part) => part.name = "second".into(),
            }
            block.users.push(again);
            let two = size(&block.render(&surroundings));
            assert!(two <= room::BLOCK + room::USER, "{one} and {two} bytes");
            for line in block.render(&surroundings).lines() {
                let machine =
                    line.starts_with('{') || line.starts_with("ssh-rsa ") || line.starts_with("ecdsa-");
                assert!(machine || line.chars().count() <= 80, "{line}");
            }
        }
    }
    // One key of the usual kinds: the armor stands among the lines for people.
    for keys in [keys(1, 0), keys(2, 0), vec![Recipient::parse(&key_of_rsa(256)).unwrap()]] {
        let part = UserPart::Sealed(fit(&short_user(), &keys, &mut urandom).unwrap());
        let text = Block { seal: "ssh".into(), users: vec![part], ..machine() }.render(&surroundings());
        assert!(
            text.lines().any(|line| line == crate::seal::BEGIN_ARMOR),
            "{} keys: {}",
            keys.len(),
            size(&text)
        );
    }
}

fn short_user() -> UserCredentials {
    UserCredentials { password: String::new(), ..user() }
}

#[test]
fn sealed_withheld_and_plain_parts_say_what_to_do() {
    let sealed = UserPart::Sealed(fit(&user(), &keys(1, 0), &mut urandom).unwrap());
    let withheld = UserPart::Withheld(WithheldCredentials {
        name: "carol".into(),
        withheld: "its only key is odd; give it another".into(),
    });
    let render = |seal: &str, users: &[UserPart], around: Surroundings| {
        let text = Block { seal: seal.into(), users: users.to_vec(), ..sample() }.render(&around);
        text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let made = Surroundings { passwords: vec!["debian".into()], ..surroundings() };
    let text = render("ssh", std::slice::from_ref(&sealed), made.clone());
    for wanted in [
        "\"Password:\" the one in the sealed part below",
        "from an app with the secret sealed below",
        "hardtack console LOG --identity KEY",
        "LOG|age -d -i KEY",
        "Sealed; it opens with the private half of a login key",
        "A stolen key and an old log are two factors",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    assert!(!text.contains("NOT SEALED") && !text.contains("Log in soon"), "{text}");
    let text = render("recipients", &[sealed.clone(), withheld.clone()], made.clone());
    for wanted in [
        "of the recipients that the recipe names",
        "--user debian",
        "NOT PRINTED: its only key is odd; give it another.",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let text = render("ssh", &[withheld], surroundings());
    assert!(text.contains("its secret is not printed, see below"), "{text}");
    let around = Surroundings { unsealed: vec![("debian".into(), "it has no key".into())], ..made };
    let text = render("auto", &[UserPart::Plain(user())], around);
    for wanted in [
        "NOT SEALED: whoever reads this console can log in with the other factors. The reason: it has no key.",
        "\"Password:\" the one below",
        "Password: kT8 vR\"2\\x",
        "Log in soon",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let around = Surroundings { operator: vec!["debian".into()], ..surroundings() };
    let text = render("auto", &[], around.clone());
    for wanted in [
        "Fingerprints only.",
        "How to log in as debian",
        "six digits from the operator's enrolment",
        "debian: the code comes from the operator's enrolment.",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    let password = UserPart::Plain(UserCredentials {
        name: "debian".into(),
        password: "kT8v".into(),
        ..UserCredentials::default()
    });
    let text = render("none", &[password], around);
    assert!(
        text.contains("Password: kT8v") && !text.contains("secret key is") && !text.contains("QR"),
        "{text}"
    );
}

#[test]
fn drift_is_the_first_thing_and_loud() {
    for users in [sample().users, Vec::new()] {
        let drift = vec!["sshd takes a password alone from debian: ".repeat(5), "d\u{1b}[2J".into()];
        let block = Block { drift, users, ..sample() };
        let text = block.render(&surroundings());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "!".repeat(60));
        assert_eq!(lines[2], "!!! LOGINS ASK FOR LESS THAN THE RECIPE PROMISED");
        let end = lines.iter().skip(2).position(|line| *line == "!".repeat(60)).unwrap() + 2;
        assert!(
            end > 6 && lines[3..end].iter().all(|line| line.starts_with("!!! ") && line.len() <= 80),
            "{text}"
        );
        assert!(text.contains("docs/lost-and-found.md") && !text.contains('\u{1b}'));
        assert_eq!(crate::console::read(text.as_bytes()).unwrap().newest.block, block);
    }
}

/// docs/console.md has these numbers, in tenths of 1000 bytes.
#[test]
fn sizes_are_those_that_the_manual_tells() {
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let of_ssh = |count: usize| vec![Recipient::parse(ED25519).unwrap(); count];
    let of_rsa = |count: usize, bits: usize| vec![Recipient::parse(&key_of_rsa(bits / 8)).unwrap(); count];
    let tenths = |bytes: usize| (bytes + 50) / 100;
    // Armor, how often it stands there, the block, keys that it is sealed to.
    for (keys, expected) in [
        (of_ssh(1), (11, 2, 62, 1)),
        (keys(1, 0), (11, 2, 62, 1)),
        (of_rsa(1, 2048), (15, 2, 69, 1)),
        (of_rsa(1, 3072), (17, 2, 74, 1)),
        (of_rsa(1, 4096), (19, 2, 79, 1)),
        (of_ssh(6), (19, 2, 77, 6)),
        (of_ssh(40), (38, 1, 79, 19)),
        (of_rsa(40, 2048), (35, 1, 76, 5)),
        (of_rsa(40, 3072), (32, 1, 73, 3)),
        (of_rsa(40, 4096), (29, 1, 70, 2)),
    ] {
        let part = fit(&short_user(), &keys, &mut urandom).unwrap();
        let (armor, sealed_to) = (tenths(size(&part.sealed)), keys.len() - part.left_out);
        let block = Block { seal: "ssh".into(), users: vec![UserPart::Sealed(part)], ..machine() };
        let text = block.render(&surroundings());
        let times = 1 + usize::from(text.lines().any(|line| line == crate::seal::BEGIN_ARMOR));
        assert_eq!((armor, times, tenths(size(&text)), sealed_to), expected, "{keys:?}");
    }
    for (users, expected) in [(vec![UserPart::Plain(short_user())], 77), (Vec::new(), 31)] {
        assert_eq!(tenths(size(&Block { users, ..machine() }.render(&surroundings()))), expected);
    }
}
