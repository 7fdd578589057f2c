//! Beginning, filling and completing snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{find, invalid};
use crate::account::Caller;
use crate::cloud::{Shared, aws_key};
use crate::http::{Request, Response};
use crate::params::check_tag;
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{BLOCK, BLOCKS_OF_GIB, Block, Region, Snapshot, State, Tags};

/// Snapshots that an account may have open at once.
const OPEN: usize = 100;

/// `StartSnapshot`.
pub(crate) fn start(shared: &Shared, request: &Request, caller: &Caller) -> Answer {
    let input: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::bad("SerializationException", error.to_string()))?;
    let wanted = Wanted::parse(&input)?;
    let mut world = shared.world();
    let id = world.id("snap", false);
    let region = world.region(&caller.region);
    let token_key = (caller.account.clone(), "StartSnapshot", wanted.token.clone());
    let fingerprint = input.to_string();
    if let Some((before, id)) = region.tokens.get(&token_key).filter(|_| !wanted.token.is_empty()) {
        if *before != fingerprint {
            let text = "Another request with this client token had other parameters.";
            return Err(Refusal::new(409, "ConflictException", text));
        }
        if let Some(snapshot) = region.snapshots.get(id) {
            return Ok(started(caller, snapshot));
        }
    }
    let open = region.snapshots.values().filter(|have| have.open && have.owner == caller.account).count();
    if open >= OPEN {
        let text = "You have reached the limit for concurrent pending snapshots.";
        return Err(Refusal::bad("ConcurrentLimitExceededException", text));
    }
    let parent = wanted.parent.as_deref().map(|parent| of_parent(region, caller, parent)).transpose()?;
    if parent.as_ref().is_some_and(|parent| wanted.size < parent.size) {
        return Err(invalid("INVALID_VOLUME_SIZE", "The volume is smaller than the parent's."));
    }
    let (key, managed_key) = match &parent {
        Some(parent) => (parent.key.clone(), parent.managed_key),
        None => encryption(region, caller, &wanted)?,
    };
    let path = shared.files.path().join(format!("{id}.blocks"));
    let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path);
    let file = file.map_err(|error| Refusal::new(500, "InternalServerException", error.to_string()))?;
    let snapshot = Snapshot {
        id: id.clone(),
        owner: caller.account.clone(),
        description: wanted.description,
        size: wanted.size,
        tags: wanted.tags,
        state: State::Pending(None),
        key,
        managed_key,
        started: shared.now(),
        blocks: parent.map(|parent| parent.blocks).unwrap_or_default(),
        written: BTreeSet::new(),
        open: true,
        misses: shared.options.start_misses,
        unseen: shared.options.describe_misses,
        file: Some(Arc::new(file)),
        all_users: false,
        users: BTreeSet::new(),
    };
    let response = started(caller, &snapshot);
    region.snapshots.insert(id.clone(), snapshot);
    region.tokens.insert(token_key, (fingerprint, id));
    Ok(response)
}

/// What a request asks for.
struct Wanted {
    size: u64,
    token: String,
    tags: Tags,
    description: String,
    encrypted: bool,
    key: Option<String>,
    parent: Option<String>,
}

