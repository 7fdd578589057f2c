//! Certificates, keys and sessions out of files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use hardtack_bundle::{PrivateKey, PublicKey, Session};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::keys::legacy::LegacyPem;
use crate::keys::passphrase::{Source, Tty, Unlock};
use crate::keys::{Unusable, pem, pkcs8};
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

/// The private key. The passphrase on it is the first line of `passphrase_file`, else it is asked for.
pub(in crate::run) fn private(path: &Path, passphrase_file: Option<&Path>) -> Result<PrivateKey, CliError> {
    let bytes = read(path, "the private key")?;
    let unusable = |found: Unusable, advice: String| {
        CliError::usage(format!("{}: {}", path.display(), found.what)).hint(advice)
    };
    let locked = Locked::of(&bytes).map_err(|found| {
        let path = path.display();
        let advice = format!("`openssl rsa -in {path} -out PLAIN` makes a copy without a passphrase");
        unusable(found, advice)
    })?;
    let Some(locked) = locked else { return Ok(PrivateKey::from_pem(&bytes, path)?) };
    let mut person = Tty;
    let mut source = Source::new(passphrase_file, &mut person)?;
    source.unlock(path, |passphrase| locked.unlock(passphrase))?.map_err(|found| {
        let advice = found.advice.replace("KEY ", &format!("{} ", path.display()));
        unusable(found, advice)
    })
}

/// A key under a passphrase.
enum Locked {
    /// RFC 1421's headers.
    Legacy(LegacyPem),
    /// PKCS#8's `EncryptedPrivateKeyInfo`.
    Pkcs8(Zeroizing<Vec<u8>>),
}

impl Locked {
    /// `None`: there is no passphrase on the key, or it is none.
    fn of(bytes: &[u8]) -> Result<Option<Self>, Unusable> {
        let Some(text) = pem::text(bytes) else { return Ok(None) };
        let Ok(Some(pem)) = pem::find(&text, |label| label.ends_with("PRIVATE KEY")) else { return Ok(None) };
        if pem.label == "ENCRYPTED PRIVATE KEY" {
            pkcs8::check_encrypted(&pem.body)?;
            return Ok(Some(Self::Pkcs8(pem.body)));
        }
        Ok(LegacyPem::of(&pem)?.map(Self::Legacy))
    }

    fn unlock(&self, passphrase: &[u8]) -> Unlock<PrivateKey> {
        let (key, is_certain) = match self {
            // One wrong passphrase in 256 leaves something that looks like padding.
            Self::Legacy(legacy) => (legacy.decrypt(passphrase).map(|der| PrivateKey::from_der(&der)), false),
            Self::Pkcs8(der) => {
                let document = pkcs8::decrypt(der, passphrase);
                (document.map(|document| PrivateKey::from_der(document.as_bytes())), true)
            }
        };
        match key {
            Some(Some(key)) => Unlock::Opened(key),
            Some(None) if is_certain => Unlock::Unusable(Unusable::new(
                "no RSA key, and bundles know no other",
                "give the key of your certificate",
            )),
            _ => Unlock::WrongPassphrase,
        }
    }
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
