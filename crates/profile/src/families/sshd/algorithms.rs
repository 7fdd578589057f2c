//! Which algorithms sshd offers: as many of the good ones as the image's own release knows, and no other.
//!
//! A name that sshd does not know stops it from starting, and distributions carry newer ones back (the
//! `sntrup761x25519-sha512` of Debian 12's 9.2): what a release is known for is looked up in the program, too.
//! The lists are those of ssh-audit's policies "Hardened Debian 12 (version 3)" and "Hardened Debian 13 (version 1)".

use std::collections::BTreeSet;

use hardtack_guest::Stage;
use hardtack_guest::sshd::Version;

use super::host_keys;
use super::server::{Fault, PROGRAM, installed, judge, nowhere, place, set};
use crate::{Bench, Error, Finding, Measure, Settings, View};

/// sshd is a good deal smaller.
const LARGEST: u64 = 32 << 20;
const STRICT_KEX: &str = "kex-strict-s-v00@openssh.com";
const CHACHA: &str = "chacha20-poly1305@openssh.com";
/// The first release whose own list of ciphers has none in CBC mode.
const NO_CBC: Version = Version::new(6, 7);
/// The first release with a key exchange that a quantum computer does not break.
const POST_QUANTUM: Version = Version::new(8, 5);

/// A name, and the first release that has it.
struct Name(&'static str, Version);

const fn name(name: &'static str, major: u32, minor: u32) -> Name {
    Name(name, Version::new(major, minor))
}

const KEX: &[Name] = &[
    name("mlkem768x25519-sha256", 9, 9),
    name("sntrup761x25519-sha512", 9, 9),
    name("sntrup761x25519-sha512@openssh.com", 8, 5),
    name("curve25519-sha256", 7, 4),
    name("curve25519-sha256@libssh.org", 6, 5),
    name("diffie-hellman-group16-sha512", 7, 3),
    name("diffie-hellman-group18-sha512", 7, 3),
    name("diffie-hellman-group-exchange-sha256", 0, 0),
];

const CIPHERS: &[Name] = &[
    name(CHACHA, 6, 5),
    name("aes256-gcm@openssh.com", 6, 2),
    name("aes256-ctr", 0, 0),
    name("aes192-ctr", 0, 0),
    name("aes128-gcm@openssh.com", 6, 2),
    name("aes128-ctr", 0, 0),
];

const MACS: &[Name] = &[
    name("hmac-sha2-256-etm@openssh.com", 6, 2),
    name("hmac-sha2-512-etm@openssh.com", 6, 2),
    name("umac-128-etm@openssh.com", 6, 2),
];
/// Before those.
const OLD_MACS: &[Name] = &[name("hmac-sha2-256", 5, 9), name("hmac-sha2-512", 5, 9)];

/// Of host keys, and of users' keys.
const KEYS: &[Name] = &[
    name("ssh-ed25519", 6, 5),
    name("ssh-ed25519-cert-v01@openssh.com", 6, 5),
    name("sk-ssh-ed25519@openssh.com", 8, 2),
    name("sk-ssh-ed25519-cert-v01@openssh.com", 8, 2),
    name("rsa-sha2-512", 7, 2),
    name("rsa-sha2-512-cert-v01@openssh.com", 7, 8),
    name("rsa-sha2-256", 7, 2),
    name("rsa-sha2-256-cert-v01@openssh.com", 7, 8),
];

/// What an sshd can do.
pub(super) struct Server {
    pub(super) version: Version,
    /// The names of algorithms that stand in the program; `None`: it cannot be looked at.
    names: Option<BTreeSet<&'static str>>,
}

impl Server {
    pub(super) fn look(stage: &Stage<'_>, version: Version) -> Self {
        let program = stage.read_limited(PROGRAM, LARGEST).ok().flatten();
        let names = program.map(|bytes| names_in(&bytes)).filter(|names| !names.is_empty());
        Self { version, names }
    }

    fn knows(&self, name: &Name) -> bool {
        match &self.names {
            Some(names) => names.contains(name.0),
            None => self.version >= name.1,
        }
    }

    /// Whether it keeps sequence numbers across the key exchange: without that, ChaCha20 can be cut short
    /// (Terrapin, CVE-2023-48795). Official since 9.6, carried back by distributions that are still kept.
    fn is_strict(&self) -> bool {
        // Since 9.8 its name stands in sshd-session.
        match &self.names {
            _ if self.version >= Version::new(9, 6) => true,
            Some(names) => names.contains(STRICT_KEX),
            None => self.version >= Version::new(7, 6),
        }
    }
}

/// Those of our names that stand in the program as words.
fn names_in(program: &[u8]) -> BTreeSet<&'static str> {
    let all = || {
        let lists = [KEX, CIPHERS, MACS, OLD_MACS, KEYS];
        lists.into_iter().flatten().map(|name| name.0).chain([STRICT_KEX])
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"@.-".contains(byte);
    let words = program.split(|byte| !is_name(byte)).filter(|word| (8..64).contains(&word.len()));
    words.filter_map(|word| all().find(|name| name.as_bytes() == word)).collect()
}

/// One of sshd's lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Kex,
    Ciphers,
    Macs,
    HostKeys,
    Users,
}

