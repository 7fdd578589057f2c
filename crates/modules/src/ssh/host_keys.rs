//! The machine's own keys (`cloudinit/config/cc_ssh.py`, the first half of `handle`).

use hardtack_userdata::options::get_list;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Finding, Kind, Map, Value};

use super::{Work, sshd_config};
use crate::action::{Action, Content};
use crate::machine::Machine;
use crate::reading::{SKIPPED, UNUSABLE, described, get};
use crate::system::read_text;

/// Types of keys that are made, in this order.
pub const TYPES: &[&str] = &["rsa", "ecdsa", "ed25519"];

const DIRECTORY: &str = "/etc/ssh";

/// The file of the private key of a type.
#[must_use]
pub fn file(kind: &str) -> String {
    format!("{DIRECTORY}/ssh_host_{kind}_key")
}

impl Work<'_> {
    pub(super) fn host_keys(&mut self) -> Result<(), Finding> {
        let config = self.request.config;
        if get(config, "ssh_deletekeys").is_none_or(truthy) {
            for name in self.machine.list(DIRECTORY) {
                // The pattern `ssh_host_*key*`.
                if name.strip_prefix("ssh_host_").is_some_and(|rest| rest.contains("key")) {
                    self.push(Action::Remove { path: format!("{DIRECTORY}/{name}") });
                }
            }
        }
        match get(config, "ssh_keys") {
            Some(value) => {
                let Some(keys) = value.as_map() else {
                    return Err(Finding::error(
                        UNUSABLE,
                        value.place,
                        format!(
                            "`ssh_keys` is {}, not a mapping: there are neither host keys nor login keys",
                            described(value)
                        ),
                    )
                    .at("ssh_keys")
                    .with_hint("write `ssh_keys: {ed25519_private: …, ed25519_public: …}`"));
                };
                self.given(keys)
            }
            None => {
                self.generate();
                Ok(())
            }
        }
    }

    /// Keys and certificates of the configuration.
    fn given(&mut self, keys: &Map) -> Result<(), Finding> {
        let mut certificates = Vec::new();
        for (key, value) in keys {
            let name = key.to_python_str();
            let path = format!("ssh_keys.{name}");
            if key.as_text().is_none() {
                let message = format!(
                    "the key {name} of `ssh_keys` is not text: keys behind it and all login keys are left out"
                );
                return Err(Finding::error(UNUSABLE, key.place, message).at(path).with_hint(
                    "known are rsa, ecdsa and ed25519, each with _private, _public and _certificate",
                ));
            }
            let known = name.rsplit_once('_').filter(|(kind, what)| {
                TYPES.contains(kind) && matches!(*what, "private" | "public" | "certificate")
            });
            let Some((kind, what)) = known else {
                self.outcome.findings.push(
                    Finding::warning(
                        SKIPPED,
                        key.place,
                        format!("ssh_keys has no key of the name {name}: it is skipped"),
                    )
                    .at(path)
                    .with_hint(
                        "known are rsa, ecdsa and ed25519, each with _private, _public and _certificate",
                    ),
                );
                continue;
            };
            let bytes = match &value.kind {
                Kind::Text(text) => text.as_bytes(),
                Kind::Bytes(bytes) => bytes,
                _ => {
                    return Err(Finding::error(
                        UNUSABLE,
                        value.place,
                        format!(
                            "{path} is {}, not text: keys behind it and all login keys are left out",
                            described(value)
                        ),
                    )
                    .at(path)
                    .with_hint("write the key behind `|`"));
                }
            };
            let file = file(kind);
            let (target, mode, content) = match what {
                "private" => (file, 0o600, Content::secret(bytes)),
                "public" => (format!("{file}.pub"), 0o644, Content::open(bytes)),
                _ => (format!("{file}-cert.pub"), 0o644, Content::open(bytes)),
            };
            if what == "certificate" {
                certificates.push(target.clone());
            }
            if what == "private" && !bytes.ends_with(b"\n") {
                self.outcome.findings.push(
                    Finding::warning(
                        "no-line-end",
                        value.place,
                        format!("{path} does not end with a line break: ssh-keygen refuses it"),
                    )
                    .at(path)
                    .with_hint("write the key behind `|`, not `|-`"),
                );
            }
            self.push(Action::Write { path: target, content, mode: Some(mode), owner: None });
        }
        let lines: Vec<(&str, &str)> =
            certificates.iter().map(|path| ("HostCertificate", path.as_str())).collect();
        for action in sshd_config::append(&self.machine, &lines) {
            self.push(action);
        }
        for kind in TYPES {
            let has = |what: &str| get(keys, &format!("{kind}_{what}")).is_some();
            if has("private") && !has("public") {
                let private = file(kind);
                let public = format!("{private}.pub");
                let details = vec![("private".to_owned(), private), ("public".to_owned(), public)];
                self.push(Action::Live { what: "public-host-key", details });
            }
        }
        Ok(())
    }

    /// Fresh keys.
    fn generate(&mut self) {
        let config = self.request.config;
        let wanted = get_list(config, "ssh_genkeytypes").map_or_else(
            || TYPES.iter().map(|kind| (*kind).to_owned()).collect(),
            |items| items.iter().map(Value::to_python_str).collect::<Vec<_>>(),
        );
        let fips =
            read_text(&self.machine, "/proc/sys/crypto/fips_enabled").is_some_and(|text| text.trim() == "1");
        for kind in wanted {
            let file = file(&kind);
            if (fips && kind == "ed25519") || self.machine.exists(&file) {
                continue;
            }
            if !TYPES.contains(&kind.as_str()) {
                let place = get(config, "ssh_genkeytypes").map(|value| value.place).unwrap_or_default();
                self.outcome.findings.push(
                    Finding::warning(
                        "bad-key-type",
                        place,
                        format!("ssh-keygen makes no host key of type {kind}"),
                    )
                    .at("ssh_genkeytypes")
                    .with_hint("known are rsa, ecdsa and ed25519"),
                );
            }
            if !self.machine.exists(DIRECTORY) {
                self.push(Action::Directory { path: DIRECTORY.to_owned(), mode: 0o755, owner: None });
            }
            let argv = ["ssh-keygen", "-t", &kind, "-N", "", "-f", &file];
            self.push(Action::Run {
                argv: argv.map(str::to_owned).to_vec(),
                stdin: None,
                environment: vec![("LANG".to_owned(), "C".to_owned())],
                optional: true,
            });
            if self.request.distro.family == "redhat" {
                // Group `ssh_keys` and mode 0640 where sshd is older than 9 and the group is there.
                let details = vec![("file".to_owned(), file)];
                self.push(Action::Live { what: "redhat-host-key", details });
            }
        }
    }
}
