//! Before a snapshot is written and registered.
//!
//! What cannot be asked because the account may not is doubtful, not bad: the calls that matter may be allowed.
//! Facts: EC2's "share an AMI" (encrypted snapshots are shared by their key; one of AWS' own keys is nobody else's, and
//! no encrypted image is public) and "block public access"; names as `RegisterImage` has them.

use crate::GIB;
use std::collections::BTreeMap;

use hardtack_cloud::ec2::{PublicAccess, image_public_access, regions};
use hardtack_cloud::{Client, Error as Cloud, Kind};

use super::Check;
use super::encryption::{self, Wish};
use crate::image::{self, Existing};
use crate::regions::Distribution;
use crate::{Error, fingerprint, tags};

/// Bytes of a GiB.
/// GiB of a snapshot.
const LARGEST: u64 = 65536;

/// Before a snapshot is written and registered. `name` is `None` where no image is registered, or where the journal
/// says that this run's image has the name already.
pub fn snapshot(
    client: &Client,
    name: Option<(&str, Existing)>,
    size: u64,
    encrypted: bool,
    kms_key: Option<&str>,
    distribution: &Distribution,
) -> Result<Vec<Check>, Error> {
    if client.place().kind == Kind::Euca {
        let text = "Eucalyptus has no EBS direct: install a bundle, without --ebs";
        return Ok(vec![Check::bad("snapshot", text)]);
    }
    let home = client.place().region.clone();
    let targets = distribution.targets(&home)?;
    let mut checks = vec![disk(size)];
    if let Some((name, _)) = name {
        checks.extend(spelling(name));
    }
    checks.extend(accounts(distribution));
    let (check, goes_on) = super::credentials::credentials(client);
    checks.insert(0, check);
    if !goes_on {
        return Ok(checks);
    }
    let (check, usable) = enabled(client, &home, targets.keys().copied());
    checks.push(check);

    let wish = Wish { encrypted: encrypted || kms_key.is_some(), key: kms_key };
    let (found, at_home) = encryption::region(client, &wish, distribution);
    checks.extend(in_region(client, name, distribution));
    checks.extend(found);
    // Regions that the account cannot use have been named; asking them would only take time.
    let asked: BTreeMap<&str, Option<&str>> = targets
        .into_iter()
        .filter(|(region, _)| usable.as_ref().is_none_or(|all| all.iter().any(|one| one == region)))
        .collect();
    let results: Vec<Vec<Check>> = std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .iter()
            .map(|(region, key)| {
                scope.spawn(move || {
                    let client = client.in_region(region);
                    // A copy of what is encrypted is encrypted.
                    let encrypted = at_home || distribution.encrypted || key.is_some();
                    let mut checks = in_region(&client, name, distribution);
                    checks
                        .extend(encryption::region(&client, &Wish { encrypted, key: *key }, distribution).0);
                    checks
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<Check>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    });
    checks.extend(results.into_iter().flatten());
    Ok(checks)
}

/// What matters in each region besides encryption.
fn in_region(client: &Client, name: Option<(&str, Existing)>, distribution: &Distribution) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some((name, existing)) = name {
        checks.push(clash(client, name, existing));
    }
    if distribution.share.all {
        checks.push(public(client));
    }
    if let Some(parameter) = &distribution.parameter {
        checks.push(announced(client, parameter));
    }
    checks
}

fn disk(size: u64) -> Check {
    let gib = size.div_ceil(GIB);
    match gib {
        0 => Check::bad("size", "the disk has no bytes"),
        1..=LARGEST => Check::good("size", format!("{size} bytes, so a volume of {gib} GiB")),
        _ => Check::bad(
            "size",
            format!("the disk needs {gib} GiB, and a snapshot has at most {LARGEST}: make the disk smaller"),
        ),
    }
}

/// A name that `RegisterImage` would refuse.
pub(super) fn spelling(name: &str) -> Option<Check> {
    let length = name.chars().count();
    if !(3..=128).contains(&length) {
        return Some(Check::bad(
            "name",
            format!("an image's name has 3 to 128 characters, and {name:?} has {length}"),
        ));
    }
    let good = |char: char| char.is_ascii_alphanumeric() || "()[] ./-'@_".contains(char);
    let wrong = name.chars().find(|char| !good(*char))?;
    Some(Check::bad(
        "name",
        format!(
            "an image's name has letters, digits and ()[] ./-'@_, and {name:?} has {wrong:?}: give another"
        ),
    ))
}

pub(super) fn clash(client: &Client, name: &str, existing: Existing) -> Check {
    let region = &client.place().region;
    match image::find(client, name) {
        Ok(None) => Check::good("name", format!("no image in {region} is called {name}")),
        Ok(Some(found)) => match existing {
            Existing::Refuse => Check::bad("name", image::refusal(client, &found).to_string()),
            Existing::Reuse if tags::value(&found.tags, fingerprint::TAG).is_some() => Check::doubtful(
                "name",
                format!(
                    "{} in {region} is called {name}: it is taken if it is of the same inputs, else refused",
                    found.id
                ),
            ),
            Existing::Reuse => Check::bad(
                "name",
                format!(
                    "{} in {region} is called {name} and does not say what it is made of, so it is not reused; give \
                     another name, or deregister it",
                    found.id
                ),
            ),
        },
        // Without EC2 no image comes into being: nothing need be sent to find that out.
        Err(Error::Cloud(error @ Cloud::Transport { .. })) => Check::bad(
            "name",
            format!(
                "whether an image in {region} is called {name} cannot be known, and none can be registered: {error}"
            ),
        ),
        Err(error) => {
            Check::unknown("name", &format!("whether an image in {region} is called {name}"), &error)
        }
    }
}

/// Accounts and organisations as EC2 writes them.
fn accounts(distribution: &Distribution) -> Vec<Check> {
    let share = &distribution.share;
    let number = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut wrong: Vec<String> = share
        .accounts
        .iter()
        .filter(|account| !number(account))
        .map(|account| format!("{account:?} is no account's number of 12 digits"))
        .collect();
    let arns = share.organizations.iter().chain(&share.units).filter(|arn| !arn.starts_with("arn:"));
    wrong.extend(arns.map(|arn| format!("{arn:?} is no ARN of an organisation or a unit")));
    wrong.into_iter().map(|text| Check::bad("sharing", text)).collect()
}

/// Whether the account can use all regions; those that it can, where that is known.
fn enabled<'a>(
    client: &Client,
    home: &'a str,
    targets: impl Iterator<Item = &'a str>,
) -> (Check, Option<Vec<String>>) {
    match regions(client) {
        Ok(usable) => {
            let wanted: Vec<&str> = std::iter::once(home).chain(targets).collect();
            let missing: Vec<&str> =
                wanted.iter().copied().filter(|region| !usable.iter().any(|one| one == region)).collect();
            let check = if missing.is_empty() {
                Check::good("regions", format!("the account can use {}", wanted.join(", ")))
            } else {
                let missing = missing.join(", ");
                Check::bad(
                    "regions",
                    format!(
                        "this account cannot use {missing}: there is no such region, or it is not enabled; enable it \
                         in the account's settings or leave it out"
                    ),
                )
            };
            (check, Some(usable))
        }
        Err(error) => (Check::unknown("regions", "which regions the account can use", &error.into()), None),
    }
}

