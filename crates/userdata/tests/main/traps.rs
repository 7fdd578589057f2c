//! Every trap with its picture.
//!
//! `tests/data/traps.txt` holds cases: `=== ` and the codes of its findings in order, the user-data, a
//! line `---`, the pictures. After a change of words `HARDTACK_BLESS=1 cargo test -p hardtack-userdata
//! traps` writes the pictures anew.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hardtack_userdata::check::{CheckOptions, Report, check};
use hardtack_userdata::load::load_config;
use hardtack_userdata::{Finding, Severity, SplitOptions, schema, traps};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/traps.txt")
}

struct Case {
    codes: String,
    user_data: String,
    pictures: String,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(file()).unwrap();
    text.trim_start_matches("=== ")
        .split("\n=== ")
        .map(|case| {
            let (codes, rest) = case.split_once('\n').unwrap();
            let (user_data, pictures) = rest.split_once("\n---\n").unwrap();
            let user_data = format!("{user_data}\n");
            Case { codes: codes.into(), user_data, pictures: pictures.trim().into() }
        })
        .collect()
}

fn report(user_data: &str) -> Report {
    check("user-data", user_data.as_bytes(), &CheckOptions::default())
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.code).collect()
}

/// The codes in the sources of the traps.
fn codes_in_sources() -> BTreeSet<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/traps");
    let mut codes = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for start in ["trap(", "Finding::warning("] {
            for (at, _) in text.match_indices(start) {
                let rest = text[at + start.len()..].trim_start();
                codes.extend(
                    rest.strip_prefix('"')
                        .and_then(|rest| rest.split_once('"'))
                        .map(|(code, _)| code.to_owned()),
                );
            }
        }
    }
    codes
}

