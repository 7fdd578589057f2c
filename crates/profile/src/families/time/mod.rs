//! Time, cron and at.

mod chrony;
mod cron;
mod daemon;
mod servers;
#[cfg(test)]
mod tests;

use crate::{Level, Rule};
use cron::{Allow, Mode, Runs};
use daemon::{Kind, On, One};

pub(super) const RULES: &[Rule] = &[
    Rule::new(
        "time-one",
        "2.3.1.1",
        Level::One,
        "exactly one service keeps the time",
        "logs and certificates need the right time, and two services pull the clock two ways",
        &One,
    )
    .baseline(),
    Rule::new(
        "time-timesyncd-servers",
        "2.3.2.1",
        Level::One,
        "systemd-timesyncd asks the time servers that were named",
        "whoever gives the time decides which certificates are valid",
        &servers::Timesyncd,
    ),
    Rule::new(
        "time-timesyncd-on",
        "2.3.2.2",
        Level::One,
        "systemd-timesyncd is enabled where it keeps the time",
        "logs and certificates need the right time",
        &On(Kind::Timesyncd),
    ),
    Rule::new(
        "time-chrony-servers",
        "2.3.3.1",
        Level::One,
        "chrony asks the time servers that were named",
        "whoever gives the time decides which certificates are valid",
        &servers::Chrony,
    ),
    Rule::new(
        "time-chrony-user",
        "2.3.3.2",
        Level::One,
        "chrony does not run as root",
        "what answers from the network shall not be root's",
        &chrony::User,
    ),
    Rule::new(
        "time-chrony-on",
        "2.3.3.3",
        Level::One,
        "chrony is enabled where it keeps the time",
        "logs and certificates need the right time",
        &On(Kind::Chrony),
    ),
    Rule::new(
        "cron-on",
        "2.4.1.1",
        Level::One,
        "cron is enabled where it is there",
        "log rotation and checks of packages are its jobs",
        &Runs,
    ),
    Rule::new(
        "cron-crontab-mode",
        "2.4.1.2",
        Level::One,
        "/etc/crontab is root's alone",
        "jobs tell what runs when, and with which arguments",
        &Mode(&["/etc/crontab"], 0o600),
    )
    .baseline(),
    Rule::new(
        "cron-hourly-mode",
        "2.4.1.3",
        Level::One,
        "/etc/cron.hourly is root's alone",
        "jobs run as root, and tell what runs when",
        &Mode(&["/etc/cron.hourly"], 0o700),
    )
    .baseline(),
    Rule::new(
        "cron-daily-mode",
        "2.4.1.4",
        Level::One,
        "/etc/cron.daily is root's alone",
        "jobs run as root, and tell what runs when",
        &Mode(&["/etc/cron.daily"], 0o700),
    )
    .baseline(),
    Rule::new(
        "cron-weekly-mode",
        "2.4.1.5",
        Level::One,
        "/etc/cron.weekly is root's alone",
        "jobs run as root, and tell what runs when",
        &Mode(&["/etc/cron.weekly"], 0o700),
    )
    .baseline(),
    Rule::new(
        "cron-monthly-mode",
        "2.4.1.6",
        Level::One,
        "/etc/cron.monthly and /etc/cron.yearly are root's alone",
        "jobs run as root, and tell what runs when",
        &Mode(&["/etc/cron.monthly", "/etc/cron.yearly"], 0o700),
    )
    .baseline(),
    Rule::new(
        "cron-d-mode",
        "2.4.1.7",
        Level::One,
        "/etc/cron.d is root's alone",
        "jobs run as root, and tell what runs when",
        &Mode(&["/etc/cron.d"], 0o700),
    )
    .baseline(),
    Rule::new(
        "cron-allow",
        "2.4.1.8",
        Level::One,
        "only those in /etc/cron.allow have jobs of cron",
        "a job outlives the session of whoever got in; a list of those who may is safer than one of those who may not",
        &Allow { allow: "/etc/cron.allow", deny: "/etc/cron.deny", group: None },
    ),
    Rule::new(
        "at-allow",
        "2.4.2.1",
        Level::One,
        "only those in /etc/at.allow have jobs of at",
        "a job outlives the session of whoever got in; a list of those who may is safer than one of those who may not",
        // at runs as daemon on Debian, and lets everybody in when it cannot read the file (3.2.5).
        &Allow { allow: "/etc/at.allow", deny: "/etc/at.deny", group: Some("daemon") },
    ),
];
