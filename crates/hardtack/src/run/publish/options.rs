//! Options in their texts: tags, keys, regions, accounts, and what an image is registered as.

use hardtack_cloud::ec2::{BootMode, Launchers, Mapping, RegisterImage};
use hardtack_publish::regions::Distribution;
use hardtack_publish::{devices, image};

use crate::args::{Boot, ExistingName, ImageArgs, Imds, SnapshotArgs};
use crate::error::CliError;

pub(crate) use image::Existing;

/// What to do with a name that is taken.
pub(crate) fn existing(name: ExistingName) -> Existing {
    match name {
        ExistingName::Refuse => Existing::Refuse,
        ExistingName::Reuse => Existing::Reuse,
    }
}

/// Texts of the form `KEY=VALUE`; `option` is what they were given by.
pub(crate) fn pairs(given: &[String], option: &str) -> Result<Vec<(String, String)>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(CliError::usage(format!("{option} {text}: it is KEY=VALUE"))),
    };
    let pairs = given.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if let Some(twice) = keys.windows(2).find(|two| two.first() == two.last()).and_then(|two| two.first()) {
        return Err(CliError::usage(format!("{option} {twice}: it is given twice")));
    }
    Ok(pairs)
}

/// Tags that people gave. Names of ours and of AWS are not theirs to give.
pub(crate) fn tags(given: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let tags = pairs(given, "--tag")?;
    for (key, value) in &tags {
        if key.starts_with("aws:") || key.starts_with("hardtack:") {
            return Err(CliError::usage(format!("--tag {key}: names that begin so are not given by people")));
        }
        if key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(CliError::usage(format!(
                "--tag {key}: a key has up to 128 characters, a value up to 256"
            )));
        }
    }
    Ok(tags)
}

/// The key of the client's region, and what is to become of the image: copies, permissions, parameters.
pub(crate) fn distribution(
    arguments: &SnapshotArgs,
    region: &str,
    tags: &[(String, String)],
) -> Result<(Option<String>, Distribution), CliError> {
    let mut here = None;
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for text in &arguments.kms_keys {
        // No key's id, alias or ARN has an equals sign.
        let (place, key) = text.split_once('=').unwrap_or((region, text));
        if place.is_empty() || key.is_empty() {
            return Err(CliError::usage(format!("--kms-key {text}: it is KEY or REGION=KEY")));
        }
        if keys.iter().any(|(known, _)| *known == place) {
            return Err(CliError::usage(format!("--kms-key {text}: {place} has two keys")));
        }
        keys.push((place, key));
        if place == region {
            here = Some(key.to_owned());
        }
    }
    let mut copies: Vec<(String, Option<String>)> = Vec::new();
    for to in &arguments.copy_to {
        if to == region {
            return Err(CliError::usage(format!("--copy-to {to}: the image is made there")));
        }
        if copies.iter().any(|(known, _)| known == to) {
            return Err(CliError::usage(format!("--copy-to {to}: it is given twice")));
        }
        let key = keys.iter().find(|(place, _)| place == to).map(|(_, key)| (*key).to_owned());
        copies.push((to.clone(), key));
    }
    if let Some((stray, _)) =
        keys.iter().find(|(place, _)| *place != region && !copies.iter().any(|(to, _)| to == place))
    {
        return Err(CliError::usage(format!("--kms-key for {stray}: nothing is copied to that region"))
            .hint(format!("--copy-to {stray} does")));
    }
    let distribution = Distribution {
        copies,
        encrypted: arguments.encrypted || !keys.is_empty(),
        share: launchers(arguments)?,
        tags: tags.to_vec(),
        parameter: arguments.ssm.clone(),
        reuse: false,
    };
    Ok((here, distribution))
}

fn launchers(arguments: &SnapshotArgs) -> Result<Launchers, CliError> {
    let mut share = Launchers { all: arguments.public, ..Launchers::default() };
    for with in &arguments.share {
        let account = with.replace('-', "");
        if with == "all" {
            share.all = true;
        } else if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
            share.accounts.push(account);
        } else if with.starts_with("arn:") && with.contains(":organization/") {
            share.organizations.push(with.clone());
        } else if with.starts_with("arn:") && with.contains(":ou/") {
            share.units.push(with.clone());
        } else {
            let text =
                format!("--share {with}: no account's number, no ARN of an organisation or a unit, not all");
            return Err(CliError::usage(text));
        }
    }
    Ok(share)
}

