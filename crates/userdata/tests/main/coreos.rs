//! The dialect of coreos-cloudinit beside the real program.
//!
//! `tests/data/coreos.jsonl` holds texts of our own with what the program says of them;
//! `tests/oracle/coreos_cases.py` makes it. coreos-cloudinit's own tables are read where they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hardtack_userdata::coreos::model::{DropIn, Unit, Update};
use hardtack_userdata::coreos::validate::{self, RULES, Report, Rule};
use hardtack_userdata::coreos::{self, Addresses, CloudConfig, UnitAction, content, generated, units};
use hardtack_userdata::{Finding, Severity};
use serde_json::{Value as Json, json};

use crate::coreos_describe::describe;

/// (line, grade, message) of all entries, sorted, reasons of deprecation left out.
fn entries(list: &[Json]) -> Vec<(u64, String, String)> {
    let mut entries: Vec<(u64, String, String)> = list
        .iter()
        .map(|entry| {
            let message = entry["message"].as_str().unwrap_or_default();
            let message = if message.starts_with("deprecated key") {
                message.split(" (").next().unwrap_or_default()
            } else if message.starts_with("Unknown anchor") {
                "Unknown anchor"
            } else if message.starts_with("invalid map key") {
                "invalid map key"
            } else {
                message
            };
            let grade = entry["kind"].as_str().unwrap_or_default();
            (entry["line"].as_u64().unwrap_or(u64::MAX), grade.to_owned(), message.to_owned())
        })
        .collect();
    entries.sort();
    entries
}

fn of_report(report: &Report) -> Vec<Json> {
    let entry = |entry: &validate::Entry| json!({"kind": entry.grade.word(), "line": entry.line, "message": entry.message});
    report.entries.iter().map(entry).collect()
}

#[test]
fn our_cases_are_as_coreos_cloudinit_has_them() {
    let mut compared = 0;
    for line in include_str!("../data/coreos.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        compared += 1;
        let Some(input) = case["input"].as_str() else {
            assert_eq!(other(&case), case["is"], "{case}");
            continue;
        };
        let ours = describe(input);
        assert_eq!(ours["substituted"], case["substituted"], "{input}");
        assert_eq!(ours["broken_off"], case["broken_off"], "{input}");
        let list = |json: &Json| entries(json["entries"].as_array().unwrap());
        assert_eq!(list(&ours), list(&case), "{input}");
        if !input.starts_with("#cloud-config") || input.starts_with("#cloud-config-") {
            continue;
        }
        assert_eq!(ours["refused"], case["refused"], "{input}");
        if case["refused"] == json!(false) {
            assert_eq!(ours["config"], case["config"], "{input}");
        }
    }
    assert!(compared >= 200, "{compared}");
}

/// What our cases ask besides.
fn other(case: &Json) -> Json {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    match case["what"].as_str().unwrap() {
        "update" => {
            let update = update(case);
            if !["", "etcd-lock", "reboot", "off"].contains(&update.reboot_strategy.as_str()) {
                return json!({"error": true});
            }
            let units: Vec<String> = update
                .units()
                .iter()
                .map(|unit| format!("{} {} {} {}", unit.name, unit.command, unit.runtime, unit.mask))
                .collect();
            json!({"file": update.conf(&text("old")), "units": units})
        }
        "environment" => {
            let variables = case["variables"].as_object().unwrap();
            let variables: BTreeMap<&str, &str> =
                variables.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
            let merged = generated::merge_environment(text("old").as_bytes(), variables);
            json!({"file": String::from_utf8(merged).unwrap()})
        }
        "url" => {
            let written = serde_json::to_string(&text("url")).unwrap();
            let input = format!("coreos:\n  etcd:\n    discovery: {written}\n");
            json!({"valid": validate::run(&input, 0, &[Rule::DiscoveryUrl]).entries.is_empty()})
        }
        what => panic!("{what}"),
    }
}

fn update(json: &Json) -> Update {
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    Update { reboot_strategy: text("reboot_strategy"), group: text("group"), server: text("server") }
}

/// A file of coreos-cloudinit's own cases.
fn golden(name: &str) -> Option<Json> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden/coreos").join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("SKIPPED: no {}", file.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

#[test]
fn golden_validation() {
    let Some(cases) = golden("validate_cases.json") else { return };
    for case in cases.as_array().unwrap() {
        let input = case["input"].as_str().unwrap();
        let report = match case["test"].as_str().unwrap() {
            "TestCheckDiscoveryUrl" => validate::run(input, 0, &[Rule::DiscoveryUrl]),
            "TestCheckEncoding" => validate::run(input, 0, &[Rule::Encoding]),
            "TestCheckStructure" => validate::run(input, 0, &[Rule::Structure]),
            "TestCheckValidity" => validate::run(input, 0, &[Rule::Validity]),
            "TestCheckWriteFiles" => validate::run(input, 0, &[Rule::WriteFiles]),
            "TestCheckWriteFilesUnderCoreos" => validate::run(input, 0, &[Rule::WriteFilesUnderCoreos]),
            "TestParseCloudConfig" => validate::run(input, 0, &[]),
            "TestValidateCloudConfig" => validate::run(input, 0, RULES),
            "TestValidate" => validate::report(input),
            test => panic!("{test}"),
        };
        assert_eq!(
            entries(&of_report(&report)),
            entries(case["expected_entries"].as_array().unwrap()),
            "{case}"
        );
    }
}

