//! Which service keeps the time.

use hardtack_guest::Stage;
use hardtack_report::Place;

use crate::packages::Wanted;
use crate::{Bench, Error, Finding, Measure, View, units};

/// What keeps the time. If there are several, the first one that is enabled stays: nobody installs it without reason,
/// while systemd's comes with the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chrony,
    Ntp,
    Timesyncd,
}

const ALL: [Kind; 3] = [Kind::Chrony, Kind::Ntp, Kind::Timesyncd];

impl Kind {
    fn units(self) -> &'static [&'static str] {
        match self {
            Self::Chrony => &["chrony.service", "chronyd.service"],
            Self::Ntp => {
                &["ntpsec.service", "ntp.service", "ntpd.service", "openntpd.service", "ntpd-rs.service"]
            }
            Self::Timesyncd => &["systemd-timesyncd.service"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Chrony => "chrony",
            Self::Ntp => "ntp",
            Self::Timesyncd => "systemd-timesyncd",
        }
    }

    /// Where it is asked for.
    fn enabled(self, stage: &Stage<'_>) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for unit in self.units() {
            found.extend(units::enabled(stage, unit)?);
        }
        Ok(found)
    }

    /// The image has it, enabled or not, and it is not masked.
    pub(super) fn is_there(self, stage: &Stage<'_>) -> Result<bool, Error> {
        for unit in self.units() {
            let job = unit.strip_suffix(".service").unwrap_or(unit);
            if units::file(stage, unit)?.is_some() {
                return Ok(true);
            }
            let script = [format!("/etc/init.d/{job}"), format!("/etc/init/{job}.conf")];
            for path in script {
                if stage.stat(&path)?.is_some() && !units::is_masked(stage, unit)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// The one that keeps the time, or shall.
pub(super) fn chosen(stage: &Stage<'_>) -> Result<Option<Kind>, Error> {
    for kind in ALL {
        if !kind.enabled(stage)?.is_empty() {
            return Ok(Some(kind));
        }
    }
    for kind in ALL {
        if kind.is_there(stage)? {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// Exactly one keeps the time.
pub(super) struct One;

/// What an image without any gets.
fn wanted(stage: &Stage<'_>) -> Result<Wanted, Error> {
    let names: &'static [&'static str] =
        if units::is_upstart(stage)? { &["ntp"] } else { &["systemd-timesyncd"] };
    Ok(Wanted(names))
}

impl Measure for One {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(one) = chosen(bench.stage)? else { return wanted(bench.stage)?.apply(bench) };
        for unit in one.units() {
            units::install(bench, unit)?;
        }
        for other in ALL.into_iter().filter(|other| *other != one) {
            for unit in other.units() {
                units::mask(bench, unit).map_err(|error| error.of("time-one"))?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut found = Vec::new();
        for kind in ALL {
            if let Some(path) = kind.enabled(view.stage)?.into_iter().next() {
                found.push((Place::file(path), format!("{} is enabled", kind.name())));
            }
        }
        match (found.len(), chosen(view.stage)?) {
            (1, _) => Ok(Finding::Pass),
            (0, Some(kind)) => {
                Ok(Finding::fail(format!("nothing keeps the time: {} is not enabled", kind.name())))
            }
            (0, None) => wanted(view.stage)?.check(view),
            _ => Ok(Finding::of(found)),
        }
    }

    fn installs(&self, view: &View<'_>) -> &'static [&'static str] {
        match chosen(view.stage) {
            Ok(None) => wanted(view.stage).map_or(&[], |wanted| wanted.0),
            _ => &[],
        }
    }
}

/// It is enabled if it is the one.
pub(super) struct On(pub(super) Kind);

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if chosen(bench.stage)? == Some(self.0) {
            for unit in self.0.units() {
                units::install(bench, unit)?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let name = self.0.name();
        match chosen(view.stage)? {
            Some(one) if one == self.0 => {
                let enabled = !self.0.enabled(view.stage)?.is_empty();
                Ok(if enabled { Finding::Pass } else { Finding::fail(format!("{name} is not enabled")) })
            }
            Some(one) => Ok(Finding::NotApplicable(format!("{} keeps the time", one.name()))),
            None => Ok(Finding::NotApplicable(format!("{name} is not in the image"))),
        }
    }
}
