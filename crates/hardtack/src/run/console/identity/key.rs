//! A private key, whatever its format: usable, locked by a passphrase, or of no use.

use std::path::Path;

use age::ssh::Identity as SshIdentity;
use age::x25519;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ssh_key::{Algorithm, HashAlg, Kdf, LineEnding, PrivateKey};
use zeroize::Zeroizing;

use super::pkcs;
use crate::keys::legacy::LegacyPem;
use crate::keys::passphrase::Unlock;
use crate::keys::{Unusable, pem, pkcs8, wants_openssh};

/// `ssh-keygen -a`; the default is 16, and each round takes some milliseconds.
const BCRYPT_ROUNDS: u32 = 20_000;
/// Bits of an RSA key: what OpenSSH makes at most.
const RSA_BITS: usize = 16_384;
/// Keys in one age identity file.
const MANY: usize = 100;

/// One key.
pub(in super::super) struct Key {
    /// What is known of its public half without a passphrase.
    pub(in super::super) half: Half,
    pub(in super::super) lock: Lock,
}

/// Whether it opens at once.
pub(in super::super) enum Lock {
    Open(Opener),
    Locked(Locked),
    /// Its passphrase was asked for, and nobody knew it.
    GivenUp,
}

/// The public half, as far as age's header names it: the first four bytes of the SHA-256 of an SSH
/// key, which is also how its `SHA256:` fingerprint begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Half {
    /// An SSH key: "ssh-ed25519" or "ssh-rsa", and the tag as age writes it.
    Ssh(String, String),
    /// An age key: its recipients are anonymous.
    Age,
    /// Under a passphrase: one of these kinds.
    Unknown(&'static [&'static str]),
}

impl Half {
    fn of(key: &PrivateKey) -> Self {
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256);
        let tag = fingerprint.as_bytes().get(..4).map(|tag| STANDARD_NO_PAD.encode(tag)).unwrap_or_default();
        Self::Ssh(key.algorithm().as_str().to_owned(), tag)
    }

    /// Whether a recipient of age's header may be this key.
    pub(in super::super) fn may_be(&self, kind: &str, tag: &str) -> bool {
        match self {
            Self::Ssh(own, own_tag) => own == kind && own_tag == tag,
            Self::Age => kind == "X25519",
            Self::Unknown(kinds) => kinds.contains(&kind),
        }
    }
}

/// What age decrypts with.
pub(in super::super) enum Opener {
    Ssh(Box<SshIdentity>),
    Age(x25519::Identity),
}

impl Opener {
    pub(in super::super) fn as_age(&self) -> &dyn age::Identity {
        match self {
            Self::Ssh(identity) => identity.as_ref(),
            Self::Age(identity) => identity,
        }
    }
}

/// A key under a passphrase.
pub(in super::super) enum Locked {
    OpenSsh(Box<PrivateKey>),
    Legacy(LegacyPem),
    Pkcs8(Zeroizing<Vec<u8>>),
}

impl Locked {
    /// Tries a passphrase.
    pub(in super::super) fn unlock(&self, passphrase: &[u8]) -> Unlock<Opener> {
        let key = match self {
            Self::OpenSsh(key) => match key.decrypt(passphrase) {
                Ok(key) => Ok(key),
                Err(_) => return Unlock::WrongPassphrase,
            },
            Self::Legacy(legacy) => match legacy.decrypt(passphrase).map(|der| pkcs::pkcs1(&der)) {
                // One wrong passphrase in 256 leaves something that looks like padding.
                Some(Ok(key)) => Ok(key),
                _ => return Unlock::WrongPassphrase,
            },
            Self::Pkcs8(der) => match pkcs8::decrypt(der, passphrase) {
                Some(document) => pkcs::pkcs8(document.as_bytes()),
                None => return Unlock::WrongPassphrase,
            },
        };
        match key.and_then(|key| opener(&key)) {
            Ok(opener) => Unlock::Opened(opener),
            Err(unusable) => Unlock::Unusable(unusable),
        }
    }
}