/// Whether images can be shared with everybody.
fn public(client: &Client) -> Check {
    let region = &client.place().region;
    match image_public_access(client) {
        Ok(PublicAccess::Allowed) => {
            Check::good("public access", format!("images in {region} can be public"))
        }
        Ok(PublicAccess::Blocked) => Check::bad(
            "public access",
            format!(
                "the account blocks public images in {region}: share with accounts, or end it first with `aws ec2 \
                 disable-image-block-public-access --region {region}`"
            ),
        ),
        Ok(PublicAccess::Unknown) => {
            Check::doubtful("public access", format!("{region} does not say whether images can be public"))
        }
        Err(error) => Check::unknown(
            "public access",
            &format!("whether images in {region} can be public"),
            &error.into(),
        ),
    }
}

fn announced(client: &Client, parameter: &str) -> Check {
    let region = &client.place().region;
    match hardtack_cloud::ssm::get_parameter(client, parameter) {
        Ok(Some(value)) => Check::good("parameter", format!("{parameter} in {region} is {value} now")),
        Ok(None) => Check::good("parameter", format!("{parameter} is not in {region} yet")),
        Err(error) => Check::unknown("parameter", &format!("what {parameter} in {region} is"), &error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hardtack_cloud::ec2::Launchers;

    use super::*;
    use crate::preflight::Outcome;

    #[test]
    fn what_needs_no_service_is_judged() {
        assert_eq!(disk(0).outcome, Outcome::Bad);
        assert_eq!(disk(1).outcome, Outcome::Good);
        assert_eq!(disk(LARGEST * GIB).outcome, Outcome::Good);
        assert_eq!(disk(LARGEST * GIB + 1).outcome, Outcome::Bad);
        assert_eq!(spelling("web (1.0)[x]/a-b'c@d_e"), None);
        for name in ["ab", "täg", "a*b", &"x".repeat(129)] {
            assert_eq!(spelling(name).unwrap().outcome, Outcome::Bad, "{name}");
        }
        let share = Launchers {
            all: false,
            accounts: vec!["123456789012".to_owned(), "12345678901".to_owned()],
            organizations: vec!["o-1".to_owned()],
            units: vec!["arn:aws:organizations::1:ou/o-1/ou-1".to_owned()],
        };
        let checks = accounts(&Distribution { share, ..Distribution::default() });
        assert_eq!(checks.len(), 2);
        assert!(checks.iter().all(|check| check.outcome == Outcome::Bad));
    }
}
