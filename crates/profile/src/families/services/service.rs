//! A service that nothing may start.

use hardtack_report::Place;

use crate::merged::text;
use crate::{Bench, Error, Finding, Measure, View, units};

/// Nothing starts any of these units.
pub(crate) struct Service {
    rule: &'static str,
    units: &'static [&'static str],
    /// Names of services in /etc/inetd.conf and /etc/xinetd.d.
    inetd: &'static [&'static str],
}

/// What starts servers when somebody calls.
const SUPER_SERVERS: [&str; 5] = [
    "inetd.service",
    "inetutils-inetd.service",
    "openbsd-inetd.service",
    "rlinetd.service",
    "xinetd.service",
];

impl Service {
    pub(crate) const fn new(rule: &'static str, units: &'static [&'static str]) -> Self {
        Self { rule, units, inetd: &[] }
    }

    pub(crate) const fn inetd(self, inetd: &'static [&'static str]) -> Self {
        Self { inetd, ..self }
    }

    /// Lines of inetd.conf(5) that name it, where an inetd runs.
    fn in_inetd(&self, view: &View<'_>) -> Result<Vec<(Place, String)>, Error> {
        let mut faults = Vec::new();
        if self.inetd.is_empty() {
            return Ok(faults);
        }
        let mut runs = false;
        for unit in SUPER_SERVERS {
            runs |= !units::enabled(view.stage, unit)?.is_empty();
        }
        if !runs {
            return Ok(faults);
        }
        let path = "/etc/inetd.conf";
        for (index, line) in text(view.stage, path).unwrap_or_default().lines().enumerate() {
            let name = line.split_whitespace().next().unwrap_or_default();
            if self.inetd.contains(&name) {
                let place = Place { path: path.to_owned(), line: Some(index + 1) };
                faults.push((place, format!("inetd starts a server for {name}")));
            }
        }
        for name in self.inetd {
            let path = format!("/etc/xinetd.d/{name}");
            let Some(text) = text(view.stage, &path) else { continue };
            let off = |line: &str| {
                line.split_once('=')
                    .is_some_and(|(key, value)| key.trim() == "disable" && value.trim() == "yes")
            };
            if !text.lines().any(off) {
                faults.push((Place::file(path), format!("xinetd starts a server for {name}")));
            }
        }
        Ok(faults)
    }
}

impl Measure for Service {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for unit in self.units {
            units::mask(bench, unit).map_err(|error| error.of(self.rule))?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = self.in_inetd(view)?;
        for unit in self.units {
            for path in units::enabled(view.stage, unit)? {
                faults.push((Place::file(path), format!("{unit} is started")));
            }
        }
        Ok(Finding::of(faults))
    }
}

/// The first boot tells what listens: only the running machine knows.
pub(super) struct ListenList;

impl Measure for ListenList {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.first_boot("svc-listen-list", include_str!("listen.sh"));
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(view.at_first_boot("svc-listen-list", "ss or /proc/net tells which ports listen to the network"))
    }
}
