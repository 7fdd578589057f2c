//! `hardtack stack create`: a stack, its events, and what is in it.

use std::io::Write as _;

use hardtack_cloud::{Client, Kind, Service};
use hardtack_launch::stack::{Made, Order, Template, create, look, parameters};
use hardtack_publish::Error;
use hardtack_publish::fingerprint::Inputs;
use serde_json::{Value, json};

use super::{fill, read};
use crate::args::CreateArgs;
use crate::environment;
use crate::error::CliError;
use crate::run::publish::{Session, Site, Talker, default_path, find};
use crate::talk;

/// Where the journal has the template that the stack is made of: a token is not asked for twice.
const TEMPLATE: &str = "stack/template";

/// Runs the verb.
pub(super) fn run(arguments: &CreateArgs) -> Result<u8, CliError> {
    let template = read(&arguments.fill.template)?;
    let given = arguments.fill.parameters();
    parameters::check(&template, &given)?;
    let on_failure = arguments.on_failure.as_deref().map(on_failure).transpose()?;
    check_name(&arguments.name)?;
    let environment = environment::of_process();
    let site = find(&arguments.place, Service::CloudFormation, &environment)?;
    let Site::Cloud(client) = &site else {
        return Err(CliError::usage("stacks are of clouds: --on aws or --on euca"));
    };
    // Before anything is asked for or made.
    if client.place().kind == Kind::Euca {
        template.to_json()?;
    }
    client.provider().get()?;
    let mut inputs = Inputs::default();
    inputs.add("template", template.text());
    if let Some(path) = &arguments.fill.user_data {
        inputs.add("user-data", &crate::run::install::file_digest(path)?);
    }
    inputs.add("order", &format!("{:?} {:?}", arguments.fill.resource, given));
    let path = default_path(arguments.journal.as_deref(), &arguments.name, "journal");
    let session = Session::open(&path, &site.header(&arguments.name, &inputs.digest()), &environment)?;
    let result = match session.result() {
        // What was told then is told as it is now.
        Some(result) => {
            talk::note("this journal's stack is made: it is looked at, and none is made");
            let id = result.get("stack").and_then(Value::as_str).filter(|id| !id.is_empty());
            match look(client, id.unwrap_or(&arguments.name), &Talker::default())? {
                Some(made) => shown(client, &made),
                None => {
                    let path = path.display();
                    let text = format!(
                        "stack {}: {path} says that it was made, and it is there no more",
                        arguments.name
                    );
                    return Err(CliError::refused(text).hint(format!(
                        "hardtack undo {path} takes the journal away, and the same command makes a new one"
                    )));
                }
            }
        }
        None => session.run(|journal| {
            let kept = journal.kept(TEMPLATE).and_then(|kept| kept.as_str().map(str::to_owned));
            let text = match kept {
                Some(text) => text,
                None => {
                    let mut text = fill(&arguments.fill, &template, &environment)?;
                    if client.place().kind == Kind::Euca && !template.is_json() {
                        let name = arguments.fill.template.display().to_string();
                        text = Template::parse(&name, text.as_bytes())?.to_json()?;
                        talk::note("Eucalyptus takes templates in JSON: this one is sent so");
                    }
                    journal.keep(TEMPLATE, &json!(text))?;
                    text
                }
            };
            let order = Order {
                name: arguments.name.clone(),
                template: text,
                parameters: given.clone(),
                capabilities: arguments.capabilities.clone(),
                notifications: arguments.notification_arn.clone(),
                tags: arguments.tag.clone(),
                timeout: arguments.timeout_in_minutes,
                on_failure: on_failure.clone(),
            };
            let made = create(client, &order, arguments.timeout, journal, &Talker::default());
            Ok(shown(client, &made.map_err(told)?))
        })?,
    };
    let text = if arguments.json { format!("{result}\n") } else { people(&result) };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
    Ok(0)
}

/// A stack that has failed is not mended by asking for it again.
fn told(error: Error) -> CliError {
    let over = matches!(&error, Error::No(text) if text.ends_with(" now"));
    let error = CliError::from(error);
    if over { error.over() } else { error }
}

/// As CloudFormation names it.
fn on_failure(word: &str) -> Result<String, CliError> {
    Ok(match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "rollback" => "ROLLBACK",
        "delete" => "DELETE",
        "nothing" | "do_nothing" => "DO_NOTHING",
        _ => return Err(CliError::usage(format!("--on-failure {word}: it is rollback, delete or nothing"))),
    }
    .to_owned())
}

