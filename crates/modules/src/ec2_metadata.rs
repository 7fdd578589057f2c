//! Metadata as EC2 and its look-alikes serve it: a tree of names, crawled (`cloudinit/sources/helpers/ec2.py`:
//! `MetadataMaterializer`; `cloudinit/sources/__init__.py`: `normalize_pubkey_data`).

use serde_json::Value as Json;

use crate::machine::Facts;
use crate::pytext;

/// Something in the tree. Names keep the order of the service.
#[derive(Clone, Debug, PartialEq)]
pub enum Metadata {
    /// A directory.
    Map(Vec<(String, Metadata)>),
    /// One line.
    Text(String),
    /// Several lines.
    Lines(Vec<String>),
    /// A JSON object.
    Json(Json),
    /// What is no UTF-8.
    Bytes(Vec<u8>),
}

/// Directories in directories. EC2 has four.
const DEEPEST: usize = 16;
/// Names in all. EC2 has some hundred.
const MOST: usize = 4096;

/// Why the crawl ended.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// The service did not answer.
    #[error("the metadata service does not give {path:?}")]
    Get {
        /// Below `meta-data/`.
        path: String,
        /// What was wrong.
        source: E,
    },
    /// No metadata is that large.
    #[error(
        "the metadata service lists more than {MOST} names, or directories more than {DEEPEST} deep: is it one?"
    )]
    Endless,
    /// A list of names that is no text.
    #[error("the metadata service lists names in {path:?} that are no text")]
    List {
        /// Below `meta-data/`.
        path: String,
    },
}

/// What the service has at a path; `None` where it lists something and does not have it.
pub type Get<'a, E> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, E> + 'a;

/// Reads the whole tree. `get` returns what the service has at a path below `meta-data/`; the path of the
/// tree itself is empty, that of a directory ends with a slash.
///
/// # Errors
/// When `get` fails, and when the tree has no end.
pub fn crawl<E>(get: &mut dyn FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Metadata, Error<E>> {
    crawl_present(&mut |path| get(path).map(Some))
}

/// As [`crawl`]; what is `None` is left out of the tree, though its directory lists it.
///
/// # Errors
/// As [`crawl`].
pub fn crawl_present<E>(get: &mut Get<'_, E>) -> Result<Metadata, Error<E>> {
    let mut crawl = Crawl { get, seen: 0 };
    let list = crawl.get("")?.unwrap_or_default();
    crawl.directory("", &list, 0)
}

struct Crawl<'a, 'b, E> {
    get: &'a mut Get<'b, E>,
    seen: usize,
}

impl<E> Crawl<'_, '_, E> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, Error<E>> {
        self.seen += 1;
        if self.seen > MOST {
            return Err(Error::Endless);
        }
        (self.get)(path).map_err(|source| Error::Get { path: path.to_owned(), source })
    }

    fn directory(&mut self, path: &str, list: &[u8], depth: usize) -> Result<Metadata, Error<E>> {
        if depth > DEEPEST {
            return Err(Error::Endless);
        }
        let text = std::str::from_utf8(list).map_err(|_| Error::List { path: path.to_owned() })?;
        let names = names(text).ok_or(Error::Endless)?;
        let mut map: Vec<(String, Metadata)> = Vec::new();
        for name in names.directories {
            let inner = format!("{path}{}/", quoted(&name));
            let Some(list) = self.get(&inner)? else { continue };
            map.push((name, self.directory(&inner, &list, depth + 1)?));
        }
        for (name, resource) in names.leaves {
            let Some(bytes) = self.get(&format!("{path}{}", quoted(&resource)))? else { continue };
            if !map.iter().any(|(known, _)| *known == name) {
                map.push((name, leaf(bytes)));
            }
        }
        Ok(Metadata::Map(map))
    }
}

/// What a directory lists.
struct Names {
    directories: Vec<String>,
    /// Name, and where it is fetched.
    leaves: Vec<(String, String)>,
}

