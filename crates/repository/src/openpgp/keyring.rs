//! Keys, and the verdict on a signature.

use std::collections::BTreeMap;

use pgp::composed::{Deserializable, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, Signature, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, PublicParams, Tag, VerifyingKey};

use crate::{Distrust, Error, date};

/// Debian's archive keys together have some 60 KiB.
const RING_LIMIT: usize = 16 << 20;
/// Signatures on one file; Debian has three.
const MOST_SIGNATURES: usize = 32;

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// The primary key's fingerprint, upper-case hexadecimal.
    pub(crate) key: String,
}

/// The keys that are trusted for one repository.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    keys: Vec<SignedPublicKey>,
    /// Only these fingerprints, of primary keys or, with "!", of the very key that signs.
    only: Vec<String>,
}

impl Keyring {
    /// Reads keyrings, binary or armored; each has a name for messages.
    pub(crate) fn read(rings: &[(String, Vec<u8>)], only: &[String]) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (name, content) in rings {
            let wrong = |what: String| Error::malformed(name.clone(), None, what);
            if content.len() > RING_LIMIT {
                return Err(wrong(format!("is larger than {RING_LIMIT} bytes, which no keyring is")));
            }
            let before = keys.len();
            if content.first().is_some_and(|byte| byte & 0x80 != 0) {
                add(
                    &mut keys,
                    SignedPublicKey::from_bytes_many(&content[..]).map_err(|e| wrong(e.to_string()))?,
                );
            } else {
                for block in armored(content) {
                    let read = SignedPublicKey::from_armor_many(block);
                    add(&mut keys, read.map_err(|error| wrong(error.to_string()))?.0);
                }
            }
            if keys.len() == before {
                return Err(wrong("has no OpenPGP key, neither binary nor armored".to_owned()));
            }
        }
        Ok(Self { keys: merged(keys), only: only.to_vec() })
    }

    /// What the signatures in `armored` (or binary) prove about `content`. As in apt, one good one is enough and a
    /// single bad one is fatal; those by unknown keys do not matter beside a good one.
    pub(super) fn judge(
        &self,
        signature: &[u8],
        content: &[u8],
        clear: bool,
        now: u64,
    ) -> Result<Proof, Distrust> {
        let signatures = signatures(signature)?;
        if self.keys.is_empty() {
            return Err(Distrust::NoKeyring);
        }
        let mut good = None;
        let mut unknown: Vec<String> = Vec::new();
        let mut worst: Option<Distrust> = None;
        for signature in &signatures {
            match self.one(signature, content, clear, now) {
                Ok(proof) => good = good.or(Some(proof)),
                Err(bad @ Distrust::Bad(_)) => return Err(bad),
                Err(Distrust::UnknownKey(names)) => unknown.extend(names),
                Err(other) => worst = worst.or(Some(other)),
            }
        }
        match (good, worst) {
            (Some(proof), _) => Ok(proof),
            (None, Some(worst)) => Err(worst),
            (None, None) => Err(Distrust::UnknownKey(unknown)),
        }
    }

    fn one(&self, signature: &Signature, content: &[u8], clear: bool, now: u64) -> Result<Proof, Distrust> {
        let names = issuers(signature);
        if names.is_empty() {
            return Err(Distrust::Malformed("its signature does not say by which key it is".to_owned()));
        }
        for certificate in &self.keys {
            let primary = &certificate.primary_key;
            let fingerprint = shown(primary);
            if names.iter().any(|name| fingerprint.ends_with(name)) {
                self.allowed(&fingerprint, &fingerprint, &names)?;
                fits(signature, primary, content, clear, &fingerprint, now)?;
                let state = Standing::of(certificate, &fingerprint, now)?;
                if !state.signs {
                    return Err(Distrust::NotForSigning(fingerprint));
                }
                return Ok(Proof { key: fingerprint });
            }
            for sub in &certificate.public_subkeys {
                let own = shown(&sub.key);
                if names.iter().any(|name| own.ends_with(name)) {
                    self.allowed(&fingerprint, &own, &names)?;
                    fits(signature, &sub.key, content, clear, &own, now)?;
                    Standing::of(certificate, &fingerprint, now)?;
                    subkey(primary, sub, &own, now)?;
                    return Ok(Proof { key: fingerprint });
                }
            }
        }
        Err(Distrust::UnknownKey(names))
    }

    fn allowed(&self, primary: &str, own: &str, names: &[String]) -> Result<(), Distrust> {
        let fits = |wanted: &String| match wanted.strip_suffix('!') {
            Some(exact) => own.eq_ignore_ascii_case(exact),
            None => primary.eq_ignore_ascii_case(wanted) || own.eq_ignore_ascii_case(wanted),
        };
        if self.only.is_empty() || self.only.iter().any(fits) {
            Ok(())
        } else {
            Err(Distrust::UnknownKey(names.to_vec()))
        }
    }
}

