//! Shells that count as such, root's terminals, and the rescue shells.

use hardtack_guest::Set;
use hardtack_guest::pam::{Facility, service_path, steps};
use hardtack_report::Place;

use crate::{Bench, Error, Finding, Measure, View, merged};

const SHELLS: &str = "/etc/shells";
const SECURETTY: &str = "/etc/securetty";
/// Consoles of machines and of clouds.
const CONSOLES: &str = "console\ntty1\ntty2\ntty3\ntty4\ntty5\ntty6\nttyS0\nttyAMA0\nhvc0\n";
const NOT_APPLICABLE: &str = "pam_securetty is not asked when somebody logs in on a console";

/// nologin is no shell: who has it must not change it, nor get in by FTP.
pub(super) struct NoNologin;

fn is_nologin(line: &str) -> bool {
    line.trim().rsplit('/').next() == Some("nologin") && !line.trim_start().starts_with('#')
}

impl Measure for NoNologin {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if let Some(old) = bench.stage.read_text(SHELLS)? {
            let text: String = old.split_inclusive('\n').filter(|line| !is_nologin(line)).collect();
            if text != old {
                crate::conffile::edit(bench.stage, SHELLS, text, Set::default())?;
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let text = merged::text(view.stage, SHELLS).unwrap_or_default();
        let lines = text.lines().enumerate().filter(|(_, line)| is_nologin(line));
        let fault = |(index, _): (usize, &str)| {
            (Place { path: SHELLS.to_owned(), line: Some(index + 1) }, "nologin counts as a shell".to_owned())
        };
        Ok(Finding::of(lines.map(fault).collect()))
    }
}

/// root logs in on consoles only, where a release still asks.
pub(super) struct Securetty;

impl Securetty {
    fn is_asked(view: &View<'_>) -> Result<bool, Error> {
        if service_path(view.stage, "login")?.is_none() {
            return Ok(false);
        }
        let asked = steps(view.stage, "login", Facility::Auth).unwrap_or_default();
        Ok(asked.iter().any(|step| step.module == "pam_securetty.so"))
    }
}

impl Measure for Securetty {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if !Self::is_asked(&bench.view()?)? {
            return Ok(());
        }
        match bench.stage.read_text(SECURETTY)? {
            None => crate::conffile::edit(bench.stage, SECURETTY, CONSOLES, crate::bench::root(0o600))?,
            Some(old) => {
                let kept = |line: &&str| !line.trim_start().starts_with("pts/");
                let text: String = old.split_inclusive('\n').filter(kept).collect();
                if text != old {
                    crate::conffile::edit(bench.stage, SECURETTY, text, Set::default())?;
                }
            }
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        if !Self::is_asked(view)? {
            return Ok(Finding::NotApplicable(NOT_APPLICABLE.to_owned()));
        }
        let Some(text) = merged::text(view.stage, SECURETTY) else {
            return Ok(Finding::fail_at(SECURETTY, "it is missing: root may log in everywhere"));
        };
        let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("pts/"));
        let fault = |(index, line): (usize, &str)| {
            let place = Place { path: SECURETTY.to_owned(), line: Some(index + 1) };
            (place, format!("{} is no console", line.trim()))
        };
        Ok(Finding::of(lines.map(fault).collect()))
    }
}

/// The rescue shells ask for root's password.
pub(super) struct Sulogin;

impl Measure for Sulogin {
    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let mut faults = Vec::new();
        for unit in ["rescue.service", "emergency.service"] {
            for base in ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"] {
                let mut paths = vec![format!("{base}/{unit}")];
                let directory = format!("{base}/{unit}.d");
                let names = merged::names(view.stage, &directory)?;
                paths.extend(names.iter().map(|name| format!("{directory}/{name}")));
                for path in paths {
                    let text = merged::text(view.stage, &path).unwrap_or_default();
                    for (index, line) in text.lines().enumerate() {
                        let line = line.trim();
                        let says = |word: &str| line.replace(['"', '\''], "").contains(word);
                        if line.starts_with("Environment") && says("SYSTEMD_SULOGIN_FORCE=1") {
                            let place = Place { path: path.clone(), line: Some(index + 1) };
                            faults.push((place, "the rescue shell asks for no password".to_owned()));
                        }
                    }
                }
            }
        }
        Ok(Finding::of(faults))
    }
}
