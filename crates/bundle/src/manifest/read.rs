//! Reading a manifest: lenient towards everything that any known program writes, strict about what a
//! bundle cannot be taken apart without.
//!
//! Any order, white space, namespace, comment and unknown element is accepted; so are a zero-byte last
//! part (euca2ools writes one when the length fits exactly), `UNSIGNED` and an empty signature. Names of
//! parts are names: nothing that a manifest says leads out of its directory.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Digest, ImageType, Manifest, Part, Signature};
use crate::layout::{LARGEST_MANIFEST, VERSION};
use crate::{Error, hex};

/// Elements in each other; a manifest has five.
const DEEPEST: usize = 32;
/// Bytes of one text; the longest that means anything is a signature of 16384 bits.
const LONGEST_TEXT: usize = 1 << 16;

/// A part as it is read, its index beside it.
#[derive(Default)]
struct Found {
    index: Option<u64>,
    name: String,
    digest: Option<Digest>,
}

#[derive(Default)]
struct Fields {
    manifest: Manifest,
    parts: Vec<Found>,
    count: Option<u64>,
    device: (String, String),
    version: String,
    size: Option<u64>,
    bundled_size: Option<u64>,
    digest: Option<Digest>,
    has_image: bool,
}

impl Manifest {
    /// Reads a manifest; `path` is named in errors.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let fail = |what| Error::Manifest { path: path.to_owned(), what };
        if bytes.len() as u64 > LARGEST_MANIFEST {
            return Err(fail(format!("it has {} bytes, and {LARGEST_MANIFEST} are the most", bytes.len())));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| fail(format!("byte {} is neither ASCII nor UTF-8", error.valid_up_to())))?;
        Fields::read(text).and_then(Fields::finish).map_err(fail)
    }
}

impl Fields {
    fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let (mut fields, mut path, mut word) = (Self::default(), Vec::<String>::new(), String::new());
        loop {
            let at = reader.buffer_position();
            let broken = |error: &dyn std::fmt::Display| format!("no XML at byte {at}: {error}");
            let event = reader.read_event().map_err(|error| broken(&error))?;
            match event {
                Event::Start(start) => {
                    word.clear();
                    path.push(local_name(start.local_name().as_ref()));
                    if path.len() > DEEPEST {
                        return Err(format!("more than {DEEPEST} elements in each other at byte {at}"));
                    }
                    fields.enter(&path, &start)?;
                }
                Event::Empty(start) => {
                    path.push(local_name(start.local_name().as_ref()));
                    fields.enter(&path, &start)?;
                    fields.leave(&path, "")?;
                    path.pop();
                    word.clear();
                }
                Event::End(_) => {
                    fields.leave(&path, word.trim())?;
                    path.pop();
                    word.clear();
                }
                Event::Text(text) => word.push_str(&text.decode().map_err(|error| broken(&error))?),
                Event::CData(text) => word.push_str(&text.decode().map_err(|error| broken(&error))?),
                Event::GeneralRef(name) => match name.resolve_char_ref() {
                    Ok(Some(char)) => word.push(char),
                    _ => word.push(match &*name {
                        b"amp" => '&',
                        b"lt" => '<',
                        b"gt" => '>',
                        b"quot" => '"',
                        b"apos" => '\'',
                        _ => return Err(format!("an unknown entity at byte {at}")),
                    }),
                },
                Event::DocType(_) => {
                    return Err(format!("a document type at byte {at}; manifests have none"));
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof if path.is_empty() => return Ok(fields),
                Event::Eof => return Err(format!("cut off: <{}> is not closed", path.join("><"))),
            }
            if word.len() > LONGEST_TEXT {
                return Err(format!("a text of more than {LONGEST_TEXT} bytes at byte {at}"));
            }
        }
    }

