//! What the image's recipe promised, and what the user-data leaves of it: the agent of the machine would judge
//! the same, and by default keep SSH from starting.

use hardtack_guest::Stage;
use hardtack_login::{About, Weakness};
use hardtack_userdata::{Finding, Severity};

use super::files::{Places, same_path};
use super::image::Facts;

const CODE: &str = "image-promise-broken";

/// Takes what breaks the promise into `found`: one finding for each fault, and none for what an error says
/// already; a mere warning about the same line gives way.
pub(super) fn look(
    before: &Stage<'_>,
    after: &Stage<'_>,
    places: &Places<'_>,
    facts: &Facts,
    found: &mut Vec<Finding>,
) {
    let Some(promise) = facts.agent.as_ref().and_then(|agent| agent.promise.as_ref()) else { return };
    // Broken before, nothing of it is this user-data's.
    let Ok(known) = promise.check(before) else { return };
    // Units for single connections are followed here.
    found.retain(|finding| !(finding.code == "image-sshd-changed" && finding.message.contains("@.service")));
    let weaknesses = match promise.check(after) {
        Ok(weaknesses) => weaknesses,
        Err(error) => {
            let mut written = places.of(|path| error.to_string().contains(path)).into_iter();
            let (place, path, _) = written.next().or_else(|| about(places, About::Sshd)).unwrap_or_default();
            let message = format!("what a login would ask for cannot be told: {error}");
            found.push(told(Finding::error(CODE, place, message).at(path), facts));
            return;
        }
    };
    for weakness in weaknesses {
        if known.iter().any(|known| known.what == weakness.what) || is_told(&weakness, facts, found) {
            continue;
        }
        let file = weakness.place.as_ref().map(|place| place.file.as_str());
        let own = file.and_then(|file| places.of(|path| same_path(path, file)).into_iter().next());
        let (place, path, file) = own.or_else(|| about(places, weakness.about)).unwrap_or_default();
        // A warning that only says that the same thing changed.
        let gives_way = |finding: &Finding| {
            finding.severity != Severity::Error
                && match finding.code {
                    "image-sshd-changed" => {
                        weakness.place.as_ref().is_some_and(|at| names(&finding.message, &at.to_string()))
                    }
                    "image-pam-changed" => weakness.about == About::Pam && finding.message.starts_with(file),
                    _ => false,
                }
        };
        found.retain(|finding| !gives_way(finding));
        found.push(told(Finding::error(CODE, place, weakness.what).at(path), facts));
    }
}

/// What comes of it on the machine.
fn told(finding: Finding, facts: &Facts) -> Finding {
    let mfa = facts.agent.as_ref().and_then(|agent| agent.mfa.as_ref());
    finding.with_hint(match mfa.is_some_and(|mfa| mfa.on_drift == "warn") {
        true => "leave logins to the image's recipe: the machine would report it at every boot",
        false => "leave logins to the image's recipe: the machine would keep SSH from starting (on_drift)",
    })
}

/// The first written file that can have to do with it.
fn about<'p>(places: &'p Places<'_>, about: About) -> Option<(hardtack_userdata::Place, String, &'p str)> {
    let fits = |path: &str| match about {
        About::Pam => path.contains("/pam") || path.contains("/security/"),
        About::Sshd | About::Block | About::Start => {
            path.starts_with("/etc/ssh/") || hardtack_login::service::decides(path)
        }
    };
    places.of(fits).into_iter().next()
}

/// Whether an error says the same already: about the same line, or the same service of PAM.
fn is_told(weakness: &Weakness, facts: &Facts, found: &[Finding]) -> bool {
    let errors =
        || found.iter().filter(|finding| finding.severity == Severity::Error && finding.code != CODE);
    if let Some(place) = &weakness.place
        && errors().any(|finding| names(&finding.message, &place.to_string()))
    {
        return true;
    }
    match weakness.about {
        About::Start => errors().any(|finding| finding.message.contains("in place of sshd")),
        // A directive that no line sets any more.
        About::Sshd if weakness.place.is_none() => errors().any(|finding| {
            let keyword = weakness.what.split(' ').next().unwrap_or_default();
            finding.code == "image-sshd-undone" && finding.message.contains(&format!("makes {keyword} "))
        }),
        About::Pam => {
            let services = facts.agent.iter().flat_map(|agent| &agent.promise);
            let mut services = services.flat_map(|promise| &promise.services).map(|service| &service.service);
            services.any(|service| {
                let (lets, of) = (format!("lets {service} succeed"), format!("/etc/pam.d/{service} "));
                let refuse = format!("refuse every {service} login");
                (weakness.what.contains(&lets) || weakness.what.contains(&of))
                    && errors().any(|finding| {
                        finding.code == "image-pam-undone"
                            && (finding.message.contains(&lets) || finding.message.contains(&refuse))
                    })
            })
        }
        About::Sshd | About::Block => false,
    }
}

/// Whether a message names the place, and not one with more digits.
fn names(message: &str, place: &str) -> bool {
    message.match_indices(place).any(|(at, _)| {
        let rest = message.get(at + place.len()..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
