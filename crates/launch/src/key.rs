//! Key pairs: public keys out of files, new private keys, and the fingerprints that clouds give them.
//!
//! Fingerprints (EC2 User Guide, "Determine the fingerprint of your public key"; Eucalyptus' `KeyPairs.java`): imported RSA
//! keys have the MD5 of the public key's DER on AWS and that of OpenSSH's encoding on Eucalyptus; ed25519 keys have the
//! SHA-256 of OpenSSH's encoding in base64.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_cloud::Environment;
use hardtack_publish::Teller;
use hardtack_publish::journal::Journal;
use md5::{Digest as _, Md5};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use serde_json::json;
use sha2::Sha256;
use ssh_key::private::{Ed25519Keypair, KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{LineEnding, Mpint, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use crate::Error;

/// Bits of a new RSA key: Eucalyptus takes 1024, 2048 and 4096 (`KeyPairManager.java`).
const BITS: usize = 4096;
/// No file of a key is larger.
const LARGEST: u64 = 64 << 10;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public {
    /// What its pair is called: the key's comment, else the file's name without its suffix.
    pub name: String,
    /// OpenSSH's line.
    pub line: String,
    /// `ssh-ed25519`, `ssh-rsa` ….
    pub algorithm: String,
    /// Fingerprints that clouds may give it.
    pub fingerprints: Vec<String>,
}

/// Kinds of new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ed25519.
    Ed25519,
    /// RSA with 4096 bits: Eucalyptus knows no other kind.
    Rsa,
}

impl Public {
    /// Reads the public key in a file.
    ///
    /// # Errors
    /// It cannot be read; it holds a private key, or something else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        use std::io::Read as _;
        let fail = |error| Error::file(path, "read the public key", error);
        let mut bytes = Vec::new();
        std::fs::File::open(path).map_err(fail)?.take(LARGEST).read_to_end(&mut bytes).map_err(fail)?;
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let shown = path.display();
        if text.contains("PRIVATE KEY") {
            return Err(Error::Usage(format!(
                "--key {shown}: this is a private key, and clouds are told the public one: `ssh-keygen -y -f {shown}` \
                 prints it"
            )));
        }
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let key = line.and_then(|line| PublicKey::from_openssh(line).ok()).ok_or_else(|| {
            Error::Usage(format!(
                "--key {shown}: this is no public key in OpenSSH's format (a line as \"ssh-ed25519 AAAA… name\")"
            ))
        })?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let name = Some(key.comment()).filter(|comment| !comment.is_empty()).unwrap_or(&stem);
        Self::of(&key, name)
    }

    fn of(key: &PublicKey, name: &str) -> Result<Self, Error> {
        let name = name_of(name);
        let mut named = key.clone();
        named.set_comment(&name);
        let line = named.to_openssh().map_err(|error| Error::Refused(format!("the public key: {error}")))?;
        let algorithm = key.algorithm().to_string();
        Ok(Self { name, line, algorithm, fingerprints: fingerprints(key) })
    }

    /// Whether a cloud that tells this fingerprint means this key.
    pub fn has(&self, fingerprint: &str) -> bool {
        same_fingerprint(&self.fingerprints, fingerprint)
    }
}

/// Whether one of `ours` is `fingerprint`, however it is written.
pub fn same_fingerprint(ours: &[String], fingerprint: &str) -> bool {
    let bare = |text: &str| text.trim().trim_start_matches("SHA256:").trim_end_matches('=').to_owned();
    let theirs = bare(fingerprint);
    ours.iter().any(|one| bare(one) == theirs || one.contains(':') && bare(one).eq_ignore_ascii_case(&theirs))
}

/// A name that clouds take: up to 255 printable ASCII characters.
fn name_of(text: &str) -> String {
    let tame = |char: char| if char.is_ascii_graphic() || char == ' ' { char } else { '-' };
    let name: String = text.trim().chars().map(tame).take(255).collect();
    if name.is_empty() { "key".to_owned() } else { name }
}

fn fingerprints(key: &PublicKey) -> Vec<String> {
    let Ok(blob) = key.to_bytes() else { return Vec::new() };
    let colons =
        |digest: &[u8]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let mut all = Vec::new();
    if let KeyData::Rsa(rsa) = key.key_data() {
        let number = |mpint: &Mpint| mpint.as_positive_bytes().map(rsa::BigUint::from_bytes_be);
        let public = number(&rsa.n).zip(number(&rsa.e)).and_then(|(n, e)| rsa::RsaPublicKey::new(n, e).ok());
        if let Some(der) = public.and_then(|public| public.to_public_key_der().ok()) {
            all.push(colons(&Md5::digest(der.as_bytes())));
        }
        all.push(colons(&Md5::digest(&blob)));
    }
    all.push(STANDARD.encode(Sha256::digest(&blob)));
    all
}

/// A new private key. It is nowhere but in memory until it is written.
pub struct New {
    /// Its public key.
    pub public: Public,
    private: PrivateKey,
}

