//! A manifest as text, byte for byte as euca2ools writes it: one line, no white space, ASCII.

use std::fmt::Write as _;

use super::{Digest, Manifest, Signature, signed_text};
use crate::keys::{PrivateKey, Sealed};
use crate::layout::{UNSIGNED, VERSION};
use crate::{Error, hex};

impl Manifest {
    /// The manifest's text, signed with `key`. Devices are sorted by their virtual names, and only
    /// machines have them.
    pub fn to_xml(&self, key: Option<&PrivateKey>) -> Result<String, Error> {
        let body = self.body();
        // What consumers will cut is what is signed, whatever is in a name.
        let signature = match (key, &self.signature) {
            (Some(key), _) => hex::encode(&key.sign(signed_text(&body).unwrap_or_default().as_bytes())?),
            (None, Signature::Bytes(bytes)) => hex::encode(bytes),
            (None, Signature::Unsigned) => UNSIGNED.to_owned(),
        };
        Ok(format!("{body}<signature>{signature}</signature></manifest>"))
    }

    fn body(&self) -> String {
        let mut out = Xml(String::from("<?xml version='1.0' encoding='ASCII'?>\n<manifest>"));
        out.leaf("version", VERSION);
        out.open("bundler");
        out.leaf("name", &self.bundler.0);
        out.leaf("version", &self.bundler.1);
        out.leaf("release", "0");
        out.close("bundler");
        self.machine(&mut out);
        self.image(&mut out);
        out.0
    }

    fn machine(&self, out: &mut Xml) {
        out.open("machine_configuration");
        out.leaf("architecture", &self.architecture);
        if self.image_type == super::ImageType::Machine && !self.devices.is_empty() {
            let mut devices = self.devices.clone();
            devices.sort();
            out.open("block_device_mapping");
            for (name, device) in &devices {
                out.open("mapping");
                out.leaf("virtual", name);
                out.leaf("device", device);
                out.close("mapping");
            }
            out.close("block_device_mapping");
        }
        if !self.product_codes.is_empty() {
            out.open("product_codes");
            for code in &self.product_codes {
                out.leaf("product_code", code);
            }
            out.close("product_codes");
        }
        for (name, id) in [("kernel_id", &self.kernel), ("ramdisk_id", &self.ramdisk)] {
            if let Some(id) = id {
                out.leaf(name, id);
            }
        }
        out.close("machine_configuration");
    }

    fn image(&self, out: &mut Xml) {
        out.open("image");
        out.leaf("name", &self.name);
        out.leaf("user", &self.user);
        // EC2 wants it right behind the user.
        out.leaf("type", self.image_type.name());
        out.digest(&self.digest);
        out.leaf("size", &self.size.to_string());
        out.leaf("bundled_size", &self.bundled_size.to_string());
        let sealed: [(&str, &Sealed); 2] = [("ec2", &self.cloud_key), ("user", &self.user_key)];
        for (whose, sealed) in sealed {
            let name = format!("{whose}_encrypted_key");
            out.with(&name, "algorithm=\"AES-128-CBC\"", &hex::encode(&sealed.key));
        }
        for (whose, sealed) in sealed {
            out.with(&format!("{whose}_encrypted_iv"), "", &hex::encode(&sealed.iv));
        }
        let _ = write!(out.0, "<parts count=\"{}\">", self.parts.len());
        for (index, part) in self.parts.iter().enumerate() {
            out.0.push_str(&part_text(index, &part.name, &part.digest));
        }
        out.close("parts");
        out.close("image");
    }
}

/// A part's element.
pub(crate) fn part_text(index: usize, name: &str, digest: &Digest) -> String {
    let mut out = Xml(format!("<part index=\"{index}\">"));
    out.leaf("filename", name);
    out.digest(digest);
    out.close("part");
    out.0
}

/// A text that grows. Writing to a `String` cannot fail.
struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        let _ = write!(self.0, "<{name}>");
    }

    fn close(&mut self, name: &str) {
        let _ = write!(self.0, "</{name}>");
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.with(name, "", text);
    }

    fn digest(&mut self, digest: &[u8]) {
        self.with("digest", "algorithm=\"SHA1\"", &hex::encode(digest));
    }

    /// An element with its text; without any, in the short form, as lxml writes it.
    fn with(&mut self, name: &str, attribute: &str, text: &str) {
        let space = if attribute.is_empty() { "" } else { " " };
        if text.is_empty() {
            let _ = write!(self.0, "<{name}{space}{attribute}/>");
            return;
        }
        let _ = write!(self.0, "<{name}{space}{attribute}>");
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                char if char.is_ascii() => self.0.push(char),
                char => {
                    let _ = write!(self.0, "&#{};", u32::from(char));
                }
            }
        }
        self.close(name);
    }
}
