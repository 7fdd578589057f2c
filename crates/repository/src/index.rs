//! `Packages` files: read while they are checked, bounded.

use std::io::{BufRead, BufReader, Read};

use hardtack_guest::dpkg::Package;
use hardtack_guest::dpkg::control::Stanza;
use hardtack_guest::dpkg::depends::{Group, parse_field};
use sha2::{Digest, Sha256};

use crate::cache::{Cache, Wanted, hex};
use crate::place::{Place, inside};
use crate::release::{Listed, Proved};
use crate::{Error, Offer};

/// All of Debian unstable has some 60 MiB.
const INDEX_LIMIT: u64 = 1 << 30;
/// The largest stanza of Debian has some 30 KiB.
const STANZA_LIMIT: usize = 1 << 20;
/// Compressed with the largest window that Debian's tools use, with room.
const MEMORY_LIMIT: u64 = 256 << 20;
/// Packages of one index, and of all.
const MOST: usize = 2_000_000;

const ENDINGS: [&str; 4] = [".xz", ".zst", ".gz", ""];

/// Reads the `Packages` of one component and architecture. `Ok(false)` when the release lists none.
pub(crate) fn read(
    proved: &Proved,
    directory: &str,
    component: &str,
    release: usize,
    place: &Place<'_>,
    cache: &Cache,
    offers: &mut Vec<Offer>,
) -> Result<bool, Error> {
    let plain = format!("{directory}Packages");
    let listed: Vec<(String, &str, &Listed)> = ENDINGS
        .iter()
        .filter_map(|ending| {
            let path = format!("{plain}{ending}");
            proved.files.get(&path).map(|listed| (path, *ending, listed))
        })
        .collect();
    if listed.is_empty() {
        return Ok(false);
    }
    for (path, ending, listed) in listed {
        let whole = format!("{}{path}", proved.base);
        let name = place.name(&whole);
        if listed.size > INDEX_LIMIT {
            return Err(Error::mismatch(name, format!("has {} bytes, which no index has", listed.size)));
        }
        let wanted = Wanted { sha256: &listed.sha256, size: listed.size, name: &name };
        let content = cache.bytes(wanted, || {
            if proved.by_hash {
                let parent =
                    path.rsplit_once('/').map(|(parent, _)| format!("{parent}/")).unwrap_or_default();
                let by_hash = format!("{}{parent}by-hash/SHA256/{}", proved.base, listed.sha256);
                if let Some(reader) = place.open(&by_hash)? {
                    return Ok(Some(reader));
                }
            }
            place.open(&whole)
        })?;
        // Many mirrors list the plain file and do not have it.
        let Some(content) = content else { continue };
        let expected = proved.files.get(&plain);
        let mut reader = Checked::new(open(&content, ending)?, expected);
        parse(&mut BufReader::with_capacity(256 << 10, &mut reader), &name, component, release, offers)?;
        reader.finish(&name)?;
        return Ok(true);
    }
    Err(match place {
        Place::Nowhere(_) => Error::Offline {
            file: place.name(&format!("{}{plain}", proved.base)),
            what: "is not in the cache, and there is no network".to_owned(),
        },
        _ => Error::Network {
            url: place.name(&format!("{}{plain}", proved.base)),
            what: "is listed by the Release, and not there in any compression".to_owned(),
        },
    })
}

fn open<'a>(content: &'a [u8], ending: &str) -> Result<Box<dyn Read + 'a>, Error> {
    let failed = |what: String| Error::malformed("Packages", None, what);
    Ok(match ending {
        ".xz" => {
            let stream =
                liblzma::stream::Stream::new_stream_decoder(MEMORY_LIMIT, liblzma::stream::CONCATENATED)
                    .map_err(|error| failed(error.to_string()))?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(content, stream))
        }
        ".zst" => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(content)
                .map_err(|error| failed(error.to_string()))?;
            reader.window_log_max(27).map_err(|error| failed(error.to_string()))?;
            Box::new(reader)
        }
        ".gz" => Box::new(flate2::bufread::MultiGzDecoder::new(content)),
        _ => Box::new(content),
    })
}

/// What is decompressed, counted and hashed on its way: never more than the release lists.
struct Checked<'a> {
    inner: Box<dyn Read + 'a>,
    expected: Option<&'a Listed>,
    hasher: Sha256,
    taken: u64,
}

