//! Small files of the user's: configurations, tokens.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{Environment, Error};

/// No configuration and no token is larger.
const LARGEST: u64 = 1 << 20;

/// Reads a small file; `what` says what is tried, as an infinitive.
pub(crate) fn read(path: &Path, what: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let fail = |error| Error::file(path, what, error);
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).map_err(fail)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(fail(std::io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
    }
    Ok(bytes)
}

/// The same, of a file that need not exist.
pub(crate) fn read_if_there(path: &Path, what: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    match read(path, what) {
        Err(Error::File { source, .. })
            if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// A path that begins with `~/` lies in the home directory.
pub(crate) fn expand(path: &str, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~/"), &environment.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
