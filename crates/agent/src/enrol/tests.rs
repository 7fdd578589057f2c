#![allow(clippy::unwrap_used)]
mod machines;
mod renewal;

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::testing::{Tree, is_root};

/// Written by google-authenticator 1.09 with `-t -d -f -r 3 -R 30 -w 4`.
const SAMPLE: &str = "5EENRV74MYRS6G4UYZMKTKSGKM\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 4\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n\
                      30116782\n98721882\n10291978\n42715075\n70813242\n";
const SECRET: &str = "home/ann/.google_authenticator";
const NOW: u64 = 1_800_000_000;

/// Two people, both owned by whoever runs the test where that is not root.
fn tree() -> Tree {
    let (uid, gid) = ids();
    Tree::new()
        .file(
            "etc/passwd",
            &format!("ann:x:{uid}:{gid}::/home/ann:/bin/bash\nbob:x:{uid}:{gid}::/home/bob:/bin/sh\n"),
        )
        .file("etc/login.defs", "UID_MIN 0\n")
        .directory("home/ann")
        .directory("home/bob")
}

fn ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn config(users: &[&str], others: &str) -> AgentConfig {
    AgentConfig {
        mfa: Some(MfaConfig {
            users: users.iter().map(|&user| user.to_owned()).collect(),
            others: others.to_owned(),
            ..MfaConfig::default()
        }),
        ..AgentConfig::default()
    }
}

fn ann(tree: &Tree) -> Account {
    accounts::find(&tree.host(), "ann").unwrap().unwrap()
}

#[test]
fn the_file_is_the_real_programs_but_for_its_secrets() {
    let tree = tree();
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    let ours = tree.read(SECRET);
    assert_eq!(ours.lines().count(), SAMPLE.lines().count());
    for (ours, real) in ours.lines().zip(SAMPLE.lines()) {
        assert_eq!(ours.len(), real.len());
        if real.starts_with('"') {
            assert_eq!(ours, real);
        }
    }
    let metadata = tree.metadata(SECRET);
    assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o400, ids().0, ids().1));
    assert!(!tree.host().exists("/home/ann/.google_authenticator~"));
    assert!(!tree.host().exists("/home/bob/.google_authenticator"));

    run(&tree.host(), &config(&["ann"], "enrol"), NOW).unwrap();
    assert_eq!(tree.read(SECRET), ours, "a secret that is there is kept");
    assert_ne!(tree.read("home/bob/.google_authenticator"), ours, "others: enrol means everybody");
}

#[test]
fn a_file_that_is_there_is_never_replaced() {
    for content in [SAMPLE, "", "not a secret\n"] {
        let tree = tree().file(SECRET, content);
        run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
        assert_eq!(tree.read(SECRET), content);
    }
}

