//! Passwords against cloud-init's.

use hardtack_modules::{Action, passwords};
use serde_json::{Value as Json, json};

use crate::cases::{all, golden, own, same};
use crate::events::{all_details, detail, event, failed, machine, run};

/// Actions as events: what is split into runs of given and of random passwords is one `chpasswd` again.
fn events(actions: &[Action]) -> Vec<Json> {
    let mut events: Vec<Json> = Vec::new();
    let mut random = Vec::new();
    let add_lines = |events: &mut Vec<Json>, lines: String| match events.last_mut() {
        Some(last) if last[0] == "run" && last[1] == json!(["chpasswd"]) => {
            last[2] = json!(format!("{}{lines}", last[2].as_str().unwrap()));
        }
        _ => events.push(json!(["run", ["chpasswd"], lines])),
    };
    for action in actions {
        match action {
            Action::Run { argv, stdin: Some(stdin), .. } if argv == &["chpasswd"] => {
                add_lines(&mut events, String::from_utf8(stdin.bytes.clone()).unwrap());
            }
            Action::Live { what: "random-passwords", details } => {
                let lines: String =
                    all_details(details, "user").iter().map(|user| format!("{user}:RANDPW\n")).collect();
                random.push(lines.clone());
                add_lines(&mut events, lines);
            }
            Action::Live { what: "print-random-passwords", .. } => {
                let text = format!("Set the following 'random' passwords\n\n{}", random.concat());
                events.push(json!(["console", text]));
            }
            Action::Live { what: "restart-if-running", details } => {
                let service = detail(details, "service");
                events.push(json!([
                    "run",
                    ["systemctl", "show", "--property", "ActiveState", "--value", service]
                ]));
            }
            Action::Live { what: "expire-password", .. } => events.push(json!(["shadow"])),
            _ => events.push(event(action)),
        }
    }
    events
}

#[test]
fn passwords_are_set() {
    all(&own("set_passwords_more"), |case| {
        let outcome = run(&passwords::MODULE, case, case["cloud_config"].as_str().unwrap(), &machine(case));
        assert!(outcome.keep_going);
        same(&Json::Array(events(&outcome.actions)), &case["done"])?;
        same(&failed(&outcome), &case.get("error").is_some())
    });
}

#[test]
fn the_traces() {
    all(&golden("set_passwords_trace"), |case| {
        let machine = machine(&json!({"files": {"/etc/ssh/sshd_config": ""}}));
        let outcome = run(&passwords::MODULE, case, case["cloud_config"].as_str().unwrap(), &machine);
        let mut trace = Vec::new();
        for event in events(&outcome.actions) {
            let argv: Vec<&str> =
                event[1].as_array().into_iter().flatten().map(|word| word.as_str().unwrap()).collect();
            match argv.as_slice() {
                ["chpasswd", hashed @ ..] => {
                    let lines: Vec<Json> = event[2]
                        .as_str()
                        .unwrap()
                        .lines()
                        .map(|line| json!(line.split_once(':').unwrap()))
                        .collect();
                    trace.push(json!({"chpasswd": lines, "hashed": !hashed.is_empty()}));
                }
                ["passwd", "--expire", user] => trace.push(json!({"expire": user})),
                _ if event[0] == "console" => trace.push(json!({
                    "console": event[1],
                    "args": {"stderr": false, "fallback_to_stdout": false},
                })),
                _ if event[0] == "write" => {
                    let text = event[2].as_str().unwrap();
                    let (keyword, value) = text.trim_end().split_once(' ').unwrap();
                    trace.push(json!({"sshd_config": {keyword: value}}));
                }
                _ => {}
            }
        }
        same(&Json::Array(trace), &case["ok"])
    });
}

#[test]
fn traps_are_told() {
    let case = json!({});
    for (yaml, code) in [
        ("chpasswd: {list: ['a:$y$j9T$x$y']}", "hash-taken-as-text"),
        ("chpasswd: {users: [{name: a}]}", "password-missing"),
        ("chpasswd: {users: [{name: a, password: secret}]}", "plain-text-as-hash"),
        ("chpasswd: {users: [{name: a, password: b, type: TEXT}]}", "bad-password-type"),
        ("password: null\nusers: [default]", "null-password"),
        ("password: x\nusers: [joe]", "no-default-user"),
        ("chpasswd: {list: \"a:b\\n\\nc:d\"}", "line-without-colon"),
        ("ssh_pwauth: maybe", "ssh-pwauth-unknown"),
    ] {
        let outcome = run(&passwords::MODULE, &case, yaml, &machine(&case));
        let finding = outcome.findings.iter().find(|finding| finding.code == code);
        let finding = finding.unwrap_or_else(|| panic!("{yaml}: {:?}", outcome.findings));
        assert!(finding.hint.is_some(), "{yaml}");
        assert!(
            !finding.message.contains("secret") && !finding.message.contains("j9T"),
            "{}",
            finding.message
        );
    }
}

#[test]
fn no_password_is_shown() {
    let yaml = "chpasswd: {list: ['a:canary'], users: [{name: b, password: canary, type: text}, \
                {name: c, password: $6$canary$x}, {name: d, password: {canary: 1}}]}";
    let case = json!({});
    let outcome = run(&passwords::MODULE, &case, yaml, &machine(&case));
    assert!(!outcome.actions.is_empty());
    assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
}

#[test]
fn random_passwords_have_every_kind_of_character() {
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let password = passwords::random(&mut below);
        assert_eq!(password.len(), 20);
        for kind in
            [u8::is_ascii_digit, u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_punctuation]
        {
            assert!(password.bytes().any(|byte| kind(&byte)), "{password}");
        }
        seen.extend(password.bytes());
    }
    assert_eq!(seen.len(), 94);
}
