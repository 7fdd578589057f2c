//! `cloud-init init`, `modules` and `single`: what units run at boot, by hand.

use hardtack_modules::Frequency;

use super::arguments::{Opt, Takes, flag, value};
use super::{World, Wrong, arguments};
use crate::stage::{self, Stage};

pub(super) const HELP: &str = "\
usage: cloud-init init [-h] [-l]
       cloud-init modules [-h] [-m {init,config,final}]
       cloud-init single [-h] -n NAME [--frequency {instance,always,once}]

Run one stage of the boot again, or one module of it. What has run for this
instance before does not run again, unless --frequency says `always`.

  -l, --local           the stage before the network
  -m, --mode MODE       the stage (config)
  -n, --name NAME       the module: write_files, runcmd...
  --frequency F         how often it may run
";

const INIT: [Opt; 2] = [flag("local", Some('l')), value("file", Some('f'))];
const MODULES: [Opt; 2] = [
    Opt { long: "mode", short: Some('m'), takes: Takes::One(&["init", "config", "final"]) },
    value("file", Some('f')),
];
const SINGLE: [Opt; 4] = [
    value("name", Some('n')),
    Opt { long: "frequency", short: None, takes: Takes::One(&["instance", "always", "once"]) },
    flag("report", None),
    value("file", Some('f')),
];

pub(super) fn run(world: &World<'_>, command: &str, arguments: &[String]) -> Result<u8, Wrong> {
    let read = |options: &[Opt], words| arguments::parse(options, words, arguments).map_err(Wrong::Call);
    let given = match command {
        "init" => read(&INIT, 0)?,
        "modules" => read(&MODULES, 0)?,
        _ => read(&SINGLE, usize::MAX)?,
    };
    if given.has("file") {
        let sentence = "--file is not supported: put the file into /etc/cloud/cloud.cfg.d";
        return Err(Wrong::Call(sentence.to_owned()));
    }
    if command == "single" {
        let name = given.get("name").ok_or_else(|| Wrong::Call("--name is missing".to_owned()))?;
        if !given.words.is_empty() {
            return Err(Wrong::Call("arguments of modules are not supported".to_owned()));
        }
        let frequency = given.get("frequency").map(|word| match word {
            "instance" => Frequency::Instance,
            "once" => Frequency::Once,
            _ => Frequency::Always,
        });
        return single(world, name, frequency);
    }
    let stage = match (command, given.get("mode")) {
        ("init", _) if given.has("local") => Stage::Local,
        ("init", _) | (_, Some("init")) => Stage::Network,
        (_, Some("final")) => Stage::Final,
        _ => Stage::Config,
    };
    stage::run(world.host, stage).map_err(|error| Wrong::Machine(error.to_string()))?;
    Ok(0)
}

fn single(world: &World<'_>, name: &str, frequency: Option<Frequency>) -> Result<u8, Wrong> {
    let ran =
        stage::single(world.host, name, frequency).map_err(|error| Wrong::Machine(error.to_string()))?;
    let sentence = match ran {
        Some(failures) if failures.is_empty() => return Ok(0),
        Some(failures) => format!("{name} failed: {}", failures.join("; ")),
        None => format!("{name} is no module of this agent, or does not run on this distribution"),
    };
    Err(Wrong::Machine(sentence))
}