    fn enter(&mut self, path: &[String], start: &BytesStart<'_>) -> Result<(), String> {
        let number = |name: &str| -> Result<Option<u64>, String> {
            let attribute = start.try_get_attribute(name).map_err(|error| error.to_string())?;
            let Some(attribute) = attribute else { return Ok(None) };
            let text = String::from_utf8_lossy(&attribute.value).into_owned();
            text.trim().parse().map(Some).map_err(|_| format!("{name}={text:?} is no number"))
        };
        match inner(path).as_slice() {
            ["image"] => self.has_image = true,
            ["image", "parts"] => self.count = number("count")?,
            ["image", "parts", "part"] => {
                self.parts.push(Found { index: number("index")?, ..Found::default() });
            }
            ["machine_configuration", "block_device_mapping", "mapping"] => self.device = Default::default(),
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, path: &[String], text: &str) -> Result<(), String> {
        let inner = inner(path);
        let is = || inner.join("/");
        let bytes = || hex::decode(text).ok_or_else(|| format!("{} is not hexadecimal", is()));
        let digest = || -> Result<Option<Digest>, String> {
            let bytes = bytes()?;
            let wrong = || format!("{} has {} digits, and a SHA-1 has 40", is(), text.len());
            Ok(Some(bytes.as_slice().try_into().map_err(|_| wrong())?))
        };
        let number =
            || text.parse::<u64>().map(Some).map_err(|_| format!("{} is {text:?}, no number of bytes", is()));
        let some = || Some(text.to_owned()).filter(|text| !text.is_empty());
        let manifest = &mut self.manifest;
        match inner.as_slice() {
            ["version"] => self.version = text.to_owned(),
            ["bundler", "name"] => manifest.bundler.0 = text.to_owned(),
            ["bundler", "version"] => manifest.bundler.1 = text.to_owned(),
            ["machine_configuration", "architecture"] => manifest.architecture = text.to_owned(),
            ["machine_configuration", "kernel_id"] => manifest.kernel = some(),
            ["machine_configuration", "ramdisk_id"] => manifest.ramdisk = some(),
            ["machine_configuration", "product_codes", "product_code"] => {
                manifest.product_codes.push(text.to_owned());
            }
            ["machine_configuration", "block_device_mapping", "mapping", "virtual"] => {
                self.device.0 = text.to_owned();
            }
            ["machine_configuration", "block_device_mapping", "mapping", "device"] => {
                self.device.1 = text.to_owned();
            }
            ["machine_configuration", "block_device_mapping", "mapping"] => {
                manifest.devices.push(std::mem::take(&mut self.device));
            }
            ["image", "name"] => manifest.name = text.to_owned(),
            ["image", "user"] => manifest.user = text.to_owned(),
            ["image", "type"] => {
                manifest.image_type = match text {
                    "kernel" => ImageType::Kernel,
                    "ramdisk" => ImageType::Ramdisk,
                    _ => ImageType::Machine,
                }
            }
            ["image", "digest"] => self.digest = digest()?,
            ["image", "size"] => self.size = number()?,
            ["image", "bundled_size"] => self.bundled_size = number()?,
            ["image", "ec2_encrypted_key"] => manifest.cloud_key.key = bytes()?,
            ["image", "ec2_encrypted_iv"] => manifest.cloud_key.iv = bytes()?,
            ["image", "user_encrypted_key"] => manifest.user_key.key = bytes()?,
            ["image", "user_encrypted_iv"] => manifest.user_key.iv = bytes()?,
            ["image", "parts", "part", "filename"] => {
                if let Some(part) = self.parts.last_mut() {
                    part.name = text.to_owned();
                }
            }
            ["image", "parts", "part", "digest"] => {
                let digest = digest()?;
                if let Some(part) = self.parts.last_mut() {
                    part.digest = digest;
                }
            }
            ["signature"] if matches!(text, "" | crate::layout::UNSIGNED) => {}
            ["signature"] => manifest.signature = Signature::Bytes(bytes()?),
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Manifest, String> {
        if !self.has_image {
            return Err("it has no <image>; is it a manifest of a bundle?".to_owned());
        }
        if self.version != VERSION {
            return Err(format!("its version is {:?}, and only {VERSION} is known", self.version));
        }
        let missing = |name: &str| format!("<{name}> of the image is missing");
        self.manifest.digest = self.digest.ok_or_else(|| missing("digest"))?;
        self.manifest.size = self.size.ok_or_else(|| missing("size"))?;
        self.manifest.bundled_size = self.bundled_size.ok_or_else(|| missing("bundled_size"))?;
        if self.count.is_some_and(|count| count != self.parts.len() as u64) {
            return Err(format!(
                "it says {} parts, and lists {}",
                self.count.unwrap_or_default(),
                self.parts.len()
            ));
        }
        // Without an index they come as they stand.
        self.parts.sort_by_key(|part| part.index);
        let first = self.parts.first().and_then(|part| part.index).unwrap_or_default();
        for (number, part) in self.parts.into_iter().enumerate() {
            if part.index.is_some_and(|index| Some(index) != first.checked_add(number as u64)) {
                return Err(format!(
                    "part {} is missing, or there twice",
                    first.saturating_add(number as u64)
                ));
            }
            check_name(&part.name).map_err(|why| format!("part {number} is {:?}: {why}", part.name))?;
            let digest = part.digest.ok_or_else(|| format!("part {number} has no digest"))?;
            self.manifest.parts.push(Part { name: part.name, digest });
        }
        if self.manifest.parts.is_empty() {
            return Err("it lists no parts".to_owned());
        }
        Ok(self.manifest)
    }
}

/// Refuses what is no plain name of a file.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("a part needs a name"),
        "." | ".." => Err("a directory is no part"),
        _ if name.contains('/') => Err("parts lie beside the manifest, and their names have no `/`"),
        _ if name.chars().any(char::is_control) => Err("a name has no control characters"),
        _ if name.len() > 255 => Err("no file has so long a name"),
        _ => Ok(()),
    }
}

/// The path below the root element; empty for the root itself.
fn inner(path: &[String]) -> Vec<&str> {
    path.iter().skip(1).map(String::as_str).collect()
}

fn local_name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
