//! Written: `StartSnapshot`, `PutSnapshotBlock`, `CompleteSnapshot`.

use serde_json::{Map, Value, json};

use super::{ANSWER, BLOCK, blocks, checksum, request};
use crate::call::{Call, shown};
use crate::transport::Body;
use crate::url::encode;
use crate::{Client, Error, Service};

const START: Call = Call(Service::Ebs, "StartSnapshot");
const PUT: Call = Call(Service::Ebs, "PutSnapshotBlock");
const COMPLETE: Call = Call(Service::Ebs, "CompleteSnapshot");

/// A snapshot to begin.
#[derive(Clone, Debug, Default)]
pub struct StartSnapshot {
    /// GiB, 1 to 65536.
    pub size: u64,
    /// Another call with the same token gives the same snapshot.
    pub token: String,
    /// Names and values.
    pub tags: Vec<(String, String)>,
    /// Up to 255 characters.
    pub description: String,
    /// Minutes without a block after which the service gives it up, 10 to 4320.
    pub timeout: u32,
    /// Encrypted, whatever the account's default. Not with a parent.
    pub encrypted: bool,
    /// The key's ARN.
    pub kms_key: Option<String>,
    /// The snapshot whose blocks it begins with.
    pub parent: Option<String>,
}

/// A snapshot that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// `snap-…`.
    pub id: String,
    /// The key that it is encrypted with. A service may leave it out: ask `DescribeSnapshots`, too.
    pub kms_key: Option<String>,
    /// Bytes of a block.
    pub block_size: u64,
}

/// `StartSnapshot`. The same token gives the same snapshot: it is sent again where no answer came.
///
/// # Errors
/// `ConflictException`: the token was used with other parameters; a parent together with encryption, which the
/// service refuses; no answer; an answer without an id, or with blocks of another size than [`BLOCK`].
pub fn start_snapshot(client: &Client, request: &StartSnapshot) -> Result<Started, Error> {
    let (start, mut input) = (request, Map::new());
    if start.parent.is_some() && start.encrypted {
        return Err(
            START.unusable("a snapshot with a parent is encrypted as its parent is; leave encryption out")
        );
    }
    input.insert("VolumeSize".to_owned(), start.size.into());
    input.insert("ClientToken".to_owned(), start.token.clone().into());
    input.insert("Timeout".to_owned(), start.timeout.into());
    if !start.description.is_empty() {
        input.insert("Description".to_owned(), start.description.clone().into());
    }
    if !start.tags.is_empty() {
        let tag = |(key, value): &(String, String)| json!({ "Key": key, "Value": value });
        input.insert("Tags".to_owned(), start.tags.iter().map(tag).collect());
    }
    if start.encrypted {
        input.insert("Encrypted".to_owned(), true.into());
    }
    if let Some(key) = &start.kms_key {
        input.insert("KmsKeyArn".to_owned(), key.clone().into());
    }
    if let Some(parent) = &start.parent {
        input.insert("ParentSnapshotId".to_owned(), parent.clone().into());
    }
    let body = Value::Object(input).to_string();
    let mut request = super::request("POST", "/snapshots".to_owned());
    request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    request.body = Body::Signed(body.as_bytes());
    let answer = START.object(&START.send(client, &request, ANSWER)?)?;
    let block_size = START.json_number(&answer, "BlockSize")?;
    if usize::try_from(block_size) != Ok(BLOCK) {
        // No other size was ever seen; to believe it would be to send blocks that the service refuses.
        return Err(START.wrong(format!("BlockSize is {block_size}, and blocks have {BLOCK} bytes")));
    }
    let kms_key = answer.get("KmsKeyArn").and_then(Value::as_str).filter(|arn| !arn.is_empty());
    Ok(Started { id: START.json_id(&answer, "SnapshotId")?, kms_key: kms_key.map(str::to_owned), block_size })
}

/// `PutSnapshotBlock`: `data` has [`BLOCK`] bytes, `digest` is their SHA-256. The body is not signed; the digest is,
/// and the service compares. The same block may be sent again while the snapshot is pending.
///
/// # Errors
/// `ResourceNotFoundException`, which new snapshots have for some minutes; no answer.
pub fn put_block(
    client: &Client,
    snapshot: &str,
    index: u64,
    data: &[u8],
    digest: &[u8; 32],
) -> Result<(), Error> {
    if data.len() != BLOCK {
        return Err(
            PUT.unusable(format_args!("block {index} has {} bytes, and a block has {BLOCK}", data.len()))
        );
    }
    let sent = checksum(digest);
    let mut request = request("PUT", format!("{}/{index}", blocks(snapshot)));
    request.headers = vec![
        ("content-type".to_owned(), "application/octet-stream".to_owned()),
        ("x-amz-data-length".to_owned(), BLOCK.to_string()),
        ("x-amz-checksum".to_owned(), sent.clone()),
        ("x-amz-checksum-algorithm".to_owned(), "SHA256".to_owned()),
    ];
    request.body = Body::Unsigned(data);
    let response = PUT.send(client, &request, ANSWER)?;
    match response.header("x-amz-checksum") {
        Some(kept) if kept.trim() != sent => Err(PUT
            .wrong(format!("block {index} was sent with the checksum {sent} and kept with {}", shown(kept)))),
        _ => Ok(()),
    }
}

/// `CompleteSnapshot`: `changed` blocks were written; `digest` is the SHA-256 of their digests, in their order.
/// The service goes on after its answer: `DescribeSnapshots` tells when it is done.
///
/// # Errors
/// Other blocks arrived than these; no answer. [`Error::State`]: the snapshot came to nothing.
pub fn complete_snapshot(
    client: &Client,
    snapshot: &str,
    changed: u64,
    digest: &[u8; 32],
) -> Result<(), Error> {
    let mut request = request("POST", format!("/snapshots/completion/{}", encode(snapshot)));
    request.headers = vec![
        ("x-amz-changedblockscount".to_owned(), changed.to_string()),
        ("x-amz-checksum".to_owned(), checksum(digest)),
        ("x-amz-checksum-algorithm".to_owned(), "SHA256".to_owned()),
        ("x-amz-checksum-aggregation-method".to_owned(), "LINEAR".to_owned()),
    ];
    let answer = COMPLETE.object(&COMPLETE.send(client, &request, ANSWER)?)?;
    match COMPLETE.json_text(&answer, "Status")? {
        "pending" | "completed" => Ok(()),
        "error" => Err(Error::State(format!(
            "the snapshot {snapshot} came to nothing: EBS says so where it was to be completed"
        ))),
        other => Err(COMPLETE.wrong(format!("Status is \"{}\"", shown(other)))),
    }
}
