//! Where access keys are looked for, in order. The first place that has some, or says that it should, counts.
//!
//! AWS (botocore 1.44, `create_credential_resolver`): the environment, unless `--profile` names a profile; the
//! profile's role; a web identity token; SSO; `~/.aws/credentials`; `credential_process`; `~/.aws/config`;
//! `AWS_CREDENTIAL_FILE`; the container; the machine, when it was asked for. Eucalyptus: see `euca`.

use std::sync::Arc;

use super::euca::{Euca, credential_file, pair};
use super::profile::{Profile, Profiles};
use super::{Credentials, container, environment, files, machine, process, role, sso};
use crate::{Environment, Error, Kind, Place, PlaceOptions};

/// Profiles that lead from one to the next.
const LONGEST: usize = 16;

/// What is looked for.
pub(super) struct Search {
    pub(super) kind: Kind,
    pub(super) options: PlaceOptions,
    pub(super) environment: Arc<Environment>,
    /// The machine may be asked.
    pub(super) instance_metadata: bool,
}

impl Search {
    /// Looks everywhere.
    pub(super) fn find(&self) -> Result<Credentials, Error> {
        let mut looked = Vec::new();
        // Who names a profile of AWS' files for Eucalyptus keeps its keys there.
        let found = match (self.kind, &self.options.profile) {
            (Kind::Euca, None) => {
                Euca::read(&self.options, &self.environment)?.keys(&self.environment, &mut looked)?
            }
            _ => self.aws(&mut looked)?,
        };
        if let Some(keys) = found {
            return Ok(keys);
        }
        if self.instance_metadata {
            return machine::find(self.kind, &self.environment);
        }
        Err(Error::Credentials(format!(
            "no access keys are found in {}; --instance-metadata asks for the role of this machine, too",
            looked.join(", ")
        )))
    }