impl List {
    /// The directive of this release.
    fn keyword(self, version: Version) -> &'static str {
        match self {
            Self::Kex => "KexAlgorithms",
            Self::Ciphers => "Ciphers",
            Self::Macs => "MACs",
            Self::HostKeys => "HostKeyAlgorithms",
            Self::Users if version < Version::new(8, 5) => "PubkeyAcceptedKeyTypes",
            Self::Users => "PubkeyAcceptedAlgorithms",
        }
    }

    /// What this sshd is told; empty: it has none of them, or no such directive.
    pub(super) fn names(self, server: &Server, settings: &Settings) -> Vec<&'static str> {
        let known = |list: &'static [Name]| list.iter().filter(|name| server.knows(name)).map(|name| name.0);
        match self {
            Self::Kex => {
                known(KEX).filter(|name| !settings.post_quantum_only || is_post_quantum(name)).collect()
            }
            Self::Ciphers => known(CIPHERS).filter(|name| *name != CHACHA || server.is_strict()).collect(),
            Self::Macs => {
                let mut names: Vec<&str> = known(MACS).collect();
                // The order of the policies differs.
                if server.version >= Version::new(9, 6) && names.len() > 1 {
                    names.swap(0, 1);
                }
                if names.is_empty() { known(OLD_MACS).collect() } else { names }
            }
            Self::HostKeys | Self::Users => known(KEYS).collect(),
        }
    }
}

fn is_post_quantum(name: &str) -> bool {
    name.starts_with("mlkem768") || name.starts_with("sntrup761")
}

/// Nothing but the good ones is offered.
pub(super) struct Algorithms(pub(super) List);

impl Measure for Algorithms {
    fn apply(&self, bench: &mut Bench<'_, '_>) -> Result<(), Error> {
        let Some(version) = installed(bench)? else { return Ok(()) };
        let server = Server::look(bench.stage, version);
        let names = self.0.names(&server, bench.settings);
        let keyword = self.0.keyword(version);
        if names.is_empty() && self.0 == List::Kex && bench.settings.post_quantum_only {
            return Err(Error::Refused {
                rule: "sshd-kex",
                what: format!("OpenSSH {version} has no key exchange that a quantum computer does not break"),
                hint: format!(
                    "take an image with OpenSSH {POST_QUANTUM} or newer, or take post-quantum-only out"
                ),
            });
        }
        if !names.is_empty() {
            set(bench, version, keyword, &names.join(","));
        }
        if self.0 == List::Kex && names.contains(&"diffie-hellman-group-exchange-sha256") {
            host_keys::moduli(bench, version)?;
        }
        Ok(())
    }

    fn check(&self, view: &View<'_>) -> Result<Finding, Error> {
        judge(view, |config| {
            let server = Server::look(view.stage, config.version());
            let keyword = self.0.keyword(server.version);
            if super::server::known(keyword, server.version).is_none() {
                return Ok(Vec::new());
            }
            let Some(line) = config.global(keyword).first().copied() else {
                if self.0 == List::Ciphers && server.version >= NO_CBC && server.is_strict() {
                    return Ok(Vec::new());
                }
                return Ok(vec![(
                    nowhere(),
                    format!("{keyword} is set nowhere: sshd's own list has weak ones"),
                )]);
            };
            let blocks = config.overrides(keyword);
            let mut faults: Vec<Fault> = Vec::new();
            for line in std::iter::once(line).chain(blocks) {
                if let Some(what) = self.fault(&line.words, &server, view.settings) {
                    faults.push((place(&line.place), format!("{keyword}: {what}")));
                }
            }
            if self.0 == List::Kex {
                faults.extend(host_keys::small_moduli(view.stage, config)?);
            }
            Ok(faults)
        })
    }
}

