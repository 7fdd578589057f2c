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
        assert_eq!(findings.iter().any(|finding| finding.code == "permissions-decimal"), told, "{yaml}");
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
