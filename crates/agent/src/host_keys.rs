//! SSH's host keys, where nobody else has made them by the time SSH is about to start.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hardtack_credentials::AgentConfig;

use crate::error::AgentError;
use crate::host::Host;
use crate::journal;
use crate::packages::within;

/// A slow machine with little entropy needs long for RSA.
const PATIENCE: Duration = Duration::from_secs(300);

/// Makes those that the image's `ssh-keygen` thinks right, if there are none at all.
pub(crate) fn run(host: &Host, config: &AgentConfig) -> Result<(), AgentError> {
    if !config.host_keys || exist(host) {
        return Ok(());
    }
    let program =
        ["/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"].into_iter().find(|path| host.exists(path));
    let program = program
        .ok_or_else(|| AgentError::text("there are no SSH host keys, and no ssh-keygen to make them"))?;
    let mut command = Command::new(program);
    command.arg("-A");
    if !host.is_live() {
        command.arg("-f").arg(host.path("/"));
    }
    // Its words are for nobody.
    let status = within(command, Instant::now() + PATIENCE)?;
    if !status.success() || !exist(host) {
        return Err(AgentError::text(format!("ssh-keygen -A: {status}; there are no SSH host keys")));
    }
    journal::say("made SSH's host keys");
    // Where units have no order SSH has given up by now.
    if host.is_live() && !host.exists("/run/systemd/system") {
        for service in ["ssh", "sshd"] {
            if host.exists(&format!("/etc/init.d/{service}"))
                || host.exists(&format!("/etc/init/{service}.conf"))
            {
                let mut command = Command::new("service");
                let _ = command.args([service, "start"]).stdin(Stdio::null()).status();
            }
        }
    }
    Ok(())
}

fn exist(host: &Host) -> bool {
    host.names("/etc/ssh").iter().any(|name| {
        let path = host.path(&format!("/etc/ssh/{name}"));
        name.starts_with("ssh_host_")
            && name.ends_with("_key")
            && path.metadata().is_ok_and(|known| known.is_file() && known.len() > 0)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{Tree, has};

    #[test]
    fn keys_are_made_where_there_are_none_and_kept_where_there_are() {
        if !has("ssh-keygen") {
            return;
        }
        let config = AgentConfig { host_keys: true, ..AgentConfig::default() };
        let tree = Tree::new().file("usr/bin/ssh-keygen", "").file("etc/ssh/ssh_host_rsa_key", "");
        run(&tree.host(), &AgentConfig::default()).unwrap();
        assert_eq!(tree.read("etc/ssh/ssh_host_rsa_key"), "", "nobody asked for keys");
        run(&tree.host(), &config).unwrap();
        let made = tree.read("etc/ssh/ssh_host_ed25519_key");
        assert!(made.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"), "{made}");
        run(&tree.host(), &config).unwrap();
        assert_eq!(tree.read("etc/ssh/ssh_host_ed25519_key"), made);
        let none = Tree::new().directory("etc/ssh");
        let error = run(&none.host(), &config).unwrap_err().to_string();
        assert!(error.contains("no ssh-keygen"), "{error}");
    }
}
