//! What becomes of an enrolment on another machine.
use hardtack_credentials::RandomPassword;

use super::super::*;
use super::{NOW, SAMPLE, SECRET, ann, config, is_root, tree};
use crate::testing::Tree;

const RECORD: &str = "var/lib/hardtack/identity.json";

fn uuid(tree: Tree, last: &str) -> Tree {
    tree.file("sys/class/dmi/id/product_uuid", &format!("4C4C4544-0042-3510-8052-B4C04F4B313{last}\n"))
}

/// The image's disk in another machine: nothing of /run, another UUID.
fn elsewhere(tree: Tree) -> Tree {
    let _ = std::fs::remove_dir_all(tree.host().path("/run"));
    uuid(tree, "9")
}

fn enrolled() -> Tree {
    let tree = uuid(tree(), "2");
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    tree
}

#[test]
fn a_captured_image_enrols_anew_and_keeps_nothing() {
    let tree = enrolled()
        .file("home/bob/.google_authenticator", SAMPLE)
        .file("home/nobodys/.google_authenticator", SAMPLE)
        .file("home/ann/.google_authenticator~", SAMPLE)
        .file("root/.google_authenticator", SAMPLE)
        .file("var/lib/hardtack/used/ann", "")
        .file("run/hardtack/sealed/ann.json", "{}");
    let (old, record) = (tree.read(SECRET), tree.read(RECORD));
    let tree = elsewhere(tree).file("run/hardtack/sealed/ann.json", "{}");
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert_ne!(tree.read(SECRET), old);
    assert_ne!(tree.read(RECORD), record);
    for gone in [
        "/home/bob/.google_authenticator",
        "/home/nobodys/.google_authenticator",
        "/home/ann/.google_authenticator~",
        "/root/.google_authenticator",
        "/var/lib/hardtack/used/ann",
        "/run/hardtack/sealed/ann.json",
    ] {
        assert!(!tree.host().exists(gone), "{gone}");
    }
    assert!(matches!(look(&tree.host(), &ann(&tree)).unwrap(), Enrolment::Fresh(_)));
    let outcome = Outcome::load(&tree.host());
    assert!(outcome.dropped.unwrap().contains("product_uuid"));
    assert_eq!((outcome.users[0].name.as_str(), outcome.users[0].state.as_str()), ("ann", "fresh"));
    assert!(!tree.read("run/hardtack/enrolment.json").contains(tree.read(SECRET).lines().next().unwrap()));

    let new = tree.read(SECRET);
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert_eq!(tree.read(SECRET), new, "from now on it is this machine's");
}

#[test]
fn the_same_machine_keeps_its_secrets_however_silent_its_metadata() {
    let tree = enrolled().file("home/bob/.google_authenticator", SAMPLE);
    let old = tree.read(SECRET);
    let host = tree.host();
    std::fs::create_dir_all(host.path("/run/cloud-init")).unwrap();
    for id in ["i-1\n", "", "i-1\n", "iid-datasource-none\n"] {
        std::fs::write(host.path("/run/cloud-init/.instance-id"), id).unwrap();
        run(&host, &config(&["ann"], "refuse"), NOW).unwrap();
        assert_eq!(tree.read(SECRET), old, "{id:?}");
        assert!(host.exists("/home/bob/.google_authenticator"));
    }
    assert!(tree.read(RECORD).contains("i-1"));
    // Another instance on the same hardware: its seed was changed.
    std::fs::write(host.path("/run/cloud-init/.instance-id"), "i-2\n").unwrap();
    run(&host, &config(&["ann"], "refuse"), NOW).unwrap();
    assert_ne!(tree.read(SECRET), old);
    assert!(!host.exists("/home/bob/.google_authenticator"));
}

#[test]
fn what_the_build_put_in_stays_where_nobody_was_enrolled() {
    let tree = uuid(tree(), "2").file(SECRET, SAMPLE);
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert_eq!(tree.read(SECRET), SAMPLE);
    assert_eq!(Outcome::load(&tree.host()).dropped, None);
    // A record that was taken away, and marks that tell of it.
    let tree = uuid(self::tree(), "2").file(SECRET, SAMPLE).file("var/lib/hardtack/used/ann", "");
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert_ne!(tree.read(SECRET), SAMPLE);
}