fn check_name(name: &str) -> Result<(), CliError> {
    let good = name.len() <= 128
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if good {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "--name {name}: a stack's name is a letter, then letters, digits and hyphens, 128 in all"
    )))
}

/// What came of it. Parameters are not in it: they may be secret.
fn shown(client: &Client, made: &Made) -> Value {
    let pairs = |pairs: &[(String, String)]| -> Value {
        pairs.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<serde_json::Map<_, _>>().into()
    };
    let groups: Vec<Value> = made
        .groups
        .iter()
        .map(|group| {
            let instances: Vec<Value> = group
                .instances
                .iter()
                .map(|member| {
                    json!({
                        "instance": member.id, "zone": member.zone, "state": member.state, "health": member.health,
                        "launch_configuration": member.launch_configuration,
                    })
                })
                .collect();
            json!({
                "group": group.name, "launch_configuration": group.launch_configuration,
                "launch_template": group.launch_template, "zones": group.zones, "min": group.least,
                "max": group.most, "desired": group.desired, "instances": instances,
            })
        })
        .collect();
    json!({
        "stack": made.stack.id,
        "name": made.stack.name,
        "status": made.stack.status,
        "description": made.stack.description,
        "created": made.stack.created,
        "region": client.place().region,
        "outputs": pairs(&made.stack.outputs),
        "groups": groups,
        "instances": made.instances,
    })
}

/// As euform-describe-stacks and euscale-describe-auto-scaling-groups print it.
fn people(result: &Value) -> String {
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        let safe =
            |cell: &String| cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        out.push_str(&cells.iter().map(safe).collect::<Vec<_>>().join("\t"));
        out.push('\n');
    };
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let stack = ["name", "status"].map(|name| text(result, name));
    let [name, status] = stack;
    line(&[
        "STACK".to_owned(),
        name,
        status,
        String::new(),
        text(result, "description"),
        text(result, "created"),
    ]);
    for (key, value) in result.get("outputs").and_then(Value::as_object).into_iter().flatten() {
        line(&["OUTPUT".to_owned(), key.clone(), value.as_str().unwrap_or_default().to_owned()]);
    }
    for group in list(result, "groups") {
        let zones = list(&group, "zones");
        let zones: Vec<&str> = zones.iter().filter_map(Value::as_str).collect();
        line(&[
            "AUTO-SCALING-GROUP".to_owned(),
            text(&group, "group"),
            text(&group, "launch_configuration"),
            zones.join(","),
            String::new(),
            text(&group, "min"),
            text(&group, "max"),
            text(&group, "desired"),
            String::new(),
        ]);
        for member in list(&group, "instances") {
            let cells = ["instance", "zone", "state", "health", "launch_configuration"];
            let mut row = vec!["INSTANCE".to_owned()];
            row.extend(cells.map(|name| text(&member, name)));
            line(&row);
        }
    }
    for id in list(result, "instances") {
        line(&["INSTANCE".to_owned(), id.as_str().unwrap_or_default().to_owned()]);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_stack_is_printed_as_euca2ools_prints_it() {
        let result = json!({
            "name": "coreos", "status": "CREATE_COMPLETE", "created": "2014-10-02T12:00:00Z", "outputs": {"Url": "x\ty"},
            "groups": [{"group": "g", "launch_configuration": "l", "zones": ["one", "two"], "min": 1, "max": 3,
                "desired": 2, "instances": [{"instance": "i-1", "zone": "one", "state": "InService", "health": "Healthy"}]}],
            "instances": ["i-2"],
        });
        assert_eq!(
            people(&result),
            "STACK\tcoreos\tCREATE_COMPLETE\t\t\t2014-10-02T12:00:00Z\nOUTPUT\tUrl\tx y\n\
             AUTO-SCALING-GROUP\tg\tl\tone,two\t\t1\t3\t2\t\nINSTANCE\ti-1\tone\tInService\tHealthy\t\nINSTANCE\ti-2\n"
        );
    }

    #[test]
    fn names_and_words_are_looked_at() {
        assert!(check_name("coreos-1").is_ok() && check_name("1a").is_err() && check_name("a b").is_err());
        assert_eq!(on_failure("nothing").unwrap(), "DO_NOTHING");
        assert_eq!(on_failure("ROLLBACK").unwrap(), "ROLLBACK");
        assert!(on_failure("x").is_err());
    }
}