#[test]
fn each_trap_has_its_picture() {
    let mut blessed = String::new();
    let mut wrong = String::new();
    for case in cases() {
        let report = report(&case.user_data);
        let pictures = report.pictures();
        let codes = codes(&report).join(" ");
        let now = format!("=== {codes}\n{}---\n{pictures}\n", case.user_data);
        blessed.push_str(&now);
        if codes != case.codes || pictures.trim() != case.pictures {
            wrong.push_str(&now);
        }
    }
    if std::env::var_os("HARDTACK_BLESS").is_some() {
        std::fs::write(file(), blessed).unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_trap_is_without_a_case() {
    let all: BTreeSet<String> = cases()
        .iter()
        .flat_map(|case| case.codes.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // These are about files as a whole, and have tests of their own.
    let others = ["part-handler", "too-large-for-clouds"];
    let codes = codes_in_sources();
    assert!(codes.len() > 60, "{codes:?}");
    let missing: Vec<&String> =
        codes.iter().filter(|code| !all.contains(*code) && !others.contains(&code.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_words_of_a_trap_replace_those_of_the_schema() {
    let report = report("#cloud-config\nwrite_files:\n- path: /a\n  permissions: 644\n");
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.severity, finding.code, finding.path.as_str()))
        .collect();
    assert_eq!(found, [(Severity::Error, "mode-is-decimal", "write_files.0.permissions")]);
    assert!(report.findings[0].message.contains("1204"));
}

/// What `decode_perms` of `cloudinit/config/cc_write_files.py` makes of the same scalars.
#[test]
fn modes_are_those_that_cloud_init_sets() {
    for (scalar, mode) in [
        ("755", "1363"),
        ("600", "1130"),
        ("1755", "3333"),
        ("7777", "17141"),
        ("493", "0755"),
        ("0x1a4", "0644"),
        ("0600", "0600"),
        ("'08'", "0644"),
        ("rwxr", "0644"),
        ("'0x1a4'", "0644"),
    ] {
        let report = report(&format!("#cloud-config\nwrite_files: [{{path: /a, permissions: {scalar}}}]\n"));
        assert_eq!(report.findings.len(), 1, "{scalar}: {:?}", report.findings);
        let message = &report.findings[0].message;
        assert!(message.contains(&format!("mode {mode}")), "{scalar}: {message}");
    }
    for scalar in ["'0644'", "'644'", "'1755'", "'0o644'", "' 0644 '", "'0_6_4_4'"] {
        let report = report(&format!("#cloud-config\nwrite_files: [{{path: /a, permissions: {scalar}}}]\n"));
        assert!(report.findings.is_empty(), "{scalar}: {:?}", report.findings);
    }
}

#[test]
fn what_is_as_it_should_be_is_no_trap() {
    for text in [
        "#cloud-config\nhostname: web1\nfqdn: web1.example.com\ntimezone: Europe/Berlin\n",
        "#cloud-config\nruncmd:\n- [sh, -c, 'a && b > c']\n- a && b | c > /x/*\n- [find, /x, -name, '*.o', ';']\n",
        "#cloud-config\nruncmd:\n- [sed, -i, 's/^a$/b/', /etc/x]\n- apt-get -qy install a\n- test -f /x || reboot\n- yes | apt-get install b\n- shutdown -r +5\n- |\n  #!/bin/sh -e\n  echo a\n",
        "#cloud-config\nwrite_files:\n- {path: /a, permissions: '0644', content: aGk=, encoding: b64}\n\
         - {path: /a, append: true, content: '<html>${x}</html>'}\n- {path: /b, owner: 'ubuntu:ubuntu', defer: true}\n",
        "#cloud-config\nusers:\n- default\n- {name: web, system: true, shell: /usr/sbin/nologin}\n\
         - {name: ann, lock_passwd: false, hashed_passwd: $6$a$bcdef, sudo: 'ALL=(ALL) ALL', groups: [sudo]}\n",
        "#cloud-config\nmounts:\n- [/dev/vdb, /srv, auto, 'defaults,nofail', '0', '2']\n- [/dev/vdc, /opt]\n",
        "#cloud-config\npackages: [a, [b, '1.0']]\npackage_update: yes\nswap: {filename: /s, size: 2G}\n",
        "#cloud-config\nruncmd:\n- export HOME=/root\n- cp a $HOME/b\n- sudo -iu ann sh -c 'cd ~/x'\n- /opt/run\n\
         write_files: [{path: /opt/run, permissions: '0700'}]\n",
        "#cloud-config\ngroups: [web]\nusers:\n- default\n- {name: ann, primary_group: web, system: true}\n",
        "#cloud-config\nssh_pwauth: true\npassword: RANDOM\nchpasswd: {expire: false}\n",
        "#!/bin/sh\necho ${HOME} $private_ipv4 '{{.Names}}'\n",
    ] {
        let report = report(text);
        assert!(report.findings.is_empty(), "{text}\n{}", report.pictures());
    }
}

/// Secrets of all kinds, in the right place and in the wrong one.
#[test]
fn no_message_shows_a_secret() {
    const SECRET: &str = "Pa55w0rd";
    for text in [
        "password: Pa55w0rd",
        "password: [Pa55w0rd]",
        "chpasswd: {list: 'ann:Pa55w0rd', users: [{name: bob, password: Pa55w0rd}]}",
        "chpasswd: {list: ['Pa55w0rd'], users: [{name: bob, password: '${Pa55w0rd}', type: txt}]}",
        "users: [{name: ann, passwd: Pa55w0rd, plain_text_passwd: $6$a$Pa55w0rd, hashed_passwd: '<Pa55w0rd>'}]",
        "ssh_keys: {rsa_private: Pa55w0rd}",
        "rh_subscription: {password: Pa55w0rd, activation-key: Pa55w0rd}",
        "ubuntu_pro: {token: Pa55w0rd}",
    ] {
        let report = report(&format!("#cloud-config\n{text}\n"));
        assert!(!report.findings.is_empty(), "{text}");
        for finding in &report.findings {
            let told = format!("{} {:?} {}", finding.message, finding.hint, finding.path);
            assert!(!told.contains(SECRET), "{told}");
        }
        assert!(!report.pictures().contains(SECRET), "{}", report.pictures());
    }
}

/// Nor one that YAML has read as something else.
#[test]
fn no_message_shows_a_secret_number() {
    for secret in ["12:34:56", "0755321", "31.70", "2031-12-24"] {
        for text in [
            "password: X",
            "chpasswd: {users: [{name: ann, password: X}]}",
            "users: [{name: ann, passwd: X}]",
        ] {
            let report = report(&format!("#cloud-config\n{}\n", text.replace('X', secret)));
            assert!(!report.findings.is_empty(), "{text}");
            for finding in &report.findings {
                let told = format!("{} {:?}", finding.message, finding.hint);
                assert!(!told.contains(secret), "{text}: {told}");
            }
            assert!(!report.pictures().contains(secret), "{}", report.pictures());
        }
    }
}

/// A part handler, and more bytes than EC2 takes.
#[test]
fn traps_of_the_whole() {
    let handler = report("#part-handler\ndef list_types():\n    return []\n");
    assert!(codes(&handler).iter().any(|code| code.contains("part-handler")), "{:?}", handler.findings);
    let large = report(&format!("#cloud-config\nhostname: a # {}\n", "x".repeat(20_000)));
    assert_eq!(codes(&large), ["too-large-for-clouds"]);
}

/// Whatever the schema says of a configuration, traps only add warnings to it and change words.
#[test]
fn traps_leave_the_verdict_alone() {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema.jsonl");
    // More of them, made by `tests/oracle/schema_cases.py`, as for the tests of the schema.
    let file = std::env::var_os("HARDTACK_SCHEMA_CASES").map_or(data, PathBuf::from);
    let mut cases = 0;
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let yaml = case["yaml"].as_str().unwrap();
        let Ok(Some(config)) = load_config(yaml, 0) else { continue };
        let parts = hardtack_userdata::split("user-data", yaml.as_bytes(), &SplitOptions::default()).parts;
        let mut findings = Vec::new();
        schema::check(&config, &mut findings);
        let errors = |findings: &[Finding]| -> Vec<_> {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            let mut places: Vec<_> = errors.map(|error| (error.path.clone(), error.place)).collect();
            places.dedup_by_key(|(_, place)| *place);
            places
        };
        let before = errors(&findings);
        traps::look(&config, &parts, &mut findings);
        assert_eq!(before, errors(&findings), "{yaml}");
        cases += 1;
    }
    assert!(cases > 300, "{cases}");
}

#[test]
fn hints_lead_to_what_is_taken() {
    for (text, wanted) in [
        ("packages: {nginx: , curl: }", "no colon behind it"),
        ("packages: [{nginx: }]", "`- nginx`"),
        ("packages: [{dnf: [x]}]", "`apt`, `snap`"),
        ("chpasswd: {list: {root: }}", "a line `name:password` for each"),
        ("runcmd: [a]\nwrite_files: {path: /a}", "put `- ` before its first key"),
        ("apt: {sources: {z: 'deb https://example.org stable main'}}", "`source: …`"),
        ("apt: {sources: {z: {src: x}}}", "`source`"),
        ("chpasswd: {users: [{name: a, pasword: b}]}", "did you mean `password`?"),
        ("chpasswd: {users: [{user: a, password: $6$salt$hash}]}", "calls it `name`"),
        ("ca_certs: 'key:value'", "put a space behind the colon"),
        ("ca_certs: 'https://example.org/ca'", "lines of `key: value` below it"),
    ] {
        let report = report(&format!("#cloud-config\n{text}\n"));
        let hints: Vec<_> = report.findings.iter().filter_map(|finding| finding.hint.as_deref()).collect();
        assert!(hints.iter().any(|hint| hint.contains(wanted)), "{text}: {hints:?}");
    }
}

#[test]
fn other_traps_leave_the_schemas_errors_alone() {
    for (text, code, trap) in [
        ("users: [default, {name: bob, passwd: 5}]", "wrong-type", "password-is-locked"),
        (
            "users: [default, {name: a, system: true, ssh_authorized_keys: [5]}]",
            "wrong-type",
            "keys-without-home",
        ),
    ] {
        let report = report(&format!("#cloud-config\n{text}\n"));
        let severity = |code: &str| {
            report.findings.iter().find(|finding| finding.code == code).map(|found| found.severity)
        };
        assert_eq!(severity(code), Some(Severity::Error), "{text}: {:?}", report.findings);
        assert_eq!(severity(trap), Some(Severity::Warning), "{text}: {:?}", report.findings);
    }
}
