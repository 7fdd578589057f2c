//! Evaluation against `sshd -T`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::memory::{HostFiles, MemoryFiles};

const DEBIAN_12: Version = Version::new(9, 2);

fn load(files: &MemoryFiles) -> Config {
    Config::load(files, DEBIAN_12).unwrap()
}

fn global(config: &Config, keyword: &str) -> Option<(String, String)> {
    config.global(keyword).first().map(|setting| (setting.words.join(" "), setting.place.to_string()))
}

#[test]
fn the_first_value_wins_through_includes() {
    let tree = MemoryFiles::new()
        .file(
            "/etc/ssh/sshd_config",
            "Include /etc/ssh/sshd_config.d/*.conf\nKbdInteractiveAuthentication no\nUsePAM=yes\n",
        )
        .file("/etc/ssh/sshd_config.d/50-cloud-init.conf", "PasswordAuthentication yes\n")
        .file(
            "/etc/ssh/sshd_config.d/10-x.conf",
            "# no\nChallengeResponseAuthentication yes\nPasswordAuthentication no\n",
        );
    let config = load(&tree);
    assert_eq!(
        global(&config, "kbdinteractiveauthentication"),
        Some(("yes".into(), "/etc/ssh/sshd_config.d/10-x.conf:2".into()))
    );
    assert_eq!(global(&config, "PasswordAuthentication").unwrap().0, "no");
    assert_eq!(global(&config, "UsePAM").unwrap().1, "/etc/ssh/sshd_config:3");
    assert_eq!(config.problems, []);
}

#[test]
fn a_match_in_an_included_file_ends_with_it() {
    let tree = MemoryFiles::new()
        .file(
            "/etc/ssh/sshd_config",
            "Include a\nPermitRootLogin no\nMatch User bob\nInclude b\nPermitTTY no\n",
        )
        .file("/etc/ssh/a", "Match User root\nPermitRootLogin yes\n")
        .file("/etc/ssh/b", "X11Forwarding no\nMatch Address 10.0.0.0/8\nX11Forwarding yes\n");
    let config = load(&tree);
    assert_eq!(global(&config, "PermitRootLogin"), Some(("no".into(), "/etc/ssh/sshd_config:2".into())));
    let root = Connection { user: Some("root".into()), ..Connection::default() };
    assert_eq!(config.for_connection("PermitRootLogin", &root)[0].place.to_string(), "/etc/ssh/a:2");
    let bob =
        Connection { user: Some("bob".into()), address: Some("10.1.1.1".into()), ..Connection::default() };
    assert_eq!(config.for_connection("X11Forwarding", &bob)[0].words, ["no"]);
    assert_eq!(config.for_connection("PermitTTY", &bob)[0].words, ["no"]);
    assert_eq!(config.overrides("X11Forwarding").count(), 2);
}

#[test]
fn what_stops_sshd_is_named() {
    for (text, wanted) in [
        ("PermitRotLogin no\n", "does not know"),
        ("UsePAM\n", "no value"),
        ("Banner \"x\n", "not closed"),
        ("Match User a\nUsePAM yes\n", "not allowed"),
        ("AuthenticationMethods publickey,password\nMatch User a\nAuthenticationMethods any\n", "any"),
        ("Include gone\n", "link to nowhere"),
    ] {
        let tree = MemoryFiles::new().file("/etc/ssh/sshd_config", text).link("/etc/ssh/gone", "/nowhere");
        let config = load(&tree);
        assert!(config.problems.iter().any(|p| p.what.contains(wanted)), "{text:?}: {:?}", config.problems);
    }
    let endless =
        MemoryFiles::new().file("/etc/ssh/sshd_config", "Include sshd_config\nInclude sshd_config\n");
    assert!(Config::load(&endless, DEBIAN_12).is_err());
}

/// Skips visibly, or fails where everything must be there.
fn tool(path: &str) -> bool {
    if Path::new(path).exists() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{path} is missing");
    eprintln!("SKIPPED: {path} is missing");
    false
}

