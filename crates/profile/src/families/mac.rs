//! AppArmor and SELinux.

mod apparmor;
mod selinux;

use crate::packages::Wanted;
use crate::{Level, Rule};
use apparmor::{Enforce, Profiles};
use selinux::{Enforcing, Helpers};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "apparmor-installed",
        "1.3.1.1",
        Level::One,
        "AppArmor and its tools are installed",
        "services that are broken into reach only the files that their profile names",
        &Wanted(&["apparmor", "apparmor-utils"]),
    ),
    Rule::new(
        "apparmor-profiles",
        "1.3.1.3",
        Level::One,
        "AppArmor loads all profiles but those that the distribution leaves out",
        "a program whose profile is turned off is confined by nothing",
        &Profiles,
    )
    .baseline(),
    Rule::new(
        "apparmor-enforce",
        "1.3.1.4",
        Level::Two,
        "AppArmor enforces all profiles",
        "a profile that only complains stops nobody",
        &Enforce,
    ),
    Rule::new(
        "selinux-enforcing",
        "",
        Level::One,
        "SELinux enforces its policy",
        "services that are broken into reach only what the policy gives them",
        &Enforcing,
    ),
    Rule::new(
        "setroubleshoot-absent",
        "",
        Level::One,
        "SELinux' helpers for desktops do not run",
        "setroubleshoot and mcstrans are services of root's that a server has no use for",
        &Helpers,
    ),
];
