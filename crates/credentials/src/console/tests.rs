#![allow(clippy::unwrap_used)]
use crate::block::{Block, HostKey, Repeated, Root, Surroundings, UserCredentials, UserPart};

/// An ed25519 key made for this test.
const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKOqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

pub(crate) fn sample() -> Block {
    let secret = "5EENRV74MYRS6G4UYZMKTKSGKM";
    Block {
        hardtack: 1,
        boot_id: "2c9f6ad6-8a0e-4c3e-9a55-8f0f5bb9d2f1".into(),
        instance_id: Some("i-0123456789abcdef0".into()),
        hostname: "web-1".into(),
        time: "2026-11-21T10:00:00Z".into(),
        seal: "none".into(),
        users: vec![UserPart::Plain(UserCredentials {
            name: "debian".into(),
            secret: secret.into(),
            otpauth: crate::otpauth::url(
                "debian-3fa",
                "debian",
                "web-1",
                Some("i-0123456789abcdef0"),
                secret,
            ),
            scratch_codes: ["30116782", "98721882", "10291978", "42715075", "70813242"]
                .map(str::to_owned)
                .to_vec(),
            password: String::new(),
        })],
        host_keys: vec![HostKey::from_public_file(ED25519).unwrap()],
        root: Root { overlay: Some("crypt".into()), device: Some("/dev/vdb".into()), ..Root::default() },
        doors: vec!["sudo: no password for debian (cloud-init's NOPASSWD)".into(), "GRUB's editor".into()],
        drift: Vec::new(),
    }
}

pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        factors: ["publickey", "password", "totp"].map(str::to_owned).to_vec(),
        synchronised: Some(true),
        ..Surroundings::default()
    }
}

use super::*;
use crate::qr::Polarity;

/// A host key of 3072 bits, made up.
fn rsa() -> HostKey {
    use base64::Engine as _;
    let mut blob = Vec::new();
    for part in [&b"ssh-rsa"[..], &[1, 0, 1], &[vec![0], vec![0xab; 384]].concat()] {
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend_from_slice(part);
    }
    let key = base64::engine::general_purpose::STANDARD.encode(blob);
    HostKey::from_public_file(&format!("ssh-rsa {key} root@web-1")).unwrap()
}

/// A boot's log around a block, as a serial line delivers it: `\r\n`.
fn log(block: &str) -> String {
    let before = "SeaBIOS (version 1.16.2)\n\u{1b}[0m\u{1b}[2J[    0.000000] Linux version 6.1.0\n\
                  [  OK  ] Started ssh.service\n";
    let after = "\nDebian GNU/Linux 12 web-1 ttyS0\n\nweb-1 login: ";
    format!("{before}{block}{after}").replace('\n', "\r\n")
}

fn block() -> String {
    sample().render(&surroundings())
}

fn other_boot(boot: &str) -> Block {
    Block { boot_id: boot.into(), ..sample() }
}

fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    format!("{mark}{text}")
        .encode_utf16()
        .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
        .collect()
}

fn each_line(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    text.lines().enumerate().map(|(index, line)| change(index, line) + "\r\n").collect()
}

fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Cuts every line at a width, as a terminal of that width does when its screen is copied.
fn wrapped(text: &str, width: usize, trim: bool) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        if characters.is_empty() {
            lines.push(String::new());
        }
        for piece in characters.chunks(width) {
            let piece: String = piece.iter().collect();
            lines.push(if trim { piece.trim_end().to_owned() } else { piece });
        }
    }
    lines.join("\n")
}

/// Every kind of noise, alone and some together.
fn noisy() -> Vec<(&'static str, Vec<u8>)> {
    noisy_of(&block())
}