/// What is registered, as far as the options say it.
pub(crate) fn register_request(arguments: &ImageArgs) -> Result<RegisterImage, CliError> {
    let length = arguments.name.chars().count();
    let allowed = |char: char| char.is_ascii_alphanumeric() || " ()[]./-'@_".contains(char);
    if !(3..=128).contains(&length) || !arguments.name.chars().all(allowed) {
        let text = format!("--name {:?}: a name has 3 to 128 of the characters A-Z a-z 0-9", arguments.name);
        return Err(CliError::usage(format!("{text} ( ) [ ] . / - ' @ _ and blank")));
    }
    if arguments.description.as_ref().is_some_and(|text| text.chars().count() > 255) {
        return Err(CliError::usage("--description: it has more than 255 characters"));
    }
    volume_type(&arguments.volume_type)?;
    let boot_mode = arguments.boot_mode.map(|boot| match boot {
        Boot::LegacyBios => BootMode::Bios,
        Boot::Uefi => BootMode::Uefi,
        Boot::UefiPreferred => BootMode::UefiPreferred,
    });
    Ok(RegisterImage {
        name: arguments.name.clone(),
        description: arguments.description.clone(),
        virtualization: Some(arguments.virtualization_type.name().to_owned()),
        root_device: arguments.root_device_name.clone(),
        boot_mode,
        imds_v2: arguments.imds == Imds::V2,
        tpm: arguments.tpm,
        kernel: id_of(arguments.kernel.as_deref()),
        ramdisk: id_of(arguments.ramdisk.as_deref()),
        platform: arguments.platform.clone(),
        tags: tags(&arguments.tags)?,
        ..RegisterImage::default()
    })
}

/// Kinds of volumes that machines boot from, as EC2's reference has them.
fn volume_type(given: &str) -> Result<(), CliError> {
    match given {
        "standard" | "gp2" | "gp3" => Ok(()),
        "io1" | "io2" => Err(CliError::usage(format!(
            "--volume-type {given}: such a volume needs a number of IOPS, which an image of ours does not have; whoever \
             starts an instance can ask for it"
        ))),
        _ => Err(CliError::usage(format!("--volume-type {given}: roots have gp3, gp2 or standard"))),
    }
}

/// `true` says that the image is one, and is no id.
fn id_of(given: Option<&str>) -> Option<String> {
    given.filter(|id| *id != "true").map(str::to_owned)
}

/// Devices as euca2ools writes them.
pub(crate) fn mappings(given: &[String]) -> Result<Vec<Mapping>, CliError> {
    devices::mappings(given).map_err(|error| CliError::from(error).hint(devices::FORM))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn texts(given: &[&str]) -> Vec<String> {
        given.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn keys_go_to_their_regions() {
        let arguments = SnapshotArgs {
            kms_keys: texts(&["alias/here", "us-east-1=arn:aws:kms:us-east-1:1:key/a"]),
            copy_to: texts(&["us-east-1", "us-west-2"]),
            share: texts(&["1234-5678-9012", "arn:aws:organizations::1:organization/o-1", "all"]),
            ..SnapshotArgs::default()
        };
        let (here, found) = distribution(&arguments, "eu-central-1", &[]).unwrap();
        assert_eq!(here.as_deref(), Some("alias/here"));
        let key = Some("arn:aws:kms:us-east-1:1:key/a".to_owned());
        assert_eq!(found.copies, [("us-east-1".to_owned(), key), ("us-west-2".to_owned(), None)]);
        assert!(found.encrypted && found.share.all);
        assert_eq!(found.share.accounts, ["123456789012"]);
        assert_eq!(found.share.organizations.len(), 1);
        for (keys, regions) in [
            (&["us-east-1=k"][..], &[][..]),
            (&["a", "b"], &[]),
            (&["=k"], &[]),
            (&[], &["here"]),
            (&[], &["a", "a"]),
        ] {
            let arguments =
                SnapshotArgs { kms_keys: texts(keys), copy_to: texts(regions), ..SnapshotArgs::default() };
            assert!(distribution(&arguments, "here", &[]).is_err(), "{keys:?} {regions:?}");
        }
        let stranger = SnapshotArgs { share: texts(&["somebody"]), ..SnapshotArgs::default() };
        assert!(distribution(&stranger, "here", &[]).is_err());
    }

    #[test]
    fn volumes_that_nobody_boots_from_are_refused() {
        assert!(["gp3", "gp2", "standard"].iter().all(|kind| volume_type(kind).is_ok()));
        assert!(["gp9", "", "st1", "io2"].iter().all(|kind| volume_type(kind).is_err()));
    }

    #[test]
    fn tags_of_others_are_refused() {
        assert_eq!(tags(&texts(&["a=b=c", "d="])).unwrap()[0].1, "b=c");
        for bad in [&["aws:x=1"][..], &["hardtack:inputs=1"], &["a"], &["=b"], &["a=1", "a=2"]] {
            assert!(tags(&texts(bad)).is_err(), "{bad:?}");
        }
    }
}
