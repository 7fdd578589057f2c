//! EBS direct (API reference 2019-11-02).

mod read;
mod write;

use serde_json::Value;

use crate::account::Caller;
use crate::cloud::Shared;
use crate::http::{Request, Response};
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::world::{Region, Snapshot};

pub(crate) use read::noise;

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    if shared.euca() {
        return Err(Refusal::new(404, "UnknownOperationException", "there is no such service here"));
    }
    let (id, index) = route.key.split_once('/').unwrap_or((&route.key, ""));
    match route.action.as_str() {
        "StartSnapshot" => write::start(shared, request, caller),
        "PutSnapshotBlock" => write::put(shared, request, caller, id, index),
        "CompleteSnapshot" => write::complete(shared, request, caller, id),
        "ListSnapshotBlocks" => read::list(shared, request, caller, id),
        "ListChangedBlocks" => read::changed(shared, request, caller, id),
        "GetSnapshotBlock" => read::get(shared, request, caller, id, index),
        _ => Err(Refusal::new(404, "UnknownOperationException", "there is no such operation")),
    }
}

fn json(status: u16, value: &Value) -> Response {
    Response::new(status, "application/json", value.to_string())
}

/// A request that is wrong in itself.
fn invalid(reason: &str, text: impl Into<String>) -> Refusal {
    Refusal::bad("ValidationException", text).because(reason)
}

/// The snapshot, for its owner, once it is known everywhere.
fn find<'a>(region: &'a mut Region, caller: &Caller, id: &str) -> Result<&'a mut Snapshot, Refusal> {
    let missing = || {
        let text = format!("The snapshot '{id}' does not exist.");
        Refusal::new(404, "ResourceNotFoundException", text).because("SNAPSHOT_NOT_FOUND")
    };
    if !id.starts_with("snap-") {
        return Err(invalid("INVALID_SNAPSHOT_ID", format!("the snapshot id {id} is malformed")));
    }
    let snapshot = region.snapshots.get_mut(id).ok_or_else(missing)?;
    if snapshot.misses > 0 {
        snapshot.misses -= 1;
        return Err(missing());
    }
    if snapshot.owner != caller.account {
        let text = "Access denied. Check that you own the snapshot, or that it is shared with you.";
        return Err(Refusal::new(403, "AccessDeniedException", text).because("UNAUTHORIZED_ACCOUNT"));
    }
    Ok(snapshot)
}