fn noisy_of(block: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = log(block);
    let text = plain.replace("\r\n", "\n");
    let prefixed = each_line(&text, |index, line| format!("[  {index:3}.345678] cloud-init[123]: {line}"));
    let journal = each_line(&text, |index, line| {
        format!("Nov 21 10:00:{:02} web-1 hardtack-agent[{index}]: {line}", index % 60)
    });
    let coloured =
        each_line(&text, |index, line| format!("\u{1b}[{}m{line}\u{1b}[0m\u{1b}[K", 30 + index % 8));
    let json_answer =
        format!("{{\"InstanceId\": \"i-1\", \"Output\": {}}}", serde_json::to_string(&plain).unwrap());
    let page = format!("<html><body><pre class=\"c\">{}</pre></body></html>", entities(&text));
    let cp1252: Vec<u8> = plain
        .chars()
        .flat_map(|character| match character {
            '█' | '▀' | '▄' => vec![0xe2, 0x96, 0x80],
            '"' => vec![0x93],
            ' ' => vec![0xa0],
            other => other.to_string().into_bytes(),
        })
        .collect();
    let mojibake: String = plain
        .bytes()
        .map(|byte| match byte {
            0x80..=0x9f => '€',
            byte => char::from(byte),
        })
        .collect();
    let logger = each_line(&text, |_, line| {
        let pieces: Vec<&str> =
            line.as_bytes().chunks(400).map(|piece| std::str::from_utf8(piece).unwrap_or("")).collect();
        if line.is_ascii() {
            pieces
                .iter()
                .map(|piece| format!("<14>Nov 21 10:00:00 cloud-init: {piece}"))
                .collect::<Vec<_>>()
                .join("\n")
        } else {
            line.to_owned()
        }
    });
    let base64 = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&plain)
    };
    vec![
        ("as printed", plain.clone().into_bytes()),
        ("line feeds only", text.clone().into_bytes()),
        ("carriage returns only", text.replace('\n', "\r").into_bytes()),
        ("doubled carriage returns", plain.replace('\r', "\r\r").into_bytes()),
        ("no line end at the end", text[..text.rfind(" login").unwrap()].trim_end().as_bytes().to_vec()),
        ("timestamps and cloud-init prefixes", prefixed.clone().into_bytes()),
        ("journal prefixes", journal.into_bytes()),
        ("colours", coloured.into_bytes()),
        ("visible colours", plain.replace("\r\n", "^[[0m\r\n").into_bytes()),
        ("window titles", plain.replace("\r\n", "\u{1b}]0;root@web-1\u{7}\r\n").into_bytes()),
        ("lost trailing blanks", each_line(&text, |_, line| line.trim_end().to_owned()).into_bytes()),
        ("added trailing blanks", each_line(&text, |_, line| format!("{line:<120}")).into_bytes()),
        ("leading blanks", each_line(&text, |_, line| format!("    {line}")).into_bytes()),
        ("blank lines between", each_line(&text, |_, line| format!("{line}\r\n")).into_bytes()),
        (
            "kernel lines between",
            each_line(&text, |index, line| format!("[ {index}.5] random: crng init done\r\n{line}"))
                .into_bytes(),
        ),
        (
            "kernel text behind",
            each_line(&text, |_, line| format!("{line} [   12.5] random: x")).into_bytes(),
        ),
        ("entities", entities(&plain).into_bytes()),
        ("numeric entities", plain.replace('&', "&#38;").replace('"', "&#34;").into_bytes()),
        (
            "hexadecimal entities",
            plain.replace('&', "&#x26;").replace('"', "&#x22;").replace('\'', "&#39;").into_bytes(),
        ),
        ("entities twice", entities(&entities(&plain)).into_bytes()),
        ("a saved page", page.into_bytes()),
        ("a page with breaks", entities(&text).replace('\n', "<br>").into_bytes()),
        ("no-break spaces", plain.replace(' ', "\u{a0}").into_bytes()),
        ("UTF-16, little, marked", utf16(&plain, false, true)),
        ("UTF-16, big, marked", utf16(&plain, true, true)),
        ("UTF-16, little", utf16(&plain, false, false)),
        ("UTF-16, big", utf16(&plain, true, false)),
        ("UTF-16 behind an odd byte", [b"x".to_vec(), utf16(&plain, false, false)].concat()),
        ("UTF-16 appended to ASCII", [b"starting log\n".to_vec(), utf16(&plain, false, true)].concat()),
        ("UTF-16 of entities with prefixes", utf16(&entities(&prefixed), false, true)),
        ("UTF-8 with a mark", [b"\xef\xbb\xbf".to_vec(), plain.clone().into_bytes()].concat()),
        ("code page 1252", cp1252),
        ("UTF-8 taken for code page 1252", mojibake.into_bytes()),
        ("zeros between", plain.replace('\n', "\n\0\0").into_bytes()),
        (
            "bytes above 127 between",
            plain.bytes().flat_map(|byte| if byte == b'e' { vec![0xff, byte] } else { vec![byte] }).collect(),
        ),
        ("wrapped at 80", wrapped(&text, 80, false).into_bytes()),
        ("wrapped at 80, blanks lost", wrapped(&text, 80, true).into_bytes()),
        ("wrapped at 132, blanks lost", wrapped(&text, 132, true).into_bytes()),
        ("wrapped at 80 with prefixes", wrapped(&prefixed, 80, false).into_bytes()),
        ("broken by a logger", logger.into_bytes()),
        ("a cloud's JSON", json_answer.into_bytes()),
        ("base64", base64.into_bytes()),
        ("entities three times", entities(&entities(&entities(&plain))).into_bytes()),
        (
            "a page of no-break spaces",
            entities(&text).replace(' ', "&nbsp;").replace('\n', "<br>\n").into_bytes(),
        ),
        (
            "rows of a table",
            each_line(&text, |index, line| format!("<tr><td>{index}</td><td>{}</td></tr>", entities(line)))
                .into_bytes(),
        ),
        (
            "numbers of lines",
            each_line(&text, |index, line| format!("serial.log:{index}:{line}")).into_bytes(),
        ),
        ("quoted", each_line(&text, |_, line| format!(">{line}")).into_bytes()),
        (
            "a container's JSON",
            each_line(&text, |_, line| {
                let line = serde_json::to_string(&format!("{line}\r\n")).unwrap();
                format!("{{\"log\":{line},\"stream\":\"stdout\",\"time\":\"2026-11-21T10:00:00.1Z\"}}")
            })
            .into_bytes(),
        ),
        ("escapes in letters", plain.replace("\r\n", "ESC[0m\r\n").into_bytes()),
        (
            "a flood between all lines",
            each_line(&text, |index, line| {
                format!("{line}\n{}", format!("[ {index}.5] usb 1-1: reset\n").repeat(500))
            })
            .into_bytes(),
        ),
        ("the same print twice", [plain.clone(), plain].concat().into_bytes()),
    ]
}