impl std::fmt::Debug for New {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("New").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Randomness of the environment, as the RSA crate wants it.
struct Random(fn(&mut [u8]));

impl rsa::rand_core::RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        (self.0)(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.0)(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        (self.0)(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for Random {}

impl New {
    /// Makes a key; its pair is called `name`.
    ///
    /// # Errors
    /// None that a working machine has.
    pub fn make(kind: Kind, name: &str, environment: &Environment) -> Result<Self, Error> {
        let fail = |error: &dyn std::fmt::Display| Error::Refused(format!("no key could be made: {error}"));
        let data = match kind {
            Kind::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                (environment.random)(seed.as_mut_slice());
                KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed))
            }
            Kind::Rsa => {
                let key = RsaPrivateKey::new(&mut Random(environment.random), BITS)
                    .map_err(|error| fail(&error))?;
                KeypairData::Rsa(rsa_pair(&key).map_err(|error| fail(&error))?)
            }
        };
        let name = name_of(name);
        let private = PrivateKey::new(data, &name).map_err(|error| fail(&error))?;
        Ok(Self { public: Public::of(private.public_key(), &name)?, private })
    }

    /// Writes the private key in OpenSSH's format, mode 0600, all of it or nothing.
    ///
    /// # Errors
    /// There is a file already: it is never replaced; it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = self.private.to_openssh(LineEnding::LF);
        let text = text.map_err(|error| Error::Refused(format!("no key could be made: {error}")))?;
        let file = hardtack_disk::AtomicFile::create(path)?;
        let mut writer = file.file();
        writer.write_all(text.as_bytes()).map_err(|error| Error::file(path, "write the new key", error))?;
        Ok(file.commit(false)?)
    }
}

/// The public key of a private one that [`New::write`] wrote.
///
/// # Errors
/// It cannot be read, or is none.
pub fn public_of(path: &Path, name: &str) -> Result<Public, Error> {
    use std::io::Read as _;
    let fail = |error| Error::file(path, "read the key", error);
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path).map_err(fail)?.take(LARGEST).read_to_string(&mut text).map_err(fail)?;
    let key = PrivateKey::from_openssh(text.as_bytes()).map_err(|_| {
        Error::Refused(format!("{}: this is no private key in OpenSSH's format", path.display()))
    })?;
    Public::of(key.public_key(), name)
}

/// The new key of a run, in its journal: the public half, from before the file is written.
const NEW: &str = "launch/new-key";

/// The new key's name and file, in the journal.
const FILE: &str = "launch/new-key-file";

/// What became of the private key of a journal whose things are all gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// The run made none, or its file is there no more.
    Nothing,
    /// Its file is removed.
    Removed(PathBuf),
    /// Its file stays, and why.
    Left(PathBuf, String),
}

/// The key that a run with this journal made: its pair's name, its file, and the public half. It is kept by a run that is
/// not done, and by one that is done in the member `new_key` of its result.
pub fn made_here(journal: &Journal) -> Option<(String, PathBuf, String)> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let kept = || {
        let (file, line) = (journal.kept(FILE)?, journal.kept(NEW)?);
        Some((text(file.get(0)?)?, text(file.get(1)?)?, text(&line)?))
    };
    let result = || {
        let result = journal.result()?;
        let made = result.get("new_key")?;
        Some((text(made.get(0)?)?, text(made.get(1)?)?, text(made.get(2)?)?))
    };
    kept().or_else(result).map(|(name, file, line)| (name, PathBuf::from(file), line))
}

/// The same, kept in the journal again: an undo takes its result away, and may be ended before it comes to the key.
///
/// # Errors
/// The journal cannot be written.
pub fn keep_made(journal: &Journal) -> Result<Option<String>, Error> {
    let Some((name, file, line)) = made_here(journal) else { return Ok(None) };
    if journal.kept(NEW).is_none() {
        journal.keep(FILE, &json!([name, file]))?;
        journal.keep(NEW, &json!(line))?;
    }
    Ok(Some(name))
}

/// Removes the private key that a run with this journal wrote, if the file still has that key. Without the key pair and
/// the instances of the journal it opens nothing.
///
/// # Errors
/// It cannot be removed.
pub fn forget_made(journal: &Journal) -> Result<Forgotten, Error> {
    let Some((name, path, line)) = made_here(journal) else { return Ok(Forgotten::Nothing) };
    if path.symlink_metadata().is_err() {
        return Ok(Forgotten::Nothing);
    }
    if !public_of(&path, &name).is_ok_and(|public| public.line == line) {
        return Ok(Forgotten::Left(path, "it has another key than the one that was made".to_owned()));
    }
    std::fs::remove_file(&path).map_err(|error| Error::file(&path, "remove the key", error))?;
    Ok(Forgotten::Removed(path))
}

/// Refuses a file that is there already, unless an earlier run with this journal has made the key.
///
/// # Errors
/// It is there.
pub fn check_new(file: &Path, journal: &Journal) -> Result<(), Error> {
    if journal.kept(NEW).is_some() || file.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--new-key {}: there is a file already, and keys are never replaced; name another, or use this one with --key and its \
         public key",
        file.display()
    )))
}

