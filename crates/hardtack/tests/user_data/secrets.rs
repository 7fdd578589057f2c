//! What nobody is to read over somebody's shoulder.

use crate::{check, run_in, top};

/// User-data of which each has `s3cretPW` in it as a secret, and a mistake near it.
const TEXTS: [&str; 15] = [
    "echo root:s3cretPW | chpasswd\n",
    "#include\nnot a url\nhttps://u:s3cretPW@x/y?token=s3cretPW\ntoken=s3cretPW\n",
    "#cloud-config-jsonp\n[{\"op\":\"add\",\"path\":\"/password\",\"value\":\"s3cretPW\"},{\"op\":\"replce\",\"path\":\"/x\"}]",
    "#cloud-config\nhostname: &p s3cretPW\npassword: *p\n",
    "#cloud-config\nrandom_seed: {data: s3cretPW, dta: 1}\nmcollective: {conf: {plugin.psk: s3cretPW}, x: 1}\n",
    "#cloud-config\npassword: [s3cretPW]\nubuntu_pro: s3cretPW\n",
    "#cloud-config\nubuntu_pro: s3cretPW\n",
    "#cloud-config\nruncmd:\n- [mysql, -ps3cretPW, 5]\n",
    "#cloud-config\nchpasswd: s3cretPW\nusers: [{name: a, passwd: [b, s3cretPW], b: c}]\n",
    "#cloud-config\nhardtack:\n  totp:\n    debian: s3cretPW\n    [\n",
    "#cloud-config\nhardtack: {totp: {debian: s3cretPW}, tutp: {a: s3cretPW}}\n",
    "#cloud-config\nhardtack:\n  totp:\n    debian: s3cretPW: x\n",
    "#cloud-config\nhardtack:\n  totp:\n    debian:\n      s3cretPW: 1\n",
    "#cloud-config\nhardtack: s3cretPW\n",
    "#cloud-config\nhostname: &a s3cretPW\nhardtack: {totp: [{joe: *a}]}\n",
];

#[test]
fn no_message_holds_a_secret() {
    for text in TEXTS {
        let (people, programs) = (check(text, &[]), check(text, &["--json"]));
        let shown = run_in(&top(), &["show", "-"], text.as_bytes());
        assert!(!people.out.contains("no mistakes found"), "{text}");
        for told in [people.out, people.err, programs.out, programs.err, shown.err] {
            assert!(!told.contains("s3cretPW"), "{told}");
        }
    }
}

#[test]
fn a_word_of_sudo_is_none() {
    let ran = check("#cloud-config\nusers:\n- name: a\n  sudo: NOPASSWD:ALL\n", &[]);
    assert!(ran.out.contains("sudo: NOPASSWD:ALL") && !ran.out.contains("<redacted>"), "{}", ran.out);
}

#[test]
fn what_is_shown_does_not_turn_the_line_around() {
    let ran = run_in(&top(), &["show", "-"], "#cloud-config\nhostname: \"a\\u202eb\"\n".as_bytes());
    assert!(ran.out.contains("\\u{202e}") && !ran.out.contains('\u{202e}'), "{}", ran.out);
}
