//! The time zone (`config/cc_timezone.py`; `set_timezone` of the classes in `cloudinit/distros/`).

use hardtack_userdata::{Finding, options};

use crate::action::Action;
use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading;
use crate::sysconfig;
use crate::system::{read_text, systemd, write};

/// `timezone`.
pub const MODULE: Module = Module {
    name: "timezone",
    stage: Stage::Config,
    frequency: Frequency::Instance,
    keys: &["timezone"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    let Some(zone) = options::get_str(request.config, "timezone").filter(|zone| !zone.is_empty()) else {
        return Outcome::default();
    };
    let file = format!("/usr/share/zoneinfo/{zone}");
    let outside = zone.split('/').any(|name| name == "..") || zone.starts_with('/');
    if outside || !request.machine.exists(&file) || !request.machine.list(&file).is_empty() {
        let place = reading::get(request.config, "timezone").map(|value| value.place).unwrap_or_default();
        let tzdata = request.machine.exists("/usr/share/zoneinfo");
        let hint = if tzdata {
            "names are like Europe/Berlin; `timedatectl list-timezones` lists them"
        } else {
            "the machine has no /usr/share/zoneinfo: install tzdata"
        };
        let message = format!("`timezone` is {zone:?}, and there is no file {file}");
        return Outcome::failed(
            Finding::error(reading::UNUSABLE, place, message).at("timezone").with_hint(hint),
        );
    }
    let link = Action::Link { path: "/etc/localtime".to_owned(), target: file };
    let mut actions = Vec::new();
    match request.distro.family.as_str() {
        "redhat" | "openeuler" | "OpenCloudOS" | "azurelinux" | "suse" | "aosc" => {
            if !systemd(request.machine, request.distro) {
                let (path, name) = if request.distro.family == "suse" {
                    ("/etc/sysconfig/clock", "TIMEZONE")
                } else {
                    ("/etc/sysconfig/clock", "ZONE")
                };
                let old = read_text(request.machine, path);
                actions.push(write(path, sysconfig::with(old.as_deref(), &[(name, &zone)], request.facts)));
            }
        }
        _ => actions.push(write("/etc/timezone", zone.trim_end().to_owned() + "\n")),
    }
    actions.push(link);
    Outcome { actions, ..Outcome::default() }
}