#[test]
fn golden_substitution() {
    let Some(cases) = golden("substitution_cases.json") else { return };
    for case in cases.as_array().unwrap() {
        let text = |json: &Json| json.as_str().map(str::to_owned);
        let known = &case["metadata"];
        let environment: String = case["env"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={}\n", value.as_str().unwrap()))
            .collect();
        let addresses = Addresses {
            public_ipv4: text(&known["public_ipv4"]),
            private_ipv4: text(&known["private_ipv4"]),
            public_ipv6: text(&known["public_ipv6"]),
            private_ipv6: text(&known["private_ipv6"]),
        }
        .or(generated::addresses(&environment));
        let substituted = coreos::substitute(case["input"].as_str().unwrap(), &addresses);
        assert_eq!(substituted, case["expected"].as_str().unwrap(), "{case}");
    }
}

#[test]
fn golden_units() {
    let Some(cases) = golden("process_units_cases.json") else { return };
    for case in cases.as_array().unwrap() {
        let list: Vec<Unit> = case["units"].as_array().unwrap().iter().map(unit).collect();
        let mut got = json!({});
        let mut add = |key: &str, value: Json| match got[key].as_array_mut() {
            Some(list) => list.push(value),
            None => got[key] = json!([value]),
        };
        let mut reload = false;
        for action in units::actions(&list) {
            match action {
                UnitAction::Place { unit, .. } => add("placed", json!(unit)),
                UnitAction::DropIn { unit, name, .. } => add("placed", json!(format!("{unit}.d/{name}"))),
                UnitAction::Mask { unit, .. } => add("masked", json!(unit)),
                UnitAction::Unmask { unit, .. } => add("unmasked", json!(unit)),
                UnitAction::Enable { unit, .. } => add("enabled", json!(unit)),
                UnitAction::DaemonReload => reload = true,
                UnitAction::Command { unit, command } => add("commands", json!([unit, command])),
                UnitAction::UnknownCommand { .. } => panic!("{case}"),
            }
        }
        if reload {
            got["daemon_reload"] = json!(true);
        }
        assert_eq!(got, case["expected"], "{case}");
    }
}

fn unit(json: &Json) -> Unit {
    let text = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let set = |key: &str| json[key].as_bool().unwrap_or_default();
    let drop_ins = json["drop_ins"].as_array().map(Vec::as_slice).unwrap_or_default();
    Unit {
        name: text(json, "name"),
        mask: set("mask"),
        enable: set("enable"),
        runtime: set("runtime"),
        content: text(json, "content"),
        command: text(json, "command"),
        drop_ins: drop_ins
            .iter()
            .map(|drop_in| DropIn {
                name: text(drop_in, "name"),
                content: text(drop_in, "content"),
                secret: false,
            })
            .collect(),
    }
}

#[test]
fn golden_update_conf() {
    let Some(cases) = golden("update_conf_cases.json") else { return };
    for case in cases.as_array().unwrap() {
        let update = update(&case["cfg"]);
        if case["error"].is_string() {
            let input = format!("coreos:\n  update:\n    reboot_strategy: {}\n", update.reboot_strategy);
            let report = validate::run(&input, 0, RULES);
            assert!(report.entries.iter().any(|entry| entry.grade == validate::Grade::Error), "{case}");
            continue;
        }
        let file = update.conf(case["orig"].as_str().unwrap());
        assert_eq!(file.as_deref(), case["file"].as_str(), "{case}");
        for (unit, wanted) in update.units().iter().zip(case["units"].as_array().into_iter().flatten()) {
            let wanted: Vec<&str> =
                wanted.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
            let mut got = vec![unit.name.as_str(), unit.command.as_str()];
            got.extend(unit.runtime.then_some("runtime"));
            got.extend(unit.mask.then_some("mask"));
            assert_eq!(got, wanted, "{case}");
        }
    }
}

#[test]
fn golden_files() {
    if let Some(file) = golden("env_file_consts.json") {
        let text = |name: &str| file["consts"][name].as_str().unwrap();
        for (old, wanted) in [
            (text("base"), text("expectUpdate")),
            (text("baseNoNewline"), text("expectUpdate")),
            (text("baseDos"), text("expectUpdate")),
            ("", text("expectCreate")),
        ] {
            let variables = BTreeMap::from([("FOO", "test"), ("NEW", "a value")]);
            let merged = generated::merge_environment(old.as_bytes(), variables);
            assert_eq!(String::from_utf8(merged).unwrap(), wanted);
        }
    }
    let Some(cases) = golden("write_files_cases.json") else { return };
    for case in cases.as_array().unwrap() {
        if let Some(encoding) = case["encoding"].as_str() {
            let decoded = content::decode(case["content"].as_str().unwrap().as_bytes(), encoding);
            assert_eq!(decoded.as_deref(), case["decoded"].as_str().map(str::as_bytes), "{case}");
            continue;
        }
        let input = format!("write_files:\n  - permissions: {}\n", case["yaml"].as_str().unwrap());
        let config = CloudConfig::read(&input, 0, &mut Vec::new());
        assert_eq!(config.write_files[0].permissions, case["raw_permissions"].as_str().unwrap(), "{case}");
        assert_eq!(config.write_files[0].mode(), Some(0o744));
    }
}

/// What is told of `text`: severity, line, column, code.
fn told(text: &str) -> Vec<(Severity, usize, usize, &'static str)> {
    check(text)
        .iter()
        .map(|finding| (finding.severity, finding.place.span.line, finding.place.span.column, finding.code))
        .collect()
}

fn check(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    coreos::check(text, 0, &mut findings);
    findings
}

#[test]
fn findings_have_places_and_say_more_than_the_program() {
    use Severity::{Error, Warning};
    for (text, wanted) in [
        (
            "#cloud-config\ncoreos:\n  units:\n    - name: a.service\n      comand: start\n",
            vec![(Warning, 5, 7, "unknown-key")],
        ),
        (
            "#cloud-config\ncoreos: {units: [{name: a.service, command: strat}]}\n",
            vec![(Error, 2, 45, "bad-value")],
        ),
        ("#cloud-config # of mine\ncoreos: {}\n", vec![(Error, 1, 1, "coreos-header")]),
        ("coreos: {}\nmanage_etc_hosts: template\n", vec![(Error, 2, 19, "bad-value")]),
        ("coreos: {}\nwrite_files:\n- path: /x\n  permissions: 755\n", vec![(Warning, 4, 16, "dialect")]),
        ("coreos: {}\nwrite_files:\n- path: /x\n  permissions: 0755\n", vec![]),
        ("coreos: {}\nssh_authorized_keys: [k]\n", vec![(Warning, 2, 22, "dialect")]),
        ("coreos: {}\nusers: [{name: core}]\nssh_authorized_keys: [k]\n", vec![]),
        ("coreos: {}\nusers:\n- gecos: x\n", vec![(Warning, 3, 3, "missing-key")]),
        ("coreos:\n  units:\n  - command: start\n", vec![(Warning, 3, 5, "missing-key")]),
        (
            "coreos:\n  units:\n  - name: x.network\n    enable: true\n",
            vec![(Warning, 4, 13, "without-effect")],
        ),
        (
            "coreos: {}\nhostname: é$private_ipv4$private_ipv4 ${public_ipv6}\n",
            vec![(Warning, 2, 25, "not-replaced"), (Warning, 2, 39, "not-replaced")],
        ),
        ("coreos: {}\nruncmd: [ls]\n", vec![(Warning, 2, 1, "unknown-key")]),
        // What ends the program's own checks does not end ours.
        (
            "coreos:\n  update: {reboot_strategy: }\n  units: [{name: a.service, command: x}]\n",
            vec![(Warning, 2, 12, "wrong-type"), (Error, 3, 38, "bad-value")],
        ),
    ] {
        assert_eq!(told(text), wanted, "{text}");
    }
    let hints: Vec<Option<String>> = check("coreos:\n  update: {reboot-stratgy: off}\netcd: {}\n")
        .into_iter()
        .map(|finding| finding.hint)
        .collect();
    assert_eq!(
        hints,
        [
            Some("did you mean `reboot_strategy`?".to_owned()),
            Some("move it under `coreos:`: `coreos.etcd`".to_owned())
        ]
    );
}

#[test]
fn secrets_stay_out_of_findings() {
    let text =
        "coreos: {}\nusers:\n- name: x\n  passwd: [canary]\n- passwd: canary\n  groups: canary-group\n";
    for finding in check(text) {
        assert!(!finding.message.contains("canary]") && !finding.message.contains("`canary`"), "{finding:?}");
    }
}

#[test]
fn hostile_texts_end_soon() {
    let users = format!("coreos: {{}}\nusers: [{}]\n", "{},".repeat(20_000));
    assert!(check(&users).iter().any(|finding| finding.severity == Severity::Error));
    let words = format!("coreos: {{}}\nx: \"{}\"\n", "$private_ipv4".repeat(20_000));
    assert!(check(&words).len() <= 2 * Report::LIMIT + 1);
    let keys: String = (0..20_000).map(|index| format!("k{index}: 1\n")).collect();
    assert!(check(&format!("coreos: {{}}\n{keys}")).len() <= 2 * Report::LIMIT + 1);
    let deep = format!("coreos: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(check(&deep).iter().any(|finding| finding.severity == Severity::Error));
}
