//! Read: `ListSnapshotBlocks`, `GetSnapshotBlock`.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{BLOCK, blocks, checksum, request};
use crate::call::{Call, shown};
use crate::{Client, Error, Service};

const LIST: Call = Call(Service::Ebs, "ListSnapshotBlocks");
const GET: Call = Call(Service::Ebs, "GetSnapshotBlock");

/// Blocks of a page, at most; the service's own limit.
const PAGE: usize = 10_000;
/// Bytes of a page: a token has some hundred characters.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// GiB of a volume, at most (EBS User Guide, "Volume quotas").
const LARGEST: u64 = 65_536;
const BLOCKS_OF_GIB: u64 = 2_048;

/// A block that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its number.
    pub index: u64,
    /// What reads it.
    pub token: String,
}

/// A page of a snapshot's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPage {
    /// Its blocks, ascending.
    pub blocks: Vec<BlockEntry>,
    /// GiB of the volume.
    pub size: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `ListSnapshotBlocks`, a page from `next` on.
///
/// # Errors
/// No right to read it; the snapshot is gone; an answer whose blocks are out of order or outside of the volume.
pub fn list_blocks(client: &Client, snapshot: &str, next: Option<&str>) -> Result<BlockPage, Error> {
    let mut request = request("GET", blocks(snapshot));
    request.query.push(("maxResults".to_owned(), PAGE.to_string()));
    if let Some(next) = next {
        request.query.push(("pageToken".to_owned(), next.to_owned()));
    }
    let answer = LIST.object(&LIST.send(client, &request, PAGE_BYTES)?)?;
    let size = LIST.json_number(&answer, "VolumeSize")?;
    if !(1..=LARGEST).contains(&size) {
        return Err(LIST.wrong(format!("VolumeSize is {size}, and volumes have 1 to {LARGEST} GiB")));
    }
    let block_size = LIST.json_number(&answer, "BlockSize")?;
    if usize::try_from(block_size) != Ok(BLOCK) {
        return Err(LIST.wrong(format!("BlockSize is {block_size}, and blocks have {BLOCK} bytes")));
    }
    let mut found: Vec<BlockEntry> = Vec::new();
    for entry in LIST.json_list(&answer, "Blocks")? {
        let index = LIST.json_number(entry, "BlockIndex")?;
        if index >= size * BLOCKS_OF_GIB {
            return Err(LIST.wrong(format!("block {index} lies outside of a volume of {size} GiB")));
        }
        if found.last().is_some_and(|last| last.index >= index) {
            return Err(LIST.wrong(format!("block {index} is out of order")));
        }
        found.push(BlockEntry { index, token: LIST.json_id(entry, "BlockToken")? });
    }
    let token = answer.get("NextToken").and_then(Value::as_str).filter(|token| !token.is_empty());
    if token.is_some() && token == next {
        return Err(LIST.wrong("the next page is the same as this one"));
    }
    Ok(BlockPage { blocks: found, size, block_size, next: token.map(str::to_owned) })
}

/// `GetSnapshotBlock`: its bytes, compared with the checksum that comes with them.
///
/// # Errors
/// `ValidationException`: the token has ended, ask for the list again; no answer. [`Error::Answer`]: what arrived is
/// not what the checksum says; it may be asked for again.
pub fn get_block(client: &Client, snapshot: &str, block: &BlockEntry) -> Result<Vec<u8>, Error> {
    let index = block.index;
    let mut request = request("GET", format!("{}/{index}", blocks(snapshot)));
    request.query.push(("blockToken".to_owned(), block.token.clone()));
    let response = GET.send(client, &request, BLOCK)?;
    let header = |name: &str| {
        response.header(name).map(str::trim).ok_or_else(|| GET.wrong(format!("the header {name} is missing")))
    };
    let length = header("x-amz-data-length")?;
    if length.parse() != Ok(BLOCK) || response.body.len() != BLOCK {
        return Err(GET.wrong(format!(
            "block {index} has {} bytes, the header says {}, and a block has {BLOCK}",
            response.body.len(),
            shown(length)
        )));
    }
    let algorithm = header("x-amz-checksum-algorithm")?;
    if algorithm != "SHA256" {
        return Err(GET.wrong(format!("the checksum of block {index} is a {}, not SHA256", shown(algorithm))));
    }
    let said = header("x-amz-checksum")?;
    let found = checksum(&Sha256::digest(&response.body).into());
    if said != found {
        return Err(GET.wrong(format!(
            "block {index} has the checksum {found}, and {} came with it: it broke on its way",
            shown(said)
        )));
    }
    Ok(response.body)
}
