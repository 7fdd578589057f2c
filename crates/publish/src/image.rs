//! Registering: a snapshot or a bundle becomes an image. A name that is taken is found before, never doubled.

use hardtack_cloud::Client;
use hardtack_cloud::ec2::{Image, RegisterImage};

use crate::error::pending;
use crate::journal::Journal;
use crate::{Error, Teller};

/// What to do where an image of that name is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// An error that names it.
    #[default]
    Refuse,
    /// It is what is wanted, if it is of the same inputs (tag `hardtack:inputs`); else an error.
    Reuse,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// `ami-…`, `emi-…`.
    pub id: String,
    /// It was there before this run.
    pub found: bool,
}

/// The account's own image of that name, if there is one.
pub fn find(client: &Client, name: &str) -> Result<Option<Image>, Error> {
    let _ = (client, name);
    pending()
}

/// Registers an image and waits until it is available. An image that an earlier run with the same journal made is
/// found again.
pub fn register(
    client: &Client,
    request: &RegisterImage,
    existing: Existing,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Registered, Error> {
    let _ = (client, request, existing, journal, tell);
    pending()
}

/// Waits until an image is available, for as long as it is pending: the state is told. An image that fails is an
/// error with the service's reason.
pub fn wait(client: &Client, image: &str, tell: &dyn Teller) -> Result<Image, Error> {
    let _ = (client, image, tell);
    pending()
}
