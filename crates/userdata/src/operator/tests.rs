#![allow(clippy::unwrap_used)]

use super::*;
use crate::check::{CheckOptions, check};
use crate::finding::Severity;
use crate::load::load_config;
use crate::redact::Redactor;

const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEH";

fn config(text: &str) -> Map {
    load_config(text, 0).unwrap().unwrap()
}

fn codes(text: &str) -> Vec<&'static str> {
    totp(&config(text)).1.iter().map(|finding| finding.code).collect()
}

#[test]
fn secrets_are_read_as_the_module_reads_them() {
    for written in [
        SECRET.to_owned(),
        SECRET.to_ascii_lowercase(),
        "'JBSW Y3DP EHPK 3PXP JBSW Y3DP EH'".to_owned(),
        "jbsw-y3dp-ehpk-3pxp-jbsw-y3dp-eh======".to_owned(),
        "|\n      JBSWY3DPEHPK3PXP\n      JBSWY3DPEH".to_owned(),
    ] {
        let (secrets, findings) = totp(&config(&format!("hardtack:\n  totp:\n    debian: {written}\n")));
        assert_eq!(findings, [], "{written}");
        let [secret] = &secrets[..] else { panic!("{written}") };
        assert_eq!((secret.user.as_str(), secret.secret.as_str()), ("debian", SECRET));
        assert_eq!((secret.place.span.line, secret.place.part), (3, 0));
        assert!(!format!("{secrets:?}").contains("JBSW"));
    }
    assert_eq!(totp(&config("hostname: a")), (Vec::new(), Vec::new()));
}

#[test]
fn mistakes_are_told_and_nothing_of_the_secret() {
    for (text, wanted) in [
        ("hardtack:\n", &["wrong-type"][..]),
        ("hardtack: {}\n", &["wrong-type"]),
        ("hardtack: JBSWY3DPEHPK3PXPJBSWY3DPEH\n", &["wrong-type"]),
        ("hardtack: [JBSWY3DPEHPK3PXPJBSWY3DPEH]\n", &["wrong-type"]),
        ("hardtack: {toptp: {a: JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["unknown-key"]),
        ("hardtack: {JBSWY3DPEHPK3PXPJBSWY3DPEH: a}\n", &["unknown-key"]),
        ("hardtack: {1: a}\n", &["unknown-key"]),
        ("hardtack: {totp: JBSWY3DPEHPK3PXPJBSWY3DPEH}\n", &["wrong-type"]),
        ("hardtack: {totp: [{a: JBSWY3DPEHPK3PXPJBSWY3DPEH}]}\n", &["wrong-type"]),
        ("hardtack: {totp: {a: }}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: 22334455667722334455667722}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: 22334455667722334455667722334455667722334455667722}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: 2.5}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: yes}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: [JBSWY3DPEHPK3PXPJBSWY3DPEH]}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: {secret: JBSWY3DPEHPK3PXPJBSWY3DPEH}}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: JBSWY3DPEHPK3PXPJBSWY3DPE9}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: JBSWY3DPEHPK3PX}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: JBSWY3DPEHPK3PXP}}\n", &["totp-short"]),
        ("hardtack: {totp: {a: JBSWY3DPEHPK3PXPJBSWY3DPE0}}\n", &["totp-digits"]),
        ("hardtack: {totp: {a: {jbswydpehpkpxpp: 1}}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: [{jbswydpehpkpxpp: 1}]}}\n", &["totp-secret"]),
        ("hardtack: {totp: {a: EXAMPLE2EXAMPLE2EXAMPLE2AA}}\n", &["totp-example"]),
        ("hardtack: {totp: {1000: JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {'1000': JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {no: JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {'': JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {../x: JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {-x: JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {'a b': JBSWY3DPEHPK3PXPJBSWY3DPEH}}\n", &["totp-user"]),
        ("hardtack: {totp: {JBSWY3DPEHPK3PXPJBSWY3DPEH: debian}}\n", &["totp-user"]),
        (
            "hardtack: {totp: {a: JBSWY3DPEHPK3PXPJBSWY3DPEH, b: jbswy3dpehpk3pxpjbswy3dpeh}}\n",
            &["totp-shared"],
        ),
    ] {
        assert_eq!(codes(text), wanted, "{text}");
        // Nothing that is told shows it: neither sentences nor the pictures of the line.
        let report = check("x", format!("#cloud-config\n{text}").as_bytes(), &CheckOptions::default());
        let told = format!("{}{}", report.pictures(), serde_json::Value::from(report.findings_json()));
        for part in ["jbsw", "3PXP", "ehpk", "3344", "7722"] {
            assert!(!told.to_ascii_lowercase().contains(&part.to_ascii_lowercase()), "{text}: {told}");
        }
        for finding in report.findings {
            let told = format!("{finding:?}").to_ascii_lowercase();
            assert!(!told.contains("jbsw") && !told.contains("3344"), "{told}");
        }
    }
    let long = format!("hardtack: {{totp: {{a: {}}}}}", "A".repeat(513));
    assert_eq!(codes(&long), ["totp-secret"]);
    assert_eq!(codes(&format!("hardtack: {{totp: {{a: {}}}}}", "A".repeat(512))), [""; 0]);
    let many: String = (0..1100).map(|user| format!("    u{user}: {SECRET}{}\n", user % 3)).collect();
    let (secrets, findings) = totp(&config(&format!("hardtack:\n  totp:\n{many}")));
    assert!(secrets.len() <= USERS && findings.iter().any(|finding| finding.code == "totp-user"));
}

#[test]
fn who_can_read_it_is_told_once() {
    let text = format!("#cloud-config\nhardtack:\n  totp: {{debian: {SECRET}, root: A{SECRET}}}\n");
    let report = check("x", text.as_bytes(), &CheckOptions::default());
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.code, finding.severity), ("totp-in-the-clear", Severity::Warning));
    for part in ["`debian`, `root`", "DescribeInstanceAttribute", "OpenStack", "metadata service"] {
        assert!(finding.message.contains(part), "{}", finding.message);
    }
    assert!(in_the_clear(&[]).is_none());
    let coreos = format!("#cloud-config\ncoreos: {{units: []}}\nhardtack: {{totp: {{core: {SECRET}}}}}\n");
    let coreos = check("x", coreos.as_bytes(), &CheckOptions::default());
    let hint = |code: &str| coreos.findings.iter().find(|finding| finding.code == code).unwrap().hint.clone();
    assert!(hint("totp-in-the-clear").is_some() && hint("unknown-key").unwrap().contains("agent"));
    let misspelt = check("x", b"#cloud-config\nhardtak: {totp: {}}\n", &CheckOptions::default());
    assert!(misspelt.findings.iter().any(|finding| finding.hint.as_deref().unwrap().contains("`hardtack`")));
}

