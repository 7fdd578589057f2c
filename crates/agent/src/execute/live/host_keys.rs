//! Host keys of the SSH server (`cloudinit/config/cc_ssh.py`, `cc_keys_to_console.py`,
//! `tools/write-ssh-key-fingerprints`).

use std::os::unix::fs::{PermissionsExt, fchown};
use std::time::Duration;

use hardtack_http::{Limits, Method, Request};
use hardtack_modules::ssh::console;
use hardtack_modules::system::rfc2822;

use super::Details;
use crate::error::AgentError;
use crate::execute::run::{self, PATIENCE, Program};
use crate::execute::{Execution, files, owners};

const DIRECTORY: &str = "/etc/ssh";
/// Where Google's metadata server takes host keys (`cloudinit/sources/DataSourceGCE.py`).
const GUEST_ATTRIBUTES: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/guest-attributes/hostkeys";
/// From this version on sshd wants private keys for root alone.
const STRICT: (u32, u32) = (9, 0);

/// The public keys: their files' names and texts, in the order of names.
fn public_keys(cx: &Execution<'_>) -> Vec<(String, String)> {
    cx.host
        .names(DIRECTORY)
        .into_iter()
        .filter(|name| name.starts_with("ssh_host_") && name.ends_with("key.pub"))
        .filter_map(|name| Some((cx.host.read_text(&format!("{DIRECTORY}/{name}")).ok()??, name)))
        .map(|(text, name)| (name, text))
        .collect()
}

/// `host-keys-on-console`.
pub(super) fn host_keys_on_console(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let texts: Vec<String> = public_keys(cx).into_iter().map(|(_, text)| text).collect();
    let words = |name| details.all(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let prefix = log_prefix(crate::now());
    let text = console::host_keys(&texts, &words("no-fingerprint"), &words("no-key"), &prefix);
    cx.log.console_or_output(format!("{}\n", text.trim()).as_bytes());
    Ok(())
}

/// What `logger -s -p user.info -t cloud-init` writes before its text: `<14>May  1 22:18:34 cloud-init: `, here in
/// UTC.
fn log_prefix(seconds: u64) -> String {
    let time = rfc2822(seconds);
    let mut words = time.split([' ', ',']).filter(|word| !word.is_empty()).skip(1);
    let day = words.next().unwrap_or("1").trim_start_matches('0').to_owned();
    let month = words.next().unwrap_or("Jan");
    let clock = words.nth(1).unwrap_or("00:00:00");
    format!("<14>{month} {day:>2} {clock} cloud-init: ")
}

/// `public-host-key`: the public half of a private key of the configuration. A failure is told and forgotten.
pub(super) fn public_host_key(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let (private, public) = (details.need("private")?, details.need("public")?);
    let argv = ["ssh-keygen", "-yf", private];
    let program = Program { argv: &argv, patience: Some(PATIENCE), ..Program::default() };
    let done = run::capture(cx.host, cx.log, &program).and_then(|ended| {
        if !ended.status.success() {
            return Err(run::failure("ssh-keygen", &ended, None));
        }
        let text = format!("{} root@localhost\n", ended.text().trim_end_matches('\n'));
        files::write(cx, public, text.as_bytes(), None, None)
    });
    if let Err(error) = done {
        cx.log.warn(&format!("{public} is not made from {private}: {error}"));
    }
    Ok(())
}

/// `redhat-host-key`: owner and mode as the distribution's own tool gives them.
pub(super) fn redhat_host_key(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    let file = details.need("file")?;
    let old = sshd_version(cx).is_some_and(|version| version < STRICT);
    let group = owners::group(cx.host, "ssh_keys")?;
    let set = |path: &str, group: Option<u32>, mode: u32| {
        let full = cx.host.path(path);
        let work = || -> std::io::Result<()> {
            let opened = std::fs::File::open(&full)?;
            if group.is_some() {
                fchown(&opened, None, group)?;
            }
            opened.set_permissions(std::fs::Permissions::from_mode(mode))
        };
        work().map_err(|error| AgentError::io("set owner and mode of", &full, error))
    };
    set(file, group, if old { 0o640 } else { 0o600 })?;
    set(&format!("{file}.pub"), None, 0o644)
}

/// The version of the machine's sshd, from what it says about an option that it does not know.
fn sshd_version(cx: &Execution<'_>) -> Option<(u32, u32)> {
    let argv = ["sshd", "-V"];
    let program = Program { argv: &argv, patience: Some(PATIENCE), ..Program::default() };
    let ended = run::capture(cx.host, cx.log, &program).ok()?;
    version(&ended.tail.text())
}

/// `OpenSSH_8.0p1, …`.
fn version(text: &str) -> Option<(u32, u32)> {
    let rest = text.split_once("OpenSSH_")?.1;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `publish-host-keys`: to Google's metadata server. A failure is told and forgotten.
pub(super) fn publish_host_keys(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    // At that address of another cloud somebody else may answer.
    if !matches!(cx.found.source, hardtack_datasource::Source::Gce) {
        return Ok(());
    }
    let not: Vec<String> = details.all("not").iter().map(|kind| format!("ssh_host_{kind}_key.pub")).collect();
    for (name, text) in public_keys(cx) {
        if not.contains(&name) || !name.ends_with("_key.pub") {
            continue;
        }
        let mut words = text.split_whitespace();
        let (Some(kind), Some(key)) = (words.next(), words.next()) else { continue };
        let url = format!("{GUEST_ATTRIBUTES}/{kind}");
        let request = Request {
            method: Method::Put,
            url: &url,
            headers: &[("Metadata-Flavor", "Google")],
            body: key.as_bytes(),
            limits: Limits {
                connect: Duration::from_secs(5),
                total: Duration::from_secs(10),
                body: 64 << 10,
                redirects: 0,
            },
        };
        let why = match cx.web.send(&request) {
            Ok(response) if (200..300).contains(&response.status) => continue,
            Ok(response) => format!("the server answers {}", response.status),
            Err(error) => error.to_string(),
        };
        cx.log.warn(&format!("the host key {kind} is not published: {why}"));
        // The server that takes one takes all.
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_loggers() {
        assert_eq!(log_prefix(1_778_451_514), "<14>May 10 22:18:34 cloud-init: ");
        assert_eq!(log_prefix(12), "<14>Jan  1 00:00:12 cloud-init: ");
    }

    #[test]
    fn versions_of_sshd_are_found() {
        assert_eq!(version("unknown option -- V\nOpenSSH_8.0p1, OpenSSL 1.1.1k"), Some((8, 0)));
        assert_eq!(version("OpenSSH_9.2p1 Debian-2+deb12u3"), Some((9, 2)));
        assert_eq!(version("OpenSSH_10.0, x").map(|version| version < STRICT), Some(false));
        assert_eq!(version("sshd: not found"), None);
    }
}
