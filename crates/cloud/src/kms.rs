//! Keys: `DescribeKey`, `ListGrants`, `GetKeyPolicy`. Only AWS has them.
//!
//! Source: the KMS API reference of 2014-11-01, and "Key policies in AWS KMS" for the language of policies.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::call::{Call, PAGES};
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Kms, "DescribeKey");
const GRANTS: Call = Call(Service::Kms, "ListGrants");
const POLICY: Call = Call(Service::Kms, "GetKeyPolicy");

/// What who starts an image of an encrypted snapshot must be allowed, in the spelling of policies.
const DECRYPT: &str = "kms:decrypt";
/// Entries of a page of grants, at most.
const GRANTS_OF_PAGE: u32 = 100;

/// What a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its ARN.
    pub arn: String,
    /// AWS manages it: nobody else can be given it.
    pub managed_by_aws: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion` ….
    pub state: String,
    /// Its account.
    pub account: String,
}

/// `DescribeKey`, by id, ARN or `alias/…`.
///
/// # Errors
/// `NotFoundException`; no right to look at it; no answer.
pub fn describe_key(client: &Client, key: &str) -> Result<Key, Error> {
    let answer = DESCRIBE.json(client, &json!({ "KeyId": key }))?;
    let found = answer.get("KeyMetadata").ok_or_else(|| DESCRIBE.wrong("KeyMetadata is missing"))?;
    Ok(Key {
        arn: DESCRIBE.json_id(found, "Arn")?,
        managed_by_aws: DESCRIBE.json_text(found, "KeyManager")? == "AWS",
        state: DESCRIBE.json_id(found, "KeyState")?,
        account: DESCRIBE.json_id(found, "AWSAccountId")?,
    })
}

/// The principals of a key that grants (`ListGrants`) and its policy (`GetKeyPolicy`) name as who may decrypt with it:
/// ARNs, accounts' numbers, and `*` for everybody. Where a policy names everybody under a condition, these are the
/// accounts (`kms:CallerAccount`) and organisations (`aws:PrincipalOrgID`) of the condition.
///
/// # Errors
/// No such key; no right to look, which keys of other accounts give to nobody; no answer.
pub fn grantees(client: &Client, key: &str) -> Result<Vec<String>, Error> {
    // Neither of the calls takes an alias.
    let alias = key.starts_with("alias/") || key.contains(":alias/");
    let key = if alias { describe_key(client, key)?.arn } else { key.to_owned() };
    let mut found = BTreeSet::new();
    grants(client, &key, &mut found)?;
    let answer = POLICY.json(client, &json!({ "KeyId": key, "PolicyName": "default" }))?;
    let text = POLICY.json_text(&answer, "Policy")?;
    let policy: Value =
        serde_json::from_str(text).map_err(|error| POLICY.wrong(format!("Policy is no JSON: {error}")))?;
    for statement in list(policy.get("Statement")) {
        found.extend(principals(statement));
    }
    Ok(found.into_iter().collect())
}

fn grants(client: &Client, key: &str, found: &mut BTreeSet<String>) -> Result<(), Error> {
    let mut marker: Option<String> = None;
    for _ in 0..PAGES {
        let mut input = json!({ "KeyId": key, "Limit": GRANTS_OF_PAGE });
        if let (Some(marker), Some(fields)) = (&marker, input.as_object_mut()) {
            fields.insert("Marker".to_owned(), marker.clone().into());
        }
        let answer = GRANTS.json(client, &input)?;
        for grant in GRANTS.json_list(&answer, "Grants")? {
            let decrypts = texts(grant.get("Operations")).any(|name| name == "Decrypt");
            if let (true, Some(grantee)) = (decrypts, grant.get("GranteePrincipal").and_then(Value::as_str)) {
                found.insert(grantee.to_owned());
            }
        }
        if answer.get("Truncated").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        let next = GRANTS.json_text(&answer, "NextMarker")?.to_owned();
        if marker.as_ref() == Some(&next) {
            return Err(GRANTS.wrong("the next page is the same as this one"));
        }
        marker = Some(next);
    }
    Err(GRANTS.wrong(format!("its list has more than {PAGES} pages")))
}

/// Whom a statement of a policy allows to decrypt.
fn principals(statement: &Value) -> Vec<String> {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    if !allows || !texts(statement.get("Action")).any(|action| matches(&action.to_ascii_lowercase(), DECRYPT))
    {
        return Vec::new();
    }
    let principal = statement.get("Principal");
    let named = match principal {
        Some(Value::Object(kinds)) => texts(kinds.get("AWS")),
        other => texts(other),
    };
    let conditions = statement.get("Condition").and_then(Value::as_object);
    named
        .flat_map(|name| match (name, conditions) {
            ("*", Some(conditions)) => conditions
                .values()
                .filter_map(Value::as_object)
                .flatten()
                .filter(|(key, _)| {
                    key.eq_ignore_ascii_case("kms:CallerAccount")
                        || key.eq_ignore_ascii_case("aws:PrincipalOrgID")
                })
                .flat_map(|(_, values)| texts(Some(values)))
                .map(str::to_owned)
                .collect(),
            (name, _) => vec![name.to_owned()],
        })
        .collect()
}

/// One value or a list of them: policies write both.
fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
    .iter()
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    list(value).filter_map(Value::as_str)
}

/// Whether a pattern of a policy, with `*` and `?`, fits a name.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut in_name) = (0, 0);
    // Where the last star was, and what of the name it had taken: on a mismatch it takes one more.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(in_name) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(found) if *found == b'?' || found == byte => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = position + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}
