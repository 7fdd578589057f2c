//! Bytes for the kernel's random pool (`config/cc_seed_random.py`).

use std::io::Read as _;

use base64::Engine as _;
use hardtack_userdata::{Finding, Kind, Map, Value, limits, truth};

use crate::action::{Action, Content};
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading::{self, get};

/// `seed_random`.
pub const MODULE: Module = Module {
    name: "seed_random",
    stage: Stage::Network,
    frequency: Frequency::Instance,
    keys: &["random_seed"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let empty = Map::new();
    let map = match get(request.config, "random_seed") {
        None => &empty,
        Some(value) => match value.as_map() {
            Some(map) => map,
            None => return Outcome::failed(reading::wrong(value, "random_seed", "a mapping")),
        },
    };
    let file = get(map, "file").map_or_else(|| "/dev/urandom".to_owned(), Value::to_python_str);
    let mut seed = match get(map, "data").filter(|data| truth::truthy(data)) {
        None => Vec::new(),
        Some(data) => match decoded(data, get(map, "encoding")) {
            Ok(bytes) => bytes,
            Err(finding) => return Outcome::failed(*finding),
        },
    };
    seed.extend_from_slice(request.facts.random_seed.as_deref().unwrap_or_default());
    let mut outcome = Outcome::default();
    if !seed.is_empty() {
        // Whoever knows the seed may guess what follows from it.
        let content = Content::secret(seed);
        outcome.actions.push(Action::Append { path: file.clone(), content, mode: None, owner: None });
    }
    let required = get(map, "command_required").is_some_and(truth::truthy);
    let command = get(map, "command").filter(|command| truth::truthy(command));
    let argv: Vec<String> = match command.map(|command| (command, &command.kind)) {
        None => Vec::new(),
        Some((_, Kind::List(words))) => words.iter().map(Value::to_python_str).collect(),
        Some((value, _)) => {
            outcome.findings.push(reading::wrong(value, "random_seed.command", "a list of words"));
            return outcome;
        }
    };
    let Some(program) = argv.first() else {
        if required {
            let place = reading::place(map, "command_required");
            let message = "`random_seed.command_required` is set, and there is no `command`";
            outcome
                .findings
                .push(Finding::error(reading::UNUSABLE, place, message).at("random_seed.command"));
        }
        return outcome;
    };
    let there = if program.contains('/') {
        request.machine.exists(program)
    } else {
        request.machine.program(program).is_some()
    };
    if there {
        outcome.actions.push(Action::Run {
            argv,
            stdin: None,
            environment: vec![("RANDOM_SEED_FILE".to_owned(), file)],
            optional: false,
        });
    } else if required {
        let place = reading::place(map, "command");
        let message = format!("`random_seed.command` is {program:?}, and the machine has no such program");
        outcome.findings.push(Finding::error(reading::UNUSABLE, place, message).at("random_seed.command"));
    }
    outcome
}

fn decoded(data: &Value, encoding: Option<&Value>) -> Result<Vec<u8>, Box<Finding>> {
    let bytes = match &data.kind {
        Kind::Bytes(bytes) => bytes.clone(),
        Kind::Text(text) => text.clone().into_bytes(),
        _ => return Err(Box::new(reading::wrong(data, "random_seed.data", "text"))),
    };
    let word =
        encoding.filter(|encoding| truth::truthy(encoding)).map(Value::to_python_str).unwrap_or_default();
    let failed = |what: &str| {
        let message = format!("`random_seed.data` is no {what}");
        Box::new(Finding::error(reading::UNUSABLE, data.place, message).at("random_seed.data"))
    };
    match word.to_lowercase().as_str() {
        "" | "raw" => Ok(bytes),
        "base64" | "b64" => {
            let plain: Vec<u8> = bytes
                .into_iter()
                .filter(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
                .collect();
            base64::engine::general_purpose::STANDARD.decode(plain).map_err(|_| failed("base64"))
        }
        "gzip" | "gz" => {
            let mut out = Vec::new();
            let limit = u64::try_from(limits::UNPACKED).unwrap_or(u64::MAX);
            flate2::read::MultiGzDecoder::new(bytes.as_slice())
                .take(limit)
                .read_to_end(&mut out)
                .map_err(|_| failed("gzip"))?;
            Ok(out)
        }
        _ => {
            let place = encoding.map(|value| value.place).unwrap_or_default();
            let message = format!("`random_seed.encoding` is {word:?}, which nobody knows");
            let finding = Finding::error(reading::UNUSABLE, place, message).at("random_seed.encoding");
            Err(Box::new(finding.with_hint("write raw, base64 or gzip")))
        }
    }
}
