//! Finds credentials once, keeps them, and finds new ones before they end.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::Credentials;
use super::search::Search;
use crate::{Environment, Error, Kind, PlaceOptions};

/// New keys are looked for when these have less than that left.
const EARLY: Duration = Duration::from_secs(300);

/// Finds credentials once, keeps them, and finds new ones before they end. Clones share them.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    kept: Mutex<Kept>,
    /// Searches that came to nothing.
    failures: AtomicU64,
}

/// Where keys come from.
enum Source {
    Fixed(Credentials),
    Search(Box<Search>),
}

#[derive(Default)]
struct Kept {
    credentials: Option<Credentials>,
    /// From then on others are looked for.
    until: Option<SystemTime>,
    /// Why the last search came to nothing.
    failure: String,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.source {
            Source::Fixed(credentials) => write!(formatter, "Provider({credentials:?})"),
            Source::Search(_) => formatter.write_str("Provider"),
        }
    }
}

impl Provider {
    /// Keys that are known.
    pub fn fixed(credentials: Credentials) -> Self {
        Self::new(Source::Fixed(credentials))
    }

    /// What options, environment and files say, in AWS' order. `instance_metadata`: a machine's own role is asked
    /// for, too.
    pub fn find(
        kind: Kind,
        options: &PlaceOptions,
        environment: Arc<Environment>,
        instance_metadata: bool,
    ) -> Self {
        let options = options.clone();
        Self::new(Source::Search(Box::new(Search { kind, options, environment, instance_metadata })))
    }

    fn new(source: Source) -> Self {
        Self { inner: Arc::new(Inner { source, kept: Mutex::default(), failures: AtomicU64::new(0) }) }
    }

    /// Credentials that are good for five minutes at least, where their source gives such. One thread looks for
    /// them; others wait for what it finds.
    ///
    /// # Errors
    /// There are none; the message lists where they were looked for.
    pub fn get(&self) -> Result<Credentials, Error> {
        let search = match &self.inner.source {
            Source::Fixed(credentials) => return Ok(credentials.clone()),
            Source::Search(search) => search,
        };
        let failures = self.inner.failures.load(Ordering::Acquire);
        let mut kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (search.environment.now)();
        if let Some(credentials) = &kept.credentials
            && kept.until.is_none_or(|until| now < until)
        {
            return Ok(credentials.clone());
        }
        if self.inner.failures.load(Ordering::Acquire) != failures {
            // Somebody else looked while this thread waited; it would find nothing, too.
            return Err(Error::Credentials(kept.failure.clone()));
        }
        match search.find().and_then(|found| living(found, now)) {
            Ok(found) => {
                kept.until = found.expires.map(|end| renew_at(end, now));
                kept.credentials = Some(found.clone());
                Ok(found)
            }
            Err(error) => {
                // What is there does until it ends.
                if let Some(old) =
                    kept.credentials.clone().filter(|old| old.expires.is_some_and(|end| now < end))
                {
                    return Ok(old);
                }
                kept.failure = error.to_string();
                self.inner.failures.fetch_add(1, Ordering::AcqRel);
                Err(error)
            }
        }
    }
}

impl Provider {
    /// Forgets the key `id`, which has ended before its time as a service says: [`Provider::get`] looks for others.
    /// Another thread may have found those already: they stay.
    pub fn forget(&self, id: &str) {
        let mut kept = self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.credentials.as_ref().is_some_and(|credentials| credentials.id == id) {
            *kept = Kept::default();
        }
    }
}

/// Keys that have not ended.
fn living(found: Credentials, now: SystemTime) -> Result<Credentials, Error> {
    match found.expires {
        Some(end) if end <= now => {
            Err(Error::Credentials(format!("the access keys of {} have ended; get others", found.origin)))
        }
        _ => Ok(found),
    }
}

/// Five minutes before the end; half of the time that is left where that is less.
fn renew_at(end: SystemTime, now: SystemTime) -> SystemTime {
    let left = end.duration_since(now).unwrap_or_default();
    let early = EARLY.min(left / 2);
    end.checked_sub(early).unwrap_or(end)
}
