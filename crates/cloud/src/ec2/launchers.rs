//! Who may start an image: `DescribeImageAttribute` and `ModifyImageAttribute` of `launchPermission`.

use super::done;
use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Kind, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeImageAttribute");
const MODIFY: Call = Call(Service::Ec2, "ModifyImageAttribute");

/// Who may start an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launchers {
    /// Everybody.
    pub all: bool,
    /// Accounts.
    pub accounts: Vec<String>,
    /// ARNs of organisations.
    pub organizations: Vec<String>,
    /// ARNs of organisational units.
    pub units: Vec<String>,
}

impl Launchers {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Name and value of each, as they stand in `LaunchPermission.Add.1.NAME=VALUE`.
    fn entries(&self) -> Vec<(&'static str, &str)> {
        let all = self.all.then_some(("Group", "all")).into_iter();
        all.chain(self.accounts.iter().map(|account| ("UserId", account.as_str())))
            .chain(self.organizations.iter().map(|arn| ("OrganizationArn", arn.as_str())))
            .chain(self.units.iter().map(|arn| ("OrganizationalUnitArn", arn.as_str())))
            .collect()
    }
}

/// `DescribeImageAttribute` of `launchPermission`.
///
/// # Errors
/// The image is gone, or somebody else's; no answer.
pub fn launchers(client: &Client, image: &str) -> Result<Launchers, Error> {
    let mut query = Query::default();
    query.set("ImageId", image).set("Attribute", "launchPermission");
    let root = DESCRIBE.query(client, &query)?;
    DESCRIBE.id(&root, &["imageId"])?;
    let mut found = Launchers::default();
    // Eucalyptus leaves an empty list out.
    for item in root.child("launchPermission").into_iter().flat_map(|list| list.all("item")) {
        let text = |name: &str| item.at(&[name]).map(|text| text.trim().to_owned());
        found.all |= text("group").as_deref() == Some("all");
        found.accounts.extend(text("userId"));
        found.organizations.extend(text("organizationArn"));
        found.units.extend(text("organizationalUnitArn"));
    }
    Ok(found)
}

/// `ModifyImageAttribute` of `launchPermission`: once for what is added and once for what is removed, because
/// Eucalyptus leaves out the second where it finds the first. Nothing to change: no call.
///
/// # Errors
/// The image is gone; an account that there is not; an image that may not be shared; no answer. For Eucalyptus,
/// organisations.
pub fn modify_launchers(
    client: &Client,
    image: &str,
    add: &Launchers,
    remove: &Launchers,
) -> Result<(), Error> {
    for (what, launchers) in [("Add", add), ("Remove", remove)] {
        if launchers.is_empty() {
            continue;
        }
        let organized = !(launchers.organizations.is_empty() && launchers.units.is_empty());
        if organized && client.place().kind == Kind::Euca {
            return Err(MODIFY.unusable("Eucalyptus knows no organisations; name accounts"));
        }
        let mut query = Query::default();
        query.set("ImageId", image);
        for (index, (name, value)) in launchers.entries().into_iter().enumerate() {
            query.set(format!("LaunchPermission.{what}.{}.{name}", index + 1), value);
        }
        done(MODIFY, &MODIFY.query(client, &query)?)?;
    }
    Ok(())
}