impl<'a> Checked<'a> {
    fn new(inner: Box<dyn Read + 'a>, expected: Option<&'a Listed>) -> Self {
        Self { inner, expected, hasher: Sha256::new(), taken: 0 }
    }

    fn finish(self, name: &str) -> Result<(), Error> {
        let Some(expected) = self.expected else { return Ok(()) };
        if self.taken != expected.size || hex(&self.hasher.finalize()) != expected.sha256 {
            return Err(Error::mismatch(name, "decompressed it is not what the signed Release lists"));
        }
        Ok(())
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken += read as u64;
        if self.taken > self.expected.map_or(INDEX_LIMIT, |expected| expected.size.min(INDEX_LIMIT)) {
            return Err(std::io::Error::other("it decompresses to more than the signed Release lists"));
        }
        if self.expected.is_some() {
            self.hasher.update(&buffer[..read]);
        }
        Ok(read)
    }
}

/// Reads the stanzas of a `Packages`.
pub(crate) fn parse(
    reader: &mut dyn BufRead,
    name: &str,
    component: &str,
    release: usize,
    offers: &mut Vec<Offer>,
) -> Result<(), Error> {
    let (mut stanza, mut line, mut first) = (Vec::new(), 0_usize, 1_usize);
    loop {
        let start = stanza.len();
        let room = (STANZA_LIMIT - start) as u64 + 1;
        let read = (&mut *reader)
            .take(room)
            .read_until(b'\n', &mut stanza)
            .map_err(|error| Error::malformed(name, Some(line + 1), error.to_string()))?;
        line += 1;
        if stanza.len() > STANZA_LIMIT {
            return Err(Error::malformed(name, Some(first), "a stanza of more than 1 MiB"));
        }
        let blank = stanza[start..].iter().all(u8::is_ascii_whitespace);
        if !blank {
            continue;
        }
        stanza.truncate(start);
        if !stanza.is_empty() {
            if offers.len() >= MOST {
                return Err(Error::malformed(
                    name,
                    Some(first),
                    format!("is beyond the {MOST} packages that are read"),
                ));
            }
            offers.push(offer(&stanza, name, first, component, release)?);
            stanza.clear();
        }
        first = line + 1;
        if read == 0 {
            return Ok(());
        }
    }
}

fn offer(raw: &[u8], name: &str, line: usize, component: &str, release: usize) -> Result<Offer, Error> {
    let text = String::from_utf8_lossy(raw);
    let wrong = |what: String| Error::malformed(name, Some(line), what);
    let refused = |error: hardtack_guest::Error| wrong(error.to_string());
    let stanza = Stanza::parse(&text, name, line).map_err(refused)?;
    let package = Package::from_stanza(&stanza, name).map_err(refused)?;
    let about = |what: &str| wrong(format!("package {}: {what}", package.name));
    let file = stanza.get("Filename").ok_or_else(|| about("has no Filename"))?;
    let file = inside(file)
        .ok_or_else(|| about(&format!("has the Filename {file:?}, which leads out of the repository")))?;
    let size = stanza.get("Size").and_then(|size| size.parse().ok()).ok_or_else(|| about("has no Size"))?;
    let sha256 = stanza
        .get("SHA256")
        .filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| about("has no SHA256; MD5 and SHA-1 can be forged"))?;
    if package.architecture.is_empty() {
        return Err(about("has no Architecture"));
    }
    Ok(Offer {
        recommends: recommends(&stanza).map_err(|what| about(&format!("field Recommends: {what}")))?,
        essential: is_essential(&stanza),
        release,
        component: component.to_owned(),
        file,
        size,
        sha256: sha256.to_ascii_lowercase(),
        package,
    })
}

pub(crate) fn recommends(stanza: &Stanza) -> Result<Vec<Group>, String> {
    stanza.get("Recommends").map_or_else(|| Ok(Vec::new()), parse_field)
}

/// `Essential`, `Protected`, and what apt wrote before that: `Important`.
pub(crate) fn is_essential(stanza: &Stanza) -> bool {
    ["Essential", "Protected", "Important"]
        .iter()
        .any(|field| stanza.get(field).is_some_and(|value| value.eq_ignore_ascii_case("yes")))
}
