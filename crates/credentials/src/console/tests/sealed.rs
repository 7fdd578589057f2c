//! Blocks with parts that are sealed or withheld.

use std::process::{Command, Stdio};

use super::*;
use crate::block::WithheldCredentials;
use crate::seal::tests::{pair, urandom, user};
use crate::seal::{Recipient, fit};

fn key() -> (age::x25519::Identity, Recipient) {
    let key = age::x25519::Identity::generate();
    let recipient = Recipient::parse(&key.to_public().to_string()).unwrap();
    (key, recipient)
}

/// A user's part, sealed to so many keys.
fn part(name: &str, recipients: &[Recipient]) -> UserPart {
    UserPart::Sealed(fit(&UserCredentials { name: name.into(), ..user() }, recipients, &mut urandom).unwrap())
}

fn withheld(name: &str) -> UserPart {
    let reason = crate::seal::why_not(&["ecdsa-sha2-nistp256 (carol@laptop)".into()]);
    UserPart::Withheld(WithheldCredentials { name: name.into(), withheld: reason })
}

fn sealed(users: Vec<UserPart>) -> Block {
    Block { seal: "ssh".into(), users, ..sample() }
}

#[test]
fn sealed_blocks_survive_every_kind_of_noise() {
    let (key, recipient) = key();
    let one = sealed(vec![part("debian", std::slice::from_ref(&recipient))]);
    let several = sealed(vec![
        part("debian", std::slice::from_ref(&recipient)),
        withheld("carol"),
        part("dave", &vec![recipient; 18]),
    ]);
    for block in [one, several] {
        let rendered = block.render(&surroundings());
        assert!(!rendered.contains("5EENRV") && !rendered.contains("30116782") && !rendered.contains('█'));
        let has_armor = rendered.lines().any(|line| line == crate::seal::BEGIN_ARMOR);
        assert!(has_armor, "{rendered}");
        for (name, noise) in noisy_of(&rendered) {
            let reading = read(&noise).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(reading.newest.block, block, "{name}");
            assert!(reading.resealed.is_empty(), "{name}");
            let UserPart::Sealed(part) = &reading.newest.block.users[0] else { unreachable!() };
            assert_eq!(part.open(&[&key]).unwrap(), user(), "{name}");
        }
    }
}

#[test]
fn armor_is_verified_where_it_stands() {
    let (_, recipient) = key();
    let block = sealed(vec![part("debian", &[recipient])]);
    let text = block.render(&surroundings());
    assert!(read(text.as_bytes()).is_ok());
    let UserPart::Sealed(part) = &block.users[0] else { unreachable!() };
    let start = text.find(&part.sealed).unwrap();
    for at in (start..start + part.sealed.len()).step_by(7) {
        if matches!(text.as_bytes()[at], b'\n' | b' ') {
            continue;
        }
        for (what, with) in [("lost", &b""[..]), ("changed", b"!"), ("doubled", &[text.as_bytes()[at]; 2])] {
            let damaged = [&text.as_bytes()[..at], with, &text.as_bytes()[at + 1..]].concat();
            let result = read(&damaged);
            assert!(matches!(result, Err(ReadError::Damaged { .. })), "byte {at} {what}");
        }
    }
    // Left out by a hostile hand, and nothing in its place.
    let cut = text.replace(&part.sealed, "");
    let Err(ReadError::Damaged { last, .. }) = read(cut.as_bytes()) else { unreachable!() };
    assert!(last.why.contains("a sealed part"), "{}", last.why);
}