fn names(text: &str) -> Option<Names> {
    let mut names = Names { directories: Vec::new(), leaves: Vec::new() };
    for line in pytext::lines(text) {
        if names.directories.len() + names.leaves.len() > MOST {
            return None;
        }
        let line = pytext::strip(line);
        let name = line.trim_end_matches('/');
        // Credentials are nobody's business.
        if name.is_empty() || name == "security-credentials" {
            continue;
        }
        if line.ends_with('/') {
            if !names.directories.iter().any(|known| known == name) {
                names.directories.push(name.to_owned());
            }
            continue;
        }
        // A login key is listed as `0=my-key` and lies in `0/openssh-key`.
        let key =
            name.split_once('=').and_then(|(number, name)| Some((number.trim().parse::<i64>().ok()?, name)));
        let (name, resource) = match key {
            Some((number, name)) => (name.to_owned(), format!("{number}/openssh-key")),
            None => (name.to_owned(), name.to_owned()),
        };
        match names.leaves.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = resource,
            None => names.leaves.push((name, resource)),
        }
    }
    Some(names)
}

fn leaf(bytes: Vec<u8>) -> Metadata {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Metadata::Bytes(error.into_bytes()),
    };
    let stripped = pytext::strip(&text);
    if stripped.starts_with('{')
        && stripped.ends_with('}')
        && let Ok(json) = serde_json::from_str(&text)
    {
        return Metadata::Json(json);
    }
    if text.contains('\n') {
        return Metadata::Lines(pytext::lines(&text).into_iter().map(str::to_owned).collect());
    }
    Metadata::Text(text)
}

/// A name as it stands in a URL's path.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~/:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl Metadata {
    /// What lies at `name` of a directory.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(map) = self else { return None };
        map.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The text, if it is one line.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The same as JSON; bytes as base64 behind cloud-init's mark for them.
    #[must_use]
    pub fn to_json(&self) -> Json {
        use base64::Engine as _;
        match self {
            Self::Map(map) => map.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            Self::Text(text) => Json::from(text.as_str()),
            Self::Lines(lines) => Json::from(lines.clone()),
            Self::Json(json) => json.clone(),
            Self::Bytes(bytes) => {
                Json::from(format!("ci-b64:{}", base64::engine::general_purpose::STANDARD.encode(bytes)))
            }
        }
    }

    /// The login keys of the metadata, in its order.
    #[must_use]
    pub fn public_keys(&self) -> Vec<String> {
        let lines = |value: &Self| match value {
            Self::Text(text) => vec![text.clone()],
            Self::Lines(lines) => lines.clone(),
            _ => Vec::new(),
        };
        match self.get("public-keys") {
            Some(Self::Text(text)) => pytext::lines(text).into_iter().map(str::to_owned).collect(),
            Some(Self::Lines(lines)) => lines.clone(),
            Some(Self::Map(map)) => {
                map.iter().flat_map(|(_, value)| lines(value)).filter(|key| !key.is_empty()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What modules want to know of it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let text = |name: &str| {
            self.get(name).and_then(Self::as_text).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let zone = self.get("placement").and_then(|placement| placement.get("availability-zone"));
        let zone = zone.and_then(Self::as_text).map(str::to_owned);
        let mapping = match self.get("block-device-mapping") {
            Some(Self::Map(map)) => map
                .iter()
                .filter_map(|(name, device)| Some((name.clone(), device.as_text()?.to_owned())))
                .collect(),
            _ => std::collections::BTreeMap::default(),
        };
        Facts {
            instance_id: text("instance-id"),
            local_hostname: text("local-hostname"),
            public_keys: self.public_keys(),
            block_devices: mapping,
            // On AWS the zone is the region with a letter behind it.
            region: zone.as_ref().map(|zone| {
                let mut characters = zone.chars();
                characters.next_back();
                characters.as_str().to_owned()
            }),
            availability_zone: zone,
            ..Facts::default()
        }
    }
}