fn add(
    keys: &mut Vec<SignedPublicKey>,
    found: Box<dyn Iterator<Item = Result<SignedPublicKey, pgp::errors::Error>> + '_>,
) {
    // A key that cannot be read (an algorithm of tomorrow) is one that nothing is trusted by.
    keys.extend(found.flatten());
}

/// One certificate for each primary key, with what all copies of it say: a revocation is often only in the newer
/// copy, and which stands first in a ring says nothing.
fn merged(keys: Vec<SignedPublicKey>) -> Vec<SignedPublicKey> {
    let mut whole: Vec<SignedPublicKey> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for key in keys {
        let place = *places.entry(shown(&key.primary_key)).or_insert(whole.len());
        let Some(known) = whole.get_mut(place) else {
            whole.push(key);
            continue;
        };
        known.details.revocation_signatures.extend(key.details.revocation_signatures);
        known.details.direct_signatures.extend(key.details.direct_signatures);
        for user in key.details.users {
            match known.details.users.iter_mut().find(|one| one.id.id() == user.id.id()) {
                Some(one) => one.signatures.extend(user.signatures),
                None => known.details.users.push(user),
            }
        }
        for sub in key.public_subkeys {
            let same = |one: &&mut SignedPublicSubKey| one.key.fingerprint() == sub.key.fingerprint();
            match known.public_subkeys.iter_mut().find(same) {
                Some(one) => one.signatures.extend(sub.signatures),
                None => known.public_subkeys.push(sub),
            }
        }
    }
    whole
}

