//! `write_files` against cloud-init's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hardtack_modules::write_files::{self, Encoding, Mode};
use hardtack_modules::{Action, Outcome, Owner};
use hardtack_userdata::{Kind, Value};
use serde_json::{Value as Json, json};

use crate::cases::{all, config, golden, own, same};
use crate::events::{failed, machine, run};

fn value(yaml: &str) -> Value {
    config(&format!("p: {yaml}")).shift_remove(&hardtack_userdata::Key::text("p")).unwrap()
}

fn permissions(case: &Json) -> Result<(), String> {
    let value = value(case["yaml"].as_str().unwrap());
    let mode = write_files::mode(Some(&value), "write_files.0", &mut Vec::new());
    let octal = |number: i128| if number < 0 { format!("-{:o}", -number) } else { format!("{number:o}") };
    match mode {
        Ok(Mode::Number(number)) => same(&json!(octal(number)), &case["mode_octal"]),
        // Beyond all modes.
        Ok(Mode::Huge) => same(&(case["mode_octal"].as_str().unwrap().len() > 12), &true),
        Err(_) => same(&case["error"].is_string(), &true),
    }
}

#[test]
fn permissions_are_read_as_python_reads_them() {
    all(&golden("permissions"), permissions);
    all(&own("permissions_more"), permissions);
}

#[test]
fn decimal_permissions_are_told() {
    for (yaml, told) in
        [("644", true), ("755", true), ("0644", false), ("420", false), ("'644'", false), ("493", false)]
    {
        let mut findings = Vec::new();
        write_files::mode(Some(&value(yaml)), "write_files.0", &mut findings).unwrap();
        assert_eq!(findings.iter().any(|finding| finding.code == "mode-is-decimal"), told, "{yaml}");
    }
}

#[test]
fn content_is_unpacked() {
    all(&golden("encoding"), |case| {
        let content = match (case["content"].as_str(), case["content_b64"].as_str()) {
            (Some(text), _) => Value::new(Kind::Text(text.to_owned())),
            (None, Some(bytes)) => Value::new(Kind::Bytes(BASE64.decode(bytes).unwrap())),
            (None, None) => return Ok(()),
        };
        let encoding = case["encoding"].as_str().map(|text| Value::new(Kind::Text(text.to_owned())));
        let encoding = write_files::encoding(encoding.as_ref()).unwrap();
        match write_files::decode(&content, encoding) {
            Ok(bytes) => same(&json!(BASE64.encode(bytes)), &case["ok"]),
            Err(_) => same(&case["error"].is_string(), &true),
        }
    });
    assert_eq!(write_files::encoding(None), Ok(Encoding::Plain));
}

#[test]
fn owners_are_cut_at_the_colon() {
    all(&golden("owner"), |case| {
        let value = value(&case["owner"].to_string());
        let Owner { user, group } = write_files::owner(&value).map_err(|finding| finding.message)?;
        same(&json!([user, group]), &case["user_group"]["ok"])
    });
}

fn events(outcome: &Outcome) -> Json {
    let owner = |owner: &Option<Owner>| {
        let owner = owner.clone().unwrap_or_default();
        (owner.user, owner.group)
    };
    let events = outcome.actions.iter().map(|action| match action {
        Action::Write { path, content, mode, owner: whose }
        | Action::Append { path, content, mode, owner: whose } => {
            let word = if matches!(action, Action::Write { .. }) { "write" } else { "append" };
            match whose {
                Some(_) => {
                    let (user, group) = owner(whose);
                    json!([word, path, BASE64.encode(&content.bytes), mode, user, group])
                }
                None => json!([word, path, BASE64.encode(&content.bytes), mode]),
            }
        }
        Action::Directory { path, owner: whose, .. } => {
            let (user, group) = owner(whose);
            json!(["mkdir", path, user, group])
        }
        other => json!(format!("{other:?}")),
    });
    Json::Array(events.collect())
}

