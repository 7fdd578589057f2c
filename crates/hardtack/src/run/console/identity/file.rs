//! The bytes of a key file: bounded, and wiped when they are done with.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::CliError;
use crate::keys::Unusable;

/// An RSA key of 16384 bits has 13 kB in PEM; a text may stand before it.
const LIMIT: u64 = 256 * 1024;

/// Reads a file or a pipe (`<(pass show key)`); never more than a key can be long.
pub(crate) fn read(path: &Path) -> Result<Result<Zeroizing<Vec<u8>>, Unusable>, CliError> {
    let fail = |error| CliError::io(path, "read the private key", error);
    let kind = std::fs::metadata(path).map_err(fail)?.file_type();
    if kind.is_socket() {
        return Ok(Err(Unusable::new(
            "a socket, of an ssh-agent perhaps: an agent signs, it does not decrypt",
            "give the file of the private key",
        )));
    }
    if kind.is_dir() {
        return Ok(Err(Unusable::new("a directory", "give the file of the private key in it")));
    }
    let file = File::open(path).map_err(fail)?;
    // Room for everything at once: a vector that grows leaves copies of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(LIMIT).unwrap_or_default() + 64));
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LIMIT {
        let text = format!("longer than {} KiB: no private key is", LIMIT / 1024);
        return Ok(Err(Unusable::new(text, "give the file of the private key")));
    }
    Ok(Ok(bytes))
}
