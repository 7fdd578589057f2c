//! What a rule works with.

use std::cell::OnceCell;
use std::sync::Arc;

use hardtack_guest::dpkg::Database;
use hardtack_guest::sshd::{self, Directive, Placement};
use hardtack_guest::{Set, Stage};
use hardtack_inspect::facts::Facts;

use crate::families::pam::{self, Wishes};
use crate::first_boot::Script;
use crate::own_file::OwnFiles;
use crate::{Error, Newcomer, Settings, View};

/// Our section of sshd's configuration.
const SECTION: &str = "profile";

/// What a rule works with.
///
/// Files that are ours alone are gathered here and written whole when all rules have run: what an earlier build wrote
/// into them and no rule wants any more is gone.
pub struct Bench<'b, 't> {
    /// Where all edits are made.
    pub stage: &'b mut Stage<'t>,
    /// What the rules are told.
    pub settings: &'b Settings,
    /// The clock of the build, seconds since 1970.
    pub epoch: i64,
    /// Sentences for the people who build the image.
    pub notes: Vec<String>,
    /// Keywords of sshd_config, in lower case, that the recipe itself speaks of.
    pub(crate) spoken: &'b [String],
    /// Accounts that the machine makes at its first boot.
    pub(crate) newcomers: &'b [Newcomer],
    /// What sshd reads is for root alone.
    pub(crate) private_sshd: bool,
    pub(crate) files: OwnFiles,
    pub(crate) script: Script,
    pub(crate) directives: Vec<Directive>,
    pub(crate) wishes: Wishes,
    pub(crate) firewall: crate::families::Firewall,
    /// The package database, once somebody asked: rules leave it to others.
    packages: OnceCell<Option<Arc<Database>>>,
    /// A database of all files is made when they are written.
    pub(crate) aide: bool,
}

impl<'b, 't> Bench<'b, 't> {
    pub(crate) fn new(
        stage: &'b mut Stage<'t>,
        settings: &'b Settings,
        epoch: i64,
        spoken: &'b [String],
    ) -> Self {
        Self {
            stage,
            settings,
            epoch,
            notes: Vec::new(),
            spoken,
            newcomers: &[],
            private_sshd: false,
            files: OwnFiles::default(),
            script: Script::default(),
            directives: Vec::new(),
            wishes: Wishes::default(),
            firewall: crate::families::Firewall::default(),
            packages: OnceCell::new(),
            aide: false,
        }
    }

    /// What is there so far, without what is gathered.
    ///
    /// # Errors
    /// What every rule needs cannot be read.
    pub fn view(&self) -> Result<View<'_>, Error> {
        let packages = match self.packages.get() {
            Some(packages) => packages.clone(),
            None => {
                let packages = Facts::packages(self.stage)?;
                self.packages.get_or_init(|| packages).clone()
            }
        };
        View::with_packages(self.stage, self.settings, packages)
    }

    /// Adds a line to the file `path`, which is ours alone; once, however often it is asked for. The file is root's,
    /// with `mode`. `path` stands in [`crate::own_file::PATHS`].
    pub fn line(&mut self, path: &'static str, mode: u32, line: impl Into<String>) {
        self.files.line(path, mode, line.into());
    }

    /// The file `path`, which is ours alone, has this content. The words "Made by hardtack" are in it, by which it is
    /// known when no rule wants it any more.
    pub fn file(&mut self, path: &'static str, mode: u32, content: impl Into<String>) {
        self.files.whole(path, mode, content.into());
    }

    /// sshd's global directive has this value, unless the recipe itself speaks of it.
    pub fn sshd(&mut self, keyword: &str, value: &str) {
        if !self.spoken.iter().any(|spoken| spoken.eq_ignore_ascii_case(keyword)) {
            self.directives.push(Directive::new(keyword, value));
        }
    }

    /// The first boot runs `body`, lines of a POSIX shell, for the rule: status 0 is a pass, and what it prints is kept.
    /// Its `check` says [`View::at_first_boot`].
    pub fn first_boot(&mut self, rule: impl Into<String>, body: impl Into<String>) {
        self.script.add(rule.into(), body.into());
    }

    /// Sets the mode, and root as owner, of a path if it is there.
    ///
    /// # Errors
    /// The path cannot be changed.
    pub fn restrict(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        if self.stage.stat(path)?.is_some() {
            self.stage.set_mode(path, mode)?;
            self.stage.set_owner(path, 0, 0)?;
        }
        Ok(())
    }

    /// Writes what was gathered.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        pam::finish(self)?;
        // An empty section takes away an earlier one, and makes no file where there is none.
        if let Some(version) = sshd::installed(self.stage)?
            && (!self.directives.is_empty() || sshd::has_section(self.stage, SECTION)?)
        {
            let place = sshd::write_section(self.stage, version, SECTION, &self.directives, None)?;
            if self.settings.checker_friendly && place == Placement::DropIn {
                sshd::repeat_in_main(self.stage, version, SECTION)?;
            }
        }
        if self.private_sshd {
            self.restrict(sshd::DROP_IN, 0o600)?;
        }
        std::mem::take(&mut self.firewall).write(self)?;
        let init = self.view()?.facts.init;
        std::mem::take(&mut self.script).into_files(&mut self.files, self.stage, init)?;
        std::mem::take(&mut self.files).write(self.stage)?;
        if std::mem::take(&mut self.aide) {
            self.notes.extend(crate::families::write_aide_database(self.stage)?);
        }
        Ok(())
    }
}

/// Root's, with this mode.
pub(crate) fn root(mode: u32) -> Set {
    Set::all(mode, 0, 0)
}
