//! `Release` files: fetched, proved, judged by the clock and by what was seen before.
//!
//! Format: <https://wiki.debian.org/DebianRepository/Format>; verdicts as in apt's `debmetaindex.cc` and
//! `acquire-item.cc`, but for a suite of another name, which is an error here and a warning there.

use std::collections::HashMap;

use hardtack_guest::dpkg::control::{Stanza, split};

use crate::cache::{Cache, digest};
use crate::openpgp::{Keyring, Proof, unchecked, verify_clear, verify_detached};
use crate::place::{Place, inside};
use crate::sources::{Keys, Source};
use crate::{Distrust, Error, Lock, Release, Settings, Stale, date};

/// Debian's have some 200 KiB.
const RELEASE_LIMIT: u64 = 16 << 20;
/// `Acquire::Max-FutureTime` of apt.
const FUTURE: u64 = 10;

/// What a `Release` says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) sha256: String,
    pub(crate) size: u64,
}

/// A `Release` that was proved, with what it lists.
#[derive(Debug)]
pub(crate) struct Proved {
    pub(crate) release: Release,
    /// The directory of its files, below the repository's root, with a slash at its end.
    pub(crate) base: String,
    pub(crate) files: HashMap<String, Listed>,
    pub(crate) architectures: Vec<String>,
    pub(crate) by_hash: bool,
    pub(crate) no_all: bool,
}

/// The bytes of a `Release` as fetched.
enum Raw {
    Clear(Vec<u8>),
    Plain(Vec<u8>, Option<Vec<u8>>),
}

/// Fetches and proves the `Release` of a source.
pub(crate) fn read(
    source: &Source,
    place: &Place<'_>,
    cache: &Cache,
    settings: &Settings,
    lock: Option<&Lock>,
    notes: &mut Vec<String>,
) -> Result<Proved, Error> {
    let base = base(&source.suite);
    let raw = fetch(source, place, cache, &base)?;
    let now = date::seconds(settings.now);
    let name = match &raw {
        Raw::Clear(_) => place.name(&format!("{base}InRelease")),
        Raw::Plain(..) => place.name(&format!("{base}Release")),
    };
    let (text, proof) = prove(&raw, source, now).map_err(|distrust| match distrust {
        Prove::Distrust(distrust) => Error::Untrusted { file: name.clone(), distrust },
        Prove::Error(error) => error,
    })?;
    let proved = parse(&text, &name, source, base, proof)?;
    judge(&proved.release, &text, &name, source, settings, notes)?;
    let seen = cache.release(&source.uri, &source.suite, "date");
    let seen = seen.and_then(|text| String::from_utf8_lossy(&text).trim().parse::<u64>().ok());
    let locked = lock.and_then(|lock| lock.date_of(&source.uri, &source.suite));
    if let Some(seen) = seen.max(locked).filter(|seen| proved.release.date < *seen) {
        let (date, seen) = (date::iso(proved.release.date), date::iso(seen));
        return Err(Error::Stale { file: name, stale: Stale::RolledBack { date, seen } });
    }
    // Only what was proved is remembered, and what nobody signed is not.
    if proved.release.key.is_some() {
        let keep = |kind: &str, content: &[u8]| cache.keep_release(&source.uri, &source.suite, kind, content);
        match &raw {
            Raw::Clear(content) => keep("clear", content)?,
            Raw::Plain(content, signature) => {
                keep("plain", content)?;
                keep("signature", signature.as_deref().unwrap_or_default())?;
            }
        }
        keep("date", proved.release.date.to_string().as_bytes())?;
    }
    Ok(proved)
}

fn base(suite: &str) -> String {
    if suite.ends_with('/') {
        match suite.trim_start_matches("./").trim_start_matches('/') {
            "" => String::new(),
            path => path.to_owned(),
        }
    } else {
        format!("dists/{suite}/")
    }
}

fn fetch(source: &Source, place: &Place<'_>, cache: &Cache, base: &str) -> Result<Raw, Error> {
    if let Place::Nowhere(_) = place {
        let cached = |kind: &str| cache.release(&source.uri, &source.suite, kind);
        return match (cached("clear"), cached("plain")) {
            (Some(clear), _) => Ok(Raw::Clear(clear)),
            (None, Some(plain)) => Ok(Raw::Plain(plain, cached("signature"))),
            (None, None) => Err(Error::Offline {
                file: place.name(&format!("{base}InRelease")),
                what: "is not in the cache, and there is no network; allow it, or name a directory of files"
                    .to_owned(),
            }),
        };
    }
    if let Some(clear) = place.read(&format!("{base}InRelease"), RELEASE_LIMIT)? {
        return Ok(Raw::Clear(clear));
    }
    match place.read(&format!("{base}Release"), RELEASE_LIMIT)? {
        Some(plain) => Ok(Raw::Plain(plain, place.read(&format!("{base}Release.gpg"), RELEASE_LIMIT)?)),
        None => Err(Error::Network {
            url: place.name(&format!("{base}InRelease")),
            what: "there is neither this nor a Release; is the suite's name right?".to_owned(),
        }),
    }
}

enum Prove {
    Distrust(Distrust),
    Error(Error),
}

impl From<Distrust> for Prove {
    fn from(distrust: Distrust) -> Self {
        Self::Distrust(distrust)
    }
}

