//! Copies in other regions, who may start them, and the parameters that announce them. All regions at once.

use hardtack_cloud::Client;
use hardtack_cloud::ec2::Launchers;

use crate::error::pending;
use crate::journal::Journal;
use crate::{Error, Teller};

/// What is to become of an image that is registered in the client's region.
#[derive(Clone, Debug, Default)]
pub struct Distribution {
    /// Regions that get a copy, each with the key that encrypts it.
    pub copies: Vec<(String, Option<String>)>,
    /// Copies are encrypted even without a key of their own.
    pub encrypted: bool,
    /// Who may start it, everywhere.
    pub share: Launchers,
    /// Tags of copies.
    pub tags: Vec<(String, String)>,
    /// The parameter that gets the image's id, in each region.
    pub parameter: Option<String>,
}

/// An image in its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The region.
    pub region: String,
    /// The image.
    pub id: String,
}

/// Copies, waits, shares snapshots and then images, and sets parameters last, when all images are there.
pub fn distribute(
    client: &Client,
    image: &str,
    name: &str,
    distribution: &Distribution,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Vec<Placed>, Error> {
    let _ = (client, image, name, distribution, journal, tell);
    pending()
}
