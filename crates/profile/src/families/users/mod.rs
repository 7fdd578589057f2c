//! Users and groups, looked at: who an account is for, nobody knows here.

mod checks;
mod database;
mod homes;
#[cfg(test)]
mod tests;

use crate::{Level, Rule};
use checks::Look;

const fn rule(
    id: &'static str,
    cis: &'static str,
    title: &'static str,
    reason: &'static str,
    measure: &'static dyn crate::Measure,
) -> Rule {
    Rule::new(id, cis, Level::One, title, reason, measure)
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "uid0-only-root",
        "5.4.2.1",
        "root alone has the user number 0",
        "the kernel knows numbers: a second name is a second root, which no log tells apart",
        &Look(checks::uid0),
    )
    .baseline(),
    rule(
        "gid0-users",
        "5.4.2.2",
        "root alone has root's group for its own",
        "files of root's group would be theirs",
        &Look(checks::gid0_users),
    )
    .baseline(),
    rule(
        "gid0-group",
        "5.4.2.3",
        "one group has the number 0",
        "members of a second one would be in root's",
        &Look(checks::gid0_group),
    )
    .baseline(),
    rule(
        "root-path",
        "5.4.2.5",
        "root's PATH has directories that root alone writes to",
        "root would start somebody else's program by a usual name",
        &Look(checks::root_path),
    ),
    rule(
        "system-shells",
        "5.4.2.7",
        "accounts of services have no shell",
        "who takes over a service would log in",
        &Look(checks::system_shells),
    )
    .baseline(),
    rule(
        "no-shell-locked",
        "5.4.2.8",
        "accounts without a shell have no password",
        "other services than login would take it",
        &Look(checks::no_shell_locked),
    ),
    rule(
        "shadowed",
        "7.2.1",
        "passwords are in /etc/shadow",
        "everybody reads /etc/passwd",
        &Look(checks::shadowed),
    )
    .baseline(),
    rule(
        "no-empty-password",
        "7.2.2",
        "every account has a password or is locked",
        "an empty password is everybody's",
        &Look(checks::no_empty_password),
    )
    .baseline(),
    rule(
        "groups-exist",
        "7.2.3",
        "users' own groups exist",
        "the next group that is made gets the number, and their files",
        &Look(checks::groups_exist),
    )
    .baseline(),
    rule(
        "shadow-group-empty",
        "7.2.4",
        "nobody is in the group shadow",
        "its members read all hashes",
        &Look(checks::shadow_group_empty),
    )
    .baseline(),
    rule(
        "dup-uid",
        "7.2.5",
        "no two users have a number",
        "they would own each other's files",
        &Look(checks::dup_uid),
    )
    .baseline(),
    rule(
        "dup-gid",
        "7.2.6",
        "no two groups have a number",
        "they would own each other's files",
        &Look(checks::dup_gid),
    )
    .baseline(),
    rule(
        "dup-user",
        "7.2.7",
        "no two users have a name",
        "only the first is found; the other is changed by nobody",
        &Look(checks::dup_user),
    )
    .baseline(),
    rule(
        "dup-group",
        "7.2.8",
        "no two groups have a name",
        "only the first is found; the other is changed by nobody",
        &Look(checks::dup_group),
    )
    .baseline(),
    rule(
        "homes",
        "7.2.9",
        "people's homes are there, their own, and closed to others",
        "keys and histories lie there; useradd gives new ones the same mode",
        &homes::Homes,
    )
    .baseline(),
    rule(
        "dotfiles",
        "7.2.10",
        "files that shells and tools read at home are their users' own",
        "who writes a start file runs programs as its owner",
        &homes::Dotfiles,
    )
    .baseline(),
    Rule::new(
        "authorized-keys",
        "",
        Level::None,
        "no key is left over in the image",
        "whoever has the other half gets into every machine that is made of it",
        &homes::Keys,
    )
    .baseline(),
    Rule::new(
        "group-gshadow-same",
        "",
        Level::None,
        "group and gshadow name the same groups, and members are users",
        "grpck and lynis (AUTH-9216) ask for it; tools change one of the two and leave the other",
        &Look(checks::group_gshadow),
    )
    .baseline(),
];