#[test]
fn strange_things_in_homes_do_not_keep_a_machine_from_its_own() {
    // A link is removed and what it points to is not; a directory is no secret.
    let tree =
        enrolled().file("etc/target", SAMPLE).link("home/bob/.google_authenticator", "../../etc/target");
    let tree = elsewhere(tree).directory("home/joe/.google_authenticator").link("home/eve", "../nowhere");
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert_eq!(tree.read("etc/target"), SAMPLE);
    assert!(tree.host().path("/home/bob/.google_authenticator").symlink_metadata().is_err());
    assert!(Outcome::load(&tree.host()).foreign.is_empty());
}

#[test]
fn what_could_not_be_cleaned_is_cleaned_at_a_later_boot() {
    let tree = enrolled().file("home/bob/.google_authenticator", SAMPLE);
    let old = tree.read(SECRET);
    let record = tree.read(RECORD).replace("\n}", ",\n  \"left\": [\"/home/bob\"]\n}");
    let tree = tree.file(RECORD, &record);
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert!(!tree.host().exists("/home/bob/.google_authenticator"));
    assert_eq!(tree.read(SECRET), old);
    assert!(!tree.read(RECORD).contains("left"));
}

#[test]
fn the_drop_comes_before_the_overlay_is_asked_for() {
    let tree = elsewhere(enrolled()).file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
    let mut config = config(&["ann"], "refuse");
    config.overlay = Some(hardtack_credentials::OverlayConfig { mode: "crypt".into(), ..Default::default() });
    assert!(run(&tree.host(), &config, NOW).is_err());
    assert!(!tree.host().exists(&format!("/{SECRET}")));
}

fn with_password(expire: bool) -> AgentConfig {
    let mut config = config(&["ann"], "refuse");
    config.accounts = vec![AccountConfig {
        name: "ann".into(),
        random_password: Some(RandomPassword { expire, ..RandomPassword::default() }),
        ..AccountConfig::default()
    }];
    config
}

fn field(tree: &Tree) -> String {
    accounts::Shadow::field(&tree.host(), "ann").unwrap().unwrap()
}

#[test]
fn a_password_is_made_once_and_for_one_machine() {
    let tree = uuid(tree(), "2").file("etc/shadow", "ann:!:19000:0:99999:7:::\n");
    let config = with_password(false);
    run(&tree.host(), &config, NOW).unwrap();
    let hash = field(&tree);
    let password = password::shown(&tree.host(), "ann", Some(false)).unwrap();
    assert_eq!(password.len(), 20);
    assert!(password.chars().all(|c| RandomPassword::UNAMBIGUOUS.contains(c)));
    assert!(hash.starts_with("$6$") && !hash.contains("rounds"), "{hash}");
    assert!(tree.read("etc/shadow").contains(":20833:0:99999:7:::"), "{}", tree.read("etc/shadow"));
    let _ = std::fs::remove_dir_all(tree.host().path("/run"));
    run(&tree.host(), &config, NOW).unwrap();
    assert_eq!(field(&tree), hash);
    assert_eq!(password::shown(&tree.host(), "ann", Some(false)).as_deref(), Some(password.as_str()));
    // The administrator locks the account.
    accounts::Shadow::set(&tree.host(), "ann", &format!("!{hash}"), None).unwrap();
    run(&tree.host(), &config, NOW).unwrap();
    assert_eq!(field(&tree), format!("!{hash}"));
    accounts::Shadow::set(&tree.host(), "ann", &hash, None).unwrap();
    // A code was accepted: it is gone, and stays in force.
    assert_eq!(password::shown(&tree.host(), "ann", Some(true)), None);
    assert_eq!(password::shown(&tree.host(), "ann", Some(false)), None);
    assert!(!tree.read("var/lib/hardtack/passwords/ann").contains(&password));
    run(&tree.host(), &config, NOW).unwrap();
    assert_eq!(field(&tree), hash);

    let tree = elsewhere(tree);
    run(&tree.host(), &config, NOW).unwrap();
    assert_ne!(field(&tree), hash);
    assert_ne!(password::shown(&tree.host(), "ann", Some(false)).unwrap(), password);
}