/// The sentence for keys that sign and cannot decrypt.
pub(super) fn not_decrypting(kind: &str) -> Unusable {
    Unusable::new(
        format!("an {kind} key, which can sign and cannot decrypt: nothing is ever sealed to it")
            .replace("an dsa", "a dsa"),
        "give the ed25519, RSA or age key that the part is sealed to; where there is none, the login \
         needs one (ssh-keygen -t ed25519), or the recipe seal: {recipients: [...]}",
    )
}

/// Reads the keys of a file.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Key>, Unusable> {
    let none = || {
        Unusable::new(
            "no private key that is known here",
            "it takes OpenSSH's keys, PEM (PKCS#1, PKCS#8) and age identity files",
        )
    };
    let text = pem::text(bytes).ok_or_else(none)?;
    if text.trim().is_empty() {
        return Err(Unusable::new("an empty file", "give the file of the private key"));
    }
    if let Some(pem) = pem::find(&text, |label| label.ends_with("PRIVATE KEY"))? {
        return from_pem(&pem).map(|key| vec![key]);
    }
    if text.lines().any(|line| line.trim().starts_with("AGE-SECRET-KEY-1")) {
        return age_keys(&text);
    }
    Err(stranger(&text, path).unwrap_or_else(none))
}

fn from_pem(pem: &pem::Pem) -> Result<Key, Unusable> {
    match pem.label.as_str() {
        "OPENSSH PRIVATE KEY" => openssh(&pem.body),
        "RSA PRIVATE KEY" => match LegacyPem::of(pem)? {
            Some(locked) => {
                Ok(Key { half: Half::Unknown(&["ssh-rsa"]), lock: Lock::Locked(Locked::Legacy(locked)) })
            }
            None => open(&pkcs::pkcs1(&pem.body)?),
        },
        "PRIVATE KEY" => open(&pkcs::pkcs8(&pem.body)?),
        "ENCRYPTED PRIVATE KEY" => {
            pkcs8::check_encrypted(&pem.body)?;
            Ok(Key {
                half: Half::Unknown(&["ssh-rsa", "ssh-ed25519"]),
                lock: Lock::Locked(Locked::Pkcs8(pem.body.clone())),
            })
        }
        "EC PRIVATE KEY" => Err(not_decrypting("ecdsa")),
        "DSA PRIVATE KEY" => Err(not_decrypting("dsa")),
        "SSH2 ENCRYPTED PRIVATE KEY" => Err(Unusable::new(
            "a key of ssh.com's programs",
            "convert it: ssh-keygen -i -f KEY > KEY.openssh",
        )),
        label => {
            Err(Unusable::new(format!("a {}, which is not read here", label.escape_debug()), wants_openssh()))
        }
    }
}

fn openssh(body: &[u8]) -> Result<Key, Unusable> {
    let key = PrivateKey::from_bytes(body).map_err(|_| {
        Unusable::new(
            "damaged, or a key of a kind that is not known here: its OpenSSH private key cannot be read",
            "ssh-keygen -y -f KEY tells whether OpenSSH can",
        )
    })?;
    decrypting(&key)?;
    if !key.is_encrypted() {
        return open(&key);
    }
    if let Kdf::Bcrypt { rounds, .. } = key.kdf()
        && *rounds > BCRYPT_ROUNDS
    {
        let text = format!("{rounds} rounds of bcrypt: one try of its passphrase would take minutes");
        return Err(Unusable::new(text, "set it anew with fewer: ssh-keygen -p -a 100 -f KEY"));
    }
    Ok(Key { half: Half::of(&key), lock: Lock::Locked(Locked::OpenSsh(Box::new(key))) })
}

