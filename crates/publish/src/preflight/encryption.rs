//! What encrypts snapshots in a region, and whether those whom the image is shared with can use that key.

use hardtack_cloud::ec2::{default_key, encryption_default};
use hardtack_cloud::kms::{Key, describe_key, grantees};
use hardtack_cloud::{Client, Error as Cloud};

use super::Check;
use crate::refusal::missing;
use crate::regions::Distribution;

/// The key that AWS makes for an account's volumes.
const ACCOUNTS_OWN: &str = "alias/aws/ebs";

/// What was asked for in a region.
pub(super) struct Wish<'a> {
    /// It is encrypted, whatever the default.
    pub(super) encrypted: bool,
    /// By this key.
    pub(super) key: Option<&'a str>,
}

/// Looks at a region; the second value says whether its snapshots are going to be encrypted.
pub(super) fn region(client: &Client, wish: &Wish<'_>, distribution: &Distribution) -> (Vec<Check>, bool) {
    let region = &client.place().region;
    let mut checks = Vec::new();
    let default = match encryption_default(client) {
        Ok(default) => Some(default),
        Err(error) => {
            let question = format!("whether {region} encrypts by default");
            checks.push(Check::unknown("encryption", &question, &error.into()));
            None
        }
    };
    let by_default = default.as_ref().is_some_and(|default| default.enabled);
    if !wish.encrypted && !by_default {
        if default.is_some() {
            checks.push(Check::good("encryption", format!("snapshots in {region} are not encrypted")));
        } else if distribution.shares() {
            checks.push(Check::doubtful(
                "sharing",
                format!("if {region} encrypts by default with {ACCOUNTS_OWN}, the image cannot be shared"),
            ));
        }
        return (checks, false);
    }
    let known = match default {
        _ if wish.key.is_some() => Some(None),
        Some(default) if default.enabled => Some(default.kms_key),
        // Without a right to ask, it may be a key of the account's own choice.
        _ => default_key(client).ok(),
    };
    let default_key = known.clone().flatten();
    let name = wish.key.or(default_key.as_deref()).unwrap_or(ACCOUNTS_OWN);
    let why = if wish.encrypted { "as asked" } else { "because the account encrypts by default" };
    if distribution.share.all {
        let text =
            format!("snapshots in {region} are encrypted ({why}), and no encrypted image can be public");
        checks.push(Check::bad("sharing", text));
    }
    let is_known = known.is_some();
    match describe_key(client, name) {
        Ok(key) => checks.extend(judge(client, name, &key, (why, is_known), distribution)),
        Err(error) if missing(&error) && wish.key.is_some() => checks.push(Check::bad(
            "key",
            format!(
                "there is no key {name} in {region}: keys belong to one region; give one for each ({error})"
            ),
        )),
        Err(_) if is_own(name) => {
            // AWS makes it when it is first used, and not everybody may look at it.
            checks.push(Check::good(
                "encryption",
                format!("snapshots in {region} are encrypted ({why}) with {name}"),
            ));
            checks.extend(unshareable(name, region, is_known, distribution));
        }
        Err(error) => {
            checks.push(Check::unknown(
                "key",
                &format!("whether {name} in {region} can be used"),
                &error.into(),
            ));
            if distribution.shares() {
                checks
                    .push(Check::doubtful("sharing", who_needs_what(name, region, "whoever gets the image")));
            }
        }
    }
    (checks, true)
}

/// A key that is there.
fn judge(
    client: &Client,
    name: &str,
    key: &Key,
    (why, is_known): (&str, bool),
    distribution: &Distribution,
) -> Vec<Check> {
    let region = &client.place().region;
    if key.state != "Enabled" {
        return vec![Check::bad(
            "key",
            format!("key {name} in {region} is {}: enable it, or give another", key.state),
        )];
    }
    let mut checks =
        vec![Check::good("encryption", format!("snapshots in {region} are encrypted ({why}) with {name}"))];
    if key.managed_by_aws {
        checks.extend(unshareable(name, region, is_known, distribution));
    } else if distribution.shares() {
        checks.extend(strangers(client, name, key, distribution));
    }
    checks
}

fn is_own(name: &str) -> bool {
    name == ACCOUNTS_OWN || name.ends_with(":alias/aws/ebs")
}

/// An image under a key of AWS' cannot be shared.
fn unshareable(name: &str, region: &str, is_known: bool, distribution: &Distribution) -> Option<Check> {
    // That it cannot be public has been said.
    if !distribution.shares() || distribution.share.all {
        return None;
    }
    let text = format!(
        "an image that is encrypted with {name}, the account's own AWS key, cannot be shared, and {region} would use it: \
         give a key of yours with --kms-key, and let those who get the image use it"
    );
    Some(if is_known { Check::bad("sharing", text) } else { Check::doubtful("sharing", text) })
}

/// Accounts that a key's policy and grants do not name.
fn strangers(client: &Client, name: &str, key: &Key, distribution: &Distribution) -> Vec<Check> {
    let region = &client.place().region;
    let named = match grantees(client, &key.arn) {
        Ok(named) => named,
        Err(error) => return vec![unasked(name, region, &error)],
    };
    let everybody = named.iter().any(|one| one == "*");
    let mut checks: Vec<Check> = distribution
        .share
        .accounts
        .iter()
        .filter(|account| **account != key.account && !everybody)
        .filter(|account| !named.iter().any(|one| of_account(one, account)))
        .map(|account| {
            Check::doubtful("sharing", who_needs_what(name, region, &format!("account {account}")))
        })
        .collect();
    // A policy names an organisation by its id in a condition, the last part of its ARN or, of a unit's, one before.
    let organized = distribution.share.organizations.iter().chain(&distribution.share.units);
    let strange =
        organized.filter(|arn| !everybody && !arn.split('/').any(|part| named.iter().any(|one| one == part)));
    checks.extend(strange.map(|arn| Check::doubtful("sharing", who_needs_what(name, region, arn))));
    if checks.is_empty() {
        checks.push(Check::good(
            "sharing",
            format!("key {name} in {region} names all that the image is shared with"),
        ));
    }
    checks
}

/// A principal is an account's number, or an ARN that has it in its fifth field.
fn of_account(principal: &str, account: &str) -> bool {
    principal == account || principal.split(':').nth(4) == Some(account)
}

fn unasked(name: &str, region: &str, error: &Cloud) -> Check {
    let text = who_needs_what(name, region, "whoever gets the image");
    Check::doubtful("sharing", format!("{text} (whether its policy does cannot be known: {error})"))
}

fn who_needs_what(name: &str, region: &str, who: &str) -> String {
    format!(
        "key {name} in {region} does not name {who}, as far as is known: without kms:DescribeKey, kms:Decrypt, \
         kms:CreateGrant and kms:ReEncrypt* in the key's policy their instances do not start; add that to the policy"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_belong_to_accounts() {
        assert!(of_account("123456789012", "123456789012"));
        assert!(of_account("arn:aws:iam::123456789012:root", "123456789012"));
        assert!(!of_account("arn:aws:iam::999999999999:user/123456789012", "123456789012"));
        assert!(is_own("alias/aws/ebs") && is_own("arn:aws:kms:r:1:alias/aws/ebs") && !is_own("alias/mine"));
    }
}
