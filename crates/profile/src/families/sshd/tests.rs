use hardtack_guest::sshd::{DROP_IN, MAIN_FILE, Version};
use hardtack_guest::{MemoryTree, Stage};

use crate::testing::{carry_out, look};
use crate::{Bench, Error, Finding, Newcomer, Settings, rule};

const DEBIAN: &str = "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n\
                      X11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem sftp /usr/lib/openssh/sftp-server\n";

fn status(version: &str) -> String {
    format!(
        "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
    )
}

fn image(version: &str, config: &str) -> MemoryTree {
    MemoryTree::new()
        .file("/var/lib/dpkg/status", status(version))
        .file(MAIN_FILE, config)
        .file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/bash\n")
        .file("/etc/shadow", "root:*:19000::::::\nana:!:19000::::::\n")
        .file("/etc/group", "root:x:0:\nana:x:1000:\n")
        .file("/etc/gshadow", "root:*::\nana:!::\n")
        .file("/home/ana/.ssh/authorized_keys", "ssh-ed25519 AAAA ana\n")
}

fn ids() -> Vec<&'static str> {
    super::RULES.iter().map(|rule| rule.id).collect()
}

fn refusal(tree: &MemoryTree, settings: &Settings, id: &str, newcomers: &[Newcomer]) -> Option<String> {
    let mut stage = Stage::new(tree);
    let mut bench = Bench::new(&mut stage, settings, 1_700_000_000, &[]);
    bench.newcomers = newcomers;
    match rule(id).unwrap().measure.apply(&mut bench) {
        Ok(()) => None,
        Err(Error::Refused { what, .. }) => Some(what),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_rule_is_done_on_every_release() {
    for version in
        ["1:6.6p1-2ubuntu2.13", "1:7.2p2-4", "1:7.6p1-4", "1:8.2p1-4", "1:9.2p1-2", "1:9.6p1-3", "1:10.0p1-7"]
    {
        let moduli = "# Time Type\n2023 2 6 100 2047 2 AA\n2023 2 6 100 3071 2 BB\n";
        let old = format!(
            "{}HostKey /etc/ssh/ssh_host_dsa_key\nPermitRootLogin without-password\n",
            DEBIAN.split_once('\n').unwrap().1
        );
        let include = version.starts_with("1:8") || version.starts_with("1:9") || version.starts_with("1:1");
        let tree = image(version, if include { DEBIAN } else { &old }).file("/etc/ssh/moduli", moduli);
        let ids = ids();
        let (_, after, stage) = carry_out(&tree, &Settings::default(), &ids);
        for (id, finding) in ids.iter().zip(&after) {
            match *id {
                "sshd-port" => assert!(matches!(finding, Finding::Fail { .. }), "{finding:?}"),
                "sshd-access" => assert!(matches!(finding, Finding::Exception(_)), "{finding:?}"),
                _ => assert!(
                    matches!(finding, Finding::Pass | Finding::NotApplicable(_)),
                    "{version} {id}: {finding:?}"
                ),
            }
        }
        let text = stage.read_text(if include { DROP_IN } else { MAIN_FILE }).unwrap().unwrap();
        // Words that this release would not start with.
        let release = Version::parse(version).unwrap();
        for (word, major, minor) in [
            ("DisableForwarding", 7, 4),
            ("RequiredRSASize", 9, 1),
            ("PerSourcePenalties", 9, 8),
            ("ModuliFile", 8, 6),
        ] {
            let known = release >= Version::new(major, minor);
            assert_eq!(text.contains(word), known, "{version} {word}\n{text}");
        }
        assert!(
            !version.starts_with("1:6") || !text.contains("\nHostKey /etc/ssh/ssh_host_rsa_key"),
            "{text}"
        );
        let primes =
            stage.read_text(if text.contains("ModuliFile") { super::OUR_MODULI } else { "/etc/ssh/moduli" });
        let primes = primes.unwrap().unwrap();
        assert!(primes.contains("3071") && !primes.contains("2047"), "{primes}");
    }
}

#[test]
fn a_match_block_that_weakens_a_rule_is_named() {
    let config = format!(
        "{DEBIAN}Match User backup\n  PermitRootLogin yes\n  MaxAuthTries 3\nMatch Address 10.0.0.0/8\n  X11Forwarding yes\n"
    );
    let tree = image("1:9.2p1-2", &config);
    let ids = ["sshd-root", "sshd-max-auth-tries", "sshd-x11"];
    let (_, after, _) = carry_out(&tree, &Settings::default(), &ids);
    let Finding::Fail { why, places } = &after[0] else { panic!("{after:?}") };
    assert_eq!(why[0], "PermitRootLogin is yes for Match User backup; wanted: no");
    assert_eq!((places[0].path.as_str(), places[0].line), (MAIN_FILE, Some(9)));
    assert_eq!(after[1], Finding::Pass);
    assert!(matches!(&after[2], Finding::Fail { why, .. } if why[0].contains("Match Address 10.0.0.0/8")));
}

#[test]
fn what_is_in_force_counts() {
    for (line, id, passes) in [
        ("LoginGraceTime 1m", "sshd-grace", true),
        ("LoginGraceTime 0", "sshd-grace", false),
        ("LoginGraceTime 30", "sshd-grace", true),
        ("MaxStartups 10", "sshd-max-startups", true),
        ("MaxStartups 10:30:100", "sshd-max-startups", false),
        ("LogLevel INFO", "sshd-loglevel", true),
        ("LogLevel DEBUG", "sshd-loglevel", false),
        ("MaxAuthTries 4\nMaxAuthTries 9", "sshd-max-auth-tries", true),
        ("Ciphers aes256-ctr,aes128-cbc", "sshd-ciphers", false),
        ("Ciphers +aes128-cbc", "sshd-ciphers", false),
        ("# Ciphers of its own", "sshd-ciphers", true),
        ("MACs hmac-sha2-256-etm@openssh.com", "sshd-macs", true),
        ("MACs hmac-sha1", "sshd-macs", false),
        ("KexAlgorithms curve25519-sha256", "sshd-kex", true),
        ("KexAlgorithms ecdh-sha2-nistp256", "sshd-kex", false),
        ("Banner none", "sshd-banner", false),
        ("Frobnicate yes", "sshd-hostbased", false),
        ("HostbasedAuthentication no", "sshd-hostbased", true),
    ] {
        let tree = image("1:9.2p1-2", line);
        let found = look(&Stage::new(&tree), &Settings::default(), &[id]);
        assert_eq!(found[0] == Finding::Pass, passes, "{line}: {found:?}");
    }
    let started = image("1:9.2p1-2", "MaxAuthTries 4\n").file(
        "/lib/systemd/system/ssh.service",
        "[Service]\nExecStart=/usr/sbin/sshd -D -o MaxAuthTries=20\n",
    );
    let found = look(&Stage::new(&started), &Settings::default(), &["sshd-max-auth-tries"]);
    assert!(matches!(found[0], Finding::Fail { .. }), "{found:?}");
    let none = MemoryTree::new();
    let found = look(&Stage::new(&none), &Settings::default(), &ids());
    assert!(
        found.iter().all(|finding| matches!(finding, Finding::NotApplicable(_) | Finding::Exception(_))),
        "{found:?}"
    );
}

#[test]
fn only_key_exchanges_that_last() {
    let settings = Settings { post_quantum_only: true, ..Settings::default() };
    let tree = image("1:10.0p1-7", DEBIAN);
    let (_, after, stage) = carry_out(&tree, &settings, &["sshd-kex"]);
    assert_eq!(after, [Finding::Pass]);
    let text = stage.read_text(DROP_IN).unwrap().unwrap();
    let list =
        "KexAlgorithms mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com\n";
    assert!(text.contains(list), "{text}");
    let compatible = Settings::default();
    let (_, _, stage) = carry_out(&tree, &compatible, &["sshd-kex"]);
    assert!(matches!(look(&stage, &settings, &["sshd-kex"])[0], Finding::Fail { .. }));
    let what = refusal(&image("1:8.2p1-4", DEBIAN), &settings, "sshd-kex", &[]).unwrap();
    assert!(what.contains("OpenSSH 8.2 has no key exchange"), "{what}");
}

#[test]
fn checkers_that_read_the_main_file_find_it_there() {
    let settings = Settings { checker_friendly: true, ..Settings::default() };
    let tree = image("1:9.2p1-2", DEBIAN);
    let (_, after, stage) = carry_out(&tree, &settings, &["sshd-root", "sshd-hostkeys", "sshd-config-mode"]);
    assert_eq!(after, vec![Finding::Pass; 3]);
    let main = stage.read_text(MAIN_FILE).unwrap().unwrap();
    assert!(main.contains("\nPermitRootLogin no\n") && main.ends_with(DEBIAN), "{main}");
    // Its lines add up: twice would be two keys.
    assert!(!main.contains("\nHostKey "), "{main}");
    assert_eq!(stage.stat(DROP_IN).unwrap().unwrap().mode & 0o7777, 0o600);
    assert_eq!(stage.stat(MAIN_FILE).unwrap().unwrap().mode & 0o7777, 0o600);
}

#[test]
fn nobody_is_locked_out() {
    let cloud = "system_info:\n  default_user:\n    name: debian\n    groups: [adm, sudo]\n";
    let root_only = MemoryTree::new()
        .file("/var/lib/dpkg/status", status("1:9.2p1-2"))
        .file(MAIN_FILE, DEBIAN)
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/usr/sbin/nologin\n",
        )
        .file("/etc/group", "root:x:0:\n")
        .file("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA\n");
    let plain = Settings::default();
    assert!(refusal(&root_only, &plain, "sshd-root", &[]).unwrap().contains("root is the only one"));
    let ana =
        Newcomer { name: "ana".into(), groups: vec!["ops".into()], key: true, password: false, sudo: false };
    assert_eq!(refusal(&root_only, &plain, "sshd-root", std::slice::from_ref(&ana)), None);
    let launched = root_only.file("/etc/cloud/cloud.cfg", cloud);
    assert_eq!(refusal(&launched, &plain, "sshd-root", &[]), None);

    // Passwords are all that anybody has.
    let hash = "$6$salt$abcdefghijklmnopqrstuvwxyz0123456789";
    let only = MemoryTree::new()
        .file("/var/lib/dpkg/status", status("1:9.2p1-2"))
        .file(MAIN_FILE, DEBIAN)
        .file("/etc/passwd", "ana:x:1000:1000::/home/ana:/bin/bash\n")
        .file("/etc/shadow", format!("ana:{hash}:19000::::::\n"));
    assert!(refusal(&only, &plain, "sshd-password", &[]).unwrap().contains("no key"));
    let asks = only.file(MAIN_FILE, "UsePAM yes\n");
    assert_eq!(refusal(&asks, &plain, "sshd-password", &[]), None);

    let ops = Settings { ssh_group: Some("ops".into()), ..Settings::default() };
    let tree = image("1:9.2p1-2", DEBIAN);
    assert!(
        refusal(&tree, &ops, "sshd-access", &[])
            .unwrap()
            .contains("nobody who could log in is a member of ops")
    );
    assert_eq!(refusal(&tree, &ops, "sshd-access", &[ana]), None);
    let bad = Settings { ssh_group: Some("a b\nc".into()), ..Settings::default() };
    assert!(refusal(&tree, &bad, "sshd-access", &[]).is_some());
}

#[test]
fn the_default_user_gets_the_group() {
    let cloud = "system_info:\n  default_user:\n    name: debian\n    groups: [adm, sudo]\n";
    let tree = image("1:9.2p1-2", DEBIAN).file("/etc/cloud/cloud.cfg", cloud);
    let settings = Settings { ssh_group: Some("ops".into()), ..Settings::default() };
    let (before, after, stage) = carry_out(&tree, &settings, &["sshd-access", "sshd-hostkeys"]);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    let text = stage.read_text(super::CLOUD_GROUP).unwrap().unwrap();
    assert!(text.contains("    groups: ['adm', 'sudo', 'ops']\n"), "{text}");
    assert!(
        stage.read_text(super::CLOUD_KEYS).unwrap().unwrap().contains("ssh_genkeytypes: [ed25519, rsa]\n")
    );
    assert!(stage.read_text("/etc/group").unwrap().unwrap().ends_with("ops:x:999:\n"));
    assert!(stage.read_text("/etc/gshadow").unwrap().unwrap().ends_with("ops:!::\n"));
    let other = stage.read_text(DROP_IN).unwrap().unwrap().replace("AllowGroups ops", "AllowGroups wheel");
    let tree = tree.file(DROP_IN, other);
    assert!(matches!(look(&Stage::new(&tree), &settings, &["sshd-access"])[0], Finding::Fail { .. }));
}

#[test]
fn host_keys_are_roots_alone() {
    let tree = image("1:9.2p1-2", DEBIAN)
        .file("/etc/group", "ssh_keys:x:101:\n")
        .file_as("/etc/ssh/ssh_host_rsa_key", "", 0o640, 0, 101)
        .file_as("/etc/ssh/ssh_host_ed25519_key", "", 0o640, 0, 0)
        .file_as("/etc/ssh/ssh_host_ed25519_key.pub", "", 0o666, 7, 0);
    let ids = ["sshd-hostkey-private", "sshd-hostkey-public"];
    let (before, after, stage) = carry_out(&tree, &Settings::default(), &ids);
    let Finding::Fail { places, .. } = &before[0] else { panic!("{before:?}") };
    assert_eq!(places.len(), 1);
    assert_eq!(after, [Finding::Pass, Finding::Pass]);
    assert_eq!(stage.stat("/etc/ssh/ssh_host_rsa_key").unwrap().unwrap().mode & 0o7777, 0o640);
}

#[test]
fn red_hats_policy_is_set_by_the_machine() {
    let tree = MemoryTree::new().file("/etc/crypto-policies/config", "# x\nDEFAULT\n");
    let (before, after, _) = carry_out(&tree, &Settings::default(), &["sshd-crypto-policy"]);
    assert!(matches!(before[0], Finding::Fail { .. }));
    assert!(matches!(after[0], Finding::FirstBoot(_)), "{after:?}");
    for (policy, passes) in [("FUTURE", true), ("DEFAULT:NO-SHA1", true), ("LEGACY:NO-SHA1", false)] {
        let tree = MemoryTree::new().file("/etc/crypto-policies/config", policy);
        let found = look(&Stage::new(&tree), &Settings::default(), &["sshd-crypto-policy"]);
        assert_eq!(found[0] == Finding::Pass, passes, "{policy}");
    }
}
