//! What PAM asks for, before and after.

use hardtack_guest::Stage;
use hardtack_guest::pam::{self, Answer, Facility, Step, can_succeed};
use hardtack_userdata::Finding;

use super::files::Places;
use super::gates;
use crate::error::CliError;

const CODES: &str = "pam_google_authenticator.so";

/// PAM's services that let somebody in.
const SERVICES: &[&str] = &["sshd", "login", "su", "sudo"];

/// PAM's stacks before and after.
pub(super) fn stacks(
    before: &Stage<'_>,
    after: &Stage<'_>,
    places: &Places<'_>,
) -> Result<Vec<Finding>, CliError> {
    let files =
        places.of(|path| path.starts_with("/etc/pam.d/") || path.starts_with("/usr/share/pam-configs/"));
    let Some((place, path, file)) = files.first().cloned() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for service in SERVICES {
        let Some((was, is)) = stack(before, service).zip(stack(after, service)) else { continue };
        if was == is {
            continue;
        }
        let message = match (&was, &is) {
            (_, Demand { possible: false, .. }) if was.possible => {
                format!("{file} makes PAM refuse every {service} login")
            }
            (Demand { code: true, .. }, Demand { code: false, .. }) => {
                format!("{file} lets {service} succeed without the one-time code that the image asks for")
            }
            (Demand { password: true, .. }, Demand { password: false, .. }) => {
                format!("{file} lets {service} succeed without a password")
            }
            _ => format!("{file} changes what PAM asks {service} logins for"),
        };
        let weaker = !is.possible || (was.code && !is.code) || (was.password && !is.password);
        let code = if weaker { "image-pam-undone" } else { "image-pam-changed" };
        let finding = if weaker {
            Finding::error(code, place, message).with_hint("leave PAM to the image's recipe")
        } else {
            Finding::warning(code, place, message)
        };
        found.push(finding.at(path.clone()));
    }
    if found.is_empty() {
        let message = format!("{file} belongs to PAM; what sshd, login, su and sudo ask for stays the same");
        found.push(Finding::warning("image-pam-changed", place, message).at(path));
    }
    Ok(found)
}

/// What a stack asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Demand {
    /// Somebody with everything gets through.
    possible: bool,
    /// Nobody without a code.
    code: bool,
    /// Nobody without a password.
    password: bool,
}

/// `None` when there is no such service or it cannot be read.
fn stack(stage: &Stage<'_>, service: &str) -> Option<Demand> {
    pam::service_path(stage, service).ok()??;
    let steps = match pam::steps(stage, service, Facility::Auth) {
        Ok(steps) => steps,
        // A stack that PAM cannot read lets nobody in.
        Err(_) => return Some(Demand { possible: false, code: true, password: true }),
    };
    let passes = |wrong: &dyn Fn(&Step) -> bool| {
        can_succeed(&steps, |step: &Step| {
            if step.module == "pam_deny.so" || wrong(step) {
                vec![Answer::Failure]
            } else if step.module == "pam_rootok.so" {
                vec![Answer::Ignore]
            } else {
                vec![Answer::Success]
            }
        })
    };
    let is_code = |step: &Step| step.module == CODES;
    let is_password = |step: &Step| {
        step.module.starts_with("pam_unix") || step.module == "pam_sss.so" || step.module == "pam_ldap.so"
    };
    let others = [Facility::Account, Facility::Session];
    let possible =
        passes(&|_| false) && others.into_iter().all(|facility| gates::passes(stage, service, facility));
    Some(Demand { possible, code: !passes(&is_code), password: !passes(&is_password) })
}
