//! Makes an image nobody's: takes away what belongs to one machine.
//!
//! What is taken stands in [`crate::model::generalize`]'s table; this carries it out. Links are
//! followed inside the image, where they [lead](way) to what is meant, and homes are those of `/etc/passwd` and all below `/home`. Nothing
//! here fills anything in: a machine makes its own ID, keys and seeds.

use std::collections::BTreeSet;

use crate::model::generalize::{GeneralizeStep, Operation, Special, TABLE};
use crate::{Context, StepError};

mod accounts;
mod backups;
mod first_boot;
mod homes;
mod host_keys;
mod machine_id;
mod places;
mod special;
#[cfg(test)]
mod tests;
mod way;

const STEP: &str = "generalize";

/// Takes away what belongs to one machine. `users` are those that the recipe makes: they stay.
///
/// # Errors
/// When the image's files cannot be read, or an operation cannot be done on this image.
pub fn apply(
    step: &GeneralizeStep,
    users: &BTreeSet<&str>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    let homes = homes::all(cx.stage)?;
    for operation in TABLE.iter().filter(|operation| step.has(operation.name)) {
        cx.stage.set_part(Some(operation.name));
        // First, since the paths are about what is left.
        if let Some(special) = operation.special {
            particular(special, operation, step, users, &homes, cx)?;
        }
        for target in operation.targets {
            places::clear(cx, *target, &homes)?;
        }
    }
    cx.stage.set_part(None);
    Ok(())
}

fn particular(
    special: Special,
    operation: &Operation,
    step: &GeneralizeStep,
    users: &BTreeSet<&str>,
    homes: &BTreeSet<String>,
    cx: &mut Context<'_, '_>,
) -> Result<(), StepError> {
    match special {
        Special::BackupFiles => backups::clear(cx, homes),
        Special::Certificates => special::certificates(cx),
        Special::CloudInit => special::cloud_init(cx),
        Special::CronSpool => special::cron_spool(cx),
        Special::Reconfigure => special::reconfigure(cx),
        Special::Ifcfg(keys) => special::ifcfg(cx, keys),
        Special::Iscsi => special::iscsi(cx),
        Special::Kerberos => special::kerberos(cx),
        Special::MachineId => machine_id::clear(step.machine_id, cx),
        Special::HostKeys => host_keys::warn_of_others(cx),
        Special::UserAccount => accounts::remove(step, users, step.optional.contains(operation.name), cx),
        Special::RandomSeed => special::random_seed(cx),
    }
}

/// Judges the result, when all other steps are done: what was taken must come again, and the first
/// boot must not undo what the image is. To be called after the agent's step.
///
/// # Errors
/// When nobody makes SSH's host keys.
pub fn finish(step: &GeneralizeStep, cx: &mut Context<'_, '_>) -> Result<(), StepError> {
    if step.has("ssh-hostkeys") {
        host_keys::check(step.optional.contains("ssh-hostkeys"), cx)?;
    }
    if step.has("machine-id") {
        cx.stage.set_part(Some("machine-id"));
        first_boot::keep_units(cx)?;
        cx.stage.set_part(None);
    }
    Ok(())
}
