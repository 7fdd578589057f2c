//! All places of a NoCloud seed that need no network, laid over each other: the earlier wins key by key in the
//! metadata, the later has the user-data.

use hardtack_modules::Machine;
use hardtack_userdata::truth::truthy;
use hardtack_userdata::{Key, Kind, Map, Value, kernel_command_line, layers};

use super::{DIRECTORIES, Question, settings};
use crate::dmi;
use crate::local::BlockDevice;

/// What was found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    /// `dmi`, `cmdline`, directories, `ds_config`, devices, addresses.
    pub(super) places: Vec<String>,
    pub(super) metadata: Map,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) vendor_data: Option<Vec<u8>>,
    /// `network-config` that is a mapping.
    pub(super) network: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Why the seed is not used at all.
pub(super) struct Stop(pub(super) String);

/// One seed's files.
struct Files {
    metadata: Vec<u8>,
    user_data: Vec<u8>,
    vendor_data: Option<Vec<u8>>,
    network: Option<Vec<u8>>,
}

pub(super) fn gather(question: &Question<'_>) -> Result<Gathered, Stop> {
    let machine = question.local.machine();
    let mut gathered = Gathered::default();
    if !question.container
        && let Some(serial) = dmi::value(machine, "system-serial-number")
    {
        gathered.add_line("dmi", &serial);
    }
    gathered.add_line("cmdline", question.command_line);

    for directory in DIRECTORIES {
        let Some(files) = Files::read(machine, directory) else { continue };
        gathered.places.push(directory.to_owned());
        if gathered.add(files, directory).is_ok() {
            break;
        }
    }

    let settings = settings(question.config);
    if let Some(from) = settings.get(&Key::text("seedfrom")).filter(|from| truthy(from)) {
        gathered.places.push("ds_config_seedfrom".to_owned());
        gathered.metadata.insert(Key::text("seedfrom"), from.clone());
    }
    gathered.add_settings(&settings)?;

    let label = match settings.get(&Key::text("fs_label")) {
        None => Some("cidata".to_owned()),
        Some(label) if label.is_null() => None,
        Some(label) => Some(label.to_python_str()),
    };
    if let Some(label) = label {
        gathered.add_disk(question, &label)?;
    }
    Ok(gathered)
}

impl Files {
    /// `None` where one of the two is missing without which it is no seed.
    fn read(machine: &dyn Machine, directory: &str) -> Option<Self> {
        let read = |name: &str| machine.read(&format!("{directory}/{name}"));
        Some(Self {
            user_data: read("user-data")?,
            metadata: read("meta-data")?,
            vendor_data: read("vendor-data"),
            network: read("network-config"),
        })
    }
}

impl Gathered {
    fn add_line(&mut self, place: &str, line: &str) {
        let Some(pairs) = kernel_command_line::nocloud(line) else { return };
        self.places.push(place.to_owned());
        let value = |text: Option<String>| Value::new(text.map_or(Kind::Null, Kind::Text));
        let map: Map = pairs.into_iter().map(|(key, text)| (Key::text(key), value(text))).collect();
        self.metadata = layers::effective(&[&self.metadata, &map]);
    }

    /// # Errors
    /// When the metadata is no text.
    fn add(&mut self, files: Files, place: &str) -> Result<(), Stop> {
        let Some(metadata) = mapping(&files.metadata, place, "meta-data", &mut self.notes)? else {
            return self.add_rest(files, place);
        };
        self.metadata = layers::effective(&[&self.metadata, &metadata]);
        self.add_rest(files, place)
    }

    fn add_rest(&mut self, files: Files, place: &str) -> Result<(), Stop> {
        if let Some(network) = files.network.filter(|bytes| !bytes.is_empty()) {
            self.network = network_config(&network, place, &mut self.notes)?;
        }
        self.user_data = Some(files.user_data);
        if let Some(vendor) = files.vendor_data {
            self.vendor_data = Some(vendor);
        }
        Ok(())
    }

