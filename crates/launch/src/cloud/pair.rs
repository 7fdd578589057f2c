//! The key pair: one that the cloud has, one that is imported unless the cloud has it, or one that is made here.

use std::path::Path;

use hardtack_cloud::ec2::{KeyPair, describe_key_pairs, import_key_pair};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Journal, Resource};
use hardtack_publish::poll::Fresh;
use hardtack_publish::refusal::{maybe_done, missing};

use super::Key;
use crate::Error;
use crate::key::{self, Public};
use crate::near;

/// The name of the pair; it is there afterwards.
pub(super) fn prepare(
    client: &Client,
    wanted: &Key,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<String, Error> {
    match wanted {
        Key::Named(name) => Ok(name.clone()),
        Key::Imported(public) => import(client, public, None, journal, tell),
        Key::Made { name, file } => {
            let public = made(client, name, file, journal, tell)?;
            import(client, &public, Some(file), journal, tell)
        }
    }
}

/// What can be found wrong before anything is made.
///
/// `file`: what is wrong with a file that is called as the pair is.
pub(super) fn check(
    client: &Client,
    wanted: &Key,
    file: Option<&str>,
    journal: &Journal,
) -> Result<(), Error> {
    match wanted {
        Key::Named(name) => {
            if find(client, name)?.is_some() {
                return Ok(());
            }
            if let Some(wrong) = file {
                return Err(Error::Usage(format!(
                    "{wrong}; nor is there a key pair of that name in {}",
                    client.place().region
                )));
            }
            let all = describe_key_pairs(client, &[], &[])?;
            let names: Vec<String> = all.into_iter().map(|pair| pair.name).collect();
            Err(Error::Refused(format!(
                "--key {name}: there is no such key pair in {}, and no file of that name\n{}",
                client.place().region,
                near::list(name, &names, "there are no key pairs; --new-key FILE makes one")
            )))
        }
        Key::Imported(public) => {
            fits(client, public)?;
            match find(client, &public.name)? {
                Some(pair) if !public.has(&pair.fingerprint) && !ours(&pair, journal) => {
                    Err(taken(&pair, public))
                }
                _ => Ok(()),
            }
        }
        Key::Made { name, file } => {
            key::check_new(file, journal)?;
            let known = key::is_made(file, journal) || stands(name, journal);
            if !known && let Some(pair) = find(client, name)? {
                return Err(Error::Usage(format!(
                    "--new-key {}: there is a key pair {:?} in {} already; give the file another name",
                    file.display(),
                    pair.name,
                    client.place().region
                )));
            }
            Ok(())
        }
    }
}

/// Whether an earlier run with this journal may have imported a pair of that name.
fn stands(name: &str, journal: &Journal) -> bool {
    journal
        .standing()
        .iter()
        .any(|old| matches!(&old.resource, Resource::KeyPair { name: of, .. } if of == name))
}

/// The key of this run: made, written and known, or that of an earlier run with this journal.
fn made(
    client: &Client,
    name: &str,
    file: &Path,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Public, Error> {
    let kind = match client.place().kind {
        Kind::Aws => key::Kind::Ed25519,
        Kind::Euca => key::Kind::Rsa,
    };
    if !key::is_made(file, journal) {
        // A key that no file has is of no use: what an earlier run imported of it goes.
        forget(client, name, journal)?;
    }
    key::of_run(kind, name, file, journal, client.environment(), tell)
}

/// Removes a pair that an earlier run imported, whose private key is gone.
fn forget(client: &Client, name: &str, journal: &Journal) -> Result<(), Error> {
    let standing = journal.standing().into_iter();
    for old in
        standing.filter(|old| matches!(&old.resource, Resource::KeyPair { name: of, .. } if of == name))
    {
        let Resource::KeyPair { fingerprints, .. } = &old.resource else { continue };
        if let Some(pair) = find(client, name)?
            && (ours(&pair, journal) || key::same_fingerprint(fingerprints, &pair.fingerprint))
        {
            hardtack_cloud::ec2::delete_key_pair(client, name)?;
        }
        journal.removed(old.ticket)?;
    }
    Ok(())
}

/// Imports it unless the cloud has it. The call has no token: after one whose answer was lost the name is looked for.
fn import(
    client: &Client,
    public: &Public,
    file: Option<&Path>,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<String, Error> {
    let name = &public.name;
    let resource = Resource::KeyPair {
        name: name.clone(),
        fingerprints: public.fingerprints.clone(),
        file: file.map(|file| file.display().to_string()),
    };
    let region = client.place().region.clone();
    let standing = journal.find(&region, &resource);
    if let Some(pair) = find(client, name)? {
        if !public.has(&pair.fingerprint) && !ours(&pair, journal) {
            return Err(taken(&pair, public));
        }
        match standing {
            // The call of an earlier run was carried out.
            Some(standing) => journal.made(standing.ticket, name)?,
            None => tell.note(&format!("the cloud has the key already: pair {name}")),
        }
        return Ok(name.clone());
    }
    let intent = journal.intent(&region, &resource)?;
    let answer = import_key_pair(client, name, &public.line, &journal.tags());
    match intent.settle(answer) {
        Ok(_) => {}
        // It was carried out before: by the try whose answer was lost, or by the run before this one.
        Err(error) if maybe_done(&error) || error.is("InvalidKeyPair.Duplicate") => {
            let mut fresh = Fresh::new(client);
            loop {
                match find(client, name)? {
                    Some(pair) if public.has(&pair.fingerprint) || ours(&pair, journal) => break,
                    Some(pair) => return Err(taken(&pair, public)),
                    None if fresh.again() => {}
                    None => return Err(error.into()),
                }
            }
        }
        Err(error) => return Err(error.into()),
    }
    journal.made(intent.ticket, name)?;
    tell.note(&format!("key pair {name} is imported"));
    Ok(name.clone())
}

fn find(client: &Client, name: &str) -> Result<Option<KeyPair>, Error> {
    match describe_key_pairs(client, &[name], &[]) {
        Ok(found) => Ok(found.into_iter().find(|pair| pair.name == name)),
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn ours(pair: &KeyPair, journal: &Journal) -> bool {
    hardtack_publish::tags::value(&pair.tags, hardtack_publish::journal::TAG) == Some(&journal.id())
}

/// Eucalyptus takes RSA keys only, AWS these two kinds.
fn fits(client: &Client, public: &Public) -> Result<(), Error> {
    let (good, cloud): (&[&str], _) = match client.place().kind {
        Kind::Aws => (&["ssh-rsa", "ssh-ed25519"], "EC2 takes RSA and ed25519"),
        Kind::Euca => (&["ssh-rsa"], "Eucalyptus takes RSA"),
    };
    if good.contains(&public.algorithm.as_str()) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "--key: {} is a key of the kind {}, and {cloud}",
        public.name, public.algorithm
    )))
}

fn taken(pair: &KeyPair, public: &Public) -> Error {
    Error::Usage(format!(
        "--key: there is a key pair {:?} already, of another key (its fingerprint is {}, this one's {}): give the public \
         key another comment, or --key {} to use that one",
        pair.name,
        pair.fingerprint,
        public.fingerprints.join(" or "),
        pair.name
    ))
}
