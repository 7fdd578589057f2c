//! IMDSv2's tokens: random, with an end, and not more than a number of them at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

/// EC2's limits: a second to six hours.
const TTL: std::ops::RangeInclusive<u64> = 1..=21_600;
/// Of one instance. Beyond it the one that ends first goes: a guest can only rob itself.
const MOST: usize = 1024;
/// They make 56 characters, as EC2's have.
const BYTES: usize = 40;

/// The tokens of one instance.
#[derive(Default)]
pub(super) struct Tokens {
    ends: Mutex<BTreeMap<String, SystemTime>>,
}

impl Tokens {
    /// A new one for `ttl`, the text of a header; `None` where that is no number of seconds that EC2 takes.
    pub(super) fn make(&self, ttl: &str, random: fn(&mut [u8]), now: SystemTime) -> Option<(String, u64)> {
        let seconds: u64 = ttl.trim().parse().ok().filter(|seconds| TTL.contains(seconds))?;
        let mut bytes = [0; BYTES];
        random(&mut bytes);
        let token = URL_SAFE.encode(bytes);
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|_, end| *end > now);
        while ends.len() >= MOST
            && let Some(first) = ends.iter().min_by_key(|(_, end)| **end).map(|(token, _)| token.clone())
        {
            ends.remove(&first);
        }
        ends.insert(token.clone(), now.checked_add(Duration::from_secs(seconds))?);
        Some((token, seconds))
    }

    /// The seconds that are left of one; `None` where it is none of ours, or over.
    pub(super) fn left(&self, token: &str, now: SystemTime) -> Option<u64> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let left = ends.get(token)?.duration_since(now).ok().filter(|left| !left.is_zero())?;
        Some(left.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(bytes: &mut [u8]) {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (to, from) in bytes.iter_mut().zip(next.iter().cycle()) {
            *to = *from;
        }
    }

    #[test]
    fn they_end() {
        let tokens = Tokens::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for wrong in ["", "0", "21601", "-1", "1.5", "x", "99999999999999999999"] {
            assert_eq!(tokens.make(wrong, random, now), None, "{wrong}");
        }
        let (token, _) = tokens.make("60", random, now).unwrap();
        assert_eq!(token.len(), 56);
        assert_eq!(tokens.left(&token, now), Some(60));
        assert_eq!(tokens.left(&token, now + Duration::from_secs(59)), Some(1));
        assert_eq!(tokens.left(&token, now + Duration::from_secs(60)), None);
        assert_eq!(tokens.left("", now), None);
        assert_eq!(tokens.left(&token[1..], now), None);
    }

    #[test]
    fn they_do_not_pile_up() {
        let tokens = Tokens::default();
        let now = SystemTime::UNIX_EPOCH;
        let (first, _) = tokens.make("1", random, now).unwrap();
        for _ in 0..MOST + 10 {
            tokens.make("21600", random, now).unwrap();
        }
        assert_eq!(tokens.ends.lock().unwrap().len(), MOST);
        assert_eq!(tokens.left(&first, now), None);
    }
}