#[test]
fn hostile_parts_are_refused_with_a_reason() {
    let (_, recipient) = key();
    let good = part("debian", &[recipient]);
    let UserPart::Sealed(inner) = &good else { unreachable!() };
    let armor = serde_json::to_string(&inner.sealed).unwrap();
    let long = format!("\"{}\"", "x".repeat(5000));
    for (users, why) in [
        (r#"{"name":"u"}"#.to_owned(), "is not one of"),
        (r#"{"name":"u","sealed":"5EEN"}"#.to_owned(), "not an age file"),
        (format!(r#"{{"name":"u","sealed":{long}}}"#), "not an age file"),
        (
            format!(r#"{{"name":"u","sealed":{armor},"secret":"5EENRV74MYRS6G4UYZMKTKSGKM"}}"#),
            "is not one of",
        ),
        (format!(r#"{{"name":"u","sealed":{armor},"withheld":"x"}}"#), "is not one of"),
        (format!(r#"{{"name":"","sealed":{armor}}}"#), "name is empty"),
        (format!(r#"{{"name":"u\u001b[2J","sealed":{armor}}}"#), "control characters"),
        (format!(r#"{{"name":"u","sealed":{armor}}},{{"name":"u","sealed":{armor}}}"#), "twice"),
        (r#"{"name":"u","withheld":"a\nb"}"#.to_owned(), "not one sentence"),
        (format!(r#"{{"name":"u","withheld":{long}}}"#), "not one sentence"),
        (r#"{"name":"u","secret":"","password":""}"#.to_owned(), "neither a secret nor a password"),
        (r#"{"name":"u","password":"a\u0007b"}"#.to_owned(), "not plain ASCII"),
        (r#"{"name":"u","scratch_codes":["1"],"password":"abc"}"#.to_owned(), "without a secret"),
        (vec![r#"{"name":"u","withheld":"x"}"#; 2000].join(","), "no machine prints more"),
        (format!(r#"{{"name":"u","sealed":[{armor}]}}"#), "neither a secret"),
    ] {
        let ours = serde_json::to_string(&sample().users).unwrap();
        let json = sample().json().replace(&ours, &format!("[{users}]"));
        assert_ne!(json, sample().json());
        let Err(ReadError::Damaged { last, .. }) = read(resum(&json).as_bytes()) else {
            panic!("accepted: {users:.80}");
        };
        assert!(last.why.contains(why), "{users:.80}: {}", last.why);
    }
}

#[test]
fn two_prints_of_one_boot_may_differ_in_the_ciphertext_alone() {
    let (key, recipient) = key();
    let list = [recipient];
    let first = sealed(vec![part("debian", &list), part("carol", &list)]);
    let anew = sealed(vec![part("debian", &list), first.users[1].clone()]);
    let log =
        |blocks: &[&Block]| -> String { blocks.iter().map(|block| block.render(&surroundings())).collect() };
    let reading = read(log(&[&first, &anew]).as_bytes()).unwrap();
    assert_eq!(reading.newest.block, anew);
    let [other] = reading.resealed.as_slice() else { panic!("{}", reading.resealed.len()) };
    assert_eq!(
        (UserPart::Sealed(other.clone()), other.open(&[&key]).unwrap()),
        (first.users[0].clone(), user())
    );
    // Printed again as it was, and with somebody left out meanwhile.
    let fewer = Block { users: vec![first.users[1].clone()], drift: vec!["d".into()], ..first.clone() };
    for later in [&first, &fewer] {
        assert!(read(log(&[&first, later]).as_bytes()).unwrap().resealed.is_empty());
    }
    // In plain text or withheld instead, somebody new, another host: not by one agent.
    let plain = UserPart::Plain(UserCredentials { name: "debian".into(), ..user() });
    for later in [
        sealed(vec![plain.clone()]),
        sealed(vec![withheld("debian")]),
        sealed(vec![part("mallory", &list)]),
        Block { hostname: "web-2".into(), ..first.clone() },
        Block { seal: "recipients".into(), ..first.clone() },
    ] {
        let result = read(log(&[&first, &later]).as_bytes());
        assert!(matches!(result, Err(ReadError::Contradiction { .. })), "{result:?}");
    }
    let boots = [&first, &Block { boot_id: "another".into(), ..anew.clone() }];
    let reading = read(log(&boots).as_bytes()).unwrap();
    assert_eq!((reading.older, reading.resealed.len()), (1, 0));
}

/// The command of the block, as somebody copies it; LOG and KEY are put in.
fn printed_command(text: &str, name: &str, log: &str, key: &str) -> String {
    let section = text.find(&format!("For {name}:\n")).unwrap_or_default();
    let start = section + text[section..].find("with age").unwrap();
    let lines: Vec<&str> = text[start..].lines().skip(1).take_while(|line| line.starts_with("  ")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    lines.join("\n").replace("LOG", log).replace("KEY", key)
}

#[test]
fn the_printed_commands_work_with_sh_and_age() {
    let directory = tempfile::tempdir().unwrap();
    let Some(key) = pair(directory.path(), "ed25519", 256) else { return };
    let list = [Recipient::parse(&key.public).unwrap()];
    let rsa = pair(directory.path(), "rsa", 4096).unwrap();
    let long = "a-name.with_dots-and-".repeat(2);
    let many: Vec<Recipient> =
        [&key, &rsa, &rsa].iter().map(|pair| Recipient::parse(&pair.public).unwrap()).collect();
    let old = Block { boot_id: "old".into(), ..sealed(vec![part("debian", &list), part("carol", &list)]) };
    let one = sealed(vec![part("debian", &list)]);
    let json_only = sealed(vec![part("debian", &many)]);
    let several = sealed(vec![
        part("carol", &list),
        withheld("erin"),
        part("d\u{e9}bian$", &list),
        part(&long, &many),
        part("debian", &list),
    ]);
    let log = directory.path().join("serial.log");
    for block in [&one, &json_only, &several] {
        let text = block.render(&surroundings());
        let noise = "[   12.345678] audit: type=1400 msg=\"DENIED\" -- AGE\r\n-bash: \"-AGE\r\n";
        let written =
            format!("{}{noise}{}{noise}", super::log(&old.render(&surroundings())), super::log(&text));
        std::fs::write(&log, written).unwrap();
        assert!(read(&std::fs::read(&log).unwrap()).is_ok());
        for user in &block.users {
            let UserPart::Sealed(part) = user else { continue };
            let heading = crate::block::tests::heading(&part.name);
            let private = if heading.len() > 40 { &rsa.private } else { &key.private };
            let command = printed_command(&text, &heading, log.to_str().unwrap(), private.to_str().unwrap());
            let output = Command::new("sh").args(["-c", &command]).stderr(Stdio::piped()).output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            let last = told.lines().last().unwrap_or_default();
            let opened: UserCredentials = serde_json::from_str(last)
                .unwrap_or_else(|_| panic!("{command}\n{}", String::from_utf8_lossy(&output.stderr)));
            assert_eq!(opened, UserCredentials { name: part.name.clone(), ..super::sealed::user() });
        }
    }
}
