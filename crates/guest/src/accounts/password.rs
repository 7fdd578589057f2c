//! Password hashes as crypt(5) names them.

use sha_crypt::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use sha_crypt::{Params, ShaCrypt};
use sha2::{Digest, Sha256};
use yescrypt::Yescrypt;

/// Hashes above this many rounds are not verified: the number comes from the image, and a billion
/// of them is hours.
const MOST_ROUNDS: u32 = 1_000_000;

/// The rounds that `$6$` without `rounds=` stands for (SHA-crypt specification).
const DEFAULT_ROUNDS: u32 = 5000;

/// A SHA-512 crypt hash of `password`. The salt comes from the image's root UUID and the user's
/// name: builds repeat, and two users or two images never share one.
///
/// `None` only when the crypt library refuses its input.
#[must_use]
pub fn hash_password(password: &str, root_uuid: &str, user: &str) -> Option<String> {
    let seed = Sha256::digest(format!("hardtack password salt\0{root_uuid}\0{user}"));
    let params = Params::new(DEFAULT_ROUNDS).ok()?;
    // 12 bytes are the 16 characters that SHA-crypt takes at most.
    let hash = ShaCrypt::SHA512
        .hash_password_customized(password.as_bytes(), seed.get(..12)?, None, None, params)
        .ok()?
        .to_string();
    Some(hash.replacen(&format!("$rounds={DEFAULT_ROUNDS}$"), "$", 1))
}

/// The memory that a yescrypt hash may ask for, in bytes: the image says how much it is. Debian's
/// own take 16 MiB.
const MOST_MEMORY: u64 = 128 << 20;

/// True when `hash` (`$5$`, `$6$`, or `$y$` as Debian's passwd(1) makes it) is a hash of `password`.
#[must_use]
pub fn verifies(password: &str, hash: &str) -> bool {
    if let Some(rest) = hash.strip_prefix("$y$") {
        return yescrypt_is_affordable(rest)
            && Yescrypt::default().verify_password(password.as_bytes(), hash).is_ok();
    }
    let rounds = hash.split('$').find_map(|field| field.strip_prefix("rounds="));
    if rounds.is_some_and(|count| count.parse::<u32>().map_or(true, |count| count > MOST_ROUNDS)) {
        return false;
    }
    ShaCrypt::SHA512.verify_password(password.as_bytes(), hash).is_ok()
}

/// Parameters of three characters are flavour, N and r; longer ones add parallel or repeated work.
fn yescrypt_is_affordable(hash: &str) -> bool {
    let parameters = hash.split('$').next().unwrap_or_default();
    let parsed = (parameters.len() == 3).then(|| parameters.parse::<yescrypt::Params>().ok()).flatten();
    let memory = |of: yescrypt::Params| of.n().checked_mul(u64::from(of.r()) * 128);
    parsed.and_then(memory).is_some_and(|bytes| bytes <= MOST_MEMORY)
}

/// True for the second field of a shadow(5) line with which somebody can log in.
#[must_use]
pub fn is_crypt_hash(field: &str) -> bool {
    field.len() > 12 && !field.starts_with(['!', '*']) && field.bytes().all(|byte| byte.is_ascii_graphic())
}
