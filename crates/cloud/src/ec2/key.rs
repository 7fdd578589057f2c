//! Key pairs: `DescribeKeyPairs`, `ImportKeyPair`, `DeleteKeyPair`.
//!
//! Eucalyptus (`VmKeys.groovy`) knows neither ids nor tags of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::filter::{add_filters, items, pages};
use super::{done, specify_tags, tags, unless};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeKeyPairs");
const IMPORT: Call = Call(Service::Ec2, "ImportKeyPair");
const DELETE: Call = Call(Service::Ec2, "DeleteKeyPair");

/// A key pair, without its private key, which no cloud has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPair {
    /// Its name.
    pub name: String,
    /// `key-…`; AWS.
    pub id: Option<String>,
    /// Its fingerprint. What it is of depends on who made the pair: MD5 or SHA-1 of some encoding, or SHA-256.
    pub fingerprint: String,
    /// `rsa` or `ed25519`; AWS.
    pub kind: Option<String>,
    /// Its tags; AWS.
    pub tags: Vec<(String, String)>,
}

/// `DescribeKeyPairs`: those of `names`, or those that match `filters`.
///
/// # Errors
/// `InvalidKeyPair.NotFound`: one of the names is no pair's; no answer.
pub fn describe_key_pairs(
    client: &Client,
    names: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<KeyPair>, Error> {
    let mut query = Query::default();
    query.list("KeyName", names.iter().copied());
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    pages(DESCRIBE, client, &query, None, |root| {
        for entry in items(DESCRIBE, root, "keySet")? {
            found.push(key_pair(DESCRIBE, entry)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// `ImportKeyPair` of OpenSSH's line of a public key. AWS takes RSA and Ed25519; Eucalyptus RSA only.
///
/// There is no client token: the call is sent once, and who gets [`Error::Transport`] looks for the name.
///
/// # Errors
/// `InvalidKeyPair.Duplicate`: the name is taken; `InvalidKey.Format`: no such keys here; no answer.
pub fn import_key_pair(
    client: &Client,
    name: &str,
    public_key: &str,
    tags: &[(String, String)],
) -> Result<KeyPair, Error> {
    let mut query = Query::default();
    query.set("KeyName", name).set("PublicKeyMaterial", STANDARD.encode(public_key));
    specify_tags(client, &mut query, &["key-pair"], tags);
    key_pair(IMPORT, &IMPORT.query_once(client, &query)?)
}

/// `DeleteKeyPair`. One that is gone already is no error.
///
/// # Errors
/// No right to do it; no answer.
pub fn delete_key_pair(client: &Client, name: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("KeyName", name);
    let result = DELETE.query(client, &query).and_then(|answer| done(DELETE, &answer));
    unless(result, &["InvalidKeyPair.NotFound"], ())
}

fn key_pair(call: Call, entry: &Element) -> Result<KeyPair, Error> {
    Ok(KeyPair {
        name: call.text(entry, &["keyName"])?.to_owned(),
        id: entry.trimmed(&["keyPairId"]),
        fingerprint: entry.trimmed(&["keyFingerprint"]).unwrap_or_default(),
        kind: entry.trimmed(&["keyType"]),
        tags: tags(entry),
    })
}
