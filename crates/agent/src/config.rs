//! What the build told the agent, and where the agent keeps what it knows.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use hardtack_credentials::AgentConfig;
use hardtack_credentials::agent_config::VERSION;

use crate::error::AgentError;
use crate::host::Host;

/// Written by the build, 0600: it may hold password hashes.
pub(crate) const CONFIG: &str = "/etc/hardtack/agent.json";
/// What must survive a reboot.
pub(crate) const STATE: &str = "/var/lib/hardtack";
/// What must not.
pub(crate) const RUNTIME: &str = "/run/hardtack";

/// Reads `/etc/hardtack/agent.json`.
pub(crate) fn load(host: &Host) -> Result<AgentConfig, AgentError> {
    let bytes = host.read(CONFIG)?.ok_or_else(|| {
        AgentError::text(format!("{CONFIG} is missing: the image was not built with an agent step"))
    })?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<AgentConfig, AgentError> {
    // serde_json's text quotes what it found, and that may be a hash: only the place is told.
    let wrong = |error: serde_json::Error| {
        AgentError::text(format!("{CONFIG}:{}:{}: not what the build writes", error.line(), error.column()))
    };
    let config: AgentConfig = serde_json::from_slice(bytes).map_err(wrong)?;
    if config.version > VERSION {
        return Err(AgentError::text(format!(
            "{CONFIG}: version {}, and this agent knows {VERSION}; the image holds an older agent than the build's",
            config.version
        )));
    }
    Ok(config)
}

/// Makes a directory of ours, 0700, and returns its path.
pub(crate) fn directory(host: &Host, path: &str) -> Result<std::path::PathBuf, AgentError> {
    let full = host.path(path);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&full)
        .map_err(|error| AgentError::io("create", &full, error))?;
    // It may be there already, with a mode that somebody else has given it.
    let closed = |error: std::io::Error| AgentError::io("set the mode of", &full, error);
    let known = full.symlink_metadata().map_err(closed)?;
    if known.is_dir() && known.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(&full, fs::Permissions::from_mode(0o700)).map_err(closed)?;
    }
    Ok(full)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn absent_parts_are_absent() {
        let config = parse(
            br#"{"version":1,"recipe":"r","mfa":{"users":["u"]},"accounts":[{"name":"u","password_hash":"$6$x"}]}"#,
        )
        .unwrap();
        assert_eq!(config.mfa.unwrap().users, ["u"]);
        assert_eq!(config.accounts[0].password_hash, "$6$x");
        assert!(parse(b"{}").unwrap().accounts.is_empty());
    }

    #[test]
    fn an_error_names_the_place_and_quotes_nothing() {
        let text =
            parse(br#"{"accounts":[{"name":"u","password_hash":"$6$secret"],}"#).err().unwrap().to_string();
        assert!(text.contains("agent.json:1:") && !text.contains("secret"), "{text}");
        let newer = parse(br#"{"version":9}"#).err().unwrap().to_string();
        assert!(newer.contains("version 9"), "{newer}");
    }

    #[test]
    fn directories_of_ours_are_closed() {
        let tree = crate::testing::Tree::new().directory("run/hardtack");
        let host = tree.host();
        for path in [RUNTIME, STATE] {
            let full = host.path(path);
            let _ = fs::set_permissions(&full, fs::Permissions::from_mode(0o755));
            assert_eq!(directory(&host, path).unwrap(), full);
            assert_eq!(full.metadata().unwrap().permissions().mode() & 0o7777, 0o700, "{path}");
        }
    }
}
