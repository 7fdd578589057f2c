//! `hardtack cache`: what is in a cache, whether it is whole, what goes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use hardtack_cache::{Content, Digest, Entry, Error, Kind, Listed, Name, New, Store};
use serde_json::{Value, json};

use super::cached::{BY_DIGEST, noted};
use crate::args::{
    CacheAddArgs, CacheArgs, CacheListArgs, CachePruneArgs, CacheVerb, CacheVerifyArgs, CacheWhere,
};
use crate::cache_place::{self, Closed, VARIABLE, now};
use crate::error::{CliError, NO};
use crate::terminal::safe;
use crate::{provenance, talk};

/// Runs one of the verbs.
pub(crate) fn run(arguments: &CacheArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        CacheVerb::List(arguments) => list(arguments),
        CacheVerb::Verify(arguments) => verify(arguments),
        CacheVerb::Prune(arguments) => prune(arguments),
        CacheVerb::Add(arguments) => add(arguments),
    }
}

fn named(arguments: &CacheWhere) -> Result<String, CliError> {
    cache_place::named(arguments).ok_or_else(|| {
        CliError::usage("no cache is named").hint(format!("--cache WHERE or {VARIABLE} names one"))
    })
}

fn open(arguments: &CacheWhere) -> Result<Store, CliError> {
    cache_place::open_existing(&named(arguments)?)
}

fn list(arguments: &CacheListArgs) -> Result<u8, CliError> {
    let all = open(&arguments.place)?.list()?;
    let bytes = all.iter().map(|one| one.size).sum::<u64>();
    if arguments.json {
        let entries: Vec<Value> = all.iter().map(value).collect();
        return say(&json!({"entries": entries, "bytes": bytes}).to_string());
    }
    let now = SystemTime::now();
    let mut text = String::new();
    for one in &all {
        let about = match &one.entry {
            Ok(entry) => describe(entry),
            Err(error) => error.to_string(),
        };
        let name = &one.name.digest.to_string()[..16];
        text += &format!(
            "{:<6}  {name}  {:>9}  {:>8}  {about}\n",
            one.name.kind.word(),
            mib(one.size),
            ago(now, one.last())
        );
    }
    say(&format!("{text}{}, {}", count(all.len()), mib(bytes)))
}

fn verify(arguments: &CacheVerifyArgs) -> Result<u8, CliError> {
    let store = open(&arguments.place)?;
    let all = store.list()?;
    let (mut damaged, mut values) = (0, Vec::new());
    for one in &all {
        let wrong = match &one.entry {
            Ok(entry) => match store.verify(entry) {
                Ok(()) => None,
                Err(error) if error.is_damage() => Some(error.to_string()),
                Err(error) => return Err(error.into()),
            },
            Err(error) if error.is_damage() => Some(error.to_string()),
            Err(_) => {
                return Err(CliError::new(crate::error::REMOTE, format!("{} cannot be read", one.name)));
            }
        };
        damaged += usize::from(wrong.is_some());
        if let (Some(wrong), false) = (&wrong, arguments.json) {
            say(wrong)?;
        }
        let mut value = value(one);
        value["damaged"] = json!(wrong);
        values.push(value);
    }
    if arguments.json {
        say(&json!({"entries": values, "damaged": damaged}).to_string())?;
    } else {
        say(&format!("{}, {damaged} damaged", count(all.len())))?;
    }
    Ok(if damaged == 0 { 0 } else { NO })
}

