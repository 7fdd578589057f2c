//! Bodies of the fuzz targets. Each takes any bytes and must come back: without a panic, within seconds,
//! and with less than [`LIMIT`] bytes of memory.
//!
//! User-data is a text, and the input is the text. It may take [`userdata`] 64 MiB. So it is with what comes over
//! the network, which may take [`http`] and [`dns`] 4 MiB, and
//! [`metadata`], which makes a whole instance of it, 64 MiB.
//!
//! A disk image is far too large for a fuzzer to change in places that matter. So an input is the number
//! of a base image and patches to it; `base` has the encoding. `checksums` makes damage believable.
//!
//! Beyond that, what must agree is asserted: an image that was converted reads like its source, and a table
//! that was grown can be read.

mod base;
mod bundle;
mod checksums;
mod console;
mod container;
mod ext4;
mod fat;
mod file;
mod http;
mod local;
mod memory;
mod metadata;
mod network;
mod partition;
mod promise;
mod qcow2;
mod seal;
mod seeds;
mod template;
#[cfg(test)]
mod tests;
mod userdata;

pub use bundle::{bundle, manifest};
pub use console::console;
pub use container::container;
pub use ext4::{ext4, journal};
pub use fat::fat;
pub use http::{dns, http};
pub use local::{frames, imds, windows};
pub use memory::{Capped, LIMIT};
pub use metadata::metadata;
pub use network::network;
pub use partition::partition;
pub use promise::promise;
pub use qcow2::qcow2;
pub use seal::seal_and_open;
pub use seeds::{identify, seeds, superblock};
pub use template::template;
pub use userdata::{mime, userdata, yaml};

/// A target's body.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("ext4", ext4),
    ("journal", journal),
    ("qcow2", qcow2),
    ("partition", partition),
    ("fat", fat),
    ("container", container),
    ("userdata", userdata),
    ("yaml", yaml),
    ("mime", mime),
    ("network", network),
    ("http", http),
    ("dns", dns),
    ("metadata", metadata),
    ("seeds", seeds),
    ("identify", identify),
    ("superblock", superblock),
    ("console", console),
    ("seal", seal_and_open),
    ("promise", promise),
    ("manifest", manifest),
    ("bundle", bundle),
    ("frames", frames),
    ("imds", imds),
    ("windows", windows),
    ("template", template),
];

/// Targets that read texts, and no images.
pub const TEXTS: &[&str] = &[
    "userdata", "yaml", "mime", "network", "metadata", "seeds", "identify", "console", "seal", "promise",
    "frames", "imds", "windows", "template",
];

/// The time that every edit writes.
const EPOCH: i64 = 1_700_000_000;
