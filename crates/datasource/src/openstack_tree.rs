//! OpenStack's metadata as a tree of files: on the config drive and at the service the same
//! (`cloudinit/sources/helpers/openstack.py`: `BaseReader.read_v2`).

use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, lenient_base64, python};

use crate::found::File;
use crate::metadata;

/// The versions that are known, the newest first (`OS_VERSIONS`).
const VERSIONS: [&str; 8] = [
    "2018-08-27",
    "2017-02-22",
    "2016-10-06",
    "2016-06-30",
    "2015-10-15",
    "2013-10-17",
    "2013-04-04",
    "2012-08-10",
];

/// Gives a file's content; `None` where there is none.
pub type Fetch<'f, E> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, E> + 'f;

/// Injected files. Nova's quota is 5.
const MOST_FILES: usize = 1024;
/// Bytes of all of them together. They stay in memory, and Nova's quota is 5 files of 10 KiB.
const MOST_BYTES: usize = 4 << 20;

/// What the tree says.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The directory that was read: `2018-08-27`, `latest`.
    pub version: String,
    /// `meta_data.json`, with `local-hostname` and `instance-id` added, `random_seed` out of its base64.
    pub metadata: Map,
    /// `user_data`.
    pub user_data: Option<Vec<u8>>,
    /// What `vendor_data.json` has for us.
    pub vendor_data: Option<Vec<u8>>,
    /// What `vendor_data2.json` has for us.
    pub vendor_data2: Option<Vec<u8>>,
    /// `network_data.json`.
    pub network: Option<Value>,
    /// The file that `network_config` points to: `/etc/network/interfaces`, of old.
    pub interfaces: Option<String>,
    /// Files to write.
    pub files: Vec<File>,
    /// `meta.dsmode`.
    pub dsmode: Option<Value>,
    /// `random_seed`.
    pub random_seed: Option<Vec<u8>>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum Error<E> {
    /// There is none.
    #[error("there is no {path:?}")]
    Missing {
        /// The file that has to be there.
        path: String,
    },
    /// The file that has to be there cannot be read.
    #[error("{path:?} cannot be read")]
    Fetch {
        /// Which one.
        path: String,
        /// Why.
        source: E,
    },
    /// There is one, and it is broken.
    #[error("{path:?} is no metadata of OpenStack: {what}")]
    Broken {
        /// Which file.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads the tree. `fetch` gives the content of a file (`openstack/latest/meta_data.json`), `None` where there is
/// none; of `openstack` it gives the names in that directory, one in a line.
///
/// # Errors
/// When `meta_data.json` cannot be had, and when a file that is there is broken.
pub fn read<E>(fetch: &mut Fetch<'_, E>) -> Result<Tree, Error<E>> {
    let version = working_version(fetch);
    let at = |name: &str| format!("openstack/{version}/{name}");

    let path = at("meta_data.json");
    let bytes = match fetch(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(Error::Missing { path }),
        Err(source) => return Err(Error::Fetch { path, source }),
    };
    let mut metadata = match json(&path, &bytes)?.kind {
        Kind::Map(map) => map,
        _ => return Err(broken(&path, "it is no JSON object")),
    };
    // As with cloud-init, what need not be there need not be readable.
    let mut optional = |name: &str| fetch(&at(name)).unwrap_or_default();
    let user_data = optional("user_data");
    let [vendor, vendor2, network] =
        ["vendor_data.json", "vendor_data2.json", "network_data.json"].map(|name| (name, optional(name)));
    let any = |(name, bytes): (&str, Option<Vec<u8>>)| -> Result<Option<Value>, Error<E>> {
        let Some(bytes) = bytes else { return Ok(None) };
        let path = at(name);
        let value = json(&path, &bytes)?;
        match value.kind {
            Kind::Map(_) | Kind::List(_) | Kind::Text(_) => Ok(Some(value)),
            _ => Err(broken(&path, "it is no JSON object, list or text")),
        }
    };
    let (vendor, vendor2, network) = (any(vendor)?, any(vendor2)?, any(network)?);

    let mut notes = Vec::new();
    let mut vendor_bytes = |name: &str, value: Option<Value>| match vendor_data(value.as_ref()) {
        Ok(bytes) => bytes,
        Err(what) => {
            notes.push(format!("{name} counts for nothing: {what}"));
            None
        }
    };
    let vendor_data = vendor_bytes("vendor_data.json", vendor);
    let vendor_data2 = vendor_bytes("vendor_data2.json", vendor2);

    let random_seed = random_seed(&path, &mut metadata)?;
    let files = files(&path, &metadata, fetch)?;
    let interfaces = match metadata.get(&Key::text("network_config")).filter(|item| truthy(item)) {
        Some(item) => {
            let bytes = content(&path, item, fetch)?;
            let text =
                String::from_utf8(bytes).map_err(|_| broken(&path, "its network_config is no UTF-8"))?;
            Some(text)
        }
        None => None,
    };
    let dsmode = dsmode(&path, &metadata)?;
    if let Some(name) = metadata.get(&Key::text("hostname")).cloned() {
        metadata::set(&mut metadata, "local-hostname", name);
    }
    let Some(uuid) = metadata.get(&Key::text("uuid")).cloned() else {
        return Err(broken(&path, "it has no uuid"));
    };
    metadata::set(&mut metadata, "instance-id", uuid);
    Ok(Tree {
        version,
        metadata,
        user_data,
        vendor_data,
        vendor_data2,
        network,
        interfaces,
        files,
        dsmode,
        random_seed,
        notes,
    })
}

fn broken<E>(path: &str, what: &str) -> Error<E> {
    Error::Broken { path: path.to_owned(), what: what.to_owned() }
}

/// The newest version that both sides know, or else `latest`.
fn working_version<E>(fetch: &mut Fetch<'_, E>) -> String {
    let listed = fetch("openstack").ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    let listed = listed.unwrap_or_default();
    let there: Vec<&str> = python::lines(&listed).map(|(_, line)| python::strip(line)).collect();
    let known = VERSIONS.iter().find(|version| there.contains(version));
    known.map_or_else(|| "latest".to_owned(), |version| (*version).to_owned())
}

fn json<E>(path: &str, bytes: &[u8]) -> Result<Value, Error<E>> {
    let text = std::str::from_utf8(bytes).map_err(|_| broken(path, "it is no UTF-8"))?;
    Value::load_json(text, 0).map_err(|finding| {
        // The text around it may be a password: only the place is told.
        let (line, column) = (finding.place.span.line, finding.place.span.column);
        broken(path, &format!("it is not valid JSON in line {line}, column {column}"))
    })
}

/// `convert_vendordata`: a text, a list of texts, or what a mapping has at `cloud-init`.
///
/// # Errors
/// What it is instead.
pub fn vendor_data(value: Option<&Value>) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(value) = value.filter(|value| truthy(value)) else { return Ok(None) };
    let value = match &value.kind {
        Kind::Map(_) => match value.get("cloud-init").filter(|value| truthy(value)) {
            None => return Ok(None),
            Some(inner) if matches!(inner.kind, Kind::Map(_)) => {
                return Err("its `cloud-init` is a mapping, where text belongs");
            }
            Some(inner) => inner,
        },
        _ => value,
    };
    match &value.kind {
        Kind::Text(text) => Ok(Some(text.clone().into_bytes())),
        Kind::List(_) => Ok(Some(archive(value))),
        _ => Err("it is neither text nor a list of texts"),
    }
}

/// A list of parts, which cloud-init hands on as a list: as the archive that says the same.
fn archive(list: &Value) -> Vec<u8> {
    format!("#cloud-config-archive\n{}\n", metadata::to_json(list)).into_bytes()
}

fn random_seed<E>(path: &str, metadata: &mut Map) -> Result<Option<Vec<u8>>, Error<E>> {
    let Some(seed) = metadata.get_mut(&Key::text("random_seed")) else { return Ok(None) };
    let bytes = seed.as_text().filter(|text| text.is_ascii());
    let bytes = bytes.and_then(|text| lenient_base64::decode(text.as_bytes()).ok());
    let bytes = bytes.ok_or_else(|| broken(path, "its random_seed is no base64"))?;
    seed.kind = Kind::Bytes(bytes.clone());
    Ok(Some(bytes))
}

fn dsmode<E>(path: &str, metadata: &Map) -> Result<Option<Value>, Error<E>> {
    let Some(meta) = metadata.get(&Key::text("meta")) else { return Ok(None) };
    match &meta.kind {
        Kind::Map(map) => Ok(map.get(&Key::text("dsmode")).cloned()),
        // Python has no item "dsmode" of it, and breaks.
        _ => Err(broken(path, "its `meta` is no JSON object")),
    }
}

fn files<E>(path: &str, metadata: &Map, fetch: &mut Fetch<'_, E>) -> Result<Vec<File>, Error<E>> {
    let Some(list) = metadata.get(&Key::text("files")) else { return Ok(Vec::new()) };
    let Some(items) = list.as_list() else {
        // An empty text or mapping has no items either.
        let nothing = matches!(&list.kind, Kind::Text(_) | Kind::Map(_)) && !truthy(list);
        return if nothing { Ok(Vec::new()) } else { Err(broken(path, "its `files` is no list")) };
    };
    if items.len() > MOST_FILES {
        return Err(broken(path, "it has more than 1024 files"));
    }
    let mut files: Vec<File> = Vec::new();
    let mut bytes = 0_usize;
    for item in items {
        let Some(target) = item.get("path") else { continue };
        let Some(target) = target.as_text() else {
            return Err(broken(path, "the path of one of its `files` is no text"));
        };
        let content = content(path, item, fetch)?;
        bytes = bytes.saturating_add(content.len());
        if bytes > MOST_BYTES {
            return Err(broken(path, "its files have more than 4 MiB together"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        match files.iter_mut().find(|file| file.path == target) {
            Some(file) => file.content = content,
            None => files.push(File { path: target, content }),
        }
    }
    Ok(files)
}

/// What `content_path` of `item` names, below `openstack/`.
fn content<E>(path: &str, item: &Value, fetch: &mut Fetch<'_, E>) -> Result<Vec<u8>, Error<E>> {
    let name = item.get("content_path").and_then(Value::as_text).unwrap_or_default();
    let pieces: Vec<&str> = name.split('/').filter(|piece| !piece.is_empty()).collect();
    if pieces.is_empty() {
        return Err(broken(path, "one of its files has no content_path"));
    }
    if pieces.contains(&"..") {
        return Err(broken(path, "one of its files has a content_path with `..`"));
    }
    let file = format!("openstack/{}", pieces.join("/"));
    match fetch(&file) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(broken(path, &format!("it names the file {file:?}, which is not there"))),
        Err(source) => Err(Error::Fetch { path: file, source }),
    }
}
