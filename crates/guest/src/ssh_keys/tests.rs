#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::Command;

use super::*;

/// Runs ssh-keygen; `None` (said aloud) where it is not installed, an error in CI.
fn keygen(arguments: &[&str]) -> Option<String> {
    match Command::new("ssh-keygen").args(arguments).output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "ssh-keygen {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "ssh-keygen: {error}");
            eprintln!("SKIPPED: ssh-keygen is not installed");
            None
        }
    }
}

#[test]
fn every_export_format_of_openssh_gives_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    for (kind, bits) in
        [("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("ed25519", "256")]
    {
        let file = directory.path().join(format!("{kind}{bits}"));
        let path = file.to_str().unwrap();
        if keygen(&["-q", "-t", kind, "-b", bits, "-N", "", "-C", "me@host", "-f", path]).is_none() {
            return;
        }
        let public = std::fs::read(file.with_extension("pub")).unwrap();
        let wanted = parse_keys("id.pub", &public, false).unwrap();
        let blob = |key: &AuthorizedKey| key.line.split(' ').nth(1).unwrap().to_owned();
        let formats: &[&str] = match kind {
            "rsa" => &["RFC4716", "PEM", "PKCS8"],
            "ecdsa" => &["RFC4716", "PKCS8"],
            _ => &["RFC4716"],
        };
        for format in formats {
            let text = keygen(&["-e", "-m", format, "-f", &format!("{path}.pub")]).unwrap();
            let found = parse_keys("exported", text.as_bytes(), false).unwrap();
            assert_eq!(blob(&found[0]), blob(&wanted[0]), "{kind} {bits} {format}");
            let crlf = text.replace('\n', "\r\n");
            assert_eq!(
                parse_keys("exported", crlf.as_bytes(), false).unwrap(),
                found,
                "{kind} {bits} {format} CRLF"
            );
        }
        let private = std::fs::read(&file).unwrap();
        assert!(parse_keys("id", &private, false).unwrap_err().what.contains("private key"));
    }
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAsPz8Kb4Ckw5Ga4v+PIPkDvgTnYKQkGJpYyZ0B me";

#[test]
fn ed25519_in_spki_is_converted() {
    // The prefix of every Ed25519 SPKI (RFC 8410), then the 32 bytes of the key above.
    let blob = BASE64.decode(KEY.split(' ').nth(1).unwrap()).unwrap();
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(&blob[19..]);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der));
    assert_eq!(parse_keys("k", pem.as_bytes(), false).unwrap()[0].line, KEY.trim_end_matches(" me"));
}

#[test]
fn options_are_kept_and_certificate_authorities_asked_for() {
    let restricted =
        format!("restrict,from=\"10.0.0.0/8, 192.168.0.1\",command=\"echo \\\"hi, there\\\"\" {KEY}");
    assert_eq!(parse_keys("k", restricted.as_bytes(), false).unwrap()[0].line, restricted);
    let authority = format!("cert-authority,principals=\"a b\" {KEY}");
    assert!(parse_keys("k", authority.as_bytes(), false).unwrap_err().what.contains("allow_ca"));
    assert_eq!(parse_keys("k", authority.as_bytes(), true).unwrap()[0].line, authority);
}

#[test]
fn errors_name_file_line_and_reason() {
    for (text, line, what) in [
        ("", None, "holds no key"),
        ("# nothing\n\n", None, "holds no key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n", None, ".ppk"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", None, "private key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nx\n", None, "private key"),
        ("-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n", Some(1), "base64"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n", Some(1), "missing"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", Some(1), "certificate"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n", Some(2), "missing"),
        ("\nssh-ed25519 AAAA\n", Some(2), "not a public key"),
        ("hello world\n", Some(1), "neither a key type"),
        ("command=\"x ssh-ed25519\n", Some(1), "quote"),
        ("ssh-dss AAAAB3NzaC1kc3M= x\n", Some(1), "not a public key"),
    ] {
        let error = parse_keys("keys", text.as_bytes(), false).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.what.contains(what), "{text:?}: {error}");
    }
}
