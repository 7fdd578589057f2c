//! Verdicts and plans, rendered for people and programs.
//!
//! A [`Control`] is one thing that was looked at, whoever asked for it: a step of a recipe, a rule of
//! a profile. A [`Verdict`] is all of them for one image, and [`PlanPage`] what would change in one.
//! Everything in them is text of images and recipes, so every renderer takes it for hostile.
//!
//! Secrets are taken out before anything comes here.

#![forbid(unsafe_code)]

mod code_quality;
mod html;
mod junit;
mod plan;
mod sarif;
mod text;
mod visible;

use serde::Serialize;

pub use junit::{xml_attribute, xml_text};
pub use plan::{Entry, Fact, PlanPage};
pub use text::{Look, wrapped};
pub use visible::visible;

/// The version of the JSON of verdicts.
pub const VERDICT_SCHEMA: u32 = 1;

/// What a control came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It says nothing about this image.
    NotApplicable,
    /// It is left alone on purpose; `why` is the reason.
    Exception,
    /// The first boot does it or looks at it; `why` says what that is.
    FirstBoot,
}

impl Outcome {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotApplicable => "n/a",
            Self::Exception => "skip",
            Self::FirstBoot => "boot",
        }
    }
}

/// A place in the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// An absolute path of the guest.
    pub path: String,
    /// The line in it, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
}

impl Place {
    /// A file as a whole.
    #[must_use]
    pub fn file(path: impl Into<String>) -> Self {
        Self { path: path.into(), line: None }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.path),
            None => f.write_str(&self.path),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Control {
    /// The same from run to run, and one of its kind in a verdict: `files/3 write /etc/motd`.
    pub id: String,
    /// What holds when it passes, in a sentence or less.
    pub title: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Why it failed or does not apply, one fact a line; empty when it passed.
    pub why: String,
    /// Where in the image.
    #[serde(rename = "where")]
    pub places: Vec<Place>,
    /// What to do about a failure.
    pub help: String,
}

/// All controls for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The program's version.
    pub version: String,
    /// The image, as it was named.
    pub image: String,
    /// The recipe or profile, as it was named.
    pub against: String,
    /// The controls in the order in which they are told.
    pub controls: Vec<Control>,
    /// What people should know besides.
    pub notes: Vec<String>,
}

/// How many controls came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// They hold.
    pub pass: usize,
    /// They do not.
    pub fail: usize,
    /// They say nothing about this image.
    #[serde(rename = "not-applicable")]
    pub not_applicable: usize,
    /// They are left alone on purpose.
    pub exception: usize,
    /// They are left to the first boot.
    #[serde(rename = "first-boot")]
    pub first_boot: usize,
}

#[derive(Serialize)]
struct JsonVerdict<'a> {
    schema: u32,
    version: &'a str,
    image: &'a str,
    against: &'a str,
    passed: bool,
    counts: Counts,
    controls: &'a [Control],
    notes: &'a [String],
}

impl Verdict {
    /// How many controls came to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for control in &self.controls {
            match control.outcome {
                Outcome::Pass => counts.pass += 1,
                Outcome::Fail => counts.fail += 1,
                Outcome::NotApplicable => counts.not_applicable += 1,
                Outcome::Exception => counts.exception += 1,
                Outcome::FirstBoot => counts.first_boot += 1,
            }
        }
        counts
    }

    /// Whether no control failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.counts().fail == 0
    }

    /// A line for each control, what is wrong below it, and a summary.
    #[must_use]
    pub fn to_text(&self, look: Look) -> String {
        text::render(self, look)
    }

    /// JSON, one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = JsonVerdict {
            schema: VERDICT_SCHEMA,
            version: &self.version,
            image: &self.image,
            against: &self.against,
            passed: self.passed(),
            counts: self.counts(),
            controls: &self.controls,
            notes: &self.notes,
        };
        // Strings, numbers and lists of them always serialise.
        serde_json::to_string(&json).unwrap_or_default() + "\n"
    }

    /// JUnit's XML, a test case for each control.
    #[must_use]
    pub fn to_junit(&self) -> String {
        junit::render(self)
    }

    /// GitLab's report of code quality: a list of what failed.
    #[must_use]
    pub fn to_code_quality(&self) -> String {
        code_quality::render(self)
    }

    /// SARIF 2.1.0: a rule for each control, a result for each that failed.
    #[must_use]
    pub fn to_sarif(&self) -> String {
        sarif::render(self)
    }

    /// One HTML file that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::verdict(self)
    }
}

#[cfg(test)]
mod tests;
