//! Images and snapshots of the account that others can use.

mod gather;

pub use gather::gather;

use serde::Serialize;

/// Images and snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Images {
    /// The account's images that are public or shared.
    pub images: Vec<Image>,
    /// How many images it has.
    pub images_in_all: usize,
    /// Its snapshots that are public or shared.
    pub snapshots: Vec<Snapshot>,
    /// How many snapshots it has.
    pub snapshots_in_all: usize,
    /// Whether this region refuses to make images public; AWS only.
    pub image_block: Option<Block>,
    /// Whether this region refuses to make snapshots public; AWS only.
    pub snapshot_block: Option<Block>,
}

/// What an account says of making things public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// It is refused.
    Blocked,
    /// It is not.
    Allowed,
    /// The service does not say, or the account may not ask.
    Unknown,
}

impl Block {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Blocked => "refused",
            Self::Allowed => "allowed",
            Self::Unknown => "not known",
        }
    }
}

/// An image that others can start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Image {
    /// `ami-…`, `emi-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Everybody may start it.
    pub public: bool,
    /// Accounts that may, masked.
    pub accounts: Vec<String>,
    /// Organizations and their units that may.
    pub organizations: Vec<String>,
}

/// A snapshot of which others can make volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// Its tag Name.
    pub name: Option<String>,
    /// GiB.
    pub size: u64,
    /// Everybody may make a volume of it.
    pub public: bool,
    /// Accounts that may, masked.
    pub accounts: Vec<String>,
}
