//! Trying: bucket after bucket, page after page, some objects at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Bucket, Object, is_plain, is_public};
use crate::together::{TOGETHER, together};
use crate::{Error, Problem};

/// Odd objects that are named.
const ODD: usize = 100;
/// After as many objects without any answer the bucket is given up: each has been tried several times.
const SILENT: usize = 2 * TOGETHER;

/// What a request without credentials was answered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The bucket's region, where the answer has it.
    pub region: Option<String>,
}

/// A page of a bucket's listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys with their bytes.
    pub objects: Vec<(String, u64)>,
    /// The marker of the next page; `None`: this is the last one.
    pub next: Option<String>,
}

/// Object storage, with and without credentials.
pub trait World: Sync {
    /// All buckets of the account: names, and regions where they are told.
    ///
    /// # Errors
    /// It may not ask; no answer.
    fn buckets(&self) -> Result<Vec<(String, Option<String>)>, Error>;
    /// A bucket's region, where there are regions.
    ///
    /// # Errors
    /// It may not ask; no answer.
    fn region(&self, bucket: &str) -> Result<Option<String>, Error>;
    /// The objects behind `marker`; with credentials, or without.
    ///
    /// # Errors
    /// The account (or the world) may not ask; no answer.
    fn page(&self, bucket: &Bucket, marker: Option<&str>, signed: bool) -> Result<Page, Error>;
    /// The bucket's listing without credentials.
    ///
    /// # Errors
    /// No answer.
    fn listing(&self, bucket: &str, region: Option<&str>) -> Result<Answer, Error>;
    /// An object without credentials.
    ///
    /// # Errors
    /// No answer.
    fn object(&self, bucket: &str, region: Option<&str>, key: &str) -> Result<Answer, Error>;
}

/// Looks at all buckets; `most` objects of each. `tell` gets a line for each page.
///
/// # Errors
/// The buckets cannot be listed.
pub fn gather(
    world: &dyn World,
    most: u64,
    tell: &dyn Fn(&str),
    problems: &mut Vec<Problem>,
) -> Result<Vec<Bucket>, Error> {
    let mut all = world.buckets()?;
    all.sort();
    all.dedup_by(|a, b| a.0 == b.0);
    let fresh = |(name, region)| Bucket { name, region, ..Bucket::default() };
    Ok(all.into_iter().map(fresh).map(|bucket| look(world, bucket, most, tell, problems)).collect())
}

fn look(
    world: &dyn World,
    mut bucket: Bucket,
    most: u64,
    tell: &dyn Fn(&str),
    problems: &mut Vec<Problem>,
) -> Bucket {
    let mut problem = |of: &Bucket, what: String| {
        problems.push(Problem { part: "buckets", of: Some(of.name.clone()), what });
    };
    // Keys that may not ask for a region may still list, and the world is asked anyway.
    if bucket.region.is_none() {
        bucket.region = world.region(&bucket.name).ok().flatten();
    }
    match there(&mut bucket.region, |region| world.listing(&bucket.name, region)) {
        Ok(answer) => {
            bucket.listing = Some(answer.status);
            bucket.public_listing = is_public(answer.status);
            bucket.region = bucket.region.take().or(answer.region);
        }
        Err(error) => problem(&bucket, format!("its listing without credentials: {error}")),
    }
    let mut why = None;
    if let Err(what) = pages(world, &mut bucket, most, tell, &mut why) {
        problem(&bucket, what);
    }
    if let Some(error) = why.filter(|_| bucket.tried > 0) {
        problem(&bucket, format!("this account may not list its objects, and everybody may: {error}"));
    }
    if bucket.unaskable > 0 {
        let what = format!("{} of its objects have keys that no request can hold", bucket.unaskable);
        problem(&bucket, what);
    }
    if bucket.unanswered > 0 && !bucket.statuses.is_empty() {
        let what = format!("{} of its objects were not answered for", bucket.unanswered);
        problem(&bucket, what);
    }
    bucket
}

