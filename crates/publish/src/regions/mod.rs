//! Copies in other regions, who may start them, and the parameters that announce them. All regions at once.
//!
//! Steps follow each other, and each begins when the one before has gone well in all regions: copies, sharing, and
//! last the parameters. So nothing that failed is announced.

mod copy;
mod parameter;

use std::collections::BTreeMap;

use hardtack_cloud::ec2::{Image, Launchers, launchers, modify_launchers, share_snapshot};
use hardtack_cloud::ssm::get_parameter;
use hardtack_cloud::{Client, Error as Cloud};

use crate::journal::Journal;
use crate::refusal::denied;
use crate::{Error, Teller, image};

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
    /// An image of the same inputs is as good as a copy, whatever its name: the image itself was found so.
    pub reuse: bool,
}

/// An image in its region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The region.
    pub region: String,
    /// The image.
    pub id: String,
}

impl Distribution {
    /// Regions other than `home` that get a copy, each once.
    ///
    /// # Errors
    /// One is given two keys.
    pub(crate) fn targets(&self, home: &str) -> Result<BTreeMap<&str, Option<&str>>, Error> {
        let mut targets: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        for (region, key) in self.copies.iter().filter(|(region, _)| region != home) {
            let known = targets.entry(region).or_default();
            match (*known, key.as_deref()) {
                (Some(known), Some(key)) if known != key => {
                    return Err(Error::Usage(format!(
                        "region {region} is given two keys, {known} and {key}"
                    )));
                }
                (None, Some(key)) => *known = Some(key),
                _ => {}
            }
        }
        Ok(targets)
    }

    /// Somebody besides the account may start the image.
    pub(crate) fn shares(&self) -> bool {
        self.share != Launchers::default()
    }
}

/// Where an image that was found is, if it has all that `distribution` asks for; `None`: [`distribute`] makes what is
/// missing. Nothing is changed.
pub fn complete(
    client: &Client,
    image: &Image,
    distribution: &Distribution,
    inputs: &str,
) -> Result<Option<Vec<Placed>>, Error> {
    let home = client.place().region.clone();
    let mut placed = vec![Placed { region: home.clone(), id: image.id.clone() }];
    for region in distribution.targets(&home)?.into_keys() {
        let Some(copy) = copy::same(&client.in_region(region), &image.name, inputs, distribution.reuse)?
        else {
            return Ok(None);
        };
        placed.push(Placed { region: region.to_owned(), id: copy.id });
    }
    for image in &placed {
        let client = client.in_region(&image.region);
        if distribution.shares() && !may_start(&client, &image.id, &distribution.share)? {
            return Ok(None);
        }
        if let Some(parameter) = &distribution.parameter
            && get_parameter(&client, parameter)?.as_deref() != Some(&image.id)
        {
            return Ok(None);
        }
    }
    Ok(Some(placed))
}

/// Whether all of these may start the image. Where nobody may ask it, they are given the right again.
fn may_start(client: &Client, image: &str, wanted: &Launchers) -> Result<bool, Error> {
    let found = match launchers(client, image) {
        Err(error) if denied(&error) => return Ok(false),
        other => other?,
    };
    let all = |wanted: &[String], found: &[String]| wanted.iter().all(|one| found.contains(one));
    Ok((found.all || !wanted.all)
        && all(&wanted.accounts, &found.accounts)
        && all(&wanted.organizations, &found.organizations)
        && all(&wanted.units, &found.units))
}

