//! Where packages come from, and that they are kept up to date.

mod apt;
mod apt_conf;
mod dnf;
mod other;
mod sources;
#[cfg(test)]
mod tests;

use crate::{Level, Rule};
use apt::{Applied, Keys, Repositories, Signatures, Unattended};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "apt-keys",
        "1.2.1.1",
        Level::One,
        "the keys that APT trusts are there, and nobody but root can change them",
        "whoever holds such a key, or can add one, can install anything as root",
        &Keys,
    )
    .baseline(),
    Rule::new(
        "apt-repos",
        "1.2.1.2",
        Level::One,
        "all repositories are signed, and that of security updates is among them",
        "without signatures, whoever answers for a mirror's name installs what they like",
        &Repositories,
    )
    .baseline(),
    Rule::new(
        "apt-no-unauth",
        "",
        Level::None,
        "APT takes nothing that is not signed",
        "an option in a forgotten file turns off what all signatures are for",
        &Signatures,
    )
    .baseline(),
    Rule::new(
        "updates-applied",
        "1.2.2.1",
        Level::One,
        "no update waits",
        "an image is older than what was found since it was made",
        &Applied,
    ),
    Rule::new(
        "unattended",
        "",
        Level::None,
        "security updates install themselves",
        "most machines are taken by holes for which there is an update",
        &Unattended,
    )
    .baseline(),
    Rule::new(
        "dnf-automatic",
        "",
        Level::None,
        "security updates install themselves",
        "most machines are taken by holes for which there is an update",
        &dnf::Automatic,
    )
    .baseline(),
    Rule::new(
        "usbguard",
        "",
        Level::None,
        "usbguard decides which USB devices are taken",
        "a device can say it is a keyboard; virtual machines of clouds have no sockets",
        &crate::packages::Wanted(&["usbguard"]),
    ),
    Rule::new(
        "snapd",
        "",
        Level::None,
        "snaps can be mounted where snapd is there",
        "without squashfs no snap starts, and among snaps are agents of clouds",
        &other::Snapd,
    ),
    Rule::new(
        "imds-v2",
        "",
        Level::None,
        "the metadata service answers to nobody without a token",
        "what makes a server fetch a URL reads the keys of its role by version 1; only the cloud can turn it off",
        &other::Imds,
    ),
];
