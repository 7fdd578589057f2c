//! `totp`: the part that it makes, and that user-data keeps the secret to itself from there on.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use crate::{Ran, check, run_in};

/// A folder, and `totp` run in it.
fn totp(folder: &tempfile::TempDir, arguments: &[&str], input: &[u8]) -> Ran {
    run_in(folder.path(), &[&["totp"], arguments].concat(), input)
}

fn secret_of(part: &str, user: &str) -> String {
    let line = part.lines().find(|line| line.trim_start().starts_with(&format!("\"{user}\": "))).unwrap();
    line.split('"').nth(3).unwrap().to_owned()
}

#[test]
fn a_part_is_private_and_checked_with_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let ran = totp(&folder, &["--user", "debian", "--issuer", "fleet 1", "--output", "code.yaml"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let path = folder.path().join("code.yaml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let part = std::fs::read_to_string(&path).unwrap();
    let secret = secret_of(&part, "debian");
    assert_eq!(secret.len(), 26);
    let url = format!("otpauth://totp/fleet%201:debian?secret={secret}&issuer=fleet%201");
    assert!(ran.out.contains(&url) && ran.out.contains('█'), "{}", ran.out);
    assert!(ran.err.contains("in the clear") && ran.err.contains("the same codes"), "{}", ran.err);
    assert!(!ran.err.contains(&secret) && !ran.out.contains("scratch"), "{}{}", ran.out, ran.err);

    let checked = check(&part, &[]);
    assert_eq!(checked.code, 0);
    assert!(checked.out.ends_with("0 errors, 1 warning\n"), "{}", checked.out);
    let again = totp(&folder, &["--user", "debian", "--output", "code.yaml"], b"");
    assert_eq!((again.code, again.out.as_str()), (4, ""), "{}", again.err);
    let forced = totp(&folder, &["--user", "debian", "--output", "code.yaml", "--force"], b"");
    assert_eq!(forced.code, 0);
    assert_ne!(std::fs::read_to_string(&path).unwrap(), part);
}

#[test]
fn parts_of_several_users_and_fleets_go_together() {
    let folder = tempfile::tempdir().unwrap();
    for (users, file) in [(&["debian", "no"][..], "one.yaml"), (&["deploy"], "two.yaml")] {
        let mut arguments = vec!["--output", file];
        users.iter().for_each(|user| arguments.extend(["--user", *user]));
        assert_eq!(totp(&folder, &arguments, b"").code, 0);
    }
    std::fs::write(folder.path().join("launch.yaml"), "#cloud-config\nhostname: web\n").unwrap();
    for order in [["launch.yaml", "one.yaml", "two.yaml"], ["two.yaml", "one.yaml", "launch.yaml"]] {
        let packed = run_in(folder.path(), &[&["pack"], &order[..]].concat(), b"");
        assert_eq!(packed.code, 0, "{}", packed.err);
        let shown = run_in(folder.path(), &["show", "-", "--json"], &packed.bytes).json();
        let config = &shown["config"];
        assert_eq!(config["hostname"], "web");
        let users: BTreeSet<&String> = config["hardtack"]["totp"].as_object().unwrap().keys().collect();
        assert_eq!(users.into_iter().collect::<Vec<_>>(), ["debian", "deploy", "no"]);
        let checked = run_in(folder.path(), &["check", "-", "--json"], &packed.bytes).json();
        let findings = checked["files"][0]["findings"].as_array().unwrap().clone();
        assert!(findings.len() == 1 && findings[0]["code"] == "totp-in-the-clear", "{findings:?}");
    }
}

#[test]
fn a_secret_that_is_there_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = "JBSWY3DPEHPK3PXPJBSWY3DPEH\n\" RATE_LIMIT 3 30\n\" TOTP_AUTH\n12345678\n";
    std::fs::write(folder.path().join("old"), file).unwrap();
    let ran = totp(&folder, &["--user", "debian", "--secret-file", "old", "--qr", "code.png"], b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(secret_of(&ran.out, "debian"), "JBSWY3DPEHPK3PXPJBSWY3DPEH");
    assert!(ran.err.contains("otpauth://totp/hardtack:debian?secret=JBSW"), "{}", ran.err);
    assert_eq!(
        std::fs::metadata(folder.path().join("code.png")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let json = totp(&folder, &["--user", "a", "--secret-file", "-", "--json"], b"jbsw y3dp ehpk 3px0\n");
    assert!(json.err.contains("80 bits") && json.err.contains("base32 does not"), "{}", json.err);
    let json = json.json();
    assert_eq!(json["users"][0]["secret"], "JBSWY3DPEHPK3PXO");
    assert_eq!(json["users"].as_array().map(Vec::len), Some(1));
    assert!(json["user_data"].as_str().unwrap().starts_with("#cloud-config\n"));
    // What is refused is not repeated.
    for (arguments, input, code) in [
        (&["--user", "a", "--secret-file", "-"][..], "JBSWY3DPEHPK3PX", 2),
        (&["--user", "a", "--secret-file", "-"], "JBSWY3DPEHPK3PXP?", 2),
        (&["--user", "a", "--secret-file", "-"], "", 2),
        (&["--user", "a", "--secret-file", "missing"], "", 4),
        (&["--user", "JBSWY3DPEHPK3PXPJBSWY3DPEH"], "", 2),
        (&["--user", "a b"], "", 2),
        (&["--user", "a", "--user", "a"], "", 2),
        (&["--user", "a", "--user", "b", "--qr", "x.png"], "", 2),
        (&["--user", "a", "--user", "b", "--secret-file", "old"], "", 2),
        (&[], "", 2),
    ] {
        let ran = totp(&folder, arguments, input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains("JBSW"), "{}", ran.err);
    }
}
