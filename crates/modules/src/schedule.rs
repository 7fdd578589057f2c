//! What runs: modules in order, each with the configuration that it sees. The agent goes through this on
//! the machine, the plan in front of it.

use hardtack_userdata::{Key, Kind, Map, Value, coreos as dialect, layers, operator};

use crate::machine::{Distro, Facts, Machine};
use crate::module::{Frequency, Module, Stage};
use crate::table::{self, Entry};
use crate::{base, coreos, hostname, operator_totp};

/// Modules in order, with their configurations.
pub struct Schedule {
    /// What user-data, vendor-data and the machine's own files say.
    config: Map,
    /// The same without what coreos-cloudinit's dialect has taken, if the configuration is in it.
    rest: Option<Map>,
    /// Nothing, for what runs before the user-data is read.
    nothing: Map,
    entries: Vec<Slot>,
}

struct Slot {
    entry: Entry,
    module: &'static Module,
    sees: Sees,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    Nothing,
    Rest,
    All,
}

/// A module that is to run.
#[derive(Clone, Copy)]
pub struct Scheduled<'a> {
    /// When.
    pub stage: Stage,
    /// How often.
    pub frequency: Frequency,
    /// What.
    pub module: &'static Module,
    /// On which configuration.
    pub config: &'a Map,
}

impl Schedule {
    /// The schedule for `config`, which is user-data over vendor-data over the machine's own `cloud.cfg`.
    /// Where the machine has no such file, what cloud-init ships for the distribution comes below it.
    #[must_use]
    pub fn new(config: &Map, machine: &dyn Machine, distro: &Distro, facts: &Facts) -> Self {
        let config = if machine.exists("/etc/cloud/cloud.cfg") {
            config.clone()
        } else {
            layers::effective(&[config, &base::config(distro)])
        };
        let rest = dialect::is_coreos(&config).then(|| rest(&config, distro));
        let mut entries = Vec::new();
        if facts.local_hostname.is_some() && rest.is_none() {
            // The metadata's name is set before the network and before the user-data is read; what an earlier
            // boot of the instance has read is known.
            let known = machine.exists("/var/lib/cloud/instance/cloud-config.txt");
            let sees = if known { Sees::Rest } else { Sees::Nothing };
            entries.push(slot(&hostname::SET, Stage::Local, sees));
        }
        for entry in table::order(&config, distro) {
            if rest.is_some() && coreos::REPLACED.contains(&entry.name.as_str()) {
                continue;
            }
            let Some(module) = table::find(&entry.name) else { continue };
            entries.push(Slot { entry, module, sees: Sees::Rest });
        }
        if rest.is_some() {
            for module in coreos::MODULES.iter().copied() {
                // Behind cloud-init's modules of the stages before, before those of its own stage; units
                // are the last but for runcmd's kind.
                let at = entries
                    .iter()
                    .position(|slot| slot.entry.stage >= module.stage && !is_coreos(slot.module))
                    .unwrap_or(entries.len());
                entries.insert(at, slot(module, module.stage, Sees::All));
            }
        }
        if config.contains_key(&Key::text(operator::KEY)) {
            entries.insert(0, slot(&operator_totp::MODULE, operator_totp::MODULE.stage, Sees::All));
            // Behind what runs before the network.
            entries.sort_by_key(|slot| slot.entry.stage);
        }
        Self { config, rest, nothing: Map::new(), entries }
    }

    /// What runs, in order.
    pub fn iter(&self) -> impl Iterator<Item = Scheduled<'_>> {
        self.entries.iter().map(|slot| Scheduled {
            stage: slot.entry.stage,
            frequency: slot.entry.frequency.unwrap_or(slot.module.frequency),
            module: slot.module,
            config: match slot.sees {
                Sees::Nothing => &self.nothing,
                Sees::Rest => self.rest.as_ref().unwrap_or(&self.config),
                Sees::All => &self.config,
            },
        })
    }

    /// The whole configuration, the lowest layer included.
    #[must_use]
    pub fn config(&self) -> &Map {
        &self.config
    }
}

/// What cloud-init's modules see of a configuration in the dialect: what it does not take, and the image's own default
/// user, whom the login keys of the cloud belong to. (CoreOS' own is there already.)
fn rest(config: &Map, distro: &Distro) -> Map {
    let mut rest = dialect::rest(config);
    if !distro.is_coreos() {
        let default = Value::new(Kind::Text("default".to_owned()));
        rest.insert(Key::text("users"), Value::new(Kind::List(vec![default])));
    }
    rest
}

fn is_coreos(module: &Module) -> bool {
    coreos::MODULES.iter().any(|known| known.name == module.name)
}

fn slot(module: &'static Module, stage: Stage, sees: Sees) -> Slot {
    Slot { entry: Entry { name: module.name.to_owned(), stage, frequency: None }, module, sees }
}