/// What `sshd -T` says of some keywords.
fn real(directory: &Path, main: &Path, connection: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let key = directory.join("hostkey");
    if !key.exists() {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
    }
    let mut command = Command::new("/usr/sbin/sshd");
    command.arg("-T").arg("-h").arg(&key).arg("-f").arg(main);
    if let Some(connection) = connection {
        command.args(["-C", connection]);
    }
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect())
}

#[test]
fn agrees_with_the_real_sshd() {
    if !tool("/usr/sbin/sshd") || !tool("/usr/bin/ssh-keygen") {
        return;
    }
    let version = real_version();
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("PermitRootLogin no\nPermitRootLogin yes\n", &[]),
        (
            "Include $D/d/*.conf\nPermitRootLogin yes\n",
            &[("d/20.conf", "PermitRootLogin no\n"), ("d/10.conf", "X11Forwarding yes\n")],
        ),
        (
            "Include $D/d/*.conf\nPermitRootLogin yes\n",
            &[("d/20.conf", "Match User bob\nPermitRootLogin no\nX11Forwarding yes\n")],
        ),
        ("PermitRootLogin no\nMatch all\nPermitRootLogin yes\nX11Forwarding yes\n", &[]),
        (
            "Match User bob\nInclude $D/d/*.conf\nMaxAuthTries 9\n",
            &[(
                "d/1.conf",
                "PermitRootLogin no\nMatch all\nX11Forwarding yes\nMatch User alice\nMaxAuthTries 3\n",
            )],
        ),
        (
            "Match User *,!alice\nAuthenticationMethods publickey\nMatch User alice\nAuthenticationMethods publickey,password publickey,keyboard-interactive\n",
            &[],
        ),
        ("ChallengeResponseAuthentication no\nKbdInteractiveAuthentication yes\n", &[]),
        ("KbdInteractiveAuthentication yes\nSKeyAuthentication no\nDSAAuthentication no\n", &[]),
        ("AllowUsers bob alice\nAllowUsers carol\nMatch User bob\nAllowUsers dave\n", &[]),
        ("\"PermitRootLogin\" \"no\" # really\n  MaxAuthTries=7\nUsePAM = yes\n", &[]),
        (
            "Match Address 10.0.0.0/8,!10.2.0.0/16 User bob\nPermitRootLogin no\nMatch Host *.example.org\nX11Forwarding yes\n",
            &[],
        ),
        (
            "Match Group root\nPermitRootLogin forced-commands-only\nMatch Group nogroup,root\nMaxSessions 3\n",
            &[],
        ),
        (
            "Include $D/d/*.conf\nInclude $D/d/*.conf\nMaxAuthTries 2\n",
            &[("d/1.conf", "AcceptEnv A\n"), ("d/.x.conf", "MaxAuthTries 1\n")],
        ),
        (
            "Include $D/d/a*\nMatch User bob\nX11Forwarding no\n",
            &[("d/a1", "Include $D/d/b*\nX11Forwarding yes\n"), ("d/b1", "Match User bob\nMaxAuthTries 5\n")],
        ),
        ("Protocol 2\nUsePrivilegeSeparation sandbox\nKeepAlive no\n", &[]),
        ("Nonsense yes\n", &[]),
        ("PermitRootLogin\n", &[]),
        ("Match User x\nUsePAM no\n", &[]),
        ("AuthenticationMethods publickey\nMatch User x\nAuthenticationMethods any\n", &[]),
        ("Banner \"x\n", &[]),
        (
            "AuthorizedKeysFile .ssh/a .ssh/b\nMatch User bob\nAuthorizedKeysFile /etc/keys/%u\nAuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser nobody\n",
            &[],
        ),
    ];
    for (number, (main, files)) in cases.iter().enumerate() {
        compare(&number.to_string(), version, main, files);
    }
}