/// Copies, waits, shares snapshots and then images, and sets parameters last, when all images are there.
///
/// Accounts that may start the image may also make volumes of its snapshots: whoever copies it needs that.
pub fn distribute(
    client: &Client,
    image: &str,
    name: &str,
    distribution: &Distribution,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Vec<Placed>, Error> {
    let home = client.place().region.clone();
    let targets = distribution.targets(&home)?;
    let source = image::wait(client, image, tell)?;
    let task = copy::Task { image, from: &home, name, distribution, journal, tell };
    let copied = in_all(targets, |region, key| {
        let client = client.in_region(region);
        let copy = task.copy(&client, key)?;
        Ok((client, copy))
    });
    let copied = all_or_none("copies", copied, |(_, image)| image.id.clone())?;
    let placed: BTreeMap<String, (Client, Image)> =
        copied.into_iter().chain([(home.clone(), (client.clone(), source))]).collect();

    if distribution.shares() {
        tell.note("sharing the image");
        let shared = in_all(&placed, |_, (client, image)| share(client, image, &distribution.share));
        all_or_none("sharing", shared, |()| "shared".to_owned())?;
    }
    if let Some(parameter) = &distribution.parameter {
        let set =
            in_all(&placed, |_, (client, image)| parameter::set(client, parameter, &image.id, journal, tell));
        all_or_none("parameters", set, |()| "set".to_owned())?;
    }
    let mut placed: Vec<Placed> =
        placed.into_iter().map(|(region, (_, image))| Placed { region, id: image.id }).collect();
    // The region where it was made comes first.
    placed.sort_by_key(|placed| placed.region != home);
    Ok(placed)
}

/// Snapshots first: who may start an image whose snapshots he may not use, cannot copy it.
fn share(client: &Client, image: &Image, with: &Launchers) -> Result<(), Error> {
    if !with.accounts.is_empty() {
        for snapshot in image.mappings.iter().filter_map(|mapping| mapping.snapshot.as_deref()) {
            share_snapshot(client, snapshot, &with.accounts, false)?;
        }
    }
    Ok(modify_launchers(client, &image.id, with, &Launchers::default())?)
}

/// Does `work` in all regions at once.
fn in_all<K, V, T>(
    regions: impl IntoIterator<Item = (K, V)>,
    work: impl Fn(&str, V) -> Result<T, Error> + Sync,
) -> BTreeMap<String, Result<T, Error>>
where
    K: AsRef<str> + Send,
    V: Send,
    T: Send,
{
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = regions
            .into_iter()
            .map(|(region, value)| {
                let name = region.as_ref().to_owned();
                (name, scope.spawn(move || work(region.as_ref(), value)))
            })
            .collect();
        let join = |(name, thread): (String, std::thread::ScopedJoinHandle<'_, Result<T, Error>>)| {
            let result = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (name, result)
        };
        threads.into_iter().map(join).collect()
    })
}

/// All results, or an error that has those of every region.
fn all_or_none<T>(
    step: &str,
    results: BTreeMap<String, Result<T, Error>>,
    good: impl Fn(&T) -> String,
) -> Result<BTreeMap<String, T>, Error> {
    if results.values().all(Result::is_ok) {
        return Ok(results.into_iter().filter_map(|(region, result)| Some((region, result.ok()?))).collect());
    }
    let texts: Vec<String> = results
        .iter()
        .map(|(region, result)| match result {
            Ok(value) => format!("{region}: {}", good(value)),
            Err(error) => format!("{region}: {error}"),
        })
        .collect();
    Err(Cloud::State(format!(
        "{step}: {}; the same command goes on from here, and `hardtack undo` with its journal removes what was made",
        texts.join("; ")
    ))
    .into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_region_is_copied_to_once_and_not_to_where_it_is() {
        let copies = [("a", None), ("b", Some("k")), ("a", Some("k2")), ("b", None), ("home", Some("k3"))];
        let copies =
            copies.map(|(region, key): (&str, Option<&str>)| (region.to_owned(), key.map(str::to_owned)));
        let mut distribution = Distribution { copies: copies.to_vec(), ..Distribution::default() };
        let targets = distribution.targets("home").unwrap();
        assert_eq!(targets, BTreeMap::from([("a", Some("k2")), ("b", Some("k"))]));
        distribution.copies.push(("a".to_owned(), Some("k4".to_owned())));
        assert!(distribution.targets("home").unwrap_err().to_string().contains("two keys, k2 and k4"));
        assert!(!distribution.shares());
        distribution.share.accounts.push("1".to_owned());
        assert!(distribution.shares());
    }

    #[test]
    fn a_failure_hides_no_other_regions_result() {
        let regions = [("a", 1), ("b", 2), ("c", 3)];
        let results =
            in_all(
                regions,
                |region, value| {
                    if region == "b" { Err(Error::Usage("it burns".to_owned())) } else { Ok(value) }
                },
            );
        let text = all_or_none("copies", results, |value| format!("ami-{value}")).unwrap_err().to_string();
        assert!(text.starts_with("copies: a: ami-1; b: it burns; c: ami-3; the same command"), "{text}");
        let results = in_all(regions, |_, value| Ok(value));
        let all = all_or_none("copies", results, |_| String::new()).unwrap();
        assert_eq!(all.into_values().sum::<i32>(), 6);
    }
}
