//! The machine's files for [`hardtack_login`]: as sshd and PAM would open them, links followed by the kernel.
//!
//! Reads are bounded and never wait. A name that is no UTF-8 is an error and not left out: sshd reads
//! such a file too.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use hardtack_login::{Fault, Files, Kind};
use rustix::fs::OFlags;

use crate::error::AgentError;
use crate::host::Host;

/// Names in one directory; more are nobody's configuration.
const MOST: usize = 10_000;
/// /dev/null, by which units and files are switched off.
const NULL: (u32, u32) = (1, 3);

/// The files below the root of a [`Host`]. Below another root than `/` an absolute link leaves it: for tests.
pub(crate) struct LoginFiles<'a>(pub(crate) &'a Host);

impl From<Fault> for AgentError {
    fn from(fault: Fault) -> Self {
        Self::text(fault.to_string())
    }
}

/// The path leads nowhere.
fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl Files for LoginFiles<'_> {
    type Error = AgentError;

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, AgentError> {
        let full = self.0.path(path);
        let fail = |error: std::io::Error| AgentError::io("read", &full, error);
        // NONBLOCK: a named pipe laid there must not hold the boot.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file: File = match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(&full) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let metadata = file.metadata().map_err(fail)?;
        let device = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
        if metadata.file_type().is_char_device() && device == NULL {
            return Ok(Some(Vec::new()));
        }
        if !metadata.is_file() {
            return Err(AgentError::text(format!("{path}: not a regular file")));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(AgentError::text(format!("{path}: larger than {limit} bytes")));
        }
        Ok(Some(bytes))
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, AgentError> {
        let full = self.0.path(path);
        match fs::metadata(&full) {
            Ok(metadata) if metadata.is_file() => Ok(Some(Kind::Regular)),
            Ok(metadata) if metadata.is_dir() => Ok(Some(Kind::Directory)),
            Ok(_) => Ok(Some(Kind::Special)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(AgentError::io("look at", &full, error)),
        }
    }

    fn link(&self, path: &str) -> Result<Option<String>, AgentError> {
        let full = self.0.path(path);
        match fs::read_link(&full) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            // INVAL: it is something else.
            Err(error) if is_missing(&error) || error.kind() == ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(AgentError::io("look at", &full, error)),
        }
    }

    fn names(&self, path: &str) -> Result<Vec<String>, AgentError> {
        let full = self.0.path(path);
        let fail = |error: std::io::Error| AgentError::io("read", &full, error);
        let entries = match fs::read_dir(&full) {
            Ok(entries) => entries,
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(fail(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(fail)?.file_name().into_string().map_err(|name| {
                AgentError::text(format!("{path}: the name {name:?} is not UTF-8; rename or remove the file"))
            })?;
            if names.len() == MOST {
                return Err(AgentError::text(format!("{path}: more than {MOST} names")));
            }
            names.push(name);
        }
        names.sort_unstable();
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::testing::Tree;

    #[test]
    fn files_are_seen_as_sshd_sees_them() {
        let tree = Tree::new()
            .file("etc/ssh/sshd_config", "Port 22\n")
            .link("etc/ssh/link", "sshd_config")
            .link("etc/ssh/dangling", "nowhere")
            .link("etc/ssh/off", "/dev/null")
            .link("etc/ssh/loop", "loop");
        let host = tree.host();
        let files = LoginFiles(&host);
        assert_eq!(files.read("/etc/ssh/link", 99).unwrap().unwrap(), b"Port 22\n");
        assert_eq!(files.read("/etc/ssh/off", 99).unwrap().unwrap(), b"");
        for missing in ["/etc/ssh/none", "/etc/ssh/dangling", "/etc/ssh/sshd_config/x"] {
            assert_eq!(files.read(missing, 99).unwrap(), None, "{missing}");
            assert_eq!(files.kind(missing).unwrap(), None, "{missing}");
        }
        assert!(files.read("/etc/ssh/sshd_config", 3).is_err(), "too long");
        assert!(files.read("/etc/ssh/loop", 99).is_err() && files.read("/etc/ssh", 99).is_err());
        assert_eq!(files.kind("/etc/ssh/off").unwrap(), Some(Kind::Special));
        assert_eq!(files.link("/etc/ssh/dangling").unwrap().as_deref(), Some("nowhere"));
        assert_eq!(files.link("/etc/ssh/sshd_config").unwrap(), None);
        assert_eq!(files.names("/etc/ssh").unwrap(), ["dangling", "link", "loop", "off", "sshd_config"]);
        assert!(files.names("/etc/none").unwrap().is_empty());
    }

    /// Left out it would be a hole: sshd includes it.
    #[test]
    fn a_name_that_is_no_text_is_an_error() {
        let tree = Tree::new().directory("etc/ssh/sshd_config.d");
        let name = std::ffi::OsStr::from_bytes(b"0\xff.conf");
        fs::write(tree.host().path("/etc/ssh/sshd_config.d").join(name), "").unwrap();
        let error = LoginFiles(&tree.host()).names("/etc/ssh/sshd_config.d").unwrap_err().to_string();
        assert!(error.contains("not UTF-8"), "{error}");
    }

    #[test]
    fn a_named_pipe_holds_nobody_up() {
        let tree = Tree::new().directory("etc");
        let path = tree.host().path("/etc/pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(LoginFiles(&tree.host()).read("/etc/pipe", 9).is_err());
    }
}