impl Wanted {
    fn parse(input: &Value) -> Result<Self, Refusal> {
        let names = [
            "VolumeSize",
            "ParentSnapshotId",
            "Tags",
            "Description",
            "ClientToken",
            "Encrypted",
            "KmsKeyArn",
            "Timeout",
        ];
        let unknown =
            input.as_object().into_iter().flatten().find(|(name, _)| !names.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            return Err(invalid("INVALID_PARAMETER_VALUE", format!("unknown member {name}")));
        }
        let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
        let size = input.get("VolumeSize").and_then(Value::as_u64).unwrap_or(0);
        if !(1..=65536).contains(&size) {
            return Err(invalid("INVALID_VOLUME_SIZE", format!("The volume size {size} is invalid.")));
        }
        let timeout = input.get("Timeout").map_or(Some(60), Value::as_u64);
        if !timeout.is_some_and(|timeout| (10..=4320).contains(&timeout)) {
            return Err(invalid("INVALID_PARAMETER_VALUE", "Timeout is 10 to 4320 minutes"));
        }
        let description = text("Description").unwrap_or_default();
        if description.chars().count() > 255 {
            return Err(invalid("INVALID_PARAMETER_VALUE", "Description has 255 characters at most"));
        }
        let token = text("ClientToken").unwrap_or_default();
        if token.len() > 255 || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("INVALID_PARAMETER_VALUE", "ClientToken has 255 characters at most"));
        }
        let mut tags = BTreeMap::new();
        for tag in input.get("Tags").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (key, value) = (part("Key"), part("Value"));
            check_tag(&key, &value).map_err(|refusal| invalid("INVALID_TAG", refusal.message))?;
            tags.insert(key, value);
        }
        let encrypted = input.get("Encrypted").and_then(Value::as_bool);
        let (key, parent) = (text("KmsKeyArn"), text("ParentSnapshotId"));
        if parent.is_some() && encrypted.is_some() {
            let text = "Encrypted cannot be given with ParentSnapshotId.";
            return Err(invalid("INVALID_PARAMETER_VALUE", text));
        }
        if key.as_deref().is_some_and(|key| !key.starts_with("arn:")) {
            return Err(invalid("INVALID_CUSTOMER_KEY", "KmsKeyArn is no ARN"));
        }
        if key.is_some() && encrypted != Some(true) && parent.is_none() {
            return Err(invalid("INVALID_PARAMETER_VALUE", "KmsKeyArn needs Encrypted"));
        }
        Ok(Self { size, token, tags, description, encrypted: encrypted == Some(true), key, parent })
    }
}

/// A parent: completed, and the account's own.
fn of_parent(region: &mut Region, caller: &Caller, id: &str) -> Result<Snapshot, Refusal> {
    let parent = find(region, caller, id)?;
    if parent.state != State::Ready {
        return Err(invalid("INVALID_PARENT_SNAPSHOT", format!("The parent {id} is not completed.")));
    }
    Ok(parent.clone())
}

/// The key that a new snapshot is encrypted with, and whether it is AWS's own.
fn encryption(region: &Region, caller: &Caller, wanted: &Wanted) -> Result<(Option<String>, bool), Refusal> {
    if !wanted.encrypted && !region.encryption_by_default {
        return Ok((None, false));
    }
    let Some(arn) = wanted.key.clone().or_else(|| region.default_key.clone()) else {
        return Ok((Some(aws_key(&caller.region, &caller.account)), true));
    };
    match region.keys.iter().find(|key| key.arn == arn) {
        Some(key) if key.state == "Enabled" => Ok((Some(arn), key.managed_by_aws)),
        _ => Err(invalid("INVALID_CUSTOMER_KEY", format!("The key {arn} is not there or not enabled."))),
    }
}

fn started(caller: &Caller, snapshot: &Snapshot) -> Response {
    let tags: Vec<Value> =
        snapshot.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mut body = json!({
        "SnapshotId": snapshot.id, "OwnerId": caller.account, "Status": "pending",
        "StartTime": time::now(), "VolumeSize": snapshot.size, "BlockSize": BLOCK, "Tags": tags,
        "Description": snapshot.description,
    });
    if let (Some(key), Some(body)) = (&snapshot.key, body.as_object_mut()) {
        body.insert("KmsKeyArn".to_owned(), key.clone().into());
    }
    super::json(201, &body)
}

