#![allow(clippy::unwrap_used)]
use super::*;
use crate::console::tests::{sample, surroundings};

fn human(block: &Block, surroundings: &Surroundings) -> Vec<String> {
    block.render(surroundings).lines().map(str::to_owned).collect()
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