/// Whether an earlier run with this journal has made a key whose file is there.
pub fn is_made(file: &Path, journal: &Journal) -> bool {
    journal.kept(NEW).is_some() && file.symlink_metadata().is_ok()
}

/// The new key of this run: made, written and known, or that of an earlier run with this journal.
///
/// # Errors
/// The file is another key's; it cannot be written.
pub fn of_run(
    kind: Kind,
    name: &str,
    file: &Path,
    journal: &Journal,
    environment: &Environment,
    tell: &dyn Teller,
) -> Result<Public, Error> {
    check_new(file, journal)?;
    if is_made(file, journal) {
        let public = public_of(file, name)?;
        if journal.kept(NEW).is_some_and(|kept| kept.as_str() == Some(&public.line)) {
            return Ok(public);
        }
        return Err(Error::Refused(format!(
            "{}: this is not the key that the earlier run with this journal made",
            file.display()
        )));
    }
    let new = New::make(kind, name, environment)?;
    journal.keep(FILE, &json!([name, file]))?;
    journal.keep(NEW, &json!(new.public.line))?;
    new.write(file)?;
    tell.note(&format!("{}: a new private key, which is nowhere else", file.display()));
    Ok(new.public)
}

fn rsa_pair(key: &RsaPrivateKey) -> Result<RsaKeypair, ssh_key::Error> {
    let number = |number: &rsa::BigUint| {
        let bytes = Zeroizing::new(number.to_bytes_be());
        Mpint::from_positive_bytes(&bytes)
    };
    let [p, q] = key.primes() else { return Err(ssh_key::Error::Crypto) };
    let inverse = key.crt_coefficient().ok_or(ssh_key::Error::Crypto)?;
    Ok(RsaKeypair {
        public: ssh_key::public::RsaPublicKey { e: number(key.e())?, n: number(key.n())? },
        private: ssh_key::private::RsaPrivateKey {
            d: number(key.d())?,
            iqmp: number(&inverse)?,
            p: number(p)?,
            q: number(q)?,
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::print_stderr)]

    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    fn environment() -> Environment {
        Environment {
            variables: Default::default(),
            home: None,
            now: std::time::SystemTime::now,
            sleep: |_| {},
            random: |bytes| {
                use std::io::Read as _;
                std::fs::File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
            },
            trace: None,
        }
    }

    #[test]
    fn new_keys_are_those_of_openssh_and_are_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, name) in [(Kind::Ed25519, "a"), (Kind::Rsa, "b")] {
            let path = folder.path().join(name);
            let new = New::make(kind, "web key", &environment()).unwrap();
            assert!(!format!("{new:?}").contains("private"), "{new:?}");
            new.write(&path).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert!(new.write(&path).is_err(), "it is replaced");
            assert_eq!(public_of(&path, "web key").unwrap(), new.public);
            let Ok(ran) = Command::new("ssh-keygen").arg("-y").arg("-f").arg(&path).output() else {
                assert!(std::env::var_os("CI").is_none(), "ssh-keygen is missing");
                eprintln!("SKIPPED: ssh-keygen is missing");
                return;
            };
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            let theirs = String::from_utf8(ran.stdout).unwrap();
            let bare = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned();
            assert_eq!(bare(&theirs), bare(&new.public.line));
        }
    }

    #[test]
    fn fingerprints_are_those_of_the_clouds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ops.pub");
        // Made with ssh-keygen; the fingerprint is that of `ssh-keygen -l`.
        std::fs::write(
            &path,
            "# of the team\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n",
        )
        .unwrap();
        let public = Public::read(&path).unwrap();
        assert_eq!(public.name, "ops");
        assert!(
            public.has("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"),
            "{:?}",
            public.fingerprints
        );
        assert!(public.has("+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU=") && !public.has("x"));
        std::fs::write(&path, "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
        assert!(Public::read(&path).unwrap_err().to_string().contains("private key"));
        std::fs::write(&path, "hello\n").unwrap();
        assert!(Public::read(&path).unwrap_err().to_string().contains("no public key"));
    }

    #[test]
    fn imported_rsa_keys_have_the_md5_of_their_der() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let new = New::make(Kind::Rsa, "x", &environment()).unwrap();
        new.write(&path).unwrap();
        let line = format!(
            "ssh-keygen -y -f {0} > {0}.pub && ssh-keygen -e -m PKCS8 -f {0}.pub | openssl pkey -pubin -outform DER | \
             md5sum",
            path.display()
        );
        let ran = Command::new("sh").args(["-ec", &line]).output().unwrap();
        if !ran.status.success() {
            assert!(std::env::var_os("CI").is_none(), "openssl is missing");
            eprintln!("SKIPPED: openssl is missing");
            return;
        }
        let sum = String::from_utf8(ran.stdout).unwrap();
        let sum = sum.split(' ').next().unwrap();
        let pairs: Vec<&str> = (0..16).map(|at| &sum[at * 2..at * 2 + 2]).collect();
        assert!(new.public.has(&pairs.join(":")), "{sum}: {:?}", new.public.fingerprints);
        assert!(new.public.has(&pairs.join(":").to_uppercase()));
    }
}
