//! The manifest: what a bundle holds, who can open it, who made it.
//!
//! Format version 2007-10-10; the elements and their order are those of euca2ools 3.4.1
//! (`bundle/manifest.py`) and ec2-ami-tools 1.5.3 (`manifestv20071010.rb`). See `docs/bundle.md`.

mod read;
mod signed;
mod write;

pub use signed::signed_text;
pub(crate) use write::part_text;

use crate::keys::Sealed;

/// A SHA-1.
pub type Digest = [u8; 20];

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ImageType {
    /// A root disk.
    #[default]
    Machine,
    /// A kernel: its `kernel_id` is "true".
    Kernel,
    /// An initial RAM disk: its `ramdisk_id` is "true".
    Ramdisk,
}

impl ImageType {
    /// As it stands in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Kernel => "kernel",
            Self::Ramdisk => "ramdisk",
        }
    }
}

/// A part: a file beside the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, without any directory.
    pub name: String,
    /// SHA-1 of its bytes.
    pub digest: Digest,
}

/// What stands in the signature.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Signature {
    /// Nobody signed.
    #[default]
    Unsigned,
    /// RSASSA-PKCS1-v1_5 with SHA-1 over [`signed_text`].
    Bytes(Vec<u8>),
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The program that made it, and its version.
    pub bundler: (String, String),
    /// `x86_64`.
    pub architecture: String,
    /// Virtual name and device: `ami` and `sda1`.
    pub devices: Vec<(String, String)>,
    /// Product codes.
    pub product_codes: Vec<String>,
    /// The kernel's id, or "true".
    pub kernel: Option<String>,
    /// The RAM disk's id, or "true".
    pub ramdisk: Option<String>,
    /// The image's name: the prefix of all files.
    pub name: String,
    /// The account.
    pub user: String,
    /// What it is for.
    pub image_type: ImageType,
    /// SHA-1 of the tar stream.
    pub digest: Digest,
    /// Bytes of the image.
    pub size: u64,
    /// Bytes of all parts.
    pub bundled_size: u64,
    /// The session, for the cloud.
    pub cloud_key: Sealed,
    /// The session, for the user.
    pub user_key: Sealed,
    /// The parts, in order.
    pub parts: Vec<Part>,
    /// The signature.
    pub signature: Signature,
}