#[test]
fn every_kind_of_noise_is_undone() {
    for (name, noise) in noisy() {
        let reading = read(&noise).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reading.newest.block, sample(), "{name}");
        assert_eq!(reading.newest.json, sample().json(), "{name}");
        assert_eq!(reading.newest.synchronised, Some(true), "{name}");
        assert_eq!((reading.older, reading.damaged.len()), (0, 0), "{name}");
    }
}

#[test]
fn rsa_keys_and_many_users_survive_too() {
    let mut block = sample();
    block.host_keys.push(rsa());
    let carol = UserCredentials { name: "carol".into(), ..block.users[0].plain().unwrap().clone() };
    block.users.push(UserPart::Plain(carol));
    block.hostname = "wéb".into();
    let text = log(&block.render(&surroundings()));
    assert_eq!(read(text.as_bytes()).unwrap().newest.block, block);
    assert_eq!(read(wrapped(&text, 80, true).as_bytes()).unwrap().newest.block, block);
}

/// The lines that matter: the JSON, and the human lines that repeat it.
fn vital_ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let vital: Vec<String> = crate::block::repeated(&sample())
        .into_iter()
        .filter_map(|item| match item {
            Repeated::Line { text, .. } => Some(text),
            Repeated::Armor { .. } => None,
        })
        .collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare.starts_with('{') || bare.starts_with("sha256: ") || vital.iter().any(|vital| vital == bare) {
            let start = at + bare.len() - bare.trim_start().len();
            ranges.push(start..at + bare.len());
        }
        at += line.len();
    }
    ranges
}

