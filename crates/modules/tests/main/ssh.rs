//! SSH against cloud-init's.

use std::collections::BTreeMap;

use hardtack_modules::Action;
use hardtack_modules::ssh::authorized_keys::{Entry, EntryKind, KeyLine, Login, choose, parse_file, update};
use hardtack_modules::ssh::{self, console, sshd_config};
use serde_json::{Value as Json, json};

use crate::cases::{all, golden, own, same};
use crate::events::{event, failed, machine, run};

fn text<'a>(case: &'a Json, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} of {case}"))
}

fn texts(case: &Json, key: &str) -> Vec<String> {
    case[key].as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn line(case: &Json) -> Result<(), String> {
    let line = KeyLine::parse(text(case, "line"), case["options_override"].as_str());
    let key = line.key.clone();
    let ours = json!({
        "keytype": key.as_ref().map(|key| key.kind.clone()),
        "base64": key.as_ref().map(|key| key.base64.clone()),
        "comment": key.as_ref().map(|key| key.comment.clone()),
        "options": key.as_ref().and_then(|key| key.options.clone()),
        "str": line.to_string(),
        "valid": line.is_valid(),
    });
    let mut theirs = case["parsed"].clone();
    // No options are none, whichever way they are written.
    if theirs["options"] == "" && ours["options"].is_null() {
        theirs["options"] = Json::Null;
    }
    same(&ours, &theirs)
}

#[test]
fn lines_of_keys() {
    all(&golden("authkey_parse"), line);
    all(&own("authkey_more"), line);
}

#[test]
fn keys_join_a_file() {
    let check = |case: &Json| {
        let options = case["options"].as_str();
        let keys: Vec<KeyLine> = texts(case, "keys").iter().map(|key| KeyLine::parse(key, options)).collect();
        same(&update(parse_file(text(case, "existing")), &keys).as_str(), &text(case, "result"))
    };
    all(&golden("authkey_update"), check);
    all(&own("authkey_update_more"), check);
}

#[test]
fn keys_go_to_the_file_that_sshd_reads() {
    all(&own("authkey_path_more"), |case| {
        let tree: BTreeMap<&str, Entry> = case["tree"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, entry)| {
                let kind = match entry[0].as_str().unwrap() {
                    "dir" => EntryKind::Directory,
                    "link" => EntryKind::Link,
                    _ => EntryKind::File,
                };
                let number = |at: usize| u32::try_from(entry[at].as_u64().unwrap()).unwrap();
                (path.as_str(), Entry { kind, uid: number(1), gid: number(2), mode: number(3) })
            })
            .collect();
        let login = Login {
            name: "joe".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![1000, 5],
            home: text(case, "home").to_owned(),
        };
        let look = |path: &str| {
            let path = path.trim_end_matches('/');
            tree.get(if path.is_empty() { "/" } else { path }).copied()
        };
        let (path, missing) = choose(&sshd_config::parse(text(case, "sshd")), &login, &look);
        same(&path.as_str(), &text(case, "path"))?;
        // cloud-init leaves behind what it has made on the way to a path that it then refuses.
        let made = case["made"].as_array().unwrap();
        let ours: Vec<Json> = missing
            .iter()
            .map(|item| json!([item.path, item.directory, item.mode, item.uid, item.gid]))
            .collect();
        match ours.iter().find(|item| !made.contains(item)) {
            Some(item) => Err(format!("{item} is not among {made:?}")),
            None => Ok(()),
        }
    });
}

#[test]
fn settings_of_the_server() {
    let check = |case: &Json| {
        let mut lines = sshd_config::parse(text(case, "text"));
        let updates: Vec<(&str, &str)> = case["updates"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(keyword, value)| (keyword.as_str(), value.as_str().unwrap()))
            .collect();
        let changed = sshd_config::update(&mut lines, &updates);
        let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
        same(&json!({"changed": changed, "text": text}), &case["ok"])
    };
    all(&golden("sshd_config"), check);
    all(&own("sshd_config_more"), check);
}

#[test]
fn the_options_that_let_nobody_in() {
    all(&golden("disable_root"), |case| {
        same(&ssh::disabled_options(text(case, "user"), "root").as_str(), &text(case, "options"))
    });
}

#[test]
fn tables_of_keys() {
    let check = |case: &Json| {
        let keys: Vec<KeyLine> = texts(case, "lines").iter().map(|line| KeyLine::parse(line, None)).collect();
        let table = console::table(text(case, "user"), text(case, "key_file"), &keys, text(case, "hash"));
        same(&table.as_str(), &text(case, "text"))
    };
    all(&golden("console_authkeys"), check);
    all(&own("console_more"), check);
}

#[test]
fn host_keys_on_the_console() {
    all(&own("host_keys_console"), |case| {
        let ours = console::host_keys(
            &texts(case, "files"),
            &texts(case, "no_fingerprint"),
            &texts(case, "no_key"),
            "LOG: ",
        );
        same(&ours.as_str(), &text(case, "text"))
    });
}

#[test]
fn the_module() {
    all(&own("ssh_more"), |case| {
        let outcome = run(&ssh::MODULE, case, text(case, "cloud_config"), &machine(case));
        let events: Vec<Json> = outcome.actions.iter().map(event).collect();
        same(&Json::Array(events), &case["done"])?;
        same(&failed(&outcome), &case.get("error").is_some())
    });
}

#[test]
fn keys_without_a_default_user_let_nobody_in() {
    let case = json!({"keys": ["ssh-rsa AAAA cloud"]});
    for (yaml, told) in [
        ("users: [joe]", true),
        ("users: [default]", false),
        ("users: [joe]\ndisable_root: false", false),
        ("users: []\nssh_authorized_keys: [ssh-rsa AAAA x]", true),
    ] {
        let outcome = run(&ssh::MODULE, &case, yaml, &machine(&case));
        assert_eq!(outcome.findings.iter().any(|finding| finding.code == "no-default-user"), told, "{yaml}");
    }
}

#[test]
fn private_keys_are_not_shown() {
    let case = json!({});
    let yaml = "ssh_keys: {rsa_private: canary, ed25519_private: [canary]}";
    let outcome = run(&ssh::MODULE, &case, yaml, &machine(&case));
    assert!(!outcome.actions.is_empty() && failed(&outcome));
    assert!(!format!("{outcome:?}").contains("canary"));
}

#[test]
fn what_the_console_shows_is_asked_for() {
    let case = json!({});
    for (yaml, expected) in [
        (
            "users: [a, {name: b, system: true}]\nauthkey_hash: md5",
            json!([["authorized-keys-table", ["a", "md5"]]]),
        ),
        ("users: [a]\nno_ssh_fingerprints: true", json!([])),
        ("users: [a]\nno_ssh_fingerprints: 'no'", json!([["authorized-keys-table", ["a", "sha256"]]])),
    ] {
        let outcome = run(&console::AUTHORIZED_KEYS, &case, yaml, &machine(&case));
        assert_eq!(Json::Array(outcome.actions.iter().map(event).collect()), expected, "{yaml}");
    }
    for (yaml, printed) in [
        ("{}", true),
        ("ssh: {emit_keys_to_console: false}", false),
        ("ssh: {emit_keys_to_console: null}", true),
    ] {
        let outcome = run(&console::HOST_KEYS, &case, yaml, &machine(&case));
        assert_eq!(matches!(outcome.actions.as_slice(), [Action::Live { .. }]), printed, "{yaml}");
    }
    assert!(failed(&run(&console::HOST_KEYS, &case, "ssh: null", &machine(&case))));
}
