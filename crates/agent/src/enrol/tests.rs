#![allow(clippy::unwrap_used)]
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

mod machines {
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
        assert!(
            !tree.read("run/hardtack/enrolment.json").contains(tree.read(SECRET).lines().next().unwrap())
        );

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
        let tree =
            elsewhere(enrolled()).file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
        let mut config = config(&["ann"], "refuse");
        config.overlay =
            Some(hardtack_credentials::OverlayConfig { mode: "crypt".into(), ..Default::default() });
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
}

mod renewal {
    use hardtack_credentials::RandomPassword;

    use super::super::*;
    use super::{NOW, SECRET, ann, config, tree};

    fn ask(user: &str, password: bool) -> Renewal {
        Renewal { user: user.into(), password, console: false }
    }

    #[test]
    fn a_renewal_ends_the_old_secret_and_is_shown_to_who_asks_alone() {
        let tree = tree().file("etc/shadow", "ann:!:19000:0:99999:7:::\n");
        let host = tree.host();
        let mut config = config(&["ann"], "refuse");
        config.accounts = vec![AccountConfig {
            name: "ann".into(),
            random_password: Some(RandomPassword::default()),
            ..AccountConfig::default()
        }];
        run(&host, &config, NOW).unwrap();
        let (old, hash) = (tree.read(SECRET), accounts::Shadow::field(&host, "ann").unwrap());
        let tree = tree.file("var/lib/hardtack/used/ann", "").file("run/hardtack/sealed/ann.json", "{}");
        let mut shown = Vec::new();
        renew(&host, &config, &ask("ann", false), || NOW, Some(&mut shown)).unwrap();
        let text = String::from_utf8(shown).unwrap();
        let new = tree.read(SECRET);
        assert_ne!(new, old);
        assert!(
            text.contains(&format!("Your new secret key is: {}\n", new.lines().next().unwrap())),
            "{text}"
        );
        assert!(text.contains(&format!("scratch codes are:\n  {}\n", new.lines().nth(5).unwrap())), "{text}");
        assert!(
            text.contains("otpauth://totp/") && text.contains("Your password is: ") && text.contains('▀')
        );
        assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Used), "no console shows it");
        assert!(!host.exists("/run/hardtack/sealed/ann.json"));
        assert_eq!(accounts::Shadow::field(&host, "ann").unwrap(), hash);
        renew(&host, &config, &ask("ann", true), || NOW, Some(&mut Vec::new())).unwrap();
        assert_ne!(accounts::Shadow::field(&host, "ann").unwrap(), hash);
        run(&host, &config, NOW).unwrap();
        assert!(matches!(look(&host, &ann(&tree)).unwrap(), Enrolment::Used));
    }

    #[test]
    fn a_console_that_others_read_is_no_terminal_to_show_a_secret_on() {
        let tree = tree().file("sys/class/tty/console/active", "tty1 ttyXYZ0\n");
        for (tty, wanted) in [
            ("/dev/pts/3", true),
            ("/dev/tty1", true),
            ("/dev/ttyS0", false),
            ("/dev/hvc0", false),
            ("/dev/console", false),
            ("/dev/ttyXYZ0", false),
            ("/dev/ttyXYZ1", true),
            ("pipe:[4242]", false),
        ] {
            assert_eq!(is_private(&tree.host(), std::path::Path::new(tty)), wanted, "{tty}");
        }
    }

    #[test]
    fn nothing_is_renewed_where_nothing_can_be() {
        let tree = tree();
        let host = tree.host();
        let config = config(&["ann"], "refuse");
        run(&host, &config, NOW).unwrap();
        let old = tree.read(SECRET);
        for (request, wanted) in [
            (ask("eve", false), "eve does not exist"),
            (ask("bob", false), "bob is not enrolled here"),
            (ask("ann", true), "the password of ann is not made here"),
        ] {
            let error =
                renew(&host, &config, &request, || NOW, Some(&mut Vec::new())).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let tree = tree.file("sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4B3132\n");
        let error = renew(&host, &config, &ask("ann", false), || NOW, Some(&mut Vec::new())).unwrap_err();
        assert!(error.to_string().contains("another machine"), "{error}");
        assert_eq!(tree.read(SECRET), old);
    }
}
