//! `CopyImage` and `CopySnapshot`: the caller's region is the copy's.

use std::collections::BTreeSet;

use super::{Call, register};
use crate::cloud::aws_key;
use crate::refusal::{Answer, Refusal};
use crate::world::{Image, Region, Snapshot, State, World};

/// Copies of snapshots that a region makes at once.
const CONCURRENT: usize = 20;

/// How a copy is encrypted.
struct Encryption {
    encrypted: bool,
    key: Option<String>,
}

impl Encryption {
    fn parse(call: &Call<'_>) -> Result<Self, Refusal> {
        let encrypted = call.params.flag("Encrypted")? == Some(true);
        let key = call.params.get("KmsKeyId");
        if key.is_some() && !encrypted {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(Refusal::bad("InvalidParameterDependency", text));
        }
        Ok(Self { encrypted, key })
    }

    /// The ARN of the key of a copy of `source`, and whether it is AWS's own.
    fn key(
        &self,
        call: &Call<'_>,
        region: &Region,
        source: &Snapshot,
    ) -> Result<(Option<String>, bool), Refusal> {
        if !self.encrypted && source.key.is_none() && !region.encryption_by_default {
            return Ok((None, false));
        }
        let Some(wanted) = self.key.clone().or_else(|| region.default_key.clone()) else {
            return Ok((Some(aws_key(&call.caller.region, &call.caller.account)), true));
        };
        let found = region.keys.iter().find(|key| {
            key.arn == wanted
                || key.arn.split('/').next_back() == Some(wanted.as_str())
                || (!key.alias.is_empty() && wanted.ends_with(&key.alias))
        });
        match found {
            Some(key) if key.state == "Enabled" => Ok((Some(key.arn.clone()), key.managed_by_aws)),
            _ => {
                let text = format!("The KMS key {wanted} does not exist here, or is not enabled");
                Err(Refusal::bad("InvalidParameterValue", text))
            }
        }
    }
}

fn check_region(call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    if call.shared.options.regions.iter().any(|have| have == name) {
        return Ok(());
    }
    Err(Refusal::bad("InvalidParameterValue", format!("Invalid region: {name}")))
}

/// A copy of `source`, pending.
fn copy(
    call: &Call<'_>,
    world: &mut World,
    source: &Snapshot,
    encryption: &Encryption,
) -> Result<Snapshot, Refusal> {
    let id = world.id("snap", false);
    let region = world.region(&call.caller.region);
    let (key, managed_key) = encryption.key(call, region, source)?;
    let copies =
        region.snapshots.values().filter(|have| !have.open && matches!(have.state, State::Pending(_)));
    if copies.count() >= CONCURRENT {
        let text = format!("The maximum number of snapshot copies in progress is {CONCURRENT}.");
        return Err(Refusal::bad("ResourceLimitExceeded", text));
    }
    Ok(Snapshot {
        id,
        owner: call.caller.account.clone(),
        key,
        managed_key,
        started: call.shared.now(),
        state: State::Pending(Some(call.shared.options.copy_polls)),
        written: BTreeSet::new(),
        open: false,
        misses: 0,
        unseen: call.shared.options.describe_misses,
        file: None,
        all_users: false,
        users: BTreeSet::new(),
        tags: Default::default(),
        ..source.clone()
    })
}

