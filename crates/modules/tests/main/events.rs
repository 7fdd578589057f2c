//! Actions as the events that the scripts in `tests/oracle` note down.

use hardtack_modules::testing::Tree;
use hardtack_modules::{Action, Distro, Facts, Module, Outcome, Request};
use hardtack_userdata::Severity;
use serde_json::{Value as Json, json};

use crate::cases::config;

/// Accounts of the machine that the scripts use.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nold:x:1000:1000::/home/old:/bin/sh\nblank:x:1001:1001::/home/blank:/bin/sh\n";
const GROUP: &str = "root:x:0:\nold:x:1000:\nusers:x:100:\nadm:x:4:\n";
const SHADOW: &str = "root:*:1::::::\nold:$6$a$b:1::::::\nblank:!:1::::::\n";

/// The machine that the scripts use, with the case's own files and programs.
pub(crate) fn machine(case: &Json) -> Tree {
    let mut tree = Tree::new()
        .with("/etc/passwd", PASSWD)
        .with("/etc/group", GROUP)
        .with("/etc/shadow", SHADOW)
        .with("/etc/cloud/cloud.cfg", "")
        .with_directory("/etc/ssh");
    for (path, text) in case["files"].as_object().into_iter().flatten() {
        tree = tree.with(path, text.as_str().unwrap());
    }
    for program in case["programs"].as_array().into_iter().flatten() {
        tree = tree.with(&format!("/usr/bin/{}", program.as_str().unwrap()), "");
    }
    if case["snappy"] == true {
        tree = tree.with_directory("/etc/system-image/config.d");
    }
    tree
}

/// What the module says of `cloud_config`.
pub(crate) fn run(module: &Module, case: &Json, yaml: &str, machine: &Tree) -> Outcome {
    let distro = case["distro"].as_str().unwrap_or("debian");
    let distro = Distro::from_os_release(&format!("ID={distro}\n"));
    let keys = case["keys"].as_array().into_iter().flatten();
    let facts = Facts {
        public_keys: keys.map(|key| key.as_str().unwrap().to_owned()).collect(),
        instance_id: Some("i-1".to_owned()),
        ..Facts::default()
    };
    let config = config(yaml);
    (module.run)(&Request { config: &config, parts: &[], machine, distro: &distro, facts: &facts })
}

/// Whether the module fails.
pub(crate) fn failed(outcome: &Outcome) -> bool {
    outcome.findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The value of a live action's detail.
pub(crate) fn detail<'a>(details: &'a [(String, String)], name: &str) -> &'a str {
    details.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// All values of a live action's detail.
pub(crate) fn all_details<'a>(details: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    details.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
}

/// An action as an event.
pub(crate) fn event(action: &Action) -> Json {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match action {
        Action::Run { argv, stdin: None, .. } => json!(["run", argv]),
        Action::Run { argv, stdin: Some(stdin), .. } => json!(["run", argv, text(&stdin.bytes)]),
        Action::Write { path, content, mode, .. } => json!(["write", path, text(&content.bytes), mode]),
        Action::Append { path, content, mode, .. } => json!(["append", path, text(&content.bytes), mode]),
        Action::Directory { path, .. } => json!(["mkdir", path]),
        Action::Remove { path } => json!(["remove", path]),
        Action::Live { what: "unlock-password", details } => {
            json!(["run", detail(details, "run").split(' ').collect::<Vec<_>>()])
        }
        Action::Live { what: "authorized-keys", details } => {
            let mut keys = all_details(details, "key");
            keys.sort_unstable();
            json!(["keys", detail(details, "user"), keys, detail(details, "options")])
        }
        Action::Live { what: "shadow-ages", .. } => json!(["shadow"]),
        Action::Live { what, details } => {
            json!([what, details.iter().map(|(_, value)| value).collect::<Vec<_>>()])
        }
        other => panic!("{other:?}"),
    }
}