#[test]
fn any_one_byte_doubled_lost_or_changed_is_told() {
    // Without the QR codes, which nothing depends on.
    let text: String =
        block().lines().filter(|line| line.is_ascii()).map(|line| format!("{line}\n")).collect();
    assert!(read(text.as_bytes()).is_ok());
    for at in vital_ranges(&text).into_iter().flatten() {
        let bytes = text.as_bytes();
        if bytes[at] == b' ' {
            continue;
        }
        let (head, tail) = (&bytes[..at], &bytes[at + 1..]);
        for (what, middle) in [
            ("doubled", vec![bytes[at]; 2]),
            ("lost", Vec::new()),
            ("changed", vec![bytes[at] ^ 1]),
            ("flipped", vec![bytes[at] ^ 0x80]),
        ] {
            let damaged = [head, &middle, tail].concat();
            let result = read(&damaged);
            assert!(
                matches!(result, Err(ReadError::Damaged { .. })),
                "byte {at} ({:?}) {what}: {result:?}",
                char::from(bytes[at])
            );
        }
    }
}

#[test]
fn the_newest_intact_block_wins() {
    let render = |block: &Block| log(&block.render(&surroundings()));
    let (first, second, third) = (other_boot("one"), other_boot("two"), other_boot("three"));
    let text = format!("{}{}{}{}", render(&first), render(&second), render(&second), render(&third));
    let reading = read(text.as_bytes()).unwrap();
    assert_eq!((reading.newest.block.boot_id.as_str(), reading.older), ("three", 2));
    assert!(!reading.damaged_after());

    let broken = render(&third).replace("5EEN", "55EEN");
    let reading = read(format!("{}{}{broken}", render(&first), render(&second)).as_bytes()).unwrap();
    assert_eq!((reading.newest.block.boot_id.as_str(), reading.older, reading.damaged.len()), ("two", 1, 1));
    assert!(reading.damaged_after());

    // Printed again after damage, in the same boot.
    let reading = read(format!("{broken}{}", render(&third)).as_bytes()).unwrap();
    assert_eq!((reading.newest.block.boot_id.as_str(), reading.damaged.len()), ("three", 1));
    assert!(!reading.damaged_after());
}

#[test]
fn no_block_damaged_blocks_and_contradictions_are_told_apart() {
    let text = block();
    assert!(matches!(read(b""), Err(ReadError::NoBlock { .. })));
    assert!(matches!(read(b"Debian GNU/Linux\nlogin: "), Err(ReadError::NoBlock { lines: 2 })));
    let half = text.len() / 2;
    let half = (half..).find(|at| text.is_char_boundary(*at)).unwrap();
    for (name, log) in [
        ("beginning lost", text[half..].to_owned()),
        ("end lost", text[..half].to_owned()),
        ("JSON alone", format!("{}\n", sample().json())),
        ("no checksum", text.replace("sha256: ", "")),
        ("another version", resum(&sample().json().replacen("\"hardtack\":1", "\"hardtack\":2", 1))),
        ("another seal", resum(&sample().json().replace("\"seal\":\"none\"", "\"seal\":\"pgp\""))),
        ("wrong fingerprint", resum(&sample().json().replace("SHA256:", "SHA256:A"))),
        ("not a secret", resum(&sample().json().replace("5EENRV74MYRS6G4UYZMKTKSGKM", "!"))),
        ("escape in the URL", resum(&sample().json().replace("otpauth://", "otpauth://\\u001b"))),
        ("not a block", resum("{\"hardtack\":1}")),
        ("numbers without end", resum(&format!("{{\"hardtack\":1,\"x\":{}}}", "[".repeat(100_000)))),
    ] {
        let result = read(log.as_bytes());
        assert!(matches!(result, Err(ReadError::Damaged { .. })), "{name}: {result:?}");
        assert!(!format!("{result:?}").contains("5EENRV"), "{name}");
    }
    let forged = Block { hostname: "web-2".into(), ..sample() };
    let both = format!("{text}{}", forged.render(&surroundings()));
    let result = read(both.as_bytes());
    assert!(matches!(result, Err(ReadError::Contradiction { first: 1, .. })), "{result:?}");
    // A later print of the same boot: other time, one user has logged in meanwhile.
    let later = Block { time: "2026-11-21T10:05:00Z".into(), users: Vec::new(), ..sample() };
    let reading = read(format!("{text}{}", later.render(&surroundings())).as_bytes()).unwrap();
    assert!(reading.newest.block.users.is_empty());
    assert!(read(&vec![b'x'; LOG_LIMIT + 1]).is_err());
}

