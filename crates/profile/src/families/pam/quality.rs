//! New passwords are looked at: pam_pwquality, and the files of libpwquality.
//!
//! The drop-ins are read first, by name, and the main file last: a value there wins.

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Version;
use hardtack_guest::pam::Facility;
use hardtack_report::Place;

use super::stacks::{self, Maker};
use crate::key_file::{self, Form};
use crate::merged::Assignment;
use crate::packages::{Wanted, is_spooled};
use crate::{Bench, Error, Finding, Measure, View, merged};

const MODULE: &str = "pam_pwquality.so";
const MAIN: &str = "/etc/security/pwquality.conf";
const DROP_INS: &str = "/etc/security/pwquality.conf.d";
pub(crate) const DROP_IN: &str = "/etc/security/pwquality.conf.d/50-hardtack.conf";
/// Since this version of libpwquality drop-ins are read.
const DROP_INS_SINCE: &str = "1.4";
/// Whether the dictionary is asked, and the rule about it.
const DICTCHECK: &str = "dictcheck";
const RULE_DICT: &str = "pwquality-dict";
/// What cracklib-runtime makes when dpkg configures it.
const DICTIONARIES: [&str; 2] = ["/var/cache/cracklib/cracklib_dict.pwd", "/usr/share/cracklib/pw_dict.pwd"];

pub(super) const PACKAGE: Wanted = Wanted(&["libpam-pwquality", "cracklib-runtime"]);

/// The module is asked before pam_unix changes the password.
pub(super) struct On;

impl Measure for On {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        bench.wishes.quality = true;
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let found = stacks::judge(view.stage, Facility::Password, &|steps| {
            let unix = stacks::position(steps, "pam_unix.so").unwrap_or(steps.len());
            match steps.iter().position(|step| step.module == MODULE || step.module == "pam_passwdqc.so") {
                Some(index) if index < unix => Vec::new(),
                Some(index) => {
                    vec![(Some(index), "new passwords are looked at only behind pam_unix".to_owned())]
                }
                None => vec![(None, "pam_pwquality is not in the stack".to_owned())],
            }
        })?;
        if !matches!(found, Finding::Fail { .. }) || stacks::module(view.stage, MODULE)?.is_some() {
            return Ok(found);
        }
        // The package's own script switches it on.
        Ok(match PACKAGE.check(view)? {
            Finding::Pass => found,
            other => other,
        })
    }
}

/// A value of libpwquality.
pub(super) struct Value {
    pub(super) key: &'static str,
    /// Empty: the word alone.
    pub(super) value: &'static str,
    pub(super) good: fn(&str) -> bool,
    pub(super) wanted: &'static str,
}

impl Measure for Value {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        if stacks::maker(bench.stage)? == Maker::Nobody {
            return Ok(());
        }
        let drop_ins = reads_drop_ins(&bench.view()?);
        let waits = self.key == DICTCHECK && matches!(dictionary(&bench.view()?)?, Finding::FirstBoot(_));
        let (value, good): (_, fn(&str) -> bool) =
            if waits { ("0", |said| said == "0") } else { (self.value, self.good) };
        if waits {
            bench.first_boot(RULE_DICT, look_for_dictionary());
        }
        let text = bench.stage.read_text(MAIN)?.unwrap_or_default();
        let said = key_file::all(Form::Equals, MAIN, &text, self.key);
        if !drop_ins || said.iter().any(|said| !good(&said.value)) {
            key_file::set(bench.stage, Form::Equals, MAIN, (self.key, value), !drop_ins, &good)?;
        }
        if drop_ins {
            let line = if value.is_empty() { self.key.to_owned() } else { format!("{} = {value}", self.key) };
            bench.line(DROP_IN, 0o644, line);
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        let maker = stacks::maker(view.stage)?;
        if maker == Maker::Nobody {
            return Ok(stacks::foreign());
        }
        if let Some(said) = said(view, maker, self.key)? {
            if self.key == DICTCHECK
                && said.value == "0"
                && let Finding::FirstBoot(what) = dictionary(view)?
            {
                return Ok(view.at_first_boot(RULE_DICT, &what));
            }
            if !(self.good)(&said.value) {
                let place = Place { path: said.path, line: Some(said.line) };
                let what = format!("{} is {}; {} is wanted", self.key, said.value, self.wanted);
                return Ok(Finding::of(vec![(place, what)]));
            }
            return Ok(if self.key == DICTCHECK { dictionary(view)? } else { Finding::Pass });
        }
        // The same, kind by kind of character.
        if self.key == "minclass" {
            let mut all = true;
            for key in ["dcredit", "ucredit", "lcredit", "ocredit"] {
                let said = said(view, maker, key)?.and_then(|said| said.value.parse::<i32>().ok());
                all &= said.is_some_and(|number| number <= -1);
            }
            if all {
                return Ok(Finding::Pass);
            }
        }
        Ok(Finding::fail_at(MAIN, format!("{} is set nowhere; {} is wanted", self.key, self.wanted)))
    }
}

