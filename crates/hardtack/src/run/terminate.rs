//! `hardtack terminate`: as euca-terminate-instances. It does not wait.

use std::io::Write as _;

use hardtack_launch::{Machine, Machines, Selection};
use serde_json::{Value, json};

use super::machines::{Fleet, chosen, nothing};
use crate::args::TerminateArgs;
use crate::error::CliError;
use crate::talk;

/// Runs the verb.
pub(crate) fn run(arguments: &TerminateArgs) -> Result<u8, CliError> {
    Fleet::find(&arguments.place)?.with(|machines| all(arguments, machines))
}

fn all(arguments: &TerminateArgs, machines: &dyn Machines) -> Result<u8, CliError> {
    // All names are looked at before the first one ends.
    let found = chosen(machines, &arguments.instances, None)?;
    let mut ended: Vec<Value> = Vec::new();
    let mut failed: Option<CliError> = None;
    for machine in &found {
        let id = &machine.instance.id;
        match end(machines, machine) {
            Ok((before, after)) => {
                if arguments.json {
                    ended.push(json!({"id": id, "previous_state": before, "state": after}));
                } else {
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "INSTANCE\t{id}\t{before}\t{after}")
                        .and_then(|()| out.flush())
                        .map_err(CliError::stream)?;
                }
            }
            Err(error) => {
                // The others end all the same.
                if let Some(before) = failed.replace(error) {
                    talk::line(before.report().trim_end());
                }
            }
        }
    }
    if arguments.json {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", Value::Array(ended)).and_then(|()| out.flush()).map_err(CliError::stream)?;
    }
    failed.map_or(Ok(0), Err)
}

/// Its state before, and now.
fn end(machines: &dyn Machines, machine: &Machine) -> Result<(String, String), CliError> {
    let instance = &machine.instance;
    if !machines.terminate(&instance.id)? {
        return Err(nothing(&instance.id));
    }
    let now = machines.describe(&Selection::Ids(vec![instance.id.clone()]));
    let now = now.ok().and_then(|mut found| found.pop()).map(|machine| machine.instance.state.name);
    Ok((instance.state.name.clone(), now.unwrap_or_else(|| "terminated".to_owned())))
}