/// A block whose JSON is `json`, with the right checksum and otherwise the sample's lines.
fn resum(json: &str) -> String {
    let text = block();
    let ours = sample().json();
    text.replace(&ours, json).replace(&crate::block::checksum(&ours), &crate::block::checksum(json))
}

#[test]
fn mutated_logs_never_panic_and_never_lie() {
    let mut state = 7_u32;
    let mut next = move |limit: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % limit.max(1)
    };
    for (name, seed) in noisy() {
        for _ in 0..12 {
            let mut log = seed.clone();
            for _ in 0..1 + next(6) {
                let at = next(log.len());
                match next(5) {
                    0 => log[at] = next(256) as u8,
                    1 => drop(log.remove(at)),
                    2 => log.insert(at, log[at]),
                    3 => log.truncate(at + 1),
                    _ => drop(log.splice(at..at, [0x1b, b'[', b'&', b'<', b'\\'])),
                }
            }
            if let Ok(reading) = read(&log) {
                assert_eq!(reading.newest.block, sample(), "{name}");
            }
        }
    }
}

#[test]
fn hostile_logs_take_linear_time() {
    let start = std::time::Instant::now();
    for unit in [
        "<a",
        "\u{1b}]",
        "\u{1b}[",
        "&",
        "{\"hardtack\":",
        "-----BEGIN HARDTACK CREDENTIALS-----\n",
        "\\u0000",
        "[[",
        "A",
    ] {
        let log = unit.repeat(200_000 / unit.len());
        assert!(read(log.as_bytes()).is_err());
        let inside = format!("{}\n{log}\n{}\n", crate::block::BEGIN, crate::block::END);
        assert!(read(inside.as_bytes()).is_err());
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn the_printed_codes_decode() {
    use crate::qr::tests::{rasterise, zbarimg};
    // With a short URL there is room for both codes; otherwise the upper one stands alone.
    let mut short = sample();
    let UserPart::Plain(user) = &mut short.users[0] else { unreachable!() };
    user.otpauth = "otpauth://totp/x?secret=5EENRV74MYRS6G4UYZMKTKSGKM".into();
    for (block, colours) in [(sample(), &[(255, 0)][..]), (short, &[(255, 0), (0, 255)])] {
        let text = block.render(&surroundings());
        let is_code = |line: &&str| line.contains(['█', '▀', '▄']);
        let lines: Vec<String> =
            text.lines().filter(is_code).map(|line| line.trim_end().to_owned()).collect();
        let url = &block.users[0].plain().unwrap().otpauth;
        for (ink, paper) in colours {
            // Both codes below each other, as on the screen: the one in the right colours is read.
            if let Some(read) = zbarimg(&rasterise(&lines, *ink, *paper), "screen.pgm") {
                assert_eq!(read, *url, "ink {ink}");
            }
        }
        let code = crate::qr::QrCode::new(url).unwrap();
        let upper = code.half_blocks(Polarity::LightOnDark);
        let framed = code.framed_half_blocks();
        assert!(lines.starts_with(&upper));
        assert_eq!(lines.len(), upper.len() + if colours.len() == 2 { framed.len() } else { 0 });
    }
}

mod sealed;