/// `PutSnapshotBlock`.
pub(crate) fn put(shared: &Shared, request: &Request, caller: &Caller, id: &str, index: &str) -> Answer {
    let header = |name: &str| request.header(name).unwrap_or_default();
    let index: u64 =
        index.parse().map_err(|_| invalid("INVALID_PARAMETER_VALUE", "the block index is no number"))?;
    if header("x-amz-data-length") != BLOCK.to_string() || request.body.len() != BLOCK {
        let text = format!("Data length {}, body {}", header("x-amz-data-length"), request.body.len());
        return Err(invalid("INVALID_CONTENT_LENGTH", text));
    }
    if header("x-amz-checksum-algorithm") != "SHA256" {
        return Err(invalid("INVALID_PARAMETER_VALUE", "the checksum's algorithm is SHA256"));
    }
    let percent = |text: &str| text.parse::<u8>().is_ok_and(|progress| progress <= 100);
    if !request.header("x-amz-progress").is_none_or(percent) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "the progress is 0 to 100"));
    }
    let digest: [u8; 32] = Sha256::digest(&request.body).into();
    let checksum = STANDARD.encode(digest);
    if header("x-amz-checksum") != checksum {
        return Err(invalid("INVALID_BLOCK", "The checksum is not that of the block."));
    }
    let file = {
        let mut world = shared.world();
        let snapshot = writable(find(world.region(&caller.region), caller, id)?)?;
        if index >= snapshot.size * BLOCKS_OF_GIB {
            return Err(invalid("INVALID_BLOCK_INDEX", format!("block {index} is beyond the volume")));
        }
        snapshot.file.clone()
    };
    let file = file.ok_or_else(|| Refusal::new(500, "InternalServerException", "no file"))?;
    file.write_all_at(&request.body, index * BLOCK as u64)
        .map_err(|error| Refusal::new(500, "InternalServerException", error.to_string()))?;
    let mut world = shared.world();
    let snapshot = writable(find(world.region(&caller.region), caller, id)?)?;
    snapshot.blocks.insert(index, Block { file, digest });
    snapshot.written.insert(index);
    Ok(super::json(201, &json!({}))
        .with("x-amz-checksum", checksum)
        .with("x-amz-checksum-algorithm", "SHA256"))
}

fn writable(snapshot: &mut Snapshot) -> Result<&mut Snapshot, Refusal> {
    if !snapshot.open {
        return Err(invalid("INVALID_SNAPSHOT_STATE", "The snapshot is not pending."));
    }
    Ok(snapshot)
}

/// `CompleteSnapshot`.
pub(crate) fn complete(shared: &Shared, request: &Request, caller: &Caller, id: &str) -> Answer {
    let count: u64 = request
        .header("x-amz-changedblockscount")
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| invalid("INVALID_PARAMETER_VALUE", "ChangedBlocksCount is missing"))?;
    let checksum = request.header("x-amz-checksum");
    let sent = |name: &str| request.header(name);
    if checksum.is_some()
        && (sent("x-amz-checksum-algorithm") != Some("SHA256")
            || sent("x-amz-checksum-aggregation-method") != Some("LINEAR"))
    {
        let text = "a checksum needs the algorithm SHA256 and the aggregation method LINEAR";
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    let mut world = shared.world();
    let snapshot = find(world.region(&caller.region), caller, id)?;
    let mut digest = Sha256::new();
    for index in &snapshot.written {
        if let Some(block) = snapshot.blocks.get(index) {
            digest.update(block.digest);
        }
    }
    let count_here = snapshot.written.len() as u64;
    if count != count_here {
        let text = format!("ChangedBlocksCount is {count}, and {count_here} blocks were written.");
        return Err(invalid("INVALID_PARAMETER_VALUE", text));
    }
    let digest: [u8; 32] = digest.finalize().into();
    if checksum.is_some_and(|checksum| checksum != STANDARD.encode(digest)) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "The checksum is not that of the blocks."));
    }
    if snapshot.open {
        snapshot.open = false;
        snapshot.file = None;
        snapshot.state = match &shared.options.snapshots_fail {
            Some(reason) => State::Failed(reason.clone()),
            None => State::Pending(Some(shared.options.completion_polls)),
        };
    }
    Ok(super::json(202, &json!({ "Status": "pending" })))
}