#[test]
fn links_and_strange_things_in_a_home_are_not_followed() {
    // The link's target is what root could be made to overwrite or to print.
    let tree = tree().file("etc/target", SAMPLE).link(SECRET, "../../etc/target");
    let error = run(&tree.host(), &config(&["ann", "bob"], "refuse"), NOW).unwrap_err().to_string();
    assert!(error.contains("ann: /home/ann/.google_authenticator is a symbolic link"), "{error}");
    assert_eq!(tree.read("etc/target"), SAMPLE);
    assert!(tree.host().exists("/home/bob/.google_authenticator"), "the others are enrolled all the same");
    assert!(matches!(look(&tree.host(), &ann(&tree)).unwrap(), Enrolment::Missing(_)));

    let dangling = self::tree().link("home/ann/.google_authenticator~", "../../etc/new");
    run(&dangling.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert!(!dangling.host().exists("/etc/new"), "nothing is created through a link");

    let hard = self::tree().file("etc/target", SAMPLE);
    std::fs::hard_link(hard.host().path("/etc/target"), hard.host().path(&format!("/{SECRET}"))).unwrap();
    assert!(matches!(look(&hard.host(), &ann(&hard)).unwrap(), Enrolment::Missing(_)));

    let directory = self::tree().directory(SECRET);
    assert!(run(&directory.host(), &config(&["ann"], "refuse"), NOW).is_err());
}

#[test]
fn a_home_that_is_anothers_is_left_alone() {
    let tree = tree().file("etc/passwd", "ann:x:4242:4242::/home/ann:/bin/bash\n");
    if is_root() {
        std::os::unix::fs::chown(tree.host().path("/home/ann"), Some(77), Some(77)).unwrap();
    }
    let error = run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap_err().to_string();
    assert!(error.contains("belongs to user number"), "{error}");
    let _ = symlink("x", tree.host().path("/home/y"));
}

#[test]
fn a_user_that_nobody_made_is_made() {
    if !is_root() {
        return;
    }
    let tree = tree().file("etc/shadow", "").file("etc/group", "").file("bin/bash", "");
    let mut config = config(&["debian"], "refuse");
    config.accounts = vec![AccountConfig {
        name: "debian".into(),
        password_hash: "$6$a$b".into(),
        ..AccountConfig::default()
    }];
    run(&tree.host(), &config, NOW).unwrap();
    assert!(tree.read("etc/shadow").starts_with("debian:$6$a$b:"));
    assert_eq!(
        tree.metadata("home/debian/.google_authenticator").uid(),
        accounts::find(&tree.host(), "debian").unwrap().unwrap().uid
    );
}

#[test]
fn a_missing_home_is_made() {
    let tree = tree();
    std::fs::remove_dir(tree.host().path("/home/ann")).unwrap();
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert!(tree.host().exists(&format!("/{SECRET}")));
}

#[test]
fn nobody_is_enrolled_where_the_overlay_is_missing() {
    let tree = tree().file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    let mut config = config(&["ann"], "refuse");
    config.overlay = Some(hardtack_credentials::OverlayConfig { mode: "crypt".into(), ..Default::default() });
    let error = run(&tree.host(), &config, NOW).unwrap_err().to_string();
    assert!(error.contains("/ should be an overlay (crypt) and is a plain file system"), "{error}");
    assert!(!tree.host().exists(&format!("/{SECRET}")));
}

#[test]
fn a_secret_is_fresh_until_a_code_was_accepted_and_never_again() {
    let tree = tree().file(SECRET, SAMPLE);
    let fresh = |tree: &Tree| matches!(look(&tree.host(), &ann(tree)).unwrap(), Enrolment::Fresh(_));
    assert!(fresh(&tree));
    // Aborted tries are counted by the rate limit and are no acceptance.
    let tree = tree.file(SECRET, &SAMPLE.replace("3 30\n", "3 30 1763720000\n"));
    assert!(fresh(&tree));
    let tree = tree.file(SECRET, &SAMPLE.replace("REUSE\n", "REUSE 58790666\n"));
    assert!(!fresh(&tree));
    // The user's own new secret looks unused; it was never ours to print.
    let tree = tree.file(SECRET, SAMPLE);
    assert!(!fresh(&tree));
    // Somebody removed it for us to make a new one: that one is.
    std::fs::remove_file(tree.host().path(&format!("/{SECRET}"))).unwrap();
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert!(fresh(&tree));
}

/// Without a rate limit and a reuse check the module leaves no trace of a login.
#[test]
fn a_secret_without_traces_is_shown_at_one_boot_only() {
    let tree = tree();
    let mut config = config(&["ann"], "refuse");
    if let Some(mfa) = &mut config.mfa {
        mfa.totp.rate_limit = None;
        mfa.totp.disallow_reuse = false;
    }
    run(&tree.host(), &config, NOW).unwrap();
    assert!(matches!(look(&tree.host(), &ann(&tree)).unwrap(), Enrolment::Fresh(_)));
    std::fs::remove_dir_all(tree.host().path("/run")).unwrap();
    assert!(matches!(look(&tree.host(), &ann(&tree)).unwrap(), Enrolment::Used));
}
