//! Access keys of a Eucalyptus user.
//!
//! The order is requestbuilder's: a user on the command line, the environment, `AWS_CREDENTIAL_FILE`, the
//! configuration; eucarc is what would have been the environment had it been run. The file of `--eucarc`
//! comes before the environment, since somebody named it.

use std::path::Path;

use zeroize::Zeroizing;

use super::eucarc::Eucarc;
use super::{Asked, Euca};
use crate::credentials::{Credentials, environment, files};
use crate::{Environment, Error};

impl Euca {
    /// The user's keys; `looked` is told where there were none.
    pub(crate) fn keys(
        &self,
        environment: &Environment,
        looked: &mut Vec<String>,
    ) -> Result<Option<Credentials>, Error> {
        let Asked { region, user } = self.asked;
        if (region || user)
            && let Some(keys) = self.keys_of_user()?
        {
            return Ok(Some(keys));
        }
        if let Some(file) = &self.named {
            return match file.keys(environment)? {
                Some(keys) => Ok(Some(keys)),
                None => Err(Error::Credentials(format!(
                    "{}: no access keys in it (AWS_ACCESS_KEY and AWS_SECRET_KEY, or AWS_CREDENTIAL_FILE)",
                    file.path.display()
                ))),
            };
        }
        looked.push("the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)".to_owned());
        if let Some(keys) = environment::find(environment)? {
            return Ok(Some(keys));
        }
        looked.push("the file of AWS_CREDENTIAL_FILE".to_owned());
        if let Some(path) = environment.variable("AWS_CREDENTIAL_FILE")
            && let Some(keys) = credential_file(&files::expand(path, environment))?
        {
            return Ok(Some(keys));
        }
        looked.push(match &self.user {
            Some(user) => format!("[user {user}] of ~/.euca/*.ini"),
            None => "~/.euca/*.ini (no region of theirs is named)".to_owned(),
        });
        if let Some(keys) = self.keys_of_user()? {
            return Ok(Some(keys));
        }
        looked.push("~/.euca/eucarc and ~/.eucarc".to_owned());
        match &self.found {
            Some(file) => file.keys(environment),
            None => Ok(None),
        }
    }

    fn keys_of_user(&self) -> Result<Option<Credentials>, Error> {
        let Some(user) = &self.user else { return Ok(None) };
        let origin = format!("[user {user}] of euca2ools' files");
        pair(self.of_user("key-id"), self.of_user("secret-key"), ("key-id", "secret-key"), origin)
    }
}

impl Eucarc {
    fn keys(&self, environment: &Environment) -> Result<Option<Credentials>, Error> {
        let id = self.first(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "EC2_ACCESS_KEY"]);
        let secret = self.first(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "EC2_SECRET_KEY"]);
        let origin = self.path.display().to_string();
        let keys = pair(id, secret, ("AWS_ACCESS_KEY", "AWS_SECRET_KEY"), origin)?;
        match (keys, self.first(&["AWS_CREDENTIAL_FILE"])) {
            (Some(mut keys), _) => {
                keys.token = self.first(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]).map(Zeroizing::new);
                Ok(Some(keys))
            }
            (None, Some(path)) => credential_file(&files::expand(&path, environment)),
            (None, None) => Ok(None),
        }
    }
}

/// The file of the first EC2 tools: lines `AWSAccessKeyId=…` and `AWSSecretKey=…`.
pub(crate) fn credential_file(path: &Path) -> Result<Option<Credentials>, Error> {
    let bytes = files::read(path, "read the keys of AWS_CREDENTIAL_FILE")?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    let of = |name: &str| {
        let value = |line: &str| {
            let (have, value) = line.split_once('=')?;
            (have.trim() == name && !value.trim().is_empty()).then(|| value.trim().to_owned())
        };
        text.lines().find_map(value)
    };
    let names = ("AWSAccessKeyId", "AWSSecretKey");
    pair(of(names.0), of(names.1), names, path.display().to_string())
}

/// Both halves of an access key, or neither.
pub(crate) fn pair(
    id: Option<String>,
    secret: Option<String>,
    names: (&str, &str),
    origin: String,
) -> Result<Option<Credentials>, Error> {
    let (have, missing) = match (id, secret) {
        (None, None) => return Ok(None),
        (Some(id), Some(secret)) => {
            let secret = Zeroizing::new(secret);
            return Ok(Some(Credentials { id, secret, token: None, expires: None, origin }));
        }
        (Some(_), None) => names,
        (None, Some(_)) => (names.1, names.0),
    };
    Err(Error::Credentials(format!("{origin}: {have} is there and {missing} is not; give both, or neither")))
}
