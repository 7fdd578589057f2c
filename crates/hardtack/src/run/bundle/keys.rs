//! Certificates, keys and sessions out of files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hardtack_bundle::{PrivateKey, PublicKey, Session};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::random;

/// No certificate and no key is larger.
const LARGEST: u64 = 1 << 20;

/// Reads a small file; `what` is it.
fn read(path: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, CliError> {
    let fail = |error| CliError::io(path, &format!("read {what}"), error);
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).map_err(fail)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > LARGEST {
        return Err(CliError::usage(format!("{}: too large for {what}", path.display())));
    }
    Ok(bytes)
}

/// The certificate's key.
pub(in crate::run) fn certificate(path: &Path) -> Result<PublicKey, CliError> {
    Ok(PublicKey::from_certificate(&read(path, "the certificate")?, path)?)
}

/// The private key.
pub(in crate::run) fn private(path: &Path) -> Result<PrivateKey, CliError> {
    Ok(PrivateKey::from_pem(&read(path, "the private key")?, path)?)
}

/// Key and vector of the file; without one, new ones.
pub(in crate::run) fn session(path: Option<&Path>) -> Result<Session, CliError> {
    let Some(path) = path else {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(&mut *bytes)
            .map_err(|error| CliError::io(Path::new("/dev/urandom"), "take random bytes", error))?;
        return Ok(Session::new(&bytes));
    };
    let bytes = read(path, "key and vector")?;
    std::str::from_utf8(&bytes).ok().and_then(Session::from_text).ok_or_else(|| {
        CliError::usage(format!("{}: no key and vector, of 32 hexadecimal digits each", path.display()))
            .hint("`openssl rand -hex 16` makes one of them; the file holds two lines")
    })
}
