//! What an image holds, as far as it matters to an installation.

use std::collections::HashSet;

use hardtack_guest::Stage;
use hardtack_guest::dpkg::admin::Architectures;
use hardtack_guest::dpkg::control::{Stanza, split};
use hardtack_guest::dpkg::depends::Group;
use hardtack_guest::dpkg::{Database, Package};

use crate::{Error, index};

/// An installed package.
#[derive(Clone, Debug)]
pub struct Held {
    /// Name, version, relations.
    pub package: Package,
    /// `Recommends`.
    pub recommends: Vec<Group>,
    /// `Essential: yes` or `Protected: yes`.
    pub essential: bool,
    /// `hold`.
    pub hold: bool,
    /// Asked for by somebody, not only a dependency.
    pub manual: bool,
}

/// The packages of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its architectures.
    pub architectures: Architectures,
    /// What is installed, by name and architecture.
    pub held: Vec<Held>,
    /// `APT::Default-Release`.
    pub default_release: Option<String>,
    /// Settings of apt that are not honoured, by file and line.
    pub ignored: Vec<String>,
}

impl Image {
    /// Reads an image.
    ///
    /// # Errors
    /// No dpkg in it, or a database that cannot be read.
    pub fn read(stage: &Stage<'_>) -> Result<Self, Error> {
        let database = Database::read(stage)?.ok_or_else(|| {
            Error::source("/var/lib/dpkg/status", "is not there: the image has no packages of dpkg")
        })?;
        let architectures = Architectures::read(stage, &database)?;
        let automatic = automatic(stage)?;
        let mut held = Vec::new();
        for entry in database.entries().iter().filter(|entry| entry.state.is_unpacked()) {
            let Some(package) = entry.package.clone() else { continue };
            let stanza = Stanza::parse(&entry.text(), "/var/lib/dpkg/status", 1)?;
            let recommends = index::recommends(&stanza)
                .map_err(|what| Error::source("/var/lib/dpkg/status", format!("{}: {what}", package.name)))?;
            // apt's list has the image's own architecture for packages of all.
            let architecture = match package.architecture.as_str() {
                "all" => architectures.native.clone(),
                other => other.to_owned(),
            };
            held.push(Held {
                recommends,
                essential: index::is_essential(&stanza),
                hold: entry.want == "hold",
                manual: !automatic.contains(&(package.name.clone(), architecture)),
                package,
            });
        }
        held.sort_by(|a, b| {
            (&a.package.name, &a.package.architecture).cmp(&(&b.package.name, &b.package.architecture))
        });
        let (default_release, ignored) = settings(stage)?;
        Ok(Self { architectures, held, default_release, ignored })
    }

    /// An installed package by `name` or `name:arch`; the image's own architecture first.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        let (name, architecture) = match name.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture)),
            None => (name, None),
        };
        let of = |wanted: &dyn Fn(&str) -> bool| {
            self.held.iter().position(|held| held.package.name == name && wanted(&held.package.architecture))
        };
        match architecture {
            Some(architecture) => of(&|own| own == architecture || own == "all"),
            None => of(&|own| own == self.architectures.native || own == "all").or_else(|| of(&|_| true)),
        }
    }

    /// The name, with the architecture where that is not the image's own.
    pub(crate) fn label(&self, package: &Package) -> String {
        if package.architecture == "all" || package.architecture == self.architectures.native {
            package.name.clone()
        } else {
            format!("{}:{}", package.name, package.architecture)
        }
    }
}

/// `/var/lib/apt/extended_states`: what was only taken as a dependency.
fn automatic(stage: &Stage<'_>) -> Result<HashSet<(String, String)>, Error> {
    let path = "/var/lib/apt/extended_states";
    let text = stage.read_text(path)?.unwrap_or_default();
    let mut found = HashSet::new();
    for (line, raw) in split(text.as_bytes()) {
        let stanza = Stanza::parse(&String::from_utf8_lossy(raw), path, line)?;
        if stanza.get("Auto-Installed") == Some("1")
            && let (Some(name), Some(architecture)) = (stanza.get("Package"), stanza.get("Architecture"))
        {
            found.insert((name.to_owned(), architecture.to_owned()));
        }
    }
    Ok(found)
}

/// `APT::Default-Release`, and pins, which are told and not followed.
fn settings(stage: &Stage<'_>) -> Result<(Option<String>, Vec<String>), Error> {
    let list = |folder: &str| -> Result<Vec<String>, Error> {
        let mut names: Vec<String> =
            stage.list(folder)?.into_iter().map(|entry| format!("{folder}/{}", entry.name)).collect();
        names.sort();
        Ok(names)
    };
    let (mut default_release, mut ignored) = (None, Vec::new());
    let mut files = list("/etc/apt/apt.conf.d")?;
    files.push("/etc/apt/apt.conf".to_owned());
    for file in files {
        let text = stage.read_text(&file)?.unwrap_or_default();
        for line in text.lines() {
            let line = line.trim();
            let Some(rest) = line.strip_prefix("APT::Default-Release") else { continue };
            let value = rest.trim().trim_end_matches(';').trim().trim_matches('"');
            default_release = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
    }
    let mut files = list("/etc/apt/preferences.d")?;
    files.push("/etc/apt/preferences".to_owned());
    for file in files {
        let text = stage.read_text(&file)?.unwrap_or_default();
        for (line, raw) in split(text.as_bytes()) {
            let text = String::from_utf8_lossy(raw);
            let has = |field: &str| text.lines().any(|line| line.starts_with(field));
            if has("Package:") && has("Pin:") {
                ignored.push(format!("{file}:{line}: a pin, which is not followed"));
            }
        }
    }
    Ok((default_release, ignored))
}
