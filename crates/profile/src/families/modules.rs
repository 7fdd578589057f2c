//! Kernel modules that are not loaded: file systems and protocols nobody uses.
//!
//! `install NAME /bin/true` is what modprobe does in place of loading it, whoever asks; `blacklist NAME` keeps it from
//! being loaded for a device. Lynis (NETW-3200) takes nothing but `/bin/true`. What an initramfs loads is decided by the
//! copy in it, and what the kernel has built in by nobody.

mod merged;
mod table;

use hardtack_guest::kmod::Modules;

use crate::{Bench, Error, Finding, Measure, View, units};
use merged::Merged;

pub(super) use table::RULES;

const PATH: &str = "/etc/modprobe.d/60-hardtack.conf";
/// More kernels than this in an image are not looked into.
const MOST_KERNELS: usize = 64;

/// Why a module has to stay, if it has to.
type Needed = fn(&View<'_>, &str) -> Option<String>;

/// These modules are not loaded.
struct Off {
    modules: &'static [&'static str],
    needed: Option<Needed>,
    /// Only where a kernel of the image has one of them: elsewhere it says nothing.
    devices: bool,
    /// The service that goes with them.
    unit: Option<&'static str>,
}

impl Off {
    const fn new(modules: &'static [&'static str]) -> Self {
        Self { modules, needed: None, devices: false, unit: None }
    }

    const fn unless(modules: &'static [&'static str], needed: Needed) -> Self {
        Self { needed: Some(needed), ..Self::new(modules) }
    }

    /// The modules that go, and why the others stay.
    fn split(&self, view: &View<'_>) -> (Vec<&'static str>, Vec<String>) {
        let (mut off, mut stay) = (Vec::new(), Vec::new());
        for module in self.modules {
            match self.needed.and_then(|needed| needed(view, module)) {
                Some(why) => stay.push(format!("{module} stays: {why}")),
                None => off.push(*module),
            }
        }
        (off, stay)
    }
}

impl Measure for Off {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let off = match self.needed {
            Some(_) => self.split(&bench.view()?).0,
            None => self.modules.to_vec(),
        };
        for module in off {
            bench.line(PATH, 0o644, format!("install {module} /bin/true"));
            bench.line(PATH, 0o644, format!("blacklist {module}"));
        }
        match self.unit {
            Some(unit) => units::mask(bench, unit),
            None => Ok(()),
        }
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let (off, stay) = self.split(view);
        let merged = Merged::read(view.stage)?;
        let mut faults = Vec::new();
        let mut builtin = Vec::new();
        let kernels = Kernels::read(view);
        for module in &off {
            if let Some(version) = kernels.built_in(module) {
                builtin.push(format!("{module} is a part of the kernel {version}"));
            } else if !kernels.lack(module) {
                faults.extend(merged.fault(module, PATH));
            }
        }
        if let Some(unit) = self.unit {
            for path in units::enabled(view.stage, unit)? {
                faults.push((hardtack_report::Place::file(path), format!("{unit} is started at boot")));
            }
        }
        if !faults.is_empty() {
            return Ok(Finding::of(faults));
        }
        if !stay.is_empty() {
            return Ok(Finding::Exception(stay.join("; ")));
        }
        if !builtin.is_empty() {
            return Ok(Finding::Exception(format!("{}: no file turns it off", builtin.join("; "))));
        }
        if self.devices && off.iter().all(|module| kernels.lack(module)) {
            return Ok(Finding::NotApplicable("no kernel of the image has a driver for it".to_owned()));
        }
        Ok(Finding::Pass)
    }
}

/// The modules of all kernels in the image.
struct Kernels {
    known: Vec<(String, Modules)>,
    /// One could not be read: what it has is not known.
    unknown: bool,
}

impl Kernels {
    fn read(view: &View<'_>) -> Self {
        let mut kernels = Self { known: Vec::new(), unknown: false };
        let versions = crate::merged::names(view.stage, "/lib/modules").unwrap_or_default();
        kernels.unknown = versions.len() > MOST_KERNELS;
        for version in versions.into_iter().take(MOST_KERNELS) {
            match Modules::read(view.stage, &version) {
                Ok(modules) if !modules.is_empty() => kernels.known.push((version, modules)),
                // What a removed kernel leaves is a directory without an index.
                Ok(_) => {}
                Err(_) => kernels.unknown = true,
            }
        }
        kernels
    }

    /// There are kernels, and none of them has it.
    fn lack(&self, module: &str) -> bool {
        let has = |modules: &Modules| modules.path(module).is_some() || modules.is_builtin(module);
        !self.unknown && !self.known.is_empty() && !self.known.iter().any(|(_, modules)| has(modules))
    }

    fn built_in(&self, module: &str) -> Option<&str> {
        self.known.iter().find(|(_, modules)| modules.is_builtin(module)).map(|(version, _)| version.as_str())
    }
}

#[cfg(test)]
mod tests;