/// The armored blocks of a file: some keyrings are several that were put together.
fn armored(content: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";
    let starts: Vec<usize> = content
        .split_inclusive(|byte| *byte == b'\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        })
        .filter(|(_, line)| line.starts_with(BEGIN))
        .map(|(start, _)| start)
        .collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts.iter().zip(ends).map(|(start, end)| &content[*start..end]).collect()
}

fn signatures(content: &[u8]) -> Result<Vec<Signature>, Distrust> {
    let wrong =
        |error: pgp::errors::Error| Distrust::Malformed(format!("its signature cannot be read: {error}"));
    let mut found = Vec::new();
    let read: Box<dyn Iterator<Item = Result<DetachedSignature, pgp::errors::Error>>> =
        if content.first().is_some_and(|byte| byte & 0x80 != 0) {
            DetachedSignature::from_bytes_many(content).map_err(wrong)?
        } else {
            DetachedSignature::from_armor_many(content).map_err(wrong)?.0
        };
    for one in read {
        if found.len() == MOST_SIGNATURES {
            return Err(Distrust::Malformed(format!("it has more than {MOST_SIGNATURES} signatures")));
        }
        found.push(one.map_err(wrong)?.signature);
    }
    if found.is_empty() { Err(Distrust::Unsigned) } else { Ok(found) }
}

/// Fingerprints and key ids, upper-case hexadecimal, the longest first.
fn issuers(signature: &Signature) -> Vec<String> {
    let prints: Vec<String> =
        signature.issuer_fingerprint().into_iter().map(|print| format!("{print:X}")).collect();
    if !prints.is_empty() {
        return prints;
    }
    signature.issuer_key_id().into_iter().map(|id| id.to_string().to_ascii_uppercase()).collect()
}

fn shown(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

fn is_strong(digest: Option<HashAlgorithm>) -> bool {
    matches!(
        digest,
        Some(
            HashAlgorithm::Sha224
                | HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// The signature itself: its kind, digest, time, and the mathematics.
fn fits(
    signature: &Signature,
    key: &impl VerifyingKey,
    content: &[u8],
    clear: bool,
    name: &str,
    now: u64,
) -> Result<(), Distrust> {
    let key_name = || name.to_owned();
    let kind = signature.typ();
    let right = match kind {
        Some(SignatureType::Text) => true,
        Some(SignatureType::Binary) => !clear,
        _ => false,
    };
    if !right {
        return Err(Distrust::Malformed(format!("the signature by {name} is of a kind that signs no file")));
    }
    if !is_strong(signature.hash_alg()) {
        let digest =
            signature.hash_alg().map_or_else(|| "an unknown digest".to_owned(), |one| one.to_string());
        return Err(Distrust::WeakDigest { key: key_name(), digest });
    }
    strong_key(key, name)?;
    if signature.verify(key, content).is_err() {
        return Err(Distrust::Bad(key_name()));
    }
    let created = signature
        .created()
        .map(|time| u64::from(time.as_secs()))
        .ok_or_else(|| Distrust::Malformed(format!("the signature by {name} has no time")))?;
    // Clocks differ a little.
    if created > now.saturating_add(10) {
        return Err(Distrust::SignatureInFuture { key: key_name(), at: date::iso(created) });
    }
    let life = signature.signature_expiration_time().map_or(0, seconds);
    if life != 0 && created.saturating_add(life) <= now {
        return Err(Distrust::SignatureExpired {
            key: key_name(),
            at: date::iso(created.saturating_add(life)),
        });
    }
    Ok(())
}

/// As apt since 2.7.13: RSA from 2048 bits, and what is on curves; no DSA.
fn strong_key(key: &impl KeyDetails, name: &str) -> Result<(), Distrust> {
    let weak = |what: &str| Err(Distrust::WeakKey { key: name.to_owned(), what: what.to_owned() });
    match key.public_params() {
        PublicParams::RSA(parameters) => match parameters.to_bytes() {
            // The modulus comes first, and its length in bits before it; leading zeros are not counted.
            Ok(bytes) if bytes.first_chunk().is_some_and(|bits| u16::from_be_bytes(*bits) >= 2048) => Ok(()),
            _ => weak("RSA below 2048 bits"),
        },
        PublicParams::DSA(_) => weak("DSA"),
        _ => Ok(()),
    }
}

fn seconds(life: pgp::types::Duration) -> u64 {
    std::time::Duration::from(life).as_secs()
}

/// What the self-signatures say of a certificate.
struct Standing {
    signs: bool,
}

impl Standing {
    /// Refuses a certificate that is revoked or expired.
    fn of(certificate: &SignedPublicKey, name: &str, now: u64) -> Result<Self, Distrust> {
        let primary = &certificate.primary_key;
        let revocations =
            certificate.details.revocation_signatures.iter().chain(&certificate.details.direct_signatures);
        for signature in revocations {
            if signature.typ() == Some(SignatureType::KeyRevocation) && signature.verify_key(primary).is_ok()
            {
                return Err(Distrust::KeyRevoked(name.to_owned()));
            }
        }
        let direct = certificate
            .details
            .direct_signatures
            .iter()
            .filter(|signature| is_own(signature, now) && signature.verify_key(primary).is_ok());
        // A name that was withdrawn later than it was certified says nothing any more.
        let users = certificate.details.users.iter().filter_map(|user| {
            user.signatures
                .iter()
                .filter(|signature| {
                    signature.is_certification()
                        && is_own(signature, now)
                        && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
                })
                .max_by_key(|signature| (signature.created(), withdraws(signature)))
                .filter(|newest| !withdraws(newest))
        });
        let newest = direct.chain(users).max_by_key(|signature| signature.created());
        let Some(newest) = newest else {
            return Err(Distrust::WeakKey {
                key: name.to_owned(),
                what: "nothing in the keyring that is valid now binds a name to it".to_owned(),
            });
        };
        alive(primary, newest, name, now)?;
        Ok(Self { signs: may_sign(newest) })
    }
}

/// Whether a signature takes a name back; rPGP counts those among the certifications.
fn withdraws(signature: &Signature) -> bool {
    signature.typ() == Some(SignatureType::CertRevocation)
}

/// Whether a self-signature counts now: those by SHA-1 are still common, and GnuPG takes them; MD5 is not. One that
/// is to come, or has expired, says nothing.
fn is_own(signature: &Signature, now: u64) -> bool {
    let Some(created) = signature.created().map(|time| u64::from(time.as_secs())) else { return false };
    let life = signature.signature_expiration_time().map_or(0, seconds);
    (is_strong(signature.hash_alg()) || signature.hash_alg() == Some(HashAlgorithm::Sha1))
        && created <= now.saturating_add(10)
        && (life == 0 || created.saturating_add(life) > now)
}

fn alive(key: &impl KeyDetails, binding: &Signature, name: &str, now: u64) -> Result<(), Distrust> {
    let created = u64::from(key.created_at().as_secs());
    let life = binding.key_expiration_time().map_or(0, seconds);
    if life != 0 && created.saturating_add(life) <= now {
        return Err(Distrust::KeyExpired {
            key: name.to_owned(),
            at: date::iso(created.saturating_add(life)),
        });
    }
    Ok(())
}

/// Key flags, where there are some, must name signing.
fn may_sign(binding: &Signature) -> bool {
    let told = binding.config().is_some_and(|config| {
        config.hashed_subpackets().any(|part: &Subpacket| matches!(part.data, SubpacketData::KeyFlags(_)))
    });
    !told || binding.key_flags().sign()
}

/// A subkey: bound by its primary key, binding that back, alive, and for signing.
fn subkey(primary: &PublicKey, sub: &SignedPublicSubKey, name: &str, now: u64) -> Result<(), Distrust> {
    let verified = |signature: &&Signature| signature.verify_subkey_binding(primary, &sub.key).is_ok();
    let of =
        |kind: SignatureType| sub.signatures.iter().filter(move |signature| signature.typ() == Some(kind));
    if of(SignatureType::SubkeyRevocation).any(|signature| verified(&signature)) {
        return Err(Distrust::KeyRevoked(name.to_owned()));
    }
    let binding = of(SignatureType::SubkeyBinding)
        .filter(|signature| is_own(signature, now))
        .filter(verified)
        .max_by_key(|signature| signature.created());
    let Some(binding) = binding else { return Err(Distrust::NotForSigning(name.to_owned())) };
    alive(&sub.key, binding, name, now)?;
    let back = binding
        .embedded_signature()
        .is_some_and(|back| is_own(back, now) && back.verify_primary_key_binding(&sub.key, primary).is_ok());
    if may_sign(binding) && back { Ok(()) } else { Err(Distrust::NotForSigning(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pgp::crypto::public_key::PublicKeyAlgorithm;
    use pgp::packet::SignatureConfig;
    use pgp::types::{Duration, SignatureBytes, Timestamp};

    use super::*;

    fn own(digest: HashAlgorithm, created: u32, life: u32) -> Signature {
        let mut config =
            SignatureConfig::v4(SignatureType::CertPositive, PublicKeyAlgorithm::EdDSALegacy, digest);
        config.hashed_subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(created))).unwrap(),
            Subpacket::regular(SubpacketData::SignatureExpirationTime(Duration::from_secs(life))).unwrap(),
        ];
        Signature::from_config(config, [0; 2], SignatureBytes::Mpis(Vec::new())).unwrap()
    }

    #[test]
    fn self_signatures_count_while_they_live() {
        let counts = |digest, created, life| is_own(&own(digest, created, life), 1000);
        assert!(counts(HashAlgorithm::Sha256, 900, 0) && counts(HashAlgorithm::Sha1, 900, 101));
        assert!(!counts(HashAlgorithm::Sha256, 900, 100), "expired");
        assert!(!counts(HashAlgorithm::Sha256, 1011, 0), "still to come");
        assert!(!counts(HashAlgorithm::Md5, 900, 0), "weak");
    }
}