impl Algorithms {
    fn fault(&self, words: &[String], server: &Server, settings: &Settings) -> Option<String> {
        let list = words.first().map(String::as_str).unwrap_or_default();
        if list.starts_with(['+', '-', '^']) {
            return Some(format!("{list} changes sshd's own list, which has weak ones"));
        }
        let all: &[&[Name]] = match self.0 {
            List::Kex => &[KEX],
            List::Ciphers => &[CIPHERS],
            List::Macs => &[MACS],
            List::HostKeys | List::Users => &[KEYS],
        };
        let known = self.0.names(server, settings);
        let good = |name: &str| {
            let listed = all.iter().copied().flatten().any(|one| one.0 == name);
            let apart = name == CHACHA || (self.0 == List::Kex && settings.post_quantum_only);
            known.contains(&name) || (listed && !apart)
        };
        let weak: Vec<&str> = list.split(',').filter(|name| !good(name)).collect();
        (!weak.is_empty()).then(|| format!("offers {}", weak.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(major: u32, minor: u32, names: &[&'static str]) -> [String; 4] {
        let names = (!names.is_empty()).then(|| names.iter().copied().collect());
        let server = Server { version: Version::new(major, minor), names };
        let settings = Settings::default();
        [List::Kex, List::Ciphers, List::Macs, List::HostKeys]
            .map(|list| list.names(&server, &settings).join(","))
    }

    const OLD_CIPHERS: &str =
        "aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-gcm@openssh.com,aes128-ctr";

    #[test]
    fn lists_by_release() {
        let etm = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com";
        // Ubuntu 14.04: ChaCha20 without the strict key exchange is left out.
        let [kex, ciphers, macs, _] = lists(6, 6, &[]);
        assert_eq!(kex, "curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256");
        assert_eq!((ciphers.as_str(), macs.as_str()), (OLD_CIPHERS, etm));
        // Ubuntu 16.04.
        let [kex, ciphers, _, keys] = lists(7, 2, &[]);
        assert_eq!(kex, "curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256");
        assert_eq!(ciphers, OLD_CIPHERS);
        assert_eq!(keys, "ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512,rsa-sha2-256");
        // Ubuntu 18.04.
        let [kex, ciphers, ..] = lists(7, 6, &[]);
        assert_eq!(
            kex,
            "curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group16-sha512,\
             diffie-hellman-group18-sha512,diffie-hellman-group-exchange-sha256"
        );
        assert_eq!(ciphers, format!("{CHACHA},{OLD_CIPHERS}"));
        let [kex, ..] = lists(9, 2, &[]);
        assert!(kex.starts_with("sntrup761x25519-sha512@openssh.com,curve25519-sha256,"), "{kex}");
        let [kex, _, macs, _] = lists(10, 0, &[]);
        assert!(
            kex.starts_with("mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@"),
            "{kex}"
        );
        assert!(macs.starts_with("hmac-sha2-512-etm@"), "{macs}");
        // Ubuntu 12.04 has no MAC over what is encrypted.
        assert_eq!(lists(5, 9, &[])[2], "hmac-sha2-256,hmac-sha2-512");
    }

    #[test]
    fn the_program_has_the_last_word() {
        assert!(lists(10, 0, &[CHACHA])[1].contains(CHACHA));
        let [kex, ciphers, ..] = lists(9, 2, &["sntrup761x25519-sha512", "aes256-ctr", CHACHA]);
        assert_eq!((kex.as_str(), ciphers.as_str()), ("sntrup761x25519-sha512", "aes256-ctr"));
        let program =
            b"\0,curve25519-sha256,kex-strict-s-v00@openssh.com\0xsntrup761x25519-sha512\x01aes128-ctr\0";
        let found: Vec<&str> = names_in(program).into_iter().collect();
        assert_eq!(found, ["aes128-ctr", "curve25519-sha256", STRICT_KEX]);
    }
}
