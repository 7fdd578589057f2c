#![allow(clippy::unwrap_used)]
use hardtack_credentials::{MfaConfig, OverlayConfig, PackagesConfig};

use super::*;
use crate::testing::Tree;

const SAMPLE: &str = "5EENRV74MYRS6G4UYZMKTKSGKM\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 4\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n\
                      30116782\n98721882\n10291978\n42715075\n70813242\n";
const NOW: u64 = 1_763_720_000;
/// Port 22 on every address.
const LISTENING: &str = "  sl  local_address rem_address   st\n   0: 00000000:0016 00000000:0000 0A 0\n";

fn tree() -> Tree {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Tree::new()
        .file(
            "etc/passwd",
            &format!("ann:x:{uid}:{gid}::/home/ann:/bin/bash\nbob:x:{uid}:{gid}::/home/bob:/bin/bash\n"),
        )
        .file("home/ann/.google_authenticator", SAMPLE)
        .file("home/bob/.google_authenticator", &SAMPLE.replace("REUSE", "REUSE 58790666"))
        .file("proc/self/mountinfo", "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
        .file("proc/sys/kernel/random/boot_id", "2f6b1f7e-0000-4000-8000-000000000000\n")
        .file("proc/sys/kernel/hostname", "vm\n")
        .file("proc/net/tcp", LISTENING)
        .file("run/cloud-init/.instance-id", "i-0123\n")
        .file("var/lib/hardtack/identity.json", r#"{"instance_id":"i-0123"}"#)
        .file("run/hardtack/enrolment.json", r#"{"version":1}"#)
        .file("sys/class/tty/console/active", "tty0 ttyS0\n")
        .file("dev/ttyS0", "")
        .file("dev/tty0", "")
}

fn config(users: &[&str]) -> AgentConfig {
    AgentConfig {
        recipe: "debian-3fa".into(),
        mfa: Some(MfaConfig {
            users: users.iter().map(|&user| user.to_owned()).collect(),
            ..MfaConfig::default()
        }),
        doors: vec!["su: asks for the password only".into()],
        ..AgentConfig::default()
    }
}

fn block(text: &str) -> serde_json::Value {
    let line = text.lines().find(|line| line.starts_with("{\"hardtack\":")).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn the_block_on_the_console_says_it_all_and_nothing_of_those_who_logged_in() {
    let tree = tree();
    run(&tree.host(), &config(&["ann", "bob"]), || NOW).unwrap();
    let text = tree.read("dev/ttyS0");
    assert_eq!(tree.read("dev/tty0"), "", "never on a virtual terminal");
    let block = block(&text);
    assert_eq!(block["hostname"], "vm");
    assert_eq!(block["instance_id"], "i-0123");
    assert_eq!(block["time"], "2025-11-21T10:13:20Z");
    assert_eq!(block["root"], serde_json::json!({"overlay": null, "device": null}));
    assert_eq!(block["doors"][0], "su: asks for the password only");
    let users = block["users"].as_array().unwrap();
    assert_eq!(users.len(), 1);
    assert_eq!(users[0]["secret"], "5EENRV74MYRS6G4UYZMKTKSGKM");
    assert_eq!(users[0]["scratch_codes"][0], "30116782");
    assert!(users[0]["otpauth"].as_str().unwrap().starts_with("otpauth://totp/debian-3fa:ann@vm"));
    assert!(text.contains("Your new secret key is: 5EENRV74MYRS6G4UYZMKTKSGKM"));
    assert!(!text.contains("SSH does not answer"));
}

#[test]
fn the_same_block_comes_at_every_boot_until_a_code_was_accepted() {
    let tree = tree();
    let users = |tree: &Tree| {
        run(&tree.host(), &config(&["ann"]), || NOW).unwrap();
        block(&tree.read("dev/ttyS0"))["users"].clone()
    };
    let first = users(&tree);
    let tree = tree.file("dev/ttyS0", "");
    assert_eq!(users(&tree), first);
    let tree = tree
        .file("dev/ttyS0", "")
        .file("home/ann/.google_authenticator", &SAMPLE.replace("REUSE", "REUSE 58790666"));
    assert_eq!(users(&tree), serde_json::json!([]));
    assert!(!tree.read("dev/ttyS0").contains("5EENRV74MYRS6G4UYZMKTKSGKM"));
    assert!(tree.read("dev/ttyS0").contains("Fingerprints only"));
}

#[test]
fn a_broken_promise_prints_a_loud_line_and_no_credentials() {
    let tree = tree();
    let mut config = config(&["ann"]);
    config.overlay = Some(OverlayConfig {
        mode: "crypt".into(),
        device: Some("/dev/vdb".into()),
        ..OverlayConfig::default()
    });
    let error = run(&tree.host(), &config, || NOW).unwrap_err().to_string();
    assert!(error.contains("no credentials were printed"), "{error}");
    let text = tree.read("dev/ttyS0");
    assert!(text.contains("HARDTACK PRINTS NO CREDENTIALS"), "{text}");
    assert!(text.contains("/ should be an overlay (crypt) and is a plain file system"), "{text}");
    assert!(!text.contains("5EEN") && !text.contains("BEGIN HARDTACK"), "{text}");
}

#[test]
fn a_broken_promise_is_told_in_the_block_where_the_recipe_goes_on() {
    for (word, says) in [("plain", "as if nothing had happened"), ("login-only", "for logins only")] {
        let tree = tree();
        let mut config = config(&["ann"]);
        config.overlay =
            Some(OverlayConfig { mode: "crypt".into(), on_failure: word.into(), ..OverlayConfig::default() });
        run(&tree.host(), &config, || NOW).unwrap();
        let text = tree.read("dev/ttyS0");
        assert!(text.contains("!!! THE OVERLAY IS NOT IN FORCE"), "{text}");
        assert!(text.replace("\n!!!  ", "").contains(says), "{text}");
        assert!(text.contains(&format!("on_failure: {word}.")), "{text}");
        let root = &block(&text)["root"];
        assert_eq!(root["on_failure"], word);
        assert_eq!(root["wrong"], "/ should be an overlay (crypt) and is a plain file system");
        assert!(text.contains("5EENRV74MYRS6G4UYZMKTKSGKM"), "{text}");
    }
}

#[test]
fn what_went_wrong_is_told_beside_the_block() {
    let tree = tree().file("home/bob/.google_authenticator", "rubbish\n");
    let mut config = config(&["ann", "bob", "eve"]);
    config.packages = Some(PackagesConfig::default());
    let text =
        text(&tree.host(), &config, &overlay::root(&tree.host()), false, &guard::State::default(), NOW)
            .unwrap();
    assert!(text.contains("HARDTACK: SSH does not answer"), "{text}");
    assert!(text.contains("HARDTACK: eve does not exist"), "{text}");
    assert!(text.contains("HARDTACK: bob line 1 of the secret file is not"), "{text}");
    assert!(text.contains("the installation did not end"), "{text}");
    let long: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 80 && !line.starts_with('{') && !line.starts_with("ssh-"))
        .collect();
    assert_eq!(long, [""; 0]);
}

mod sealing {
    //! To whom a user's part is sealed.
    use hardtack_credentials::RecoveryConfig;

    use super::super::*;
    use super::{LISTENING, NOW, SAMPLE, block, config, tree};
    use crate::enrol::outcome::Outcome;
    use crate::testing::Tree;

    const JOE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl joe@x";
    const AGE: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLbgzYFNlBsTtNSWPD3YyUxvBrmBKAHdJgfLkLZVYrAh0XPnL0Tn2dqKHlgpBGJUbTyxIQ9pb2bXcFSsoaPwWzM= carol@laptop";
    const KEYS: &str = "home/ann/.ssh/authorized_keys";

    fn sealing(seal: &str, recipients: &[&str]) -> AgentConfig {
        let mut config = config(&["ann"]);
        if let Some(mfa) = &mut config.mfa {
            mfa.seal = seal.to_owned();
            mfa.recipients = recipients.iter().map(|&text| text.to_owned()).collect();
        }
        config
    }

    fn printed(tree: &Tree, config: &AgentConfig) -> (String, serde_json::Value) {
        std::fs::write(tree.host().path("/dev/ttyS0"), "").unwrap();
        run(&tree.host(), config, || NOW).unwrap();
        let text = tree.read("dev/ttyS0");
        let user = block(&text)["users"][0].clone();
        (text, user)
    }

    fn kind(user: &serde_json::Value) -> &'static str {
        if user["sealed"].is_string() {
            "sealed"
        } else if user["withheld"].is_string() {
            "withheld"
        } else {
            "plain"
        }
    }

    #[test]
    fn what_the_recipe_says_and_the_keys_allow() {
        let host_key = format!("{JOE}\n");
        let ca = format!("cert-authority {JOE}\n");
        let (joe, ecdsa) = (format!("{JOE}\n"), format!("{ECDSA}\n"));
        for (seal, recipients, keys, wanted) in [
            ("none", &[][..], &joe, "plain"),
            ("ssh", &[], &joe, "sealed"),
            ("auto", &[], &joe, "sealed"),
            ("ssh", &[], &ecdsa, "withheld"),
            ("auto", &[], &ecdsa, "plain"),
            ("ssh", &[], &ca, "withheld"),
            ("ssh", &[], &String::new(), "withheld"),
            ("auto", &[], &String::new(), "plain"),
            ("recipients", &[AGE, JOE], &ecdsa, "sealed"),
            ("recipients", &[AGE, "rubbish"], &ecdsa, "sealed"),
            ("recipients", &["rubbish"], &joe, "withheld"),
            ("recipients", &[], &joe, "withheld"),
            ("tomorrow's", &[], &joe, "withheld"),
        ] {
            let tree = tree().file(KEYS, keys);
            let (text, user) = printed(&tree, &sealing(seal, recipients));
            assert_eq!(kind(&user), wanted, "{seal} {keys}");
            assert_eq!(text.contains("5EENRV74MYRS6G4UYZMKTKSGKM"), wanted == "plain", "{seal} {keys}");
            assert_eq!(text.contains("30116782"), wanted == "plain");
            assert_eq!(text.contains("NOT SEALED"), wanted == "plain" && seal == "auto", "{text}");
            assert_eq!(Outcome::load(&tree.host()).users[0].printed.as_deref(), Some(wanted));
            assert!(!tree.read("run/hardtack/enrolment.json").contains("5EENRV74MYRS6G4UYZMKTKSGKM"));
        }
        // The machine's own key opens nothing: everybody who is root here has it.
        let tree = tree().file(KEYS, &host_key).file("etc/ssh/ssh_host_ed25519_key.pub", &host_key);
        assert_eq!(kind(&printed(&tree, &sealing("ssh", &[])).1), "withheld");
    }

    #[test]
    fn what_is_withheld_says_what_to_do() {
        let tree = tree().file(KEYS, &format!("{ECDSA}\n"));
        let (_, user) = printed(&tree, &sealing("ssh", &[]));
        let text = user["withheld"].as_str().unwrap();
        for part in
            ["ecdsa-sha2-nistp256", "~/.ssh/authorized_keys", "hardtack-agent enroll --user ann", "reboot"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn keys_are_read_where_sshd_reads_them() {
        for (sshd, path, wanted) in [
            ("", "home/ann/.ssh/authorized_keys2", "sealed"),
            ("AuthorizedKeysFile /etc/ssh/keys/%u\n", "etc/ssh/keys/ann", "sealed"),
            ("AuthorizedKeysFile /etc/ssh/keys/%u\n", KEYS, "withheld"),
            ("AuthorizedKeysFile none\n", KEYS, "withheld"),
            ("AuthorizedKeysFile .ssh/%u %h/keys\n", "home/ann/keys", "sealed"),
            ("Match User ann\nAuthorizedKeysFile mine\n", "home/ann/mine", "sealed"),
            ("Match User bob\nAuthorizedKeysFile mine\n", "home/ann/mine", "withheld"),
        ] {
            let tree = tree().file("etc/ssh/sshd_config", sshd).file(path, &format!("{JOE}\n"));
            assert_eq!(kind(&printed(&tree, &sealing("ssh", &[])).1), wanted, "{sshd} {path}");
        }
        // sshd takes no keys from a file that others can write.
        let tree = tree().file(KEYS, &format!("{JOE}\n"));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(tree.host().path(&format!("/{KEYS}")), open).unwrap();
        assert_eq!(kind(&printed(&tree, &sealing("ssh", &[])).1), "withheld");
        // What is no file holds nobody up.
        let tree = self::tree().directory(KEYS);
        assert_eq!(kind(&printed(&tree, &sealing("ssh", &[])).1), "withheld");
    }

    #[test]
    fn every_print_of_a_boot_shows_the_same_text_until_something_changes() {
        let tree = tree().file(KEYS, &format!("{JOE}\n"));
        let config = sealing("ssh", &[]);
        let (_, first) = printed(&tree, &config);
        assert_eq!(printed(&tree, &config).1, first);
        let tree = tree.file(KEYS, &format!("{JOE}\n{AGE}\n{ECDSA}\n"));
        assert_eq!(printed(&tree, &config).1, first, "no other key that opens it");
        let tree = tree.file("home/ann/.google_authenticator", &SAMPLE.replace("30116782", "30116783"));
        let (_, second) = printed(&tree, &config);
        assert_ne!(second, first);
        let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBYTZSHZz2JpaCLqBXcA4Qw6e8IRWC2ZRkvUAwbsZEOi eve@x";
        let tree = tree.file(KEYS, &format!("{JOE}\n{other}\n"));
        assert_ne!(printed(&tree, &config).1, second);
    }

    #[test]
    fn what_cannot_be_kept_for_the_next_print_is_sealed_all_the_same() {
        let tree = tree().file(KEYS, &format!("{JOE}\n")).file("run/hardtack/sealed", "in the way");
        assert_eq!(kind(&printed(&tree, &sealing("auto", &[])).1), "sealed");
    }

    #[test]
    fn the_recovery_account_has_readers_of_its_own() {
        let tree = tree().file(KEYS, &format!("{ECDSA}\n"));
        let mut config = sealing("none", &[]);
        if let Some(mfa) = &mut config.mfa {
            mfa.recovery = Some(RecoveryConfig { user: "ann".into(), recipients: vec![AGE.into()] });
        }
        assert_eq!(kind(&printed(&tree, &config).1), "sealed");
    }

    #[test]
    fn what_was_made_for_another_machine_is_not_shown() {
        for record in [r#"{"instance_id":"i-9"}"#, "rubbish"] {
            let tree = tree().file("var/lib/hardtack/identity.json", record);
            let (text, user) = printed(&tree, &config(&["ann"]));
            assert_eq!(kind(&user), "withheld");
            assert!(!text.contains("5EENRV74MYRS6G4UYZMKTKSGKM") && !text.contains("30116782"), "{text}");
        }
        let tree = tree();
        std::fs::remove_file(tree.host().path("/var/lib/hardtack/identity.json")).unwrap();
        std::fs::remove_file(tree.host().path("/run/hardtack/enrolment.json")).unwrap();
        assert_eq!(kind(&printed(&tree, &config(&["ann"])).1), "withheld", "enrolment did not run");
        assert!(!tree.host().exists("/run/hardtack/enrolment.json"), "nobody is to believe that it did");
    }

    #[test]
    fn the_operators_secret_is_told_of_and_not_shown() {
        let digest = hardtack_credentials::block::checksum("x");
        let tree = tree()
            .file("proc/net/tcp", LISTENING)
            .file("var/lib/hardtack/operator/ann", &format!("{digest}\n"));
        run(&tree.host(), &config(&["ann"]), || NOW).unwrap();
        let text = tree.read("dev/ttyS0");
        assert!(!text.contains("5EENRV74MYRS6G4UYZMKTKSGKM") && text.contains("operator"), "{text}");
        assert_eq!(block(&text)["users"], serde_json::json!([]));
    }
}
