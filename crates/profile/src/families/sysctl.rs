//! Kernel parameters that sysctl.d sets.
//!
//! systemd-sysctl and procps read all directories as one, sorted by file name, and the last value wins: ours sorts
//! behind Debian's `99-protect-links.conf` and `99-sysctl.conf`.

mod merged;

use hardtack_report::Place;

use crate::{Bench, Error, Finding, Level, Measure, Rule, View};
use merged::Merged;

const PATH: &str = "/etc/sysctl.d/99-zz-hardtack.conf";

/// These keys have these values.
struct Keys(&'static [(&'static str, &'static str)]);

impl Measure for Keys {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        for (key, value) in self.0 {
            bench.line(PATH, 0o644, format!("{key} = {value}"));
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let merged = Merged::read(view.stage)?;
        let mut faults = Vec::new();
        for (key, wanted) in self.0 {
            match merged.get(key) {
                Some(set) if set.value == *wanted => {}
                Some(set) => faults.push((
                    Place { path: set.path.clone(), line: Some(set.line) },
                    format!("{key} is {}, not {wanted}", set.value),
                )),
                None => {
                    faults.push((Place::file(PATH), format!("{key} is set nowhere; it shall be {wanted}")))
                }
            }
        }
        Ok(Finding::of(faults))
    }
}

pub(super) const RULES: &[Rule] = &[Rule::new(
    "sys-send-redirects",
    "3.3.2",
    Level::One,
    "the machine sends no ICMP redirects",
    "only routers have anything to say about routes; a compromised host could send others astray",
    &Keys(&[("net.ipv4.conf.all.send_redirects", "0"), ("net.ipv4.conf.default.send_redirects", "0")]),
)
.baseline()];

#[cfg(test)]
mod tests {
    use hardtack_guest::MemoryTree;

    use crate::testing::carry_out;
    use crate::{Finding, Settings};

    #[test]
    fn a_file_that_sorts_behind_debians_wins() {
        let tree = MemoryTree::new()
            .file("/etc/sysctl.conf", "net.ipv4.conf.all.send_redirects=1\n")
            .file("/lib/systemd/systemd-sysctl", "")
            .link("/etc/sysctl.d/99-sysctl.conf", "../sysctl.conf")
            .file("/usr/lib/sysctl.d/99-protect-links.conf", "net/ipv4/conf/default/send_redirects = 1\n");
        let (before, after, _) = carry_out(&tree, &Settings::default(), &["sys-send-redirects"]);
        let [Finding::Fail { why, places }] = before.as_slice() else { panic!("{before:?}") };
        assert_eq!(why[0], "net.ipv4.conf.all.send_redirects is 1, not 0");
        assert_eq!((places[0].path.as_str(), places[0].line), ("/etc/sysctl.d/99-sysctl.conf", Some(1)));
        assert_eq!(after, [Finding::Pass]);
    }
}
