//! Asking the cloud for images and snapshots, and for each of them with whom it is shared.

use std::collections::BTreeSet;

use hardtack_cloud::ec2::{self, ImageFilter, Launchers, PublicAccess, SnapshotState, VolumeMakers};
use hardtack_cloud::{Client, Kind};

use super::{Block, Image, Images, Snapshot};
use crate::text::masked;
use crate::together::together;
use crate::{Error, Problem};

/// The account's own images and snapshots. What cannot be asked is a problem.
///
/// # Errors
/// Nothing of all could be asked.
pub fn gather(client: &Client, problems: &mut Vec<Problem>) -> Result<Images, Error> {
    let mut found = Images::default();
    let images = of_images(client, &mut found, problems);
    let snapshots = of_snapshots(client, &mut found, problems);
    match (images, snapshots) {
        (Err(error), Err(_)) => return Err(error),
        (one, other) => {
            for error in [one.err(), other.err()].into_iter().flatten() {
                problems.push(Problem { part: "images", of: None, what: error.to_string() });
            }
        }
    }
    if client.place().kind == Kind::Aws {
        let block = |asked: Result<PublicAccess, Error>| {
            Some(match asked {
                Ok(PublicAccess::Blocked) => Block::Blocked,
                Ok(PublicAccess::Allowed) => Block::Allowed,
                Ok(PublicAccess::Unknown) | Err(_) => Block::Unknown,
            })
        };
        found.image_block = block(ec2::image_public_access(client));
        found.snapshot_block = block(ec2::snapshot_public_access(client));
    }
    Ok(found)
}

fn of_images(client: &Client, found: &mut Images, problems: &mut Vec<Problem>) -> Result<(), Error> {
    let filter = ImageFilter { owners: vec!["self".to_owned()], ..ImageFilter::default() };
    let images = ec2::describe_images(client, &filter)?;
    found.images_in_all = images.len();
    let asked = together(&images, |image| Some(ec2::launchers(client, &image.id)));
    let mut silent = Silent::default();
    for (image, launchers) in asked {
        let launchers = launchers.unwrap_or_else(|error| {
            silent.add(error, "InvalidAMIID");
            Launchers::default()
        });
        let public = image.public || launchers.all;
        let others = [&launchers.accounts, &launchers.organizations, &launchers.units];
        if !public && others.iter().all(|list| list.is_empty()) {
            continue;
        }
        let organizations = launchers.organizations.iter().chain(&launchers.units);
        found.images.push(Image {
            id: image.id.clone(),
            name: image.name.clone(),
            public,
            accounts: launchers.accounts.iter().map(|account| masked(account)).collect(),
            organizations: organizations.map(|arn| last(arn)).collect(),
        });
    }
    silent.tell("images", problems);
    Ok(())
}

fn of_snapshots(client: &Client, found: &mut Images, problems: &mut Vec<Problem>) -> Result<(), Error> {
    let mut snapshots = ec2::describe_snapshots(client, &[], &[])?;
    snapshots.retain(|snapshot| snapshot.state != SnapshotState::Error);
    found.snapshots_in_all = snapshots.len();
    let asked = together(&snapshots, |snapshot| Some(ec2::volume_makers(client, &snapshot.id)));
    let mut silent = Silent::default();
    // Who may not ask for an attribute may still ask for lists.
    let mut listed: Option<BTreeSet<String>> = None;
    for (snapshot, makers) in asked {
        let makers = makers.unwrap_or_else(|error| {
            silent.add(error, "InvalidSnapshot");
            let public = listed.get_or_insert_with(|| {
                let public = ec2::public_snapshots(client).unwrap_or_default();
                public.into_iter().map(|snapshot| snapshot.id).collect()
            });
            VolumeMakers { all: public.contains(&snapshot.id), accounts: Vec::new() }
        });
        if !makers.all && makers.accounts.is_empty() {
            continue;
        }
        found.snapshots.push(Snapshot {
            id: snapshot.id.clone(),
            name: snapshot.tags.iter().find(|(key, _)| key == "Name").map(|(_, value)| value.clone()),
            size: snapshot.size,
            public: makers.all,
            accounts: makers.accounts.iter().map(|account| masked(account)).collect(),
        });
    }
    silent.tell("snapshots", problems);
    Ok(())
}

/// Things whose sharing could not be asked: told once for all.
#[derive(Default)]
struct Silent {
    count: usize,
    first: Option<Error>,
}

impl Silent {
    /// What has gone in the meantime is no problem: `gone` begins its code.
    fn add(&mut self, error: Error, gone: &str) {
        if !error.code().is_some_and(|code| code.starts_with(gone)) {
            self.count += 1;
            self.first.get_or_insert(error);
        }
    }

    fn tell(self, what: &str, problems: &mut Vec<Problem>) {
        if let Some(error) = self.first {
            let what = format!("with whom {} of the {what} are shared cannot be asked: {error}", self.count);
            problems.push(Problem { part: "images", of: None, what });
        }
    }
}

/// `o-…` of an organisation's ARN, which has the account's number in it too.
fn last(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}
