//! Second factors that the operator brings (`hardtack: {totp: …}`): no module of cloud-init's. The agent
//! writes them into their users' files on its own way, before SSH starts and whoever applies the rest of the
//! user-data; here it is told which ones that will be, and which ones nothing reads.

use hardtack_userdata::operator::{self, KEY, OperatorSecret};
use hardtack_userdata::{Finding, Place, Severity};
use serde_json::Value as Json;

use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading;

/// What the build tells the agent.
const AGENT: &str = "/etc/hardtack/agent.json";

/// The code of secrets that nothing reads.
pub const NOT_READ: &str = "image-totp-not-read";
/// The code of users whom the recipe does not enrol.
pub const NOT_ENROLLED: &str = "image-totp-user";

/// `hardtack_totp`; part of a schedule only where the configuration has the key.
pub const MODULE: Module = Module {
    name: "hardtack_totp",
    stage: Stage::Network,
    frequency: Frequency::Always,
    keys: &[KEY],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let (secrets, mut findings) = operator::totp(request.config);
    // What is only doubtful is told by those who check, and is taken.
    findings.retain(|finding| finding.severity == Severity::Error);
    let mut outcome = Outcome { findings, ..Outcome::default() };
    if secrets.is_empty() {
        return outcome;
    }
    let enrolled = match enrolled(request) {
        Ok(enrolled) => enrolled,
        Err(why) => {
            let place = reading::place(request.config, KEY);
            outcome.findings.push(not_read(place, why));
            return outcome;
        }
    };
    for secret in &secrets {
        let user = &secret.user;
        match &enrolled {
            Enrolled::Listed(users) if !users.contains(user) => {
                outcome.findings.push(not_enrolled(secret, users));
            }
            _ => outcome.notes.push(format!(
                "the code of {user} comes from here: its secret goes into the user's file before SSH starts, and is not printed"
            )),
        }
    }
    outcome
}

fn not_read(place: Place, why: &str) -> Finding {
    let message = format!("nothing reads the secrets under `{KEY}`: {why}");
    let hint = "build the image from a recipe with the steps `mfa` and `agent`, or leave the key out";
    Finding::error(NOT_READ, place, message).at(KEY).with_hint(hint)
}

fn not_enrolled(secret: &OperatorSecret, users: &[String]) -> Finding {
    let user = &secret.user;
    let listed = users.join(", ");
    let listed = if listed.is_empty() { "nobody".to_owned() } else { listed };
    let message = format!(
        "the image's recipe does not enrol {user}: the secret is not taken, and a second factor is asked of {listed} alone"
    );
    Finding::error(NOT_ENROLLED, secret.place, message)
        .at(format!("{KEY}.{}.{user}", operator::TOTP))
        .with_hint("name one of these users here, or enrol this one in the recipe's `mfa` step")
}

/// Whom the agent enrols.
enum Enrolled {
    Listed(Vec<String>),
    Everybody,
}

fn enrolled(request: &Request<'_>) -> Result<Enrolled, &'static str> {
    let text = request.machine.read(AGENT).ok_or("hardtack's agent is not there")?;
    let config: Json =
        serde_json::from_slice(&text).map_err(|_| "the agent's configuration cannot be read")?;
    let mfa = config
        .get("mfa")
        .filter(|mfa| !mfa.is_null())
        .ok_or("the image's recipe has no step `mfa`, and no user has a second factor")?;
    if mfa.get("others").and_then(Json::as_str) == Some("enrol") {
        return Ok(Enrolled::Everybody);
    }
    let users = mfa.get("users").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Enrolled::Listed(users.iter().filter_map(Json::as_str).map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_userdata::load::load_config;

    use super::*;
    use crate::testing::Tree;
    use crate::{Distro, Facts, KeyState, Plan, plan, text};

    const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEH";

    fn planned(machine: &Tree, config: &str) -> Plan {
        let config = load_config(config, 0).unwrap().unwrap();
        plan(&Request {
            config: &config,
            parts: &[],
            machine,
            distro: &Distro::read(machine),
            facts: &Facts::default(),
        })
    }

    #[test]
    fn the_plan_says_whose_code_comes_from_here_and_shows_none() {
        let config = format!("hostname: a\nhardtack: {{totp: {{debian: {SECRET}}}}}\n");
        for (mfa, state, wanted) in [
            (r#"{"users": ["debian"]}"#, KeyState::Applied, "the code of debian comes from here"),
            (r#"{"users": [], "others": "enrol"}"#, KeyState::Applied, "the code of debian comes from here"),
            (r#"{"users": ["joe", "root"]}"#, KeyState::Failed, "is asked of joe, root alone"),
            ("{}", KeyState::Failed, "is asked of nobody alone"),
            ("null", KeyState::Failed, "no step `mfa`"),
        ] {
            let machine = Tree::debian().with(AGENT, format!("{{\"mfa\": {mfa}}}"));
            let plan = planned(&machine, &config);
            let shown = format!("{}{}", text::text(&plan, &[]), text::json(&plan, &[]));
            assert!(shown.contains(wanted), "{shown}");
            assert!(!shown.contains("JBSW"), "{shown}");
            let key = plan.keys.iter().find(|key| key.key == KEY).unwrap();
            assert_eq!((key.state, &key.modules[..]), (state, &["hardtack_totp".to_owned()][..]), "{mfa}");
        }
        let without = planned(&Tree::debian(), &config);
        let key = without.keys.iter().find(|key| key.key == KEY).unwrap();
        assert!(key.reason.as_deref().unwrap().contains("agent is not there"));
        let broken = planned(&Tree::debian().with(AGENT, "{"), &config);
        assert!(
            broken
                .keys
                .iter()
                .any(|key| key.reason.as_deref().is_some_and(|why| why.contains("cannot be read")))
        );
    }

    #[test]
    fn it_is_part_of_the_schedule_where_the_key_is() {
        let machine = Tree::debian().with(AGENT, r#"{"mfa": {"users": ["debian"]}}"#);
        let steps = |config: &str| -> Vec<String> {
            planned(&machine, config).steps.into_iter().map(|step| step.module).collect()
        };
        assert!(!steps("hostname: a\n").contains(&MODULE.name.to_owned()));
        let both = format!("coreos: {{}}\nhardtack: {{totp: {{debian: {SECRET}}}}}\n");
        assert!(steps(&both).contains(&MODULE.name.to_owned()));
        let short = planned(&machine, "hardtack: {totp: {debian: JBSWY3DPEHPK3PXP}}\n");
        assert!(short.keys.iter().all(|key| key.state == KeyState::Applied) && short.keys.len() == 1);
        let wrong = planned(&machine, &format!("hardtack: {{totp: {{'a b': {SECRET}}}}}\n"));
        assert!(wrong.keys.iter().any(|key| key.state == KeyState::Failed));
    }
}