fn real_version() -> Version {
    let version = Command::new("/usr/sbin/sshd").arg("-V").output().unwrap();
    let version = String::from_utf8_lossy(&version.stderr).into_owned();
    // sshd wants its privilege separation directory when root asks.
    if !Path::new("/run/sshd").exists() {
        let _ = fs::create_dir("/run/sshd");
    }
    version.trim_start_matches("OpenSSH_").split(',').next().and_then(Version::parse).unwrap()
}

/// Ours against `sshd -T`; `$D` is the directory of the files. Says whether sshd takes them.
fn compare(number: &str, version: Version, main: &str, files: &[(&str, &str)]) -> bool {
    let connections: &[(&str, Connection)] = &[
        (
            "user=bob,host=a.example.org,addr=10.1.1.1,lport=22",
            connection("bob", &[], "a.example.org", "10.1.1.1"),
        ),
        ("user=alice,host=b,addr=10.2.1.1,lport=22", connection("alice", &[], "b", "10.2.1.1")),
        ("user=root,host=b,addr=::1,lport=22", connection("root", &["root"], "b", "::1")),
    ];
    let keywords = [
        "PermitRootLogin",
        "X11Forwarding",
        "MaxAuthTries",
        "MaxSessions",
        "AuthenticationMethods",
        "UsePAM",
        "KbdInteractiveAuthentication",
        "PubkeyAuthentication",
        "AllowUsers",
        "AcceptEnv",
        "AuthorizedKeysFile",
        "AuthorizedKeysCommand",
        "TCPKeepAlive",
        "PasswordAuthentication",
    ];
    let directory = tempfile::tempdir().unwrap();
    let place = |text: &str| text.replace("$D", &directory.path().display().to_string());
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, place(text)).unwrap();
        path
    };
    for (name, text) in files {
        write(name, text);
    }
    let main_path = write("sshd_config", main);
    let config = Config::load_from(&HostFiles, version, main_path.to_str().unwrap()).unwrap();
    let none = real(directory.path(), &main_path, None);
    // Methods that are switched off are told by their own check, not by the reader of the files.
    let unsatisfied = |answer: &Result<_, String>| {
        answer.as_ref().err().is_some_and(|error| error.contains("AuthenticationMethods cannot be satisfied"))
    };
    if unsatisfied(&none) {
        return false;
    }
    assert_eq!(
        none.is_err(),
        !config.problems.is_empty(),
        "{number}: {main:?}: {none:?} {:?}",
        config.problems
    );
    let Ok(none) = none else { return false };
    let mut runs = vec![(None, none)];
    for (argument, connection) in connections {
        let answer = real(directory.path(), &main_path, Some(argument));
        if !unsatisfied(&answer) {
            runs.push((Some(connection), answer.unwrap()));
        }
    }
    for (connection, answers) in runs {
        for keyword in keywords {
            // Without -C sshd still applies `Match all`.
            let ours = config.for_connection(keyword, connection.unwrap_or(&Connection::default()));
            if ours.is_empty() {
                continue;
            }
            // sshd prints values in its own spelling.
            let spelt =
                |word: &str| word.to_ascii_lowercase().replace("prohibit-password", "without-password");
            let said: Vec<String> = answers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(keyword))
                .flat_map(|(_, value)| value.split(' ').map(spelt))
                .collect();
            let ours: Vec<String> =
                ours.iter().flat_map(|setting| setting.words.iter().map(|word| spelt(word))).collect();
            assert_eq!(ours, said, "case {number} {main:?}: {keyword} for {connection:?}");
        }
    }
    true
}

fn connection(user: &str, groups: &[&str], host: &str, address: &str) -> Connection {
    Connection {
        user: Some(user.into()),
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        host: Some(host.into()),
        address: Some(address.into()),
        local_port: Some(22),
        ..Connection::default()
    }
}