/// What is in force: the module's line, else the last of the files.
fn said(view: &View<'_>, maker: Maker, key: &str) -> Result<Option<Assignment>, Error> {
    for (_, steps) in stacks::read(view.stage, maker, Facility::Password) {
        for step in steps.unwrap_or_default().iter().filter(|step| step.module == MODULE) {
            let word = if stacks::says(step, key) { Some("") } else { stacks::option(step, key) };
            if let Some(value) = word {
                let (path, line) = (step.file.clone(), step.line);
                return Ok(Some(Assignment { value: value.to_owned(), path, line }));
            }
        }
    }
    let mut paths = Vec::new();
    if reads_drop_ins(view) {
        let names = merged::names(view.stage, DROP_INS)?;
        let ours = names.into_iter().filter(|name| name.ends_with(".conf") && !name.starts_with('.'));
        paths.extend(ours.map(|name| format!("{DROP_INS}/{name}")));
    }
    paths.push(MAIN.to_owned());
    let mut last = None;
    for path in paths {
        let text = merged::text(view.stage, &path).unwrap_or_default();
        last = key_file::all(Form::Equals, &path, &text, key).pop().or(last);
    }
    Ok(last)
}

/// By the library's version, where dpkg knows it; what will come is newer.
fn reads_drop_ins(view: &View<'_>) -> bool {
    let since = Version::parse(DROP_INS_SINCE).ok();
    match (view.package("libpwquality1"), since) {
        (Ok(Some(version)), Some(since)) => *version >= since,
        _ => true,
    }
}

/// Until the first boot has made the dictionary it is not asked for: cloud-init sets passwords before, the module would
/// refuse every one of them, and with the first that is refused cloud-init stops making users.
fn look_for_dictionary() -> String {
    let there: Vec<_> = DICTIONARIES.iter().map(|path| format!("{path} {path}.gz")).collect();
    format!(
        "    ls {} 2> /dev/null | grep -q . || {{ echo 'cracklib has no dictionary'; return 1; }}\n    \
         for file in {DROP_IN} {MAIN}; do\n        \
         [ ! -e $file ] || sed -i 's/^\\(dictcheck *= *\\)0$/\\11/' $file || return 1\n    done",
        there.join(" ")
    )
}

/// Without its dictionary the module refuses every new password.
fn dictionary(view: &View<'_>) -> Result<Finding, Error> {
    if stacks::module(view.stage, MODULE)?.is_none() || has_dictionary(view.stage)? {
        return Ok(Finding::Pass);
    }
    if view.has_package("cracklib-runtime") || is_spooled(view.stage, "cracklib-runtime") {
        let what = "cracklib-runtime makes its dictionary when dpkg configures it";
        return Ok(Finding::FirstBoot(what.to_owned()));
    }
    let what = "no dictionary of cracklib is in the image: every new password would be refused";
    Ok(Finding::fail_at(DICTIONARIES[0], what))
}

fn has_dictionary(stage: &Stage<'_>) -> Result<bool, Error> {
    for path in DICTIONARIES {
        if stage.stat(path)?.is_some() || stage.stat(&format!("{path}.gz"))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