#[test]
fn no_text_shows_it() {
    let redactor =
        Redactor::new(&[&config("hardtack: {totp: {debian: 'jbsw y3dp ehpk 3pxp jbsw y3dp eh'}}")]);
    assert_eq!(redactor.text(&format!("a {SECRET} b")), "a <redacted> b");
    assert_eq!(redactor.text("jbsw y3dp ehpk 3pxp jbsw y3dp eh"), "<redacted>");
    let swapped = Redactor::new(&[&config(&format!("hardtack: {{totp: {{{SECRET}: debian}}}}"))]);
    assert_eq!(swapped.text(SECRET), "<redacted>");
}

#[test]
fn text_that_is_no_yaml_is_covered_too() {
    for (text, wanted) in [
        (
            "hardtack:\n  totp:\n    debian: abc: d\n    [\nhostname: x\n",
            "    debian: #\n    [\nhostname: x\n",
        ),
        ("hardtack: {totp: {debian: abc}\nx: y", "hardtack: #\nx: y"),
        ("{\"hardtack\":\n{\"totp\":\n{\"debian\":\n\"JBSWY3DPEHPK3PXP\"}}", "\"#\"}}"),
        ("hardtack:\n  totp:\n  # a note\n    debian: 'a b'\n", "  # a note\n    debian: #\n"),
        ("totp:\n  debian: abc\n", "totp:\n  debian: abc\n"),
    ] {
        let mut shown = String::new();
        let mut at = 0;
        for mask in crate::secrets::masks(text) {
            if mask.start >= at {
                shown.push_str(&text[at..mask.start]);
                shown.push('#');
            }
            at = at.max(mask.end);
        }
        shown.push_str(&text[at..]);
        assert!(shown.ends_with(wanted), "{text}: {shown}");
    }
}
