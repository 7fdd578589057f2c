//! Where logs go: journald, rsyslog, logrotate, and the files of /var/log.
//!
//! journald always runs where systemd does. An image that has rsyslog enabled keeps its logs by it, and journald hands
//! them on; any other keeps them in the journal. So of the benchmark's two ways one is judged, the other is not.

mod files;
mod journald;
mod logrotate;
mod rsyslog;
#[cfg(test)]
mod tests;

use super::services::Service;
use crate::{Level, Rule};
use files::Access;
use journald::{Compress, Forward, On, OneSystem, Rotation, Storage, Tmpfiles, Upload};
use logrotate::Rotate;

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "journald-on",
        "6.1.1.1",
        Level::One,
        "journald is not masked",
        "what services print is in its hands first",
        &On,
    )
    .baseline(),
    Rule::new(
        "journald-access",
        "6.1.1.2",
        Level::One,
        "no tmpfiles.d opens the journal to everybody",
        "logs hold names, addresses and sometimes secrets",
        &Tmpfiles,
    ),
    Rule::new(
        "journald-rotation",
        "6.1.1.3",
        Level::One,
        "the journal is bounded and rotated",
        "a full disk stops a machine; a bound in gigabytes that must stay free keeps no log on a small disk",
        &Rotation,
    ),
    Rule::new(
        "journald-one-system",
        "6.1.1.4",
        Level::One,
        "one system keeps the logs",
        "two that keep half each, or one that gets nothing, are no evidence",
        &OneSystem,
    ),
    Rule::new(
        "journald-upload",
        "6.1.2.1.1-3",
        Level::One,
        "the journal is sent to another machine",
        "who takes over a machine cannot take back what it has sent",
        &Upload,
    )
    .excepted("no receiver is known to the image; rsyslog sends logs where the settings name a log host"),
    Rule::new(
        "journald-remote-off",
        "6.1.2.1.4",
        Level::One,
        "the machine receives no journals of others",
        "only a log host has to listen for them",
        &Service::new(
            "journald-remote-off",
            &["systemd-journal-remote.socket", "systemd-journal-remote.service"],
        ),
    ),
    Rule::new(
        "journald-no-forward",
        "6.1.2.2",
        Level::One,
        "journald hands on to rsyslog where that keeps the logs (6.1.3.3), and else to nobody",
        "what is handed to nobody is lost, and what is kept twice fills the disk",
        &Forward,
    ),
    Rule::new(
        "journald-compress",
        "6.1.2.3",
        Level::One,
        "the journal is compressed",
        "more of it fits into its bound",
        &Compress,
    )
    .baseline(),
    Rule::new(
        "journald-storage",
        "6.1.2.4",
        Level::One,
        "the journal outlives a boot",
        "what happened before a crash or a reboot stands in it",
        &Storage,
    )
    .baseline(),
    Rule::new(
        "rsyslog-installed",
        "6.1.3.1-2",
        Level::One,
        "rsyslog is enabled where it keeps the logs",
        "what nobody takes is lost",
        &rsyslog::On,
    ),
    Rule::new(
        "rsyslog-mode",
        "6.1.3.4",
        Level::One,
        "rsyslog makes files that not everybody reads",
        "logs hold names, addresses and sometimes secrets",
        &rsyslog::Mode,
    ),
    Rule::new(
        "rsyslog-rules",
        "6.1.3.5",
        Level::One,
        "rsyslog writes to files of /var/log",
        "without rules it takes all and keeps nothing",
        &rsyslog::Rules,
    ),
    Rule::new(
        "rsyslog-remote",
        "6.1.3.6",
        Level::One,
        "rsyslog sends to the log host",
        "who takes over a machine cannot take back what it has sent",
        &rsyslog::Remote,
    ),
    Rule::new(
        "rsyslog-no-listen",
        "6.1.3.7",
        Level::One,
        "rsyslog takes nothing from the network",
        "only a log host has to; anybody could fill the disk, and the evidence with lies",
        &rsyslog::NoListen,
    )
    .baseline(),
    Rule::new(
        "logrotate",
        "6.1.3.8",
        Level::One,
        "logs are rotated and compressed, and new ones are not everybody's",
        "logs that grow for ever fill the disk",
        &Rotate,
    ),
    Rule::new(
        "logfile-access",
        "6.1.4.1",
        Level::One,
        "files of /var/log are not everybody's to read",
        "logs hold names, addresses and sometimes secrets",
        &Access,
    ),
];