#[test]
fn files_are_written() {
    all(&own("write_files_more"), |case| {
        let yaml = case["cloud_config"].as_str().unwrap();
        let tree = machine(case).with("/there/x", "");
        for (name, module) in [("now", &write_files::MODULE), ("deferred", &write_files::DEFERRED)] {
            let outcome = run(module, case, yaml, &tree);
            let mut expected = case[name]["done"].clone();
            let mut ours = events(&outcome);
            for list in [&mut expected, &mut ours] {
                // Directories that are root's come with their files; the topmost directory of an owner
                // that does not exist is made in vain.
                list.as_array_mut().unwrap().retain(|event| {
                    event[0] != "mkdir"
                        || event.as_array().unwrap()[2..]
                            .iter()
                            .any(|owner| !owner.is_null() && owner != "root")
                });
            }
            same(&ours, &expected).map_err(|error| format!("{name}: {error}"))?;
            let error = case[name].get("error").is_some();
            // What keeps both modules from doing anything is told by the first one.
            if !(error && name == "deferred" && case["now"].get("error").is_some()) {
                same(&failed(&outcome), &error)
                    .map_err(|error| format!("{name}: {error}, {:?}", outcome.findings))?;
            }
        }
        Ok(())
    });
}

#[test]
fn a_source_is_fetched_and_has_a_fallback() {
    let case = json!({});
    let yaml = "write_files: [{path: /f, source: {uri: 'https://x/y', headers: {A: canary}}, content: aGk=, \
                encoding: b64, permissions: '0600', owner: old}]";
    let outcome = run(&write_files::MODULE, &case, yaml, &machine(&case));
    let [Action::Fetch { url, headers, path, fallback, mode, owner }] = outcome.actions.as_slice() else {
        panic!("{:?}", outcome.actions)
    };
    assert_eq!((url.as_str(), path.as_str(), *mode), ("https://x/y", "/f", Some(0o600)));
    assert_eq!(fallback.as_ref().unwrap().bytes, b"hi");
    assert_eq!(headers.len(), 1);
    assert_eq!(owner.as_ref().unwrap().user.as_deref(), Some("old"));
    assert!(!format!("{headers:?}").contains("canary"));
    // Content that cannot be read matters only when the URL does not answer.
    let yaml = "write_files: [{path: /f, source: {uri: u}, content: a, encoding: b64}, {path: /g}]";
    let outcome = run(&write_files::MODULE, &case, yaml, &machine(&case));
    assert!(matches!(
        outcome.actions.as_slice(),
        [Action::Fetch { fallback: None, .. }, Action::Write { .. }]
    ));
    assert!(!failed(&outcome) && outcome.findings.len() == 1);
    let yaml = "write_files: [{path: /a/f, append: true, source: {uri: u}, owner: old}]";
    let outcome = run(&write_files::MODULE, &case, yaml, &machine(&case));
    let [Action::Directory { .. }, Action::Fetch { path, .. }, Action::Live { what: "append-file", details }] =
        outcome.actions.as_slice()
    else {
        panic!("{:?}", outcome.actions)
    };
    assert_eq!(path, "/run/hardtack/fetched/a/f");
    assert!(details.contains(&("user".to_owned(), "old".to_owned())));
}

#[test]
fn an_owner_that_is_made_later_is_told() {
    let case = json!({});
    let yaml = "write_files: [{path: /a, owner: 'joe:joe'}, {path: /b}]\nusers: [joe]";
    let outcome = run(&write_files::MODULE, &case, yaml, &machine(&case));
    let finding = outcome.findings.iter().find(|finding| finding.code == "owner-not-there-yet").unwrap();
    assert!(finding.message.contains("user joe") && finding.message.contains("/a"), "{}", finding.message);
    assert!(finding.hint.as_ref().unwrap().contains("defer: true"));
    assert_eq!(outcome.actions.len(), 1);
}

#[test]
fn private_files_are_not_shown() {
    let case = json!({});
    let yaml = "write_files: [{path: /a, permissions: '0600', content: canary}, \
                {path: /b, content: \"-----BEGIN PRIVATE KEY-----\\ncanary\"}]";
    let outcome = run(&write_files::MODULE, &case, yaml, &machine(&case));
    assert_eq!(outcome.actions.len(), 2);
    assert!(!format!("{outcome:?}").contains("canary"));
}

#[test]
fn a_path_that_linux_does_not_take_is_an_error() {
    let case = json!({});
    let yaml = format!("write_files: [{{path: '{}', owner: old}}]", "/a".repeat(100_000));
    let outcome = run(&write_files::MODULE, &case, &yaml, &machine(&case));
    assert!(failed(&outcome) && outcome.actions.is_empty());
}