/// A few lines of a configuration, by a generator that always makes the same.
fn random_lines(next: &mut impl FnMut(usize) -> usize, count: usize) -> String {
    const LINES: &[&str] = &[
        "UsePAM yes",
        "usepam=no",
        "PasswordAuthentication no",
        "PasswordAuthentication \"yes\"",
        "KbdInteractiveAuthentication yes",
        "ChallengeResponseAuthentication no # why",
        "skeyauthentication yes",
        "PermitRootLogin without-password",
        "PermitRootLogin NO",
        "PermitRootLogin prohibit-password",
        "AuthenticationMethods publickey,keyboard-interactive",
        "AuthenticationMethods publickey password",
        "PubkeyAuthentication no",
        "\tAuthorizedKeysFile\t.ssh/a /etc/b/%u",
        "AuthorizedKeysFile none",
        "MaxAuthTries 3",
        "MaxAuthTries = 5",
        "AllowUsers bob alice@10.*",
        "AllowUsers root",
        "X11Forwarding yes",
        "X11Forwarding no",
        "Match User bob",
        "Match user=root,alice",
        "Match User *,!bob",
        "Match all",
        "match ALL",
        "Match Address 10.1.0.0/16",
        "Match Host *.example.org User bob",
        "Match Group root",
        "Include $D/d/*.conf",
        "Include $D/one $D/missing",
        "include \"$D/one\"",
        "# Match User bob",
        "",
    ];
    const BAD: &[&str] = &[
        "Match User",
        "Match all User bob",
        "Match Planet mars",
        "UsePAM perhaps",
        "PermitRootLogin",
        "Frobnicate yes",
        "AuthenticationMethods publickey,smoke",
        "Banner 'x",
    ];
    let mut text = String::new();
    for _ in 0..count {
        let list = if next(60) == 0 { BAD } else { LINES };
        text.push_str(list[next(list.len())]);
        text.push_str(if next(9) == 0 { "\r\n" } else { "\n" });
    }
    text
}

#[test]
fn random_configurations_agree_with_the_real_sshd() {
    const CASES: usize = 60;
    if !tool("/usr/sbin/sshd") || !tool("/usr/bin/ssh-keygen") {
        return;
    }
    let version = real_version();
    let mut state = 20_u64;
    let mut next = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut taken = 0;
    for case in 0..CASES {
        let main = random_lines(&mut next, 9);
        // Those that are included include nothing: they could include each other without end.
        let mut leaf = |count| {
            random_lines(&mut next, count)
                .replace("nclude $D", "ncluded")
                .replace("nclude \"$D", "ncluded \"")
        };
        let leaves = [leaf(4), leaf(3), leaf(3)];
        let leaves = leaves.map(|text| {
            let lines = text.lines().filter(|line| !line.to_lowercase().starts_with("included"));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        });
        let [a, b, one] = &leaves;
        let files = [("d/10.conf", a.as_str()), ("d/20.conf", b.as_str()), ("one", one.as_str())];
        taken += usize::from(compare(&format!("random {case} {files:?}"), version, &main, &files));
    }
    assert!(taken > CASES / 4, "sshd took {taken}");
}

#[test]
fn options_of_the_command_line_win() {
    let tree = MemoryFiles::new()
        .file("/etc/ssh/sshd_config", "UsePAM yes\nMaxAuthTries 4\n")
        .file("/etc/ssh/other", "MaxAuthTries 6\n");
    let at = Place { file: "/etc/default/ssh".to_owned(), line: 1 };
    let options = [("UsePAM no".to_owned(), at)];
    let config = Config::load_started(&tree, DEBIAN_12, &options, MAIN_FILE).unwrap();
    assert_eq!(global(&config, "UsePAM"), Some(("no".into(), "/etc/default/ssh:1".into())));
    assert_eq!(global(&config, "MaxAuthTries").unwrap().0, "4");
    let other = Config::load_started(&tree, DEBIAN_12, &options, "/etc/ssh/other").unwrap();
    assert_eq!(global(&other, "MaxAuthTries").unwrap().0, "6");
}
