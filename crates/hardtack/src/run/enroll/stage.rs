//! What enrolment changes in a guest.
//!
//! The agent keeps a mark for every user whose secret needs no printing any more; a secret that is
//! printed here gets one at once, and one that is taken away loses it.

use hardtack_credentials::secret_file::{FILE_MODE, FILE_NAME};
use hardtack_credentials::{AgentConfig, SecretFile, TotpConfig};
use hardtack_guest::{FileType, Set, Stage, accounts};

use crate::error::CliError;

const CONFIG: &str = "/etc/hardtack/agent.json";
const USED: &str = "/var/lib/hardtack/used";
/// A host name is a line; the agent's configuration holds keys and is larger.
const CONFIG_LIMIT: u64 = 4 << 20;

/// What the image says about itself.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) recipe: String,
    pub(super) hostname: String,
    pub(super) totp: TotpConfig,
    pub(super) warnings: Vec<String>,
}

/// Reads what the build told the agent, where there is one.
pub(super) fn facts(stage: &Stage<'_>) -> Result<Facts, CliError> {
    let config: Option<AgentConfig> = match stage.read_limited(CONFIG, CONFIG_LIMIT)? {
        // Its text may hold a password hash: the error quotes nothing but the place.
        Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| {
            let place = format!("{CONFIG}:{}:{}", error.line(), error.column());
            CliError::refused(format!("{place}: this is not what a build writes"))
        })?),
        None => None,
    };
    let hostname = stage.read_limited("/etc/hostname", 4096).ok().flatten().unwrap_or_default();
    let hostname = String::from_utf8_lossy(&hostname).lines().next().unwrap_or_default().trim().to_owned();
    let mut warnings = vec![
        "the secret lies in the image: every machine started from a copy of it has the same one".to_owned(),
    ];
    let mut facts = Facts { hostname, ..Facts::default() };
    match config {
        Some(config) => {
            facts.recipe = config.recipe;
            facts.totp = config.mfa.map(|mfa| mfa.totp).unwrap_or_default();
            if config.overlay.is_some() {
                warnings.push(
                    "the root is an overlay: the secret lies below it, unencrypted, and used codes are \
                     forgotten when the overlay is made anew"
                        .to_owned(),
                );
            }
        }
        None => {
            warnings.push(format!("{CONFIG} is missing: no build put multi-factor login into this image"))
        }
    }
    if facts.hostname.is_empty() {
        facts.hostname = "image".to_owned();
    }
    facts.warnings = warnings;
    Ok(facts)
}

/// Writes the new secret file, or removes the one that is there.
pub(super) fn enroll(stage: &mut Stage<'_>, name: &str, new: Option<&SecretFile>) -> Result<(), CliError> {
    stage.set_step("enroll");
    let Some(user) = accounts::user(stage, name)? else {
        let known = accounts::users(stage)?;
        let people: Vec<&str> = known
            .iter()
            .filter(|user| user.uid == 0 || (1000..60_000).contains(&user.uid))
            .map(|user| user.name.as_str())
            .collect();
        let text = format!("/etc/passwd: no user \"{}\"; it has {}", name.escape_debug(), people.join(", "));
        return Err(
            CliError::refused(text).hint("a user who is made at the first boot is enrolled by that boot")
        );
    };
    // The name becomes part of a path below.
    if name.contains('/') || name.starts_with('.') || !user.home.starts_with('/') {
        return Err(CliError::refused(format!(
            "/etc/passwd: user \"{}\" has no usable home",
            name.escape_debug()
        )));
    }
    let home = user.home.trim_end_matches('/');
    let path = format!("{home}/{FILE_NAME}");
    let mark = format!("{USED}/{name}");
    let found = stage.lstat(&path)?.map(|metadata| metadata.kind);
    let Some(new) = new else {
        if found == Some(FileType::Directory) {
            return Err(CliError::refused(format!("{path}: a directory, not a secret file")));
        }
        stage.remove(&path)?;
        stage.remove(&mark)?;
        return Ok(());
    };
    if stage.stat(&user.home)?.is_none_or(|metadata| metadata.kind != FileType::Directory) {
        let text = format!("{}: the home of {name} is no directory in this image", user.home);
        return Err(CliError::refused(text).hint("--clear needs none: the boot that makes the home enrols"));
    }
    match found {
        None | Some(FileType::Regular) => {}
        Some(FileType::Symlink) => stage.remove(&path)?,
        Some(other) => {
            return Err(CliError::refused(format!("{path}: {}, not a secret file", other.describe())));
        }
    }
    let content = new.render();
    stage.add_secret(content.trim_end());
    stage.add_secret(new.secret());
    stage.write(&path, content, Set::all(FILE_MODE, user.uid, user.gid))?;
    if stage.stat(CONFIG)?.is_some() {
        stage.mkdir("/var/lib/hardtack", Set::all(0o700, 0, 0))?;
        stage.mkdir(USED, Set::all(0o700, 0, 0))?;
        stage.write(&mark, "", Set::all(0o600, 0, 0))?;
    }
    Ok(())
}