/// `CopyImage`.
pub(crate) fn image(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (from, source, name) =
        (params.need("SourceRegion")?, params.need("SourceImageId")?, params.need("Name")?);
    let (description, token) = (params.get("Description"), params.get("ClientToken"));
    let encryption = Encryption::parse(call)?;
    let copy_tags = params.flag("CopyImageTags")? == Some(true);
    let mut tags = params.specified_tags(&["image", "snapshot"])?;
    params.finish()?;
    register::check_name(call, &name)?;
    check_region(call, &from)?;
    super::images::check_id(&source)?;
    let mut world = call.shared.world();
    if let Some(id) = call.repeated(world.region(&call.caller.region), "CopyImage", token.as_deref())? {
        return Ok(Call::answer("CopyImage", |xml| {
            xml.text("imageId", &id);
        }));
    }
    let account = call.caller.account.clone();
    let missing =
        || Refusal::bad("InvalidAMIID.NotFound", format!("The image id '[{source}]' does not exist"));
    let original = world.region(&from).images.get(&source).cloned().ok_or_else(missing)?;
    if original.owner != account && !original.all_users && !original.users.contains(&account) {
        return Err(missing());
    }
    if original.state != State::Ready {
        return Err(Refusal::bad("InvalidAMIID.Unavailable", format!("{source} is not available")));
    }
    let same = |have: &&Image| have.owner == account && have.name == name;
    if let Some(have) = world.region(&call.caller.region).images.values().find(same) {
        let text = format!("AMI name {name} is already in use by AMI {}", have.id);
        return Err(Refusal::bad("InvalidAMIName.Duplicate", text));
    }
    let id = world.id("ami", false);
    let mut mappings = original.mappings.clone();
    let mut made = Vec::new();
    for mapping in &mut mappings {
        let Some(snapshot) = &mapping.snapshot else { continue };
        let found = world.region(&from).snapshots.get(snapshot).cloned();
        let found = found.filter(|have| super::snapshots::visible(have, &account)).ok_or_else(|| {
            Refusal::bad("InvalidRequest", "You do not have permission to access the storage of this ami")
        })?;
        let mut copied = copy(call, &mut world, &found, &encryption)?;
        copied.description = format!("Copied for DestinationAmi {id} from SourceAmi {source}");
        copied.tags = tags.get("snapshot").cloned().unwrap_or_default();
        mapping.snapshot = Some(copied.id.clone());
        mapping.encrypted = copied.key.is_some();
        made.push(copied);
    }
    let mut image_tags = tags.remove("image").unwrap_or_default();
    if copy_tags {
        image_tags.extend(original.tags.clone());
    }
    let state = match &call.shared.options.copies_fail {
        Some(reason) => State::Failed(reason.clone()),
        None => State::Pending(Some(call.shared.options.copy_polls)),
    };
    let image = Image {
        id: id.clone(),
        location: format!("{account}/{name}"),
        name,
        description,
        owner: account,
        mappings,
        created: call.shared.now(),
        state,
        tags: image_tags,
        all_users: false,
        users: BTreeSet::new(),
        organizations: BTreeSet::new(),
        units: BTreeSet::new(),
        source: Some((source, from)),
        unseen: call.shared.options.describe_misses,
        ..original
    };
    let region = world.region(&call.caller.region);
    region.images.insert(id.clone(), image);
    region.snapshots.extend(made.into_iter().map(|snapshot| (snapshot.id.clone(), snapshot)));
    call.remember(region, "CopyImage", token, &id);
    Ok(Call::answer("CopyImage", |xml| {
        xml.text("imageId", &id);
    }))
}

/// `CopySnapshot`.
pub(crate) fn snapshot(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (from, source) = (params.need("SourceRegion")?, params.need("SourceSnapshotId")?);
    let (description, url) = (params.get("Description"), params.get("PresignedUrl"));
    let destination = params.get("DestinationRegion");
    let encryption = Encryption::parse(call)?;
    let mut tags = params.specified_tags(&["snapshot"])?;
    params.finish()?;
    if destination.is_some_and(|destination| destination != call.caller.region) {
        return Err(Refusal::bad("InvalidParameterValue", "The destination is the region that is asked"));
    }
    check_region(call, &from)?;
    let mut world = call.shared.world();
    let found = world.region(&from).snapshots.get(&source).cloned();
    let found = found.filter(|have| super::snapshots::visible(have, &call.caller.account));
    let found = found.ok_or_else(|| {
        Refusal::bad("InvalidSnapshot.NotFound", format!("The snapshot '{source}' does not exist."))
    })?;
    if found.state != State::Ready {
        return Err(Refusal::bad("IncorrectState", format!("{source} is not in the state 'completed'")));
    }
    if found.key.is_some() && found.managed_key && found.owner != call.caller.account {
        return Err(Refusal::bad("InvalidRequest", "The KMS key of the snapshot cannot be accessed"));
    }
    if found.key.is_some() && from != call.caller.region && url.is_none() {
        let text = "A presigned URL is needed to copy an encrypted snapshot to another region";
        return Err(Refusal::bad("MissingParameter", text));
    }
    let mut copied = copy(call, &mut world, &found, &encryption)?;
    copied.description = description.unwrap_or_default();
    copied.tags = tags.remove("snapshot").unwrap_or_default();
    let id = copied.id.clone();
    let answer = Call::answer("CopySnapshot", |xml| {
        xml.text("snapshotId", &id);
        super::tag_set(xml, &copied.tags);
    });
    world.region(&call.caller.region).snapshots.insert(id.clone(), copied);
    Ok(answer)
}
