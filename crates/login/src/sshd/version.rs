//! Which OpenSSH the machine has, from its package database.

use std::fmt;

use crate::files::{Fault, Files};

/// A package database is no longer than this.
const LARGEST: u64 = 64 << 20;

/// A release of OpenSSH, without the portable part: 9.2 for `9.2p1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// The first release with `AuthenticationMethods`.
    pub const AUTHENTICATION_METHODS: Self = Self::new(6, 2);
    /// The first release with `Include`.
    pub const INCLUDE: Self = Self::new(8, 2);

    /// One that no package database names: newer than all that is known, so that words which nobody here
    /// knows are none that it would stop at.
    pub const UNKNOWN: Self = Self::new(99, 0);

    /// Release `major.minor`.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    pub(super) const fn pair(self) -> (u32, u32) {
        (self.major, self.minor)
    }

    /// Reads a package version: `1:9.2p1-2+deb12u5`, `6.6p1`, `10.0p2-1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let upstream = text.rsplit_once(':').map_or(text, |(_, rest)| rest);
        let (major, rest) = upstream.split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The release of the installed `openssh-server`; `None` when the package database has none.
///
/// # Errors
/// The database cannot be read, or the version is not one of OpenSSH.
pub fn installed<F: Files>(files: &F) -> Result<Option<Version>, F::Error> {
    const STATUS: &str = "/var/lib/dpkg/status";
    let Some(status) = files.read(STATUS, LARGEST)? else { return Ok(None) };
    let status = String::from_utf8_lossy(&status);
    for stanza in status.split("\n\n") {
        let field = |name: &str| {
            stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        if field("Package") != Some("openssh-server") {
            continue;
        }
        // "unpacked", "half-configured" and the like have their files in place too.
        let state = field("Status").and_then(|status| status.rsplit(' ').next());
        if matches!(state, Some("not-installed" | "config-files") | None) {
            continue;
        }
        let text = field("Version").unwrap_or_default();
        return Version::parse(text).map(Some).ok_or_else(|| {
            Fault {
                path: STATUS.to_owned(),
                line: None,
                what: format!("openssh-server has the version {text:?}, which is none of OpenSSH"),
            }
            .into()
        });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::memory::MemoryFiles;

    #[test]
    fn package_versions_are_read() {
        for (text, wanted) in [
            ("1:9.2p1-2+deb12u5", Some((9, 2))),
            ("1:10.0p1-7", Some((10, 0))),
            ("1:6.6p1-2ubuntu2.13", Some((6, 6))),
            ("1:5.9p1-5ubuntu1", Some((5, 9))),
            ("", None),
            ("1:x", None),
        ] {
            assert_eq!(Version::parse(text).map(Version::pair), wanted, "{text}");
        }
    }

    #[test]
    fn only_an_installed_server_counts() {
        let status = "Package: openssh-client\nStatus: install ok installed\nVersion: 1:9.9p1-1\n\n\
                      Package: openssh-server\nStatus: STATE\nVersion: 1:9.2p1-2+deb12u5\nDescription: x\n y\n";
        for (state, wanted) in [
            ("install ok installed", Some(Version::new(9, 2))),
            ("install ok unpacked", Some(Version::new(9, 2))),
            ("deinstall ok config-files", None),
        ] {
            let files = MemoryFiles::new().file("/var/lib/dpkg/status", status.replace("STATE", state));
            assert_eq!(installed(&files).unwrap(), wanted, "{state}");
        }
        assert_eq!(installed(&MemoryFiles::new()).unwrap(), None);
    }
}
