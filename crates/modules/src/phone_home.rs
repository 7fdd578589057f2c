//! Telling a URL that the machine is up (`config/cc_phone_home.py`).

use hardtack_userdata::{Finding, Kind, Value};

use crate::action::Action;
use crate::basic_template;
use crate::hostname;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::pytext;
use crate::reading::{self, get};
use crate::system::read_text;

/// `phone_home`.
pub const MODULE: Module = Module {
    name: "phone_home",
    stage: Stage::Final,
    frequency: Frequency::Instance,
    keys: &["phone_home"],
    run: plan,
};

/// What can be sent, in the order of `post: all`.
const FIELDS: [&str; 6] =
    ["pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"];

fn plan(request: &Request<'_>) -> Outcome {
    let Some(value) = get(request.config, "phone_home") else { return Outcome::default() };
    let Some(map) = value.as_map() else {
        return Outcome::failed(reading::wrong(value, "phone_home", "a mapping with `url`"));
    };
    let Some(url_value) = get(map, "url") else {
        let finding = Finding::warning(
            reading::SKIPPED,
            value.place,
            "`phone_home` has no `url`, and nobody is called",
        );
        return Outcome::failed(finding.at("phone_home").with_hint("write url: https://…"));
    };
    let Some(url) = url_value.as_text() else {
        return Outcome::failed(reading::wrong(url_value, "phone_home.url", "text"));
    };
    let mut outcome = Outcome::default();
    let tries = match get(map, "tries").map(|tries| (tries, &tries.kind)) {
        Some((_, Kind::Int(tries))) => u32::try_from((*tries).clamp(1, 1000)).unwrap_or(10),
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some((_, Kind::Float(tries))) if tries.is_finite() => tries.clamp(1.0, 1000.0) as u32,
        Some((_, Kind::Bool(_))) => 1,
        Some((tries, Kind::Text(text))) => match pytext::strip(text).parse::<u32>() {
            Ok(tries) => tries.clamp(1, 1000),
            Err(_) => {
                let message = format!("`phone_home.tries` is {text:?}, which is no number; 10 it is");
                outcome
                    .findings
                    .push(Finding::warning(reading::SKIPPED, tries.place, message).at("phone_home.tries"));
                10
            }
        },
        _ => 10,
    };
    let wanted: Vec<String> = match get(map, "post").map(|post| (post, &post.kind)) {
        None => FIELDS.iter().map(|name| (*name).to_owned()).collect(),
        Some((_, Kind::Text(word))) if word == "all" => {
            FIELDS.iter().map(|name| (*name).to_owned()).collect()
        }
        Some((_, Kind::List(list))) => list.iter().map(Value::to_python_str).collect(),
        Some((post, _)) => {
            let finding = reading::wrong(post, "phone_home.post", "`all` or a list of fields");
            outcome.findings.push(finding.with_hint(format!("the fields are {}", FIELDS.join(", "))));
            return outcome;
        }
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for name in reading::unique(wanted) {
        let content = match name.as_str() {
            "instance_id" => {
                Some(request.facts.instance_id.clone().unwrap_or_else(|| "$INSTANCE_ID".to_owned()))
            }
            "hostname" | "fqdn" if request.facts.instance_id.is_none() => {
                Some(format!("${}", name.to_uppercase()))
            }
            "hostname" => Some(hostname::names_of_cloud(request.facts, request.machine).0),
            "fqdn" => Some(hostname::names_of_cloud(request.facts, request.machine).1),
            "pub_key_rsa" | "pub_key_ecdsa" | "pub_key_ed25519" => {
                let kind = name.trim_start_matches("pub_key_");
                let path = format!("/etc/ssh/ssh_host_{kind}_key.pub");
                // Host keys are made on the machine: what an image has is not what will be sent.
                match request.facts.instance_id {
                    Some(_) => read_text(request.machine, &path),
                    None => Some(format!("$(cat {path})")),
                }
            }
            _ => {
                let message = format!("`phone_home.post` asks for {name:?}, which is not known; N/A is sent");
                let place = reading::place(map, "post");
                let finding = Finding::warning(reading::SKIPPED, place, message).at("phone_home.post");
                outcome.findings.push(finding.with_hint(format!("the fields are {}", FIELDS.join(", "))));
                None
            }
        };
        fields.push((name, content.unwrap_or_else(|| "N/A".to_owned())));
    }
    let id = request.facts.instance_id.clone().unwrap_or_else(|| "$INSTANCE_ID".to_owned());
    match basic_template::render(url, &|name| (name == "INSTANCE_ID").then(|| id.clone())) {
        Ok(url) => outcome.actions.push(Action::Post { url, fields, tries }),
        Err(error) => {
            let message = format!("{error} in `phone_home.url`");
            let finding = Finding::error(reading::UNUSABLE, url_value.place, message).at("phone_home.url");
            outcome.findings.push(finding.with_hint("only $INSTANCE_ID can stand there"));
        }
    }
    outcome
}