fn prove(raw: &Raw, source: &Source, now: u64) -> Result<(String, Option<Proof>), Prove> {
    let text = |content: &[u8]| {
        String::from_utf8(content.to_vec()).map_err(|_| Distrust::Malformed("it is not text".to_owned()))
    };
    match (&source.keys, raw) {
        (Keys::Trusted, Raw::Clear(content)) => Ok((unchecked(content)?, None)),
        (Keys::Trusted, Raw::Plain(content, _)) => Ok((text(content)?, None)),
        (Keys::Rings(rings), raw) => {
            let keyring = Keyring::read(rings, &source.fingerprints).map_err(Prove::Error)?;
            match raw {
                Raw::Clear(content) => {
                    let (text, proof) = verify_clear(content, &keyring, now)?;
                    Ok((text, Some(proof)))
                }
                Raw::Plain(_, None) => Err(Distrust::Unsigned.into()),
                Raw::Plain(content, Some(signature)) => {
                    let proof = verify_detached(content, signature, &keyring, now)?;
                    Ok((text(content)?, Some(proof)))
                }
            }
        }
    }
}

fn parse(
    text: &str,
    name: &str,
    source: &Source,
    base: String,
    proof: Option<Proof>,
) -> Result<Proved, Error> {
    let wrong = |what: String| Error::malformed(name, None, what);
    let stanzas = split(text.as_bytes());
    let [(line, _)] = stanzas[..] else {
        return Err(wrong(format!("has {} stanzas, not one", stanzas.len())));
    };
    let stanza = Stanza::parse(text.trim_matches('\n'), name, line)
        .map_err(|error| Error::malformed(name, None, error.to_string()))?;
    let get = |field: &str| stanza.get(field).unwrap_or_default().to_owned();
    let on = |field: &str| stanza.get(field).is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    let date = stanza
        .get("Date")
        .and_then(date::parse)
        .ok_or_else(|| wrong(format!("has the Date {:?}, by which its age cannot be told", get("Date"))))?;
    let sums = stanza.get("SHA256").ok_or_else(|| Error::Untrusted {
        file: name.to_owned(),
        distrust: Distrust::Malformed(
            "it lists its files without SHA-256; MD5 and SHA-1 can be forged".to_owned(),
        ),
    })?;
    let mut files = HashMap::new();
    for (index, entry) in sums.lines().filter(|entry| !entry.trim().is_empty()).enumerate() {
        let words: Vec<&str> = entry.split_ascii_whitespace().collect();
        let bad = || wrong(format!("entry {} of SHA256 is not \"digest size path\": {entry:?}", index + 1));
        let [sha256, size, path] = words[..] else { return Err(bad()) };
        let size = size.parse().map_err(|_| bad())?;
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(bad());
        }
        // Nothing outside of the directory is ever asked for.
        if let Some(path) = inside(path) {
            files.insert(path, Listed { sha256: sha256.to_ascii_lowercase(), size });
        }
    }
    let (label, archive) = (get("Label"), get("Suite"));
    let codename = stanza.get("Codename").map_or_else(|| archive.clone(), str::to_owned);
    let security = archive.ends_with("-security")
        || codename.ends_with("-security")
        || label.to_ascii_lowercase().ends_with("-security");
    let release = Release {
        uri: source.uri.clone(),
        suite: source.suite.clone(),
        codename,
        origin: get("Origin"),
        label,
        archive,
        date,
        sha256: digest(text.as_bytes()),
        key: proof.map(|proof| proof.key),
        not_automatic: on("NotAutomatic"),
        but_automatic_upgrades: on("ButAutomaticUpgrades"),
        security,
    };
    Ok(Proved {
        release,
        base,
        files,
        architectures: get("Architectures").split_ascii_whitespace().map(str::to_owned).collect(),
        by_hash: source.by_hash.unwrap_or_else(|| on("Acquire-By-Hash")),
        no_all: get("No-Support-for-Architecture-all")
            .split_ascii_whitespace()
            .any(|what| what == "Packages"),
    })
}

fn judge(
    release: &Release,
    text: &str,
    name: &str,
    source: &Source,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let stale = |stale: Stale| Error::Stale { file: name.to_owned(), stale };
    let now = date::seconds(settings.now);
    if release.date > now.saturating_add(FUTURE) {
        return Err(stale(Stale::Future { date: date::iso(release.date) }));
    }
    let told = text.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case("Valid-Until").then(|| value.trim())
    });
    let told = match told {
        Some(value) => Some(date::parse(value).ok_or_else(|| {
            Error::malformed(name, None, format!("has the Valid-Until {value:?}, which is no time in UTC"))
        })?),
        None => None,
    };
    let most = source.valid_until_max.map(|most| release.date.saturating_add(most));
    let until = told.into_iter().chain(most).min();
    if let Some(until) = until.filter(|until| *until < now) {
        let stale_now = Stale::Expired { until: date::iso(until) };
        if !source.check_valid_until {
            notes.push(format!("{name}: {stale_now}; taken because {} does not check it", source.place));
        } else if settings.allow_expired {
            notes.push(format!("{name}: {stale_now}; taken because that is allowed"));
        } else {
            return Err(stale(stale_now));
        }
    }
    // `bookworm/updates` and the like name a directory; the release itself has the first part.
    let wanted = source.suite.trim_end_matches('/');
    let known = [&release.codename, &release.archive];
    let fits = |wanted: &str| known.iter().any(|name| name.as_str() == wanted);
    let first = wanted.split('/').next().unwrap_or_default();
    let nameless = known.iter().all(|name| name.is_empty());
    if !source.suite.ends_with('/') && !nameless && !fits(wanted) && !fits(first) {
        let found = known.map(String::as_str).join(" or ");
        return Err(stale(Stale::OtherSuite { wanted: wanted.to_owned(), found }));
    }
    Ok(())
}
