//! Login keys from Launchpad and GitHub (`config/cc_ssh_import_id.py`), where the machine has the program
//! `ssh-import-id`.

use hardtack_userdata::{Finding, Kind, Map, Value, options};

use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};
use crate::system::run;
use crate::users;

/// `ssh_import_id`.
pub const MODULE: Module = Module {
    name: "ssh_import_id",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["ssh_import_id"],
    run: plan,
};

const PROGRAM: &str = "ssh-import-id";

/// Where the key `ssh_import_id` stands, at any depth that cloud-init looks at.
fn find(map: &Map, depth: usize) -> Option<&Value> {
    if depth > 16 {
        return None;
    }
    if let Some(value) = get(map, "ssh_import_id") {
        return Some(value);
    }
    map.values().find_map(|value| match &value.kind {
        Kind::Map(map) => find(map, depth + 1),
        Kind::List(items) => items.iter().filter_map(Value::as_map).find_map(|map| find(map, depth + 1)),
        _ => None,
    })
}

fn plan(request: &Request<'_>) -> Outcome {
    let Some(value) = find(request.config, 0) else { return Outcome::default() };
    let machine = request.machine;
    if machine.program(PROGRAM).is_none() {
        let message = "`ssh_import_id` needs the program ssh-import-id, which the machine does not have: no key is fetched";
        let finding = Finding::warning(reading::UNSUPPORTED, value.place, message).at("ssh_import_id");
        return Outcome::failed(
            finding
                .with_hint("install it in the image, or write the keys themselves into ssh_authorized_keys"),
        );
    }
    let accounts = match users::accounts(request) {
        Ok(accounts) => accounts,
        Err(finding) => return Outcome::failed(finding),
    };
    // A user that cannot be served does not keep the others from it.
    let mut outcome = Outcome { keep_going: true, ..Outcome::default() };
    for (name, user) in &accounts.users {
        let name = name.to_python_str();
        let default = get(user, "default").is_some_and(hardtack_userdata::truth::truthy);
        let ids = if default {
            options::get_list(request.config, "ssh_import_id").unwrap_or_default()
        } else {
            match get(user, "ssh_import_id").map(|value| &value.kind) {
                Some(Kind::List(items)) => items.clone(),
                Some(Kind::Text(text)) => {
                    let pieces = text.trim().split(',').filter(|piece| !piece.is_empty());
                    pieces.map(|piece| Value::new(Kind::Text(piece.to_owned()))).collect()
                }
                _ => continue,
            }
        };
        let words = reading::unique(ids.iter().map(Value::to_python_str));
        if words.is_empty() {
            continue;
        }
        let start: Vec<&str> = if machine.program("sudo").is_some() {
            vec!["sudo", "--preserve-env=https_proxy", "-Hu", &name, PROGRAM]
        } else if machine.program("doas").is_some() {
            vec!["doas", "-u", &name, PROGRAM]
        } else {
            let message =
                "`ssh_import_id` needs sudo or doas, and the machine has neither: no key is fetched";
            outcome
                .findings
                .push(Finding::warning(reading::UNSUPPORTED, value.place, message).at("ssh_import_id"));
            return outcome;
        };
        outcome.actions.push(run(start.into_iter().chain(words.iter().map(String::as_str))));
    }
    outcome
}
