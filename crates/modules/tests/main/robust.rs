//! Every module on the configurations of all cases, and on pieces of them put where they do not belong.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Distro, Facts, Request, table};
use hardtack_userdata::load::load_config;
use hardtack_userdata::{Key, Kind, Map, Severity, Value};

/// Texts of configurations from the data files.
fn texts() -> Vec<String> {
    let mut texts = Vec::new();
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        if file.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let lines = std::fs::read_to_string(&file).unwrap();
        // Some of each file: all of them take too long for every run.
        for line in lines.lines().step_by(7) {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            texts.extend(case["cloud_config"].as_str().map(str::to_owned));
        }
    }
    texts
}

#[test]
fn no_module_panics_or_is_speechless() {
    let texts = texts();
    assert!(texts.len() > 300, "{}", texts.len());
    let configs: Vec<Map> = texts.iter().filter_map(|text| load_config(text, 0).ok().flatten()).collect();
    let keys: Vec<&str> = table::modules().iter().flat_map(|module| module.keys).copied().collect();
    let mut values: Vec<Value> = configs.iter().flat_map(Map::values).cloned().collect();
    values.push(Value::new(Kind::HugeInt("9".repeat(60))));
    values.push(Value::new(Kind::Float(f64::NAN)));
    values.push(Value::new(Kind::Set(vec![Key::text("a")])));
    values.push(Value::new(Kind::Date("2001-01-23".to_owned())));
    let tree = Tree::debian();
    let distro = Distro::read(&tree);
    let facts = Facts { public_keys: vec!["ssh-rsa AAAA x".to_owned()], ..Facts::default() };
    let check = |config: &Map| {
        for module in table::modules() {
            let request = Request { config, parts: &[], machine: &tree, distro: &distro, facts: &facts };
            for finding in (module.run)(&request).findings {
                assert!(!finding.message.is_empty() && !finding.code.is_empty(), "{}", module.name);
                let errors = finding.severity == Severity::Error;
                assert!(!errors || finding.message.len() < 2000, "{}: {}", module.name, finding.message);
            }
        }
    };
    configs.iter().for_each(&check);
    // Values of one key under another.
    for (at, value) in values.iter().enumerate() {
        for step in 0..3 {
            let key = keys[(at * 7 + step * 13) % keys.len()];
            check(&Map::from_iter([(Key::text(key), value.clone())]));
        }
    }
}