fn prune(arguments: &CachePruneArgs) -> Result<u8, CliError> {
    let store = open(&arguments.place)?;
    let all = store.list()?;
    let age = arguments.older_than.map(Duration::from_secs);
    let before = age.map(|age| SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH));
    let gone = Store::to_prune(&all, before, arguments.max_size);
    let (mut bytes, mut values) = (0, Vec::new());
    for one in all.iter().filter(|one| gone.contains(&one.name)) {
        if !arguments.dry_run {
            store.remove(one.name)?;
        }
        bytes += one.size;
        values.push(value(one));
    }
    if !arguments.dry_run {
        store.tidy(before);
    }
    let left = all.iter().map(|one| one.size).sum::<u64>() - bytes;
    if arguments.json {
        let removed = json!({"removed": values, "bytes": bytes, "left": left, "dry_run": arguments.dry_run});
        return say(&removed.to_string());
    }
    let word = if arguments.dry_run { "would go" } else { "removed" };
    say(&format!("{} {word}, {}; {} left", count(values.len()), mib(bytes), mib(left)))
}

fn add(arguments: &CacheAddArgs) -> Result<u8, CliError> {
    let store = cache_place::open(&named(&arguments.place)?).map_err(Closed::error)?;
    let mut values = Vec::new();
    let added = add_all(arguments, &store, &mut values);
    // What is stored is told, whatever became of the rest.
    if arguments.json {
        say(&json!({"sources": values}).to_string())?;
    }
    added.map(|()| 0)
}

fn add_all(arguments: &CacheAddArgs, store: &Store, values: &mut Vec<Value>) -> Result<(), CliError> {
    for path in &arguments.images {
        let known = noted(store, path)?;
        let wrong = || CliError::usage(format!("{}: no digest could be made of it", path.display()));
        let digest = Digest::parse(&known.digest).ok_or_else(wrong)?;
        let name = Name::source(digest);
        let there = match store.find(name) {
            Ok(Some(entry)) => match store.verify(&entry) {
                Ok(()) => true,
                Err(Error::Damaged { .. }) => false,
                Err(error) => return Err(error.into()),
            },
            Ok(None) | Err(Error::Damaged { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if !there {
            let about = BTreeMap::from([("file".to_owned(), provenance::last_part(path))]);
            let parts = vec![("image", Content::File(path, Some(digest)))];
            store.put(&New { name, stored: now(), about, parts })?;
        } else if !arguments.json {
            talk::note(&format!("{}: is in the cache already", path.display()));
        }
        if arguments.json {
            values.push(json!({"file": path.display().to_string(), "source": format!("{BY_DIGEST}{digest}"), "stored": !there}));
        } else {
            say(&format!("{BY_DIGEST}{digest}  {}", safe(&path.display().to_string())))?;
        }
    }
    Ok(())
}

fn value(one: &Listed) -> Value {
    let seconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let parts = |entry: &Entry| -> Vec<Value> {
        let part = |part: &hardtack_cache::Part| json!({"name": part.name, "size": part.size, "sha256": part.digest.to_string()});
        entry.parts.iter().map(part).collect()
    };
    json!({
        "kind": one.name.kind.word(),
        "name": one.name.digest.to_string(),
        "bytes": one.size,
        "used": one.used.map(seconds),
        "stored": one.entry.as_ref().ok().map(|entry| entry.stored),
        "about": one.entry.as_ref().ok().map(|entry| entry.about.clone()),
        "parts": one.entry.as_ref().ok().map(parts),
        "damaged": one.entry.as_ref().err().map(ToString::to_string),
    })
}

fn describe(entry: &Entry) -> String {
    let about = |name: &str| entry.about.get(name).map(|text| safe(text)).unwrap_or_default();
    match entry.name.kind {
        Kind::Build => {
            let digest = about("source").chars().take(12).collect::<String>();
            format!("{} of {} ({digest}…)", about("recipe"), about("file"))
        }
        Kind::Source => about("file"),
    }
}

fn count(number: usize) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn ago(now: SystemTime, then: SystemTime) -> String {
    let seconds = now.duration_since(then).unwrap_or_default().as_secs();
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn say(text: &str) -> Result<u8, CliError> {
    writeln!(std::io::stdout().lock(), "{text}").map_err(CliError::stream)?;
    Ok(0)
}
