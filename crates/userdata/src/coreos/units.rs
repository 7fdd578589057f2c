//! Units, from a list to actions in order (`processUnits` of `initialize/config.go`, `system/unit.go`).
//!
//! All files first, each unit's own before its drop-ins, then masks and links; one reload if a file
//! was written; a restart of the network if a network's file is among them; at last the commands,
//! in the order of the list. A unit file of the network is neither enabled nor started.

use super::model::{CloudConfig, DropIn, Unit};
use super::{generated, shape};

/// One thing that is done for units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitAction {
    /// Write the unit's file, 0644.
    Place {
        /// The unit.
        unit: String,
        /// Where.
        path: String,
        /// What.
        content: String,
    },
    /// Write a file that adds to a unit, 0644.
    DropIn {
        /// The unit.
        unit: String,
        /// The file's name.
        name: String,
        /// Where.
        path: String,
        /// What.
        content: String,
        /// True when the content is not to be shown.
        secret: bool,
    },
    /// Link the unit's file to `/dev/null`, whatever is there.
    Mask {
        /// The unit.
        unit: String,
        /// Where.
        path: String,
    },
    /// Remove the unit's file if it is empty or a link to `/dev/null`.
    Unmask {
        /// The unit.
        unit: String,
        /// Where.
        path: String,
    },
    /// Have the unit started at every boot, other links of its names replaced.
    Enable {
        /// The unit.
        unit: String,
        /// True for this boot only.
        runtime: bool,
    },
    /// Have systemd read its files again.
    DaemonReload,
    /// Do something with a unit and wait for it. That it fails is told and forgotten.
    Command {
        /// The unit.
        unit: String,
        /// `start`, `stop`…
        command: String,
    },
    /// A command that systemd does not have: nothing after it is done.
    UnknownCommand {
        /// The unit.
        unit: String,
        /// What was written.
        command: String,
    },
}

impl Unit {
    /// True for the files of systemd-networkd.
    #[must_use]
    pub fn is_network(&self) -> bool {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        matches!(extension, "network" | "netdev" | "link")
    }

    /// Where its file stands.
    #[must_use]
    pub fn path(&self) -> String {
        join(&[self.directory(), &self.name])
    }

    /// Where `drop_in` stands.
    #[must_use]
    pub fn drop_in_path(&self, drop_in: &DropIn) -> String {
        join(&[self.directory(), &format!("{}.d", self.name), &drop_in.name])
    }

    fn directory(&self) -> &'static str {
        match (self.runtime, self.is_network()) {
            (false, false) => "/etc/systemd/system",
            (false, true) => "/etc/systemd/network",
            (true, false) => "/run/systemd/system",
            (true, true) => "/run/systemd/network",
        }
    }
}

/// The units of a configuration, those that its sections bring among them, in the order in which
/// coreos-cloudinit takes them.
#[must_use]
pub fn all(config: &CloudConfig) -> Vec<Unit> {
    let mut units = config.coreos.units.clone();
    units.extend(generated::units(&config.coreos));
    units
}

/// What is done for `units`, in order.
#[must_use]
pub fn actions(units: &[Unit]) -> Vec<UnitAction> {
    let mut actions = Vec::new();
    let mut commands = Vec::new();
    let (mut reload, mut restart) = (false, false);
    for unit in units.iter().filter(|unit| !unit.name.is_empty()) {
        let name = || unit.name.clone();
        if !unit.content.is_empty() {
            let content = unit.content.clone();
            actions.push(UnitAction::Place { unit: name(), path: unit.path(), content });
            reload = true;
        }
        for drop_in in &unit.drop_ins {
            if !drop_in.name.is_empty() && !drop_in.content.is_empty() {
                actions.push(UnitAction::DropIn {
                    unit: name(),
                    name: drop_in.name.clone(),
                    path: unit.drop_in_path(drop_in),
                    content: drop_in.content.clone(),
                    secret: drop_in.secret,
                });
                reload = true;
            }
        }
        if unit.mask {
            actions.push(UnitAction::Mask { unit: name(), path: unit.path() });
        } else if unit.runtime {
            actions.push(UnitAction::Unmask { unit: name(), path: unit.path() });
        }
        if unit.enable && !unit.is_network() {
            actions.push(UnitAction::Enable { unit: name(), runtime: unit.runtime });
        }
        if unit.is_network() {
            restart = true;
        } else if !unit.command.is_empty() {
            commands.push((name(), unit.command.clone()));
        }
    }
    if reload {
        actions.push(UnitAction::DaemonReload);
    }
    if restart {
        commands.insert(0, ("systemd-networkd.service".to_owned(), "restart".to_owned()));
    }
    for (unit, command) in commands {
        if !shape::COMMANDS.contains(&command.as_str()) {
            actions.push(UnitAction::UnknownCommand { unit, command });
            break;
        }
        actions.push(UnitAction::Command { unit, command });
    }
    actions
}

impl CloudConfig {
    /// What is done for the units, in order.
    #[must_use]
    pub fn unit_actions(&self) -> Vec<UnitAction> {
        actions(&all(self))
    }
}

/// Go's `path.Join`: joined with slashes, `.` and `..` carried out.
#[must_use]
pub fn join(pieces: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in pieces.iter().flat_map(|piece| piece.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str) -> Unit {
        Unit { name: name.to_owned(), ..Unit::default() }
    }

    #[test]
    fn files_stand_where_systemd_looks_for_them() {
        for (name, runtime, path) in [
            ("a.service", false, "/etc/systemd/system/a.service"),
            ("a.service", true, "/run/systemd/system/a.service"),
            ("10-lan.network", false, "/etc/systemd/network/10-lan.network"),
            ("br0.netdev", true, "/run/systemd/network/br0.netdev"),
            ("a", false, "/etc/systemd/system/a"),
            ("../../x.link", false, "/etc/x.link"),
        ] {
            assert_eq!(Unit { runtime, ..unit(name) }.path(), path);
        }
    }

    #[test]
    fn commands_come_last_and_stop_at_an_unknown_one() {
        let with = |name: &str, command: &str| Unit { command: command.to_owned(), ..unit(name) };
        let units = [
            with("b.service", "start"),
            with("a.network", "start"),
            with("c.service", "begin"),
            with("d.service", "stop"),
        ];
        let command = |unit: &str, command: &str| UnitAction::Command {
            unit: unit.to_owned(),
            command: command.to_owned(),
        };
        assert_eq!(
            actions(&units),
            [
                command("systemd-networkd.service", "restart"),
                command("b.service", "start"),
                UnitAction::UnknownCommand { unit: "c.service".to_owned(), command: "begin".to_owned() },
            ]
        );
    }
}
