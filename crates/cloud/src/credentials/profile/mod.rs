//! `~/.aws/config` and `~/.aws/credentials`: profiles, SSO sessions, services.
//!
//! Both files are one: what `credentials` says of a profile stands before what `config` says of it. Source:
//! botocore 1.44 (`session.py`, `configprovider.py`).

mod ini;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ini::{Section, Sections, Value};

use super::files;
use crate::{Environment, Error};

/// Names of profiles in a message, at most.
const NAMED: usize = 10;

/// All profiles.
pub(crate) struct Profiles {
    /// Of `config`.
    profiles: BTreeMap<String, Section>,
    /// Of `credentials`.
    shared: BTreeMap<String, Section>,
    sessions: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
    /// The profile that was named, else `default`.
    pub(crate) chosen: String,
    /// It was named on the command line.
    pub(crate) asked: bool,
    config: PathBuf,
    credentials: PathBuf,
}

/// One profile.
#[derive(Clone, Copy)]
pub(crate) struct Profile<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What `credentials` says.
    shared: Option<&'a Section>,
    /// What `config` says.
    settings: Option<&'a Section>,
}

impl Profiles {
    /// Reads both files; neither need exist.
    ///
    /// # Errors
    /// A file that cannot be read or has a wrong line; a profile that is named and in no file.
    pub(crate) fn read(asked: Option<&str>, environment: &Environment) -> Result<Self, Error> {
        let path = |variable: &str, name: &str| match environment.variable(variable) {
            Some(path) => Some(files::expand(path, environment)),
            None => environment.home.as_ref().map(|home| home.join(".aws").join(name)),
        };
        let sections = |path: &Option<PathBuf>| match path {
            Some(path) => match files::read_if_there(path, "read the configuration")? {
                Some(bytes) => ini::parse(&bytes, path),
                None => Ok(Sections::new()),
            },
            None => Ok(Sections::new()),
        };
        let config_path = path("AWS_CONFIG_FILE", "config");
        let credentials_path = path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let asked = asked.filter(|name| !name.is_empty());
        let named = asked.or_else(|| environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
        let mut this = Self {
            profiles: BTreeMap::new(),
            shared: sections(&credentials_path)?,
            sessions: BTreeMap::new(),
            services: BTreeMap::new(),
            chosen: named.unwrap_or("default").to_owned(),
            asked: asked.is_some(),
            config: config_path.clone().unwrap_or_else(|| "~/.aws/config".into()),
            credentials: credentials_path.clone().unwrap_or_else(|| "~/.aws/credentials".into()),
        };
        for (name, section) in sections(&config_path)? {
            let (place, name) = match name.split_once(' ') {
                Some(("profile", name)) => (&mut this.profiles, name),
                Some(("sso-session", name)) => (&mut this.sessions, name),
                Some(("services", name)) => (&mut this.services, name),
                // `[profile default]` stands before `[default]`, and comes later in the order of names.
                None if name == "default" => (&mut this.profiles, "default"),
                _ => continue,
            };
            place.insert(name.to_owned(), section);
        }
        if named.is_some() {
            this.get(&this.chosen)?;
        }
        Ok(this)
    }

    /// A profile.
    ///
    /// # Errors
    /// There is none of that name.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Result<Profile<'a>, Error> {
        let (shared, settings) = (self.shared.get(name), self.profiles.get(name));
        if shared.is_none() && settings.is_none() {
            return Err(Error::Usage(self.unknown(name)));
        }
        Ok(Profile { name, shared, settings })
    }

    /// The profile that was named, or `default`, which need not exist.
    pub(crate) fn chosen(&self) -> Option<Profile<'_>> {
        self.get(&self.chosen).ok()
    }

    /// A section `[sso-session NAME]`.
    pub(crate) fn session<'a>(&'a self, name: &'a str) -> Option<Profile<'a>> {
        self.sessions.get(name).map(|settings| Profile { name, shared: None, settings: Some(settings) })
    }

    /// `endpoint_url` for a service: of the profile's `services` section, else of the profile.
    ///
    /// # Errors
    /// There is no such `services` section.
    pub(crate) fn endpoint(&self, service: &str) -> Result<Option<String>, Error> {
        let Some(profile) = self.chosen() else { return Ok(None) };
        if let Some(name) = profile.text("services") {
            let section = self.services.get(name).ok_or_else(|| {
                Error::Usage(format!(
                    "the profile {} has services = {name}, and {} has no section [services {name}]",
                    profile.name,
                    self.config.display()
                ))
            })?;
            if let Some(Value::Nested(settings)) = section.get(service)
                && let Some(url) = settings.get("endpoint_url")
            {
                return Ok(Some(url.clone()));
            }
        }
        Ok(profile.text("endpoint_url").map(str::to_owned))
    }

    /// Both files, for messages.
    pub(crate) fn looked(&self) -> String {
        format!("the profile {} of {} and {}", self.chosen, self.credentials.display(), self.config.display())
    }

    fn unknown(&self, name: &str) -> String {
        let names: BTreeSet<&str> =
            self.profiles.keys().chain(self.shared.keys()).map(String::as_str).collect();
        let mut known: Vec<&str> = names.iter().copied().take(NAMED).collect();
        if names.len() > NAMED {
            known.push("…");
        }
        let known = if known.is_empty() { "no profile".to_owned() } else { known.join(", ") };
        let (credentials, config) = (self.credentials.display(), self.config.display());
        format!("there is no profile {name} in {credentials} and {config}; they have: {known}")
    }
}

impl<'a> Profile<'a> {
    /// A setting that has a value, of either file.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.text_of(true, name).or_else(|| self.text_of(false, name))
    }

    /// A setting of `credentials` (`shared`) or of `config`.
    pub(crate) fn text_of(&self, shared: bool, name: &str) -> Option<&'a str> {
        let section = if shared { self.shared } else { self.settings };
        match section?.get(name) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        }
    }

    /// It has one of them.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.text(name).is_some())
    }
}

/// The address that environment or profile give a service, by its name in variables (`ec2`, `sso_oidc`).
///
/// The order is AWS': the service's variable, the variable of all, the profile's `services`, the profile;
/// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` turns all of it off.
pub(crate) fn configured_endpoint(
    profiles: &Profiles,
    service: &str,
    environment: &Environment,
) -> Result<Option<String>, Error> {
    let ignore = match environment.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        Some(value) => value.eq_ignore_ascii_case("true"),
        None => profiles
            .chosen()
            .and_then(|profile| profile.text("ignore_configured_endpoint_urls"))
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
    };
    if ignore {
        return Ok(None);
    }
    let variable = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase());
    match environment.first(&[&variable, "AWS_ENDPOINT_URL"]) {
        Some(url) => Ok(Some(url.to_owned())),
        None => profiles.endpoint(service),
    }
}