/// Whether a key of this kind can be a recipient of age.
fn decrypting(key: &PrivateKey) -> Result<(), Unusable> {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Rsa { .. } => Ok(()),
        Algorithm::Ecdsa { .. } => Err(not_decrypting("ecdsa")),
        Algorithm::Dsa => Err(not_decrypting("dsa")),
        Algorithm::SkEcdsaSha2NistP256 | Algorithm::SkEd25519 => Err(not_decrypting("sk (FIDO token)")),
        _ => Err(not_decrypting("other")),
    }
}

fn open(key: &PrivateKey) -> Result<Key, Unusable> {
    Ok(Key { half: Half::of(key), lock: Lock::Open(opener(key)?) })
}

/// Hands a key to age in the one format that both know.
fn opener(key: &PrivateKey) -> Result<Opener, Unusable> {
    decrypting(key)?;
    let damaged =
        || Unusable::new("damaged: the numbers of its key do not belong together", "copy the file again");
    if let Some(pair) = key.key_data().rsa() {
        let bytes = |number: &ssh_key::Mpint| number.as_positive_bytes().map_or(usize::MAX, <[u8]>::len);
        let numbers = [&pair.public.n, &pair.public.e, &pair.private.d, &pair.private.p, &pair.private.q];
        if numbers.iter().any(|number| bytes(number) > RSA_BITS / 8) {
            return Err(Unusable::new(
                format!("an RSA key of more than {RSA_BITS} bits"),
                "use a smaller one",
            ));
        }
        // age reads numbers as OpenSSH writes them, and zero is none of a key's.
        if numbers.iter().any(|number| bytes(number) == 0) {
            return Err(damaged());
        }
    }
    let text = key.to_openssh(LineEnding::LF).map_err(|_| damaged())?;
    match SshIdentity::from_buffer(text.as_bytes(), None) {
        Ok(identity @ SshIdentity::Unencrypted(_)) => Ok(Opener::Ssh(Box::new(identity))),
        _ => Err(damaged()),
    }
}

/// An age identity file: a key on each line, `#` before comments.
fn age_keys(text: &str) -> Result<Vec<Key>, Unusable> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key: x25519::Identity = line.parse().map_err(|_| {
            Unusable::new(
                format!("line {} is no key of age", index + 1),
                "age-keygen -y FILE tells what age thinks",
            )
        })?;
        if keys.len() == MANY {
            return Err(Unusable::new(
                format!("more than {MANY} keys"),
                "give the file with the one that counts",
            ));
        }
        keys.push(Key { half: Half::Age, lock: Lock::Open(Opener::Age(key)) });
    }
    Ok(keys)
}

/// Files that people give by mistake.
fn stranger(text: &str, path: &Path) -> Option<Unusable> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let private = path.to_str().and_then(|path| path.strip_suffix(".pub"));
    let public =
        ["ssh-", "ecdsa-", "sk-", "age1", "-----BEGIN PUBLIC", "-----BEGIN RSA PUBLIC", "---- BEGIN SSH2"];
    if first.starts_with("PuTTY-User-Key-File-") {
        return Some(Unusable::new(
            "a key of PuTTY",
            "convert it: puttygen KEY.ppk -O private-openssh-new -o KEY (in PuTTYgen: Conversions, Export \
             OpenSSH key)",
        ));
    }
    if public.iter().any(|start| first.starts_with(start)) {
        let private = private.map_or("its private half".to_owned(), str::to_owned);
        return Some(Unusable::new("a public key, which only seals", format!("give {private}")));
    }
    if first.starts_with("-----BEGIN CERTIFICATE") {
        return Some(Unusable::new("a certificate, which only seals", "give the file of its private key"));
    }
    if first.starts_with("AGE-PLUGIN-") {
        return Some(Unusable::new(
            "a key of an age plugin, which hardtack does not call",
            "age -d -i KEY opens the part; its command line stands in the block",
        ));
    }
    if first.starts_with("-----BEGIN AGE ENCRYPTED FILE") || first.starts_with("age-encryption.org/") {
        return Some(Unusable::new(
            "encrypted by age itself",
            "decrypt it into a pipe: hardtack console LOG --identity <(age -d KEY)",
        ));
    }
    None
}
