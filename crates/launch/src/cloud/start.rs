//! Starting instances: one call, in the journal before it is made, with a token that makes them once.

use hardtack_cloud::ec2::{
    Instance, Reservation, RunInstances, describe_reservations, run_instances, terminate_instance,
};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Journal, Resource, TAG};
use hardtack_publish::poll::Fresh;
use hardtack_publish::refusal::missing;
use serde_json::json;

use super::{refused, subnet};
use crate::Error;

/// The number of the launch, in the journal: a token means the same instances for ever, also after they have ended.
const ATTEMPT: &str = "launch/attempt";

/// Starts them; those of an earlier run with this journal are found again as long as one of them is alive.
pub(super) fn start(
    client: &Client,
    request: &RunInstances,
    architecture: &str,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Reservation, Error> {
    let region = client.place().region.clone();
    let mut attempt = journal.kept(ATTEMPT).and_then(|kept| kept.as_u64()).unwrap_or(1);
    loop {
        let purpose = if attempt == 1 { "launch".to_owned() } else { format!("launch#{attempt}") };
        // A token of the caller's own means the same instances for ever, too.
        let own = Some(&request.token).filter(|token| attempt == 1 && !token.is_empty());
        let token = own.cloned().unwrap_or_else(|| journal.token(&purpose));
        let resource = Resource::Instance { token: token.clone() };
        let earlier = journal.find(&region, &resource);
        let intent = journal.intent(&region, &resource)?;
        let request = RunInstances { token: token.clone(), ..request.clone() };
        let found = match earlier.as_ref().and_then(|earlier| earlier.id.as_deref()) {
            Some(ids) => again(client, ids)?,
            None => match intent.settle(run_instances(client, &request)) {
                Ok(made) => made,
                // What was asked for with this token was another thing: it is taken as it is. An undo that did not come
                // to its end has taken it out of the journal, and its group or key with it: the token is used up. One
                // of the caller's own belongs to whoever used it first.
                Err(error)
                    if (earlier.is_some() || own.is_none()) && error.is("IdempotentParameterMismatch") =>
                {
                    begun(client, &token, journal)?
                }
                Err(error) if error.lacks_subnet() => return Err(subnet::no_default(client)),
                Err(error) => return Err(refused::told(error, architecture)),
            },
        };
        let ids: Vec<&str> = found.instances.iter().map(|instance| instance.id.as_str()).collect();
        if !ids.is_empty() {
            journal.made(intent.ticket, &ids.join(","))?;
        }
        let alive = found.instances.iter().filter(|instance| is_alive(instance)).count();
        if alive > 0 && u64::try_from(alive).unwrap_or(u64::MAX) >= u64::from(request.count.0) {
            if earlier.is_some() {
                tell.note(&format!("{} of the earlier run with this journal", ids.join(", ")));
            }
            let mut found = found;
            found.instances.retain(is_alive);
            return Ok(found);
        }
        // Fewer than were asked for: an undo has begun. The rest goes too, also what cannot be seen, and all is started
        // anew.
        let known = earlier.as_ref().and_then(|earlier| earlier.id.as_deref()).unwrap_or_default();
        let over = |id: &&str| found.instances.iter().any(|have| have.id == *id && !is_alive(have));
        let mut rest: Vec<&str> = known.split(',').filter(|id| !id.is_empty()).collect();
        rest.extend(ids.iter().filter(|id| !known.split(',').any(|have| have == **id)));
        for id in rest.into_iter().filter(|id| !over(id)) {
            terminate_instance(client, id)?;
        }
        tell.note(&format!(
            "what the earlier run with this journal started has ended ({}): it is started anew",
            ids.join(", ")
        ));
        attempt = attempt.saturating_add(1);
        journal.keep(ATTEMPT, &json!(attempt))?;
        journal.removed(intent.ticket)?;
    }
}

fn is_alive(instance: &Instance) -> bool {
    !matches!(instance.state.name.as_str(), "terminated" | "shutting-down")
}

/// The reservation of these ids, as far as the cloud knows them: it may not yet, or not any more.
fn again(client: &Client, ids: &str) -> Result<Reservation, Error> {
    let mut fresh = Fresh::new(client);
    loop {
        let mut all = Reservation::default();
        // One that is forgotten would hide the others.
        for id in ids.split(',') {
            let found = match describe_reservations(client, &[id], &[]) {
                Err(error) if missing(&error) => Vec::new(),
                found => found?,
            };
            all = found.into_iter().fold(all, together);
        }
        if all.instances.len() >= ids.split(',').count() || !fresh.again() {
            return Ok(all);
        }
    }
}

fn together(one: Reservation, other: Reservation) -> Reservation {
    let mut instances = one.instances;
    instances.extend(other.instances);
    Reservation { instances, ..other }
}

/// What an earlier run began with this token; it may not be seen everywhere yet.
fn begun(client: &Client, token: &str, journal: &Journal) -> Result<Reservation, Error> {
    let filter = match client.place().kind {
        Kind::Aws => (format!("tag:{TAG}"), vec![journal.id()]),
        Kind::Euca => ("client-token".to_owned(), vec![token.to_owned()]),
    };
    let mut fresh = Fresh::new(client);
    loop {
        let found = describe_reservations(client, &[], std::slice::from_ref(&filter))?;
        let all = found.into_iter().fold(Reservation::default(), together);
        if !all.instances.is_empty() || !fresh.again() {
            return Ok(all);
        }
    }
}
