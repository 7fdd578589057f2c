//! The last message and the change of the power state.

use hardtack_modules::power_state::{self, Condition};
use hardtack_modules::{Action, final_message, testing::Tree};
use serde_json::{Value as Json, json};

use crate::cases::{all, config, golden, own, run, same};

fn message(case: &Json) -> Result<(), String> {
    let subs = &case["subs"];
    let text = |key: &str| subs[key].as_str().unwrap().to_owned();
    let names = final_message::Names {
        uptime: text("uptime"),
        timestamp: text("timestamp"),
        version: text("version"),
        datasource: text("datasource"),
    };
    let given = case["final_message"].as_str().unwrap_or_default();
    let ours = final_message::render(given, &names).ok();
    same(&ours.as_deref(), &case["ok"].as_str())
}

#[test]
fn golden_messages() {
    all(&golden("final_message"), message);
}

#[test]
fn more_messages() {
    all(&own("final_message_more"), message);
}

fn power(case: &Json) -> Result<(), String> {
    let ours = match power_state::load(&config(case["cloud_config"].as_str().unwrap())) {
        Ok(None) => Some(json!([null, null, null])),
        Ok(Some(state)) => Some(json!([
            state.argv,
            state.timeout,
            match state.condition {
                Condition::Fixed(value) => json!(value),
                Condition::Shell(line) => json!(line),
                Condition::Program(words) => json!(words),
            }
        ])),
        Err(_) => None,
    };
    let mut real = case.get("ok").cloned();
    if let Some(number) = real.as_mut().and_then(|real| real.get_mut(1))
        && let Some(tagged) = number.get("__float__").cloned()
    {
        *number = tagged.as_str().map_or(tagged.clone(), |text| json!(text.parse::<f64>().unwrap()));
    }
    same(&ours, &real)
}

#[test]
fn golden_power_states() {
    all(&golden("power_state"), power);
}

#[test]
fn more_power_states() {
    all(&own("power_state_more"), power);
}

#[test]
fn a_condition_is_a_word_for_the_machine() {
    let machine = Tree::debian();
    let yaml = "power_state: {mode: reboot, message: 'see you', condition: [test, -f, /x]}";
    let outcome = run(&power_state::MODULE, yaml, &machine, &hardtack_modules::Facts::default());
    let Some(Action::Live { details, .. }) = outcome.actions.first() else { panic!("{outcome:?}") };
    let words: Vec<_> =
        details.iter().filter(|(name, _)| name == "word").map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["shutdown", "-r", "now", "see you"]);
    assert_eq!(details.iter().filter(|(name, _)| name == "condition-word").count(), 3);
    let off = "power_state: {mode: reboot, condition: false}";
    let outcome = run(&power_state::MODULE, off, &machine, &hardtack_modules::Facts::default());
    assert!(outcome.actions.is_empty() && outcome.notes.len() == 1);
}
