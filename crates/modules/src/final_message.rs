//! The last line on the console (`config/cc_final_message.py`).

use std::collections::BTreeMap;

use hardtack_userdata::{Finding, options};
use serde_json::Value as Json;

use crate::action::{Action, Content};
use crate::basic_template;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading;
use crate::system::{self, CLOUD_INIT, write};

/// `final_message`.
pub const MODULE: Module = Module {
    name: "final_message",
    stage: Stage::Final,
    frequency: Frequency::Always,
    keys: &["final_message"],
    run: plan,
};

/// What is printed without `final_message`.
const DEFAULT: &str = "## template: jinja\n\
    Cloud-init v. {{version}} finished at {{timestamp}}. Datasource {{datasource}}.  Up {{uptime}} seconds";

/// What a message may name, in small or capital letters.
#[derive(Clone, Debug)]
pub struct Names {
    /// Seconds since the kernel started, as `/proc/uptime` writes them.
    pub uptime: String,
    /// The time as mails write it.
    pub timestamp: String,
    /// The version.
    pub version: String,
    /// `DataSourceEc2`, `DataSourceNoCloud [seed=/dev/sr0]…`.
    pub datasource: String,
}

impl Names {
    fn all(&self) -> BTreeMap<String, Json> {
        let values = [
            ("uptime", &self.uptime),
            ("timestamp", &self.timestamp),
            ("version", &self.version),
            ("datasource", &self.datasource),
        ];
        let both = values.iter().flat_map(|(name, value)| {
            [(*name).to_owned(), name.to_uppercase()].map(|name| (name, value.as_str().into()))
        });
        both.collect()
    }
}

/// The message with its names filled in.
///
/// # Errors
/// What in it cannot be: cloud-init then prints nothing.
pub fn render(message: &str, names: &Names) -> Result<String, String> {
    let message = message.trim();
    let message = if message.is_empty() { DEFAULT } else { message };
    basic_template::rendered(message, names.all())
}

fn plan(request: &Request<'_>) -> Outcome {
    let facts = request.facts;
    let names = Names {
        uptime: facts.uptime.map_or_else(|| "<seconds>".to_owned(), |seconds| format!("{seconds:.2}")),
        timestamp: system::timestamp(facts),
        version: CLOUD_INIT.to_owned(),
        datasource: facts.datasource.clone().unwrap_or_else(|| "<data source>".to_owned()),
    };
    let message = options::get_str(request.config, "final_message").unwrap_or_default();
    let mut outcome = Outcome::default();
    match render(&message, &names) {
        Ok(text) => outcome.actions.push(Action::Console { text: Content::open(text + "\n") }),
        Err(error) => {
            let place =
                reading::get(request.config, "final_message").map(|value| value.place).unwrap_or_default();
            let message = format!("`final_message` cannot be printed: {error}");
            let finding = Finding::warning(reading::SKIPPED, place, message)
                .at("final_message")
                .with_hint("it may name $version, $timestamp, $datasource and $uptime");
            outcome.findings.push(finding);
        }
    }
    let finished = format!("{} - {} - v. {}\n", names.uptime, names.timestamp, names.version);
    outcome.actions.push(write("/var/lib/cloud/instance/boot-finished", finished));
    outcome
}
