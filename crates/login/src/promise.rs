//! What a recipe promises of logins, and what breaks the promise.
//!
//! The build proves it of the image, `user-data check` of the image with user-data in it, and the agent of the
//! running machine, at every boot: all with [`Promise::check`].

mod pam;
mod ssh;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::sshd::{Config, Place, Setting};

pub use pam::{CODES, asks_for_code, module_path, own_line_fault};
pub use ssh::kept;

/// Weaknesses that are told: a hostile image could have any number.
const MOST: usize = 200;

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Promise {
    /// Directives of sshd_config(5), keyword and value, that hold for everybody.
    pub sshd: Vec<(String, String)>,
    /// Lines that the recipe put into `Match` blocks: all others that touch a factor break the promise.
    pub blocks: Vec<BlockPromise>,
    /// Directives that say who holds a key, with the values that they had in the image (as [`kept`] told them):
    /// whoever is added to them later is somebody that the recipe did not mean.
    pub kept: Vec<(String, Vec<String>)>,
    /// What PAM's services ask for.
    pub services: Vec<ServicePromise>,
}

/// A line in a `Match` block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockPromise {
    /// What stands behind `Match`.
    pub criteria: String,
    /// The directive.
    pub keyword: String,
    /// Its value.
    pub value: String,
}

/// What one service of PAM asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServicePromise {
    /// Its name below /etc/pam.d.
    pub service: String,
    /// Nobody gets through without a one-time code.
    pub code: bool,
    /// Nobody gets through without a password.
    pub password: bool,
    /// Nobody gets through at all.
    pub locked: bool,
}

/// One way in which less is asked for than promised, or in which nobody gets in any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weakness {
    /// What is found and what it does, with file and line: one sentence.
    pub what: String,
    /// What to do; empty where there is nothing to say.
    pub hint: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// What it is part of.
    pub about: About,
}

/// What a weakness is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// sshd's configuration, for everybody.
    #[default]
    Sshd,
    /// A `Match` block of it.
    Block,
    /// How sshd is started.
    Start,
    /// PAM's stacks.
    Pam,
}

impl Promise {
    /// Everything in which `files` ask for less than promised, or let nobody in at all; empty: the promise
    /// holds. Where the package database names no sshd, the newest one's grammar counts.
    ///
    /// # Errors
    /// A file cannot be read, or PAM or sshd could not make sense of it: whether the promise holds is not
    /// known then, so that it must be taken for broken.
    pub fn check<F: Files>(&self, files: &F) -> Result<Vec<Weakness>, F::Error> {
        self.check_shown(files, &Place::clone)
    }

    /// As [`check`](Self::check); the sentences name places as `shown` has them.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_shown<F: Files>(
        &self,
        files: &F,
        shown: &dyn Fn(&Place) -> Place,
    ) -> Result<Vec<Weakness>, F::Error> {
        let mut found = Found { shown, weaknesses: Vec::new() };
        ssh::check(self, files, &mut found)?;
        pam::check(self, files, &mut found)?;
        Ok(found.weaknesses)
    }

    /// Lines in `Match` blocks of `config` that the promise does not name, and that touch a factor.
    #[must_use]
    pub fn weakening_lines<'c>(&self, config: &'c Config) -> Vec<&'c Setting> {
        ssh::weakening(self, config)
    }
}

/// What was found, each sentence once.
struct Found<'s> {
    shown: &'s dyn Fn(&Place) -> Place,
    weaknesses: Vec<Weakness>,
}

impl Found<'_> {
    fn at(&self, place: &Place) -> Place {
        (self.shown)(place)
    }

    fn add(&mut self, about: About, place: Option<&Place>, what: String, hint: &str) {
        if self.weaknesses.len() < MOST && !self.weaknesses.iter().any(|known| known.what == what) {
            self.weaknesses.push(Weakness { what, hint: hint.to_owned(), place: place.cloned(), about });
        }
    }
}