    fn aws(&self, looked: &mut Vec<String>) -> Result<Option<Credentials>, Error> {
        let environment = &*self.environment;
        let profiles = Profiles::read(self.options.profile.as_deref(), environment)?;
        if !profiles.asked {
            looked.push("the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)".to_owned());
            if let Some(keys) = environment::find(environment)? {
                return Ok(Some(keys));
            }
        }
        let chosen = profiles.chosen();
        if let Some(profile) = chosen
            && let Some(arn) = assumed(profile)
        {
            return self.assumed(&profiles, profile, arn, &mut vec![profile.name.to_owned()]).map(Some);
        }
        if !profiles.asked {
            looked.push("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned());
            if let Some(keys) = self.web_identity(&profiles)? {
                return Ok(Some(keys));
            }
        }
        looked.push(profiles.looked());
        if let Some(profile) = chosen
            && let Some(keys) = self.of_profile(&profiles, profile)?
        {
            return Ok(Some(keys));
        }
        if !profiles.asked
            && let Some(path) = environment.variable("AWS_CREDENTIAL_FILE")
            && let Some(keys) = credential_file(&files::expand(path, environment))?
        {
            return Ok(Some(keys));
        }
        looked.push("the container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, …_FULL_URI)".to_owned());
        container::find(environment)
    }

    /// The keys of a profile that takes no role.
    fn of_profile(&self, profiles: &Profiles, profile: Profile<'_>) -> Result<Option<Credentials>, Error> {
        let environment = &self.environment;
        if let Some(file) = profile.text("web_identity_token_file") {
            let arn = profile.text("role_arn").ok_or_else(|| {
                let name = profile.name;
                Error::Credentials(format!(
                    "the profile {name} has a web_identity_token_file, and role_arn is missing"
                ))
            })?;
            let path = files::expand(file, environment);
            let session = profile.text("role_session_name");
            return role::by_web_identity(arn, session, &path, self.place(profiles)?, environment).map(Some);
        }
        if profile.has(&sso::SETTINGS) {
            return sso::find(profile, profiles, environment).map(Some);
        }
        if let Some(keys) = fixed(profile, true)? {
            return Ok(Some(keys));
        }
        if profile.text("login_session").is_some() {
            let name = profile.name;
            return Err(Error::Credentials(format!(
                "the profile {name} signs in by `aws login`, whose sessions only AWS' own tools can read; run \
                 `eval \"$(aws configure export-credentials --profile {name} --format env)\"` first"
            )));
        }
        if let Some(line) = profile.text("credential_process") {
            return process::find(line, profile.name, process::LIMIT, environment).map(Some);
        }
        fixed(profile, false)
    }

    /// The keys of a profile's role; `visited` are the profiles that led here.
    fn assumed(
        &self,
        profiles: &Profiles,
        profile: Profile<'_>,
        arn: &str,
        visited: &mut Vec<String>,
    ) -> Result<Credentials, Error> {
        let name = profile.name;
        let fail = |what: String| Error::Credentials(format!("the profile {name} {what}"));
        if let Some(serial) = profile.text("mfa_serial") {
            return Err(fail(format!(
                "wants a code of the device {serial}, and nobody is asked for one here; run `eval \"$(aws \
                 configure export-credentials --profile {name} --format env)\"` first"
            )));
        }
        let keys = match (profile.text("source_profile"), profile.text("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(fail("has source_profile and credential_source; one of them must go".to_owned()));
            }
            (None, None) => {
                return Err(fail(
                    "takes a role, and has neither source_profile nor credential_source".to_owned(),
                ));
            }
            (None, Some(source)) => self.of_source(name, source)?,
            (Some(source), None) => {
                let from =
                    profiles.get(source).map_err(|error| fail(format!("has source_profile: {error}")))?;
                let own = source == name && has_fixed(from);
                if visited.iter().any(|name| name == source) && !own {
                    let way = visited.join(", ");
                    return Err(fail(format!("comes back to the profile {source} (on the way {way})")));
                }
                if visited.len() >= LONGEST {
                    return Err(fail(format!("stands behind {LONGEST} others, and more are not followed")));
                }
                visited.push(source.to_owned());
                match assumed(from).filter(|_| !has_fixed(from)) {
                    Some(arn) => self.assumed(profiles, from, arn, visited)?,
                    None => self.of_profile(profiles, from)?.ok_or_else(|| {
                        fail(format!("has source_profile = {source}, and that profile has no keys"))
                    })?,
                }
            }
        };
        role::assume(profile, arn, keys, self.place(profiles)?, &self.environment)
    }

    /// The keys of `credential_source`.
    fn of_source(&self, profile: &str, source: &str) -> Result<Credentials, Error> {
        let missing = |what: &str| {
            Error::Credentials(format!("the profile {profile} has credential_source = {source}, and {what}"))
        };
        match source {
            "Environment" => environment::find(&self.environment)?
                .ok_or_else(|| missing("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")),
            "EcsContainer" => container::find(&self.environment)?
                .ok_or_else(|| missing("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set")),
            // The profile asks for it.
            "Ec2InstanceMetadata" => machine::find(self.kind, &self.environment),
            _ => Err(missing("there are Environment, EcsContainer and Ec2InstanceMetadata")),
        }
    }

    /// The role of the environment's web identity token.
    fn web_identity(&self, profiles: &Profiles) -> Result<Option<Credentials>, Error> {
        let environment = &self.environment;
        let Some(file) = environment.variable("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
        let of_profile = || profiles.chosen().and_then(|profile| profile.text("role_arn"));
        let arn = environment.variable("AWS_ROLE_ARN").or_else(of_profile).ok_or_else(|| {
            Error::Credentials(
                "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: set both".to_owned(),
            )
        })?;
        let session = environment.variable("AWS_ROLE_SESSION_NAME");
        let path = files::expand(file, environment);
        role::by_web_identity(arn, session, &path, self.place(profiles)?, environment).map(Some)
    }

    /// Where STS is: in the region that is worked in.
    fn place(&self, profiles: &Profiles) -> Result<Place, Error> {
        // A profile for Eucalyptus says by its address where its STS is.
        if self.kind == Kind::Euca && profiles.chosen().is_some_and(|profile| profile.has(&["endpoint_url"]))
        {
            return Place::find(Kind::Aws, &self.options, &self.environment);
        }
        Place::find(self.kind, &self.options, &self.environment)
    }
}

/// The role that a profile takes with other keys.
fn assumed(profile: Profile<'_>) -> Option<&str> {
    profile.text("role_arn").filter(|_| !profile.has(&["web_identity_token_file"]))
}

const FIXED: (&str, &str) = ("aws_access_key_id", "aws_secret_access_key");

fn has_fixed(profile: Profile<'_>) -> bool {
    profile.has(&[FIXED.0, FIXED.1])
}

/// Keys that stand in `~/.aws/credentials` (`shared`) or in `~/.aws/config`. Halves of both are no pair.
fn fixed(profile: Profile<'_>, shared: bool) -> Result<Option<Credentials>, Error> {
    let text = |name: &str| profile.text_of(shared, name).map(str::to_owned);
    let file = if shared { "~/.aws/credentials" } else { "~/.aws/config" };
    let origin = format!("the profile {} of {file}", profile.name);
    let keys = pair(text(FIXED.0), text(FIXED.1), FIXED, origin)?;
    let token = text("aws_session_token").or_else(|| text("aws_security_token"));
    Ok(keys.map(|keys| Credentials { token: token.map(Into::into), ..keys }))
}
