//! Files that people give: each is read, or told what to do about it. What keys open is tried in
//! `run/console/tests`.
#![allow(clippy::unwrap_used)]
use std::os::unix::net::UnixListener;

use super::*;
use key::parse;

fn refused(text: &str, name: &str) -> Unusable {
    parse(text.as_bytes(), Path::new(name)).err().unwrap_or_else(|| panic!("{name} was taken"))
}

#[test]
fn files_given_by_mistake_are_told_with_what_to_do() {
    for (text, name, what, advice) in [
        ("", "empty", "an empty file", "private key"),
        ("ssh-ed25519 AAAA me\n", "/k/id.pub", "a public key", "give /k/id"),
        ("ssh-rsa AAAA", "key", "a public key", "its private half"),
        ("ecdsa-sha2-nistp256 AAAA", "k.pub", "a public key", "give k"),
        ("age1qqqq", "k", "a public key", "private half"),
        ("-----BEGIN CERTIFICATE-----\n", "k", "a certificate", "private key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", "k.ppk", "a key of PuTTY", "puttygen"),
        ("# c\nAGE-PLUGIN-YUBIKEY-1Q\n", "k", "a key of an age plugin", "age -d -i"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\nAA==\n", "k", "encrypted by age", "age -d"),
        (
            "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----",
            "k",
            "an ecdsa key",
            "ed25519",
        ),
        ("-----BEGIN DSA PRIVATE KEY-----\nAA==\n-----END DSA PRIVATE KEY-----", "k", "a dsa key", "ed25519"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "k", "cut off", "copy"),
        ("-----BEGIN RSA PRIVATE KEY-----\nA*AA\n-----END RSA PRIVATE KEY-----", "k", "not base64", "copy"),
        ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "k", "damaged", "copy"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "k", "damaged", "copy"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
            "k",
            "damaged",
            "ssh-keygen",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
            "k",
            "damaged",
            "ssh-keygen",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: SEED-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----",
            "k",
            "encrypted with SEED-CBC",
            "ssh-keygen -p",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
            "k",
            "DEK-Info line is missing",
            "copy",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,é0\n\nAAAA\n-----END RSA PRIVATE KEY-----",
            "k",
            "DEK-Info line is missing or damaged",
            "copy",
        ),
        ("AGE-SECRET-KEY-1QQQQ\n", "k", "line 1 is no key of age", "age-keygen"),
        ("hello", "k", "no private key", "age identity"),
        ("\0\u{1}\u{2}", "k", "no private key", "age identity"),
    ] {
        let refused = refused(text, name);
        assert!(refused.what.contains(what), "{text:?}: {refused:?}");
        assert!(refused.advice.contains(advice), "{text:?}: {refused:?}");
    }
}

#[test]
fn what_is_no_small_file_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let sparse = directory.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(1 << 30).unwrap();
    let socket = directory.path().join("agent.1");
    let _listener = UnixListener::bind(&socket).unwrap();
    for (path, what) in [
        (sparse.as_path(), "longer than"),
        (socket.as_path(), "ssh-agent"),
        (directory.path(), "a directory"),
    ] {
        let unusable = Identity::read(path).unwrap().keys.err().unwrap();
        assert!(unusable.what.contains(what), "{unusable:?}");
    }
    let zeros = Identity::read(Path::new("/dev/zero")).unwrap().keys.err().unwrap();
    assert!(zeros.what.contains("longer than"), "{zeros:?}");
    let missing = Identity::read(&directory.path().join("none")).err().unwrap();
    assert_eq!(missing.exit_code(), crate::error::LOCAL_IO);
}

/// An encrypted key of OpenSSH that asks for work without end.
#[test]
fn costs_are_bounded() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let public = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    let kdf = [string(&[1; 16]), u32::MAX.to_be_bytes().to_vec()].concat();
    let body = [
        b"openssh-key-v1\0".to_vec(),
        string(b"aes256-ctr"),
        string(b"bcrypt"),
        string(&kdf),
        1_u32.to_be_bytes().to_vec(),
        string(&public),
        string(&[0; 144]),
    ]
    .concat();
    let pem = |label: &str, body: &[u8]| {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(body))
    };
    let refused_key = refused(&pem("OPENSSH PRIVATE KEY", &body), "k");
    assert!(refused_key.what.contains("4294967295 rounds"), "{refused_key:?}");
}

/// No byte of a key makes reading it panic, whatever it is changed to.
#[test]
fn changed_keys_do_not_panic() {
    let key = ssh_key_text();
    let body_at = key.find("b3Blb").unwrap();
    let mut state = 1_u64;
    for _ in 0..3000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut bytes = key.clone().into_bytes();
        let at = body_at + (state >> 33) as usize % (bytes.len() - body_at - 40);
        bytes[at] = b"ABCDEFGHabcdefgh01234+/AAAA////\n=-"[(state >> 20) as usize % 34];
        if let Ok(keys) = parse(&bytes, Path::new("k")) {
            assert_eq!(keys.len(), 1);
        }
    }
}

/// An ed25519 key from a fixed seed.
fn ssh_key_text() -> String {
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&[9; 32]);
    let key = ssh_key::PrivateKey::new(ssh_key::private::KeypairData::Ed25519(pair), "me").unwrap();
    key.to_openssh(ssh_key::LineEnding::LF).unwrap().to_string()
}

#[test]
fn envelopes_may_be_dressed_in_many_ways() {
    let key = ssh_key_text();
    let half = |bytes: &[u8]| parse(bytes, Path::new("k")).ok().unwrap().remove(0).half;
    let wanted = half(key.as_bytes());
    assert!(matches!(&wanted, Half::Ssh(kind, tag) if kind == "ssh-ed25519" && tag.len() == 6));
    let crlf = key.replace('\n', "\r\n");
    let indented: String = key.lines().map(|line| format!("  {line} \n")).collect();
    let one_line = {
        let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
        format!(
            "Bag Attributes\n-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----"
        )
    };
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(crlf.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xef, 0xbb, 0xbf], key.as_bytes()].concat();
    for bytes in [crlf.as_bytes(), indented.as_bytes(), one_line.as_bytes(), &utf16, &marked] {
        assert_eq!(half(bytes), wanted);
    }
}
