//! What an account says of itself.

use super::Call;
use crate::refusal::{Answer, Refusal};

/// `DescribeRegions`.
pub(crate) fn regions(call: &Call<'_>) -> Answer {
    let names = call.params.list("RegionName");
    if !call.shared.euca() {
        let _ = (call.params.flag("AllRegions")?, call.params.filters()?);
    }
    call.params.finish()?;
    let known = &call.shared.options.regions;
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(Refusal::bad("InvalidParameterValue", format!("Invalid region provided: {name}")));
    }
    let wanted = known.iter().filter(|name| names.is_empty() || names.contains(name));
    Ok(Call::answer("DescribeRegions", |xml| {
        xml.items("regionInfo", wanted, |xml, name| {
            xml.text("regionName", name)
                .text("regionEndpoint", format!("ec2.{name}.amazonaws.com"))
                .text("optInStatus", "opt-in-not-required");
        });
    }))
}

/// The four calls that ask for one value.
pub(crate) fn setting(call: &Call<'_>, action: &str) -> Answer {
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let (name, value) = match action {
        "GetEbsEncryptionByDefault" => ("ebsEncryptionByDefault", region.encryption_by_default.to_string()),
        "GetEbsDefaultKmsKeyId" => {
            ("kmsKeyId", region.default_key.clone().unwrap_or_else(|| "alias/aws/ebs".to_owned()))
        }
        "GetImageBlockPublicAccessState" => {
            let blocked = if region.image_block_public_access { "block-new-sharing" } else { "unblocked" };
            ("imageBlockPublicAccessState", blocked.to_owned())
        }
        _ => {
            let blocked = if region.snapshot_block_public_access { "block-all-sharing" } else { "unblocked" };
            ("state", blocked.to_owned())
        }
    };
    Ok(Call::answer(action, |xml| {
        xml.text(name, &value);
    }))
}
