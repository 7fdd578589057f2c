//! Cutting programs off from the metadata service (`config/cc_disable_ec2_metadata.py`).

use hardtack_userdata::{Finding, options};

use crate::module::{Frequency, Module, Outcome, Request, Stage};
use crate::reading;
use crate::system::run;

/// `disable_ec2_metadata`.
pub const MODULE: Module = Module {
    name: "disable_ec2_metadata",
    stage: Stage::Config,
    frequency: Frequency::Always,
    keys: &["disable_ec2_metadata"],
    run: plan,
};

fn plan(request: &Request<'_>) -> Outcome {
    if !options::get_bool(request.config, "disable_ec2_metadata", false) {
        return Outcome::default();
    }
    if request.machine.program("ip").is_some() {
        let actions = vec![run(["ip", "route", "add", "prohibit", "169.254.169.254"])];
        return Outcome { actions, ..Outcome::default() };
    }
    if request.machine.program("ifconfig").is_some() {
        let actions = vec![run(["route", "add", "-host", "169.254.169.254", "reject"])];
        return Outcome { actions, ..Outcome::default() };
    }
    let place = reading::place(request.config, "disable_ec2_metadata");
    let message = "`disable_ec2_metadata` needs the program ip or ifconfig, and the machine has neither: the metadata stays readable";
    Outcome::failed(Finding::warning(reading::SKIPPED, place, message).at("disable_ec2_metadata"))
}
