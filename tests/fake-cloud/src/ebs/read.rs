//! Reading snapshots by their blocks.

use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{find, invalid};
use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{BLOCK, Region, Snapshot, State};

/// What an unwritten block of an encrypted snapshot reads as.
pub(crate) fn noise(id: &str, index: u64) -> Vec<u8> {
    let mut seed = id.bytes().fold(index, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut bytes = Vec::with_capacity(BLOCK);
    while bytes.len() < BLOCK {
        bytes.extend_from_slice(&crate::fault::next(&mut seed).to_le_bytes());
    }
    bytes
}

/// Its token: it binds a snapshot and a block.
fn token(id: &str, index: u64) -> String {
    STANDARD.encode(Sha256::digest(format!("{id}/{index}")))
}

fn completed<'a>(region: &'a mut Region, caller: &Caller, id: &str) -> Result<&'a Snapshot, Refusal> {
    let snapshot = find(region, caller, id)?;
    if snapshot.state != State::Ready {
        let text = format!("The snapshot {id} is not completed.");
        return Err(invalid("INVALID_SNAPSHOT_STATE", text));
    }
    Ok(snapshot)
}

/// Where a page begins, and how long it may be.
fn page(shared: &Shared, request: &Request) -> Result<(u64, usize), Refusal> {
    let start = match (request.parameter("pageToken"), request.parameter("startingBlockIndex")) {
        (Some(token), _) => token.strip_prefix("page-").and_then(|text| text.parse().ok()),
        (None, Some(index)) => index.parse().ok(),
        (None, None) => Some(0),
    };
    let start = start.ok_or_else(|| invalid("INVALID_PAGE_TOKEN", "The page token is invalid."))?;
    let most: usize = request.parameter("maxResults").map_or(Ok(10_000), |text| text.parse()).unwrap_or(0);
    if !(100..=10_000).contains(&most) {
        return Err(invalid("INVALID_PARAMETER_VALUE", "maxResults is 100 to 10000"));
    }
    Ok((start, most.min(shared.options.page)))
}

fn listing(name: &str, blocks: Vec<Value>, next: Option<u64>, size: u64) -> Response {
    let mut body = json!({
        "BlockSize": BLOCK, "VolumeSize": size, "ExpiryTime": time::now() + 7 * 86400,
    });
    if let Some(body) = body.as_object_mut() {
        body.insert(name.to_owned(), Value::Array(blocks));
        if let Some(next) = next {
            body.insert("NextToken".to_owned(), format!("page-{next}").into());
        }
    }
    super::json(200, &body)
}

/// `ListSnapshotBlocks`.
pub(crate) fn list(shared: &Shared, request: &Request, caller: &Caller, id: &str) -> Answer {
    let (start, most) = page(shared, request)?;
    let mut world = shared.world();
    let snapshot = completed(world.region(&caller.region), caller, id)?;
    let mut indexes = snapshot.blocks.range(start..).map(|(index, _)| *index);
    let blocks: Vec<Value> = indexes
        .by_ref()
        .take(most)
        .map(|index| json!({"BlockIndex": index, "BlockToken": token(id, index)}))
        .collect();
    Ok(listing("Blocks", blocks, indexes.next(), snapshot.size))
}

/// `ListChangedBlocks`: the blocks in which two snapshots differ.
pub(crate) fn changed(shared: &Shared, request: &Request, caller: &Caller, second: &str) -> Answer {
    let (start, most) = page(shared, request)?;
    let mut world = shared.world();
    let region = world.region(&caller.region);
    let first = request.parameter("firstSnapshotId");
    let before = match &first {
        Some(first) => completed(region, caller, first)?.blocks.clone(),
        None => Default::default(),
    };
    let snapshot = completed(region, caller, second)?;
    let mut indexes: Vec<u64> = snapshot.blocks.keys().chain(before.keys()).copied().collect();
    indexes.sort_unstable();
    indexes.dedup();
    let digest = |block: Option<&crate::world::Block>| block.map(|block| block.digest);
    let mut differ = indexes
        .into_iter()
        .filter(|index| *index >= start && digest(before.get(index)) != digest(snapshot.blocks.get(index)));
    let blocks: Vec<Value> = differ
        .by_ref()
        .take(most)
        .map(|index| {
            let mut block = json!({ "BlockIndex": index });
            if let Some(block) = block.as_object_mut() {
                if let Some(first) = first.as_ref().filter(|_| before.contains_key(&index)) {
                    block.insert("FirstBlockToken".to_owned(), token(first, index).into());
                }
                if snapshot.blocks.contains_key(&index) {
                    block.insert("SecondBlockToken".to_owned(), token(second, index).into());
                }
            }
            block
        })
        .collect();
    Ok(listing("ChangedBlocks", blocks, differ.next(), snapshot.size))
}

/// `GetSnapshotBlock`.
pub(crate) fn get(shared: &Shared, request: &Request, caller: &Caller, id: &str, index: &str) -> Answer {
    let index: u64 =
        index.parse().map_err(|_| invalid("INVALID_PARAMETER_VALUE", "the block index is no number"))?;
    if request.parameter("blockToken").as_deref() != Some(&token(id, index)) {
        return Err(invalid("INVALID_BLOCK_TOKEN", "The block token is invalid."));
    }
    let block = {
        let mut world = shared.world();
        let snapshot = completed(world.region(&caller.region), caller, id)?;
        snapshot.blocks.get(&index).cloned().ok_or_else(|| {
            Refusal::new(404, "ResourceNotFoundException", "There is no such block.")
                .because("SNAPSHOT_BLOCK_NOT_FOUND")
        })?
    };
    let mut bytes = vec![0; BLOCK];
    block
        .file
        .read_exact_at(&mut bytes, index * BLOCK as u64)
        .map_err(|error| Refusal::new(500, "InternalServerException", error.to_string()))?;
    Ok(Response::new(200, "application/octet-stream", bytes)
        .with("x-amz-data-length", BLOCK.to_string())
        .with("x-amz-checksum", STANDARD.encode(block.digest))
        .with("x-amz-checksum-algorithm", "SHA256"))
}