#[test]
fn what_user_data_or_the_user_has_set_is_kept() {
    let tree = uuid(tree(), "2").file("etc/shadow", "ann:$y$of$user-data:19000:0:99999:7:::\n");
    run(&tree.host(), &with_password(true), NOW).unwrap();
    assert_eq!(field(&tree), "$y$of$user-data");
    assert_eq!(password::shown(&tree.host(), "ann", Some(false)), None);

    let tree = uuid(self::tree(), "2").file("etc/shadow", "ann:!:19000:0:99999:7:::\n");
    run(&tree.host(), &with_password(true), NOW).unwrap();
    assert!(tree.read("etc/shadow").contains(":0:0:99999"), "the first login changes it");
    accounts::Shadow::set(&tree.host(), "ann", "$y$the$users", Some("20000")).unwrap();
    run(&tree.host(), &with_password(true), NOW).unwrap();
    assert_eq!(field(&tree), "$y$the$users");
    assert_eq!(password::shown(&tree.host(), "ann", Some(false)), None);
    // On another machine it is not the user's any more.
    let tree = elsewhere(tree);
    run(&tree.host(), &with_password(true), NOW).unwrap();
    assert!(password::shown(&tree.host(), "ann", Some(false)).is_some());
}

#[test]
fn crypt_of_the_system_takes_the_password() {
    if !is_root() || !crate::testing::has("openssl") {
        return;
    }
    let tree = uuid(tree(), "2").file("etc/shadow", "ann:!:19000:0:99999:7:::\n");
    run(&tree.host(), &with_password(false), NOW).unwrap();
    let password = password::shown(&tree.host(), "ann", Some(false)).unwrap();
    let output = std::process::Command::new("openssl")
        .args(["passwd", "-6", "-salt", field(&tree).split('$').nth(2).unwrap(), &password])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), field(&tree));
}

const OPERATORS: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEH";

fn brings(tree: Tree, id: &str, secret: &str) -> Tree {
    let instance = tree.host().path(&format!("/var/lib/cloud/instances/{id}"));
    let link = tree.host().path("/var/lib/cloud/instance");
    std::fs::create_dir_all(&instance).unwrap();
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(&instance, &link).unwrap();
    let text = format!(
        "#cloud-config\nhardtack:\n  totp:\n    ann: {secret}\n    eve: {OPERATORS}\n    bob: {OPERATORS}\n"
    );
    tree.file(&format!("var/lib/cloud/instances/{id}/cloud-config.txt"), &text)
        .file("run/cloud-init/.instance-id", &format!("{id}\n"))
}

#[test]
fn the_operators_secret_is_written_and_kept_with_its_state() {
    let tree = brings(uuid(tree(), "2"), "i-1", OPERATORS);
    let host = tree.host();
    let once = |tree: &Tree| run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    once(&tree);
    let options = SAMPLE.split_inclusive('\n').skip(1).take(4).collect::<String>();
    assert_eq!(tree.read(SECRET), format!("{OPERATORS}\n{options}"));
    assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Operator { used: false }));
    let outcome = Outcome::load(&host);
    assert_eq!(outcome.users[0].state, "operator");
    assert_eq!(outcome.notes.len(), 2, "{:?}", outcome.notes);
    // The module keeps its state in it.
    let state = tree.read(SECRET).replace("REUSE\n", "REUSE 58790666\n");
    let tree = tree.file(SECRET, &state);
    once(&tree);
    assert_eq!(tree.read(SECRET), state);
    assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Operator { used: true }));
    // The user makes a new one: it is not the operator's to overwrite, nor ours to print.
    let tree = tree.file(SECRET, SAMPLE);
    once(&tree);
    assert_eq!(tree.read(SECRET), SAMPLE);
    assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Operator { .. }));
    // The operator brings another.
    let tree = brings(tree, "i-1", "KRSXG5CTMVRXEZLUKN2XAZLSKR");
    once(&tree);
    assert!(tree.read(SECRET).starts_with("KRSXG5CTMVRXEZLUKN2XAZLSKR\n"));
}

#[test]
fn user_data_of_another_instance_brings_nothing() {
    let tree = brings(uuid(tree(), "2"), "i-1", OPERATORS);
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    // The captured image, with its cache of the instance and no metadata.
    let tree = elsewhere(tree);
    run(&tree.host(), &config(&["ann"], "refuse"), NOW).unwrap();
    assert!(!tree.read(SECRET).contains(OPERATORS));
    assert!(matches!(look(&tree.host(), &ann(&tree)).unwrap(), Enrolment::Fresh(_)));
}
