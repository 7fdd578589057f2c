//! Parameters of Systems Manager.

use crate::error::pending;
use crate::{Client, Error};

/// `GetParameter`: its value.
pub fn get_parameter(client: &Client, name: &str) -> Result<Option<String>, Error> {
    let _ = (client, name);
    pending()
}

/// `PutParameter`, over what was there. `image`: the service checks that it is an image's id (`aws:ec2:image`).
pub fn put_parameter(client: &Client, name: &str, value: &str, image: bool) -> Result<(), Error> {
    let _ = (client, name, value, image);
    pending()
}

/// `DeleteParameter`. One that is gone already is no error.
pub fn delete_parameter(client: &Client, name: &str) -> Result<(), Error> {
    let _ = (client, name);
    pending()
}