/// Tries the objects of a bucket, page by page. The error is why it stopped early; `denied` gets why this account may not
/// list them.
fn pages(
    world: &dyn World,
    bucket: &mut Bucket,
    most: u64,
    tell: &dyn Fn(&str),
    denied: &mut Option<Error>,
) -> Result<(), String> {
    let mut marker: Option<String> = None;
    while bucket.tried < most {
        let page = match world.page(bucket, marker.as_deref(), !bucket.denied) {
            Ok(page) => page,
            // What is denied to us may be told to everybody.
            Err(error) if !bucket.denied && marker.is_none() && bucket.public_listing => {
                bucket.denied = true;
                *denied = Some(error);
                continue;
            }
            Err(error) => {
                bucket.cut |= marker.is_some();
                return Err(format!("its objects cannot be listed: {error}"));
            }
        };
        let left = usize::try_from(most - bucket.tried).unwrap_or(usize::MAX);
        bucket.cut = page.objects.len() > left || page.next.is_some();
        let objects = page.objects.get(..left.min(page.objects.len())).unwrap_or_default();
        if let Err(error) = try_objects(world, bucket, objects) {
            bucket.cut = true;
            return Err(format!("its objects are not answered for, and the rest is not tried: {error}"));
        }
        tell(&format!("bucket {}: {} objects tried", bucket.name, bucket.tried));
        match page.next {
            // A server that ignores markers would be asked for ever.
            Some(next) if Some(&next) == marker.as_ref() || objects.is_empty() => {
                return Err("others follow, its listing says, and it gives no others".to_owned());
            }
            Some(next) => marker = Some(next),
            None => break,
        }
    }
    Ok(())
}

/// Asks; once more where the answer says that the bucket is in another region, which is remembered.
fn there(
    region: &mut Option<String>,
    ask: impl Fn(Option<&str>) -> Result<Answer, Error>,
) -> Result<Answer, Error> {
    let answer = ask(region.as_deref())?;
    let moved = matches!(answer.status, 301 | 302 | 307 | 308 | 400);
    match answer.region.clone().filter(|other| moved && Some(other) != region.as_ref()) {
        Some(other) => {
            *region = Some(other);
            ask(region.as_deref())
        }
        None => Ok(answer),
    }
}

/// Tries the objects of a page. The error is the first one, where nothing at all is answered.
fn try_objects(world: &dyn World, bucket: &mut Bucket, objects: &[(String, u64)]) -> Result<(), Error> {
    let silent = AtomicUsize::new(0);
    let answered = AtomicUsize::new(usize::from(!bucket.statuses.is_empty()));
    let (name, region) = (bucket.name.as_str(), bucket.region.as_deref());
    let found = together(objects, |(key, _)| {
        if answered.load(Ordering::Relaxed) == 0 && silent.load(Ordering::Relaxed) >= SILENT {
            return None;
        }
        let mut region = region.map(str::to_owned);
        let answer = there(&mut region, |region| world.object(name, region, key));
        match answer {
            Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
            Err(Error::Usage(_)) => 0,
            Err(_) => silent.fetch_add(1, Ordering::Relaxed),
        };
        Some(answer)
    });
    let mut first = None;
    for ((key, size), answer) in found {
        bucket.tried += 1;
        let status = match answer {
            Ok(answer) => answer.status,
            // A key that cannot be in a request: dots for directories, control characters.
            Err(Error::Usage(_)) => {
                bucket.unaskable += 1;
                continue;
            }
            Err(error) => {
                bucket.unanswered += 1;
                first.get_or_insert(error);
                continue;
            }
        };
        *bucket.statuses.entry(status).or_default() += 1;
        let object = || Object { key: key.clone(), size: *size, status };
        if is_public(status) {
            bucket.public_objects.push(object());
        } else if !is_plain(status) && bucket.odd_objects.len() < ODD {
            bucket.odd_objects.push(object());
        }
    }
    match first {
        Some(error) if bucket.statuses.is_empty() => Err(error),
        _ => Ok(()),
    }
}
