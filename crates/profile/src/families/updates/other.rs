//! What no file of a package manager says.

use hardtack_report::Place;

use crate::merged::{files, text};
use crate::{Bench, Error, Finding, Measure, View};

const MODPROBE: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// squashfs is not blocked where snapd needs it.
pub(super) struct Snapd;

impl Measure for Snapd {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !view.has_package("snapd") {
            return Ok(Finding::NotApplicable("snapd is not in the image".to_owned()));
        }
        let mut faults = Vec::new();
        for path in files(view.stage, &MODPROBE, ".conf")? {
            for (index, line) in text(view.stage, &path).unwrap_or_default().lines().enumerate() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if matches!(words.as_slice(), ["install", "squashfs", ..]) {
                    let place = Place { path: path.clone(), line: Some(index + 1) };
                    faults.push((place, "no snap can be mounted without squashfs".to_owned()));
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

/// Only the running machine knows its cloud, and only the cloud's own settings turn version 1 off.
pub(super) struct Imds;

impl Measure for Imds {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.first_boot("imds-v2", include_str!("imds.sh"));
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        Ok(view
            .at_first_boot("imds-v2", "asks the metadata service without a token, and looks for a refusal"))
    }
}
