//! Layers of configuration: user-data over vendor-data over what the image says
//! (`cloudinit/util.py`, `mergemanydict`; `cloudinit/stages.py`, `_consume_vendordata`).

use crate::merge::Mergers;
use crate::options;
use crate::truth::is_true;
use crate::value::{Key, Kind, Map, Value};

/// What holds when `layers` are laid over each other, the strongest first. Mappings are merged key by
/// key, everything else comes from the first layer that has it; a layer with a `merge_how` of its own
/// is merged by that.
#[must_use]
pub fn effective(layers: &[&Map]) -> Map {
    let mut merged = Value::new(Kind::Map(Map::new()));
    for layer in layers.iter().filter(|layer| !layer.is_empty()) {
        let mut layer = (*layer).clone();
        // Over a broken `merge_how` cloud-init breaks as a whole; here the layer is left out.
        let Some(mergers) = Mergers::of_layer(&mut layer) else { continue };
        let layer = Value::new(Kind::Map(layer));
        if !mergers.breaks(&merged, &layer) {
            merged = mergers.merge(merged, layer);
        }
    }
    if let Kind::Map(map) = merged.kind { map } else { Map::new() }
}

/// Where vendor-data comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Static: the key `vendor_data`.
    First,
    /// Dynamic (OpenStack's `vendor_data2.json`): the key `vendor_data2`. It is stronger.
    Second,
}

impl Vendor {
    /// The key that switches it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::First => "vendor_data",
            Self::Second => "vendor_data2",
        }
    }
}

/// Whether vendor-data counts at all, by `config`, which is everything but vendor-data: cloud-init's own
/// `vendor_data: {enabled: True}`, unless the image or the user says otherwise.
#[must_use]
pub fn vendor_enabled(config: &Map, vendor: Vendor) -> bool {
    match config.get(&Key::text(vendor.key())) {
        // `cloudinit/settings.py`, `CFG_BUILTIN`.
        None => true,
        Some(value) => match &value.kind {
            Kind::Map(map) => map.get(&Key::text("enabled")).is_none_or(is_true),
            _ => false,
        },
    }
}

/// The kinds of parts that vendor-data may not bring (`disabled_handlers`), as texts.
#[must_use]
pub fn vendor_disabled_handlers(config: &Map, vendor: Vendor) -> Vec<String> {
    let value = config.get(&Key::text(vendor.key())).and_then(|value| value.get("disabled_handlers"));
    let items = value.and_then(Value::as_list).unwrap_or_default();
    items.iter().map(Value::to_python_str).collect()
}

/// Whether the image takes user-data at all (`allow_userdata`).
#[must_use]
pub fn userdata_allowed(base: &Map) -> bool {
    options::get_bool(base, "allow_userdata", true)
}