    /// `datasource: {NoCloud: {user-data: …, meta-data: …}}`.
    fn add_settings(&mut self, settings: &Map) -> Result<(), Stop> {
        let get = |key: &str| settings.get(&Key::text(key));
        let (Some(user_data), Some(metadata)) = (get("user-data"), get("meta-data")) else { return Ok(()) };
        const PLACE: &str = "the system's configuration";
        let text = |value: &Value| match &value.kind {
            Kind::Text(text) => Some(text.clone().into_bytes()),
            Kind::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        };
        let own = match &metadata.kind {
            Kind::Map(map) => Some(map.clone()),
            _ => match text(metadata) {
                Some(bytes) => mapping(&bytes, PLACE, "meta-data", &mut self.notes)?,
                None => {
                    let why = "the meta-data of datasource: NoCloud is neither a mapping nor text".to_owned();
                    return Err(Stop(why));
                }
            },
        };
        if let Some(own) = own {
            self.metadata = layers::effective(&[&self.metadata, &own]);
        }
        if let Some(network) = get("network-config").filter(|network| truthy(network)) {
            match text(network) {
                Some(bytes) => self.network = network_config(&bytes, PLACE, &mut self.notes)?,
                None => return Err(Stop("the network-config of datasource: NoCloud is no text".to_owned())),
            }
        }
        self.user_data = text(user_data);
        if let Some(vendor) = get("vendor-data") {
            self.vendor_data = text(vendor);
        }
        self.places.push("ds_config".to_owned());
        Ok(())
    }

    fn add_disk(&mut self, question: &Question<'_>, label: &str) -> Result<(), Stop> {
        let (upper, lower) = (label.to_uppercase(), label.to_lowercase());
        let wanted = |device: &BlockDevice| {
            matches!(device.file_system.as_str(), "vfat" | "iso9660")
                && (device.label == upper || device.label == lower || device.boot_label == label)
                // No label is no label.
                && !label.is_empty()
        };
        let mut devices = question.local.block_devices();
        devices.retain(wanted);
        devices.sort_by(|one, other| other.path.cmp(&one.path));
        for device in devices {
            let mut files = None;
            let mounted = question.local.with_files(&device, &mut |machine| files = Files::read(machine, ""));
            if let Err(error) = mounted {
                self.notes.push(format!("{} cannot be mounted: {error}", device.path));
                continue;
            }
            let Some(files) = files else {
                let path = &device.path;
                self.notes.push(format!(
                    "{path} has the label of a seed, but not both of the files user-data and meta-data"
                ));
                continue;
            };
            self.add(files, &device.path)?;
            self.places.push(device.path);
            break;
        }
        Ok(())
    }
}

/// `load_yaml`: a mapping; everything else counts for nothing, with a note.
///
/// # Errors
/// When it is no UTF-8, over which cloud-init breaks.
pub(super) fn mapping(
    bytes: &[u8],
    place: &str,
    name: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Map>, Stop> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let why = format!("{name} of {place} is no UTF-8");
        notes.push(why.clone());
        return Err(Stop(why));
    };
    match hardtack_userdata::load::load_config(text, 0) {
        Ok(map) => Ok(map),
        Err(findings) => {
            let at = findings.first().map(|finding| (finding.place.span.line, finding.place.span.column));
            let (line, column) = at.unwrap_or_default();
            // No word of the text itself: it may hold secrets.
            notes.push(format!(
                "{name} of {place} counts for nothing: in line {line}, column {column} it is no YAML mapping"
            ));
            Ok(None)
        }
    }
}

/// The text of a network configuration that is a mapping.
pub(super) fn network_config(
    bytes: &[u8],
    place: &str,
    notes: &mut Vec<String>,
) -> Result<Option<String>, Stop> {
    let map = mapping(bytes, place, "network-config", notes)?;
    Ok(map.map(|_| String::from_utf8_lossy(bytes).into_owned()))
}
