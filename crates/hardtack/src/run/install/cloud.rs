//! Into a cloud: by a snapshot through EBS direct, or by a [bundle](super::bundle) in a bucket.

use std::path::Path;
use std::sync::Arc;

use hardtack_cloud::ec2::{Mapping, RegisterImage, create_tags, encryption_default};
use hardtack_cloud::{Client, Environment, Kind};
use hardtack_disk::BlockSource as _;
use hardtack_publish::image;
use hardtack_publish::journal::{Journal, Resource, Standing};
use hardtack_publish::lock::{self, resolve_locked};
use hardtack_publish::regions::{Distribution, distribute};
use hardtack_publish::snapshot::{SnapshotRequest, write_snapshot};
use hardtack_publish::source::{Resolved, SnapshotSource, resolve};
use hardtack_publish::{Teller as _, fingerprint, preflight as checks, trial, undo};
use serde_json::{Value, json};

use super::bundle::BundlePlan;
use super::disk::Ready;
use super::{From, Order, bundle, disk, found, inputs, preflight};
use crate::args::InstallArgs;
use crate::error::CliError;
use crate::run::publish::{Session, Site, distribution, print_image};
use crate::source::Input;
use crate::talk;

/// Blocks of a snapshot on their way at the same time. More of them take more than 64 MiB with all else.
const BLOCKS: usize = 48;

/// What an image becomes in the cloud.
pub(super) struct Plan {
    /// A bundle, or else a snapshot.
    pub(super) bundle: Option<BundlePlan>,
    /// The key of the client's region.
    kms_key: Option<String>,
    /// Copies, permissions, parameters.
    pub(super) distribution: Distribution,
    /// The digest of everything that the image is made of.
    pub(super) inputs: String,
}

/// What is done with the image that was made, before the run is at its end; the answer is the run's.
pub(in crate::run) type Afterwards<'a> = &'a dyn Fn(&Client, &Journal, Value) -> Result<Value, CliError>;

/// Installs into the cloud of `site`.
pub(super) fn install(order: &mut Order<'_>, site: Site, environment: &Environment) -> Result<u8, CliError> {
    install_and(order, site, environment, None)
}

/// The same with something done `afterwards`, which also prints.
pub(super) fn install_and(
    order: &mut Order<'_>,
    site: Site,
    environment: &Environment,
    afterwards: Option<Afterwards<'_>>,
) -> Result<u8, CliError> {
    let Site::Cloud(client) = &site else { return Err(CliError::usage("no cloud is named")) };
    let arguments = order.arguments;
    // Without keys nothing of what follows can be known.
    client.provider().get()?;
    let (kms_key, distribution) =
        distribution(&arguments.snapshot, &client.place().region, &order.request.tags)?;
    let by_bundle = arguments.bundle || client.place().kind == Kind::Euca;
    let bundle = if by_bundle { Some(bundle::plan(order, client)?) } else { None };
    let (source, resolved) = source(order, client)?;
    let form = if by_bundle { "bundle" } else { "ebs" };
    let inputs = inputs::of_order(order, &source, form)?;
    let plan = Plan { bundle, kms_key, distribution, inputs };
    let header = site.header(&order.request.name, &plan.inputs);
    let earlier = Journal::earlier(&order.journal, &header).map_err(CliError::from);
    // An image of a run that has not come to its end is not known to be good.
    let begun = matches!(&earlier, Ok(Some(journal)) if journal.result().is_none());
    if !begun && let Some(there) = found::look(order, client, &plan, &earlier)? {
        if arguments.dry_run {
            return preflight::answer(&[preflight::found(&there.image)], arguments.json);
        }
        let result = found::provide(order, client, &plan, there, earlier, &header, environment)?;
        match afterwards {
            None => print_image(&result, arguments.json)?,
            Some(_) => crate::run::service_image::print(&result, arguments.json)?,
        }
        return Ok(0);
    }
    let is_ours = matches!(&earlier, Ok(Some(journal)) if has_image(journal, &order.request.name));
    let mut checks: Vec<checks::Check> =
        if arguments.dry_run { preflight::journal(&order.journal, &earlier) } else { Vec::new() };
    let resumed = if arguments.dry_run { false } else { earlier?.is_some() };
    // The lock of that one is gone.
    let session = if resumed { Some(Session::open(&order.journal, &header, environment)?) } else { None };
    let file = match &order.from {
        From::File(path) if bundle::is_plain(arguments) => Some(Opened::Ready(disk::plain(path)?)),
        From::File(path) => Some(Opened::Input(Input::open(path, &arguments.open, None)?)),
        From::Name(..) => None,
    };
    let size = arguments.harden.grow.unwrap_or(match (&file, &resolved) {
        (Some(Opened::Input(input)), _) => input.disk.len(),
        (Some(Opened::Ready(ready)), _) => ready.disk.len(),
        (None, Some(resolved)) => resolved.size.saturating_mul(1 << 30),
        (None, None) => 0,
    });
    checks.extend(look_ahead(order, client, &plan, size, is_ours)?);
    if arguments.dry_run {
        if let Some(Opened::Input(input)) = file {
            checks.push(preflight::disk(order, input));
        }
        return preflight::answer(&checks, arguments.json);
    }
    if let Err(error) = preflight::pass(&checks) {
        return Err(match session {
            Some(session) => session.failed(error),
            None => error,
        });
    }
    let session = match session {
        Some(session) => session,
        None => Session::open(&order.journal, &header, environment)?,
    };
    let result = session.run(|journal| {
        let done = work(order, client, &plan, file, resolved, journal);
        match done {
            Ok(result) => match afterwards {
                Some(afterwards) => afterwards(client, journal, result),
                None => Ok(result),
            },
            Err(error) if error.exit_code() == crate::error::NO => {
                Err(take_back(order, client, journal, error))
            }
            other => other,
        }
    })?;
    if afterwards.is_none() {
        print_image(&result, arguments.json)?;
    }
    Ok(0)
}

/// The file that was opened.
enum Opened {
    /// A disk.
    Input(Input),
    /// A kernel or RAM disk.
    Ready(Ready),
}

/// What says all of the source, and what its name came to in the cloud.
fn source(order: &Order<'_>, client: &Client) -> Result<(String, Option<Resolved>), CliError> {
    let arguments = order.arguments;
    match &order.from {
        From::File(path) => {
            if arguments.lock.is_some() {
                return Err(CliError::usage("--lock is for images of a cloud, and the source is a file"));
            }
            Ok((inputs::source(path, &arguments.open)?, None))
        }
        From::Name(name, given) => {
            if client.place().kind == Kind::Euca {
                return Err(CliError::usage(format!("{given}: Eucalyptus has no EBS direct to read it by"))
                    .hint("give the image's file"));
            }
            let resolved = match &arguments.lock {
                Some(path) => {
                    if arguments.locked {
                        must_be_locked(path, given, client)?;
                    }
                    resolve_locked(client, name, given, path)?
                }
                None => resolve(client, name, given)?,
            };
            talk::note(&format!("{given} is {}", resolved.describe()));
            Ok((format!("{} {}", resolved.region, resolved.snapshot), Some(resolved)))
        }
    }
}

/// `--locked`: nothing is looked up that the lock file does not have.
fn must_be_locked(path: &Path, given: &str, client: &Client) -> Result<(), CliError> {
    let known = lock::read(path)?;
    if known.is_some_and(|known| known.given == given && known.region == client.place().region) {
        return Ok(());
    }
    let text = format!("{}: --locked, and {given} does not stand in it", path.display());
    Err(CliError::usage(text).hint("run it once without --locked, and keep the file"))
}

/// Whether an image of that name is the journal's own, or may be.
fn has_image(journal: &Journal, name: &str) -> bool {
    let of_name =
        |known: &Standing| matches!(&known.resource, Resource::Image { name: of, .. } if of == name);
    journal.standing().iter().any(of_name)
}

fn look_ahead(
    order: &Order<'_>,
    client: &Client,
    plan: &Plan,
    size: u64,
    is_ours: bool,
) -> Result<Vec<checks::Check>, CliError> {
    // A run that goes on may have made the image already.
    let name = (!is_ours).then_some((order.request.name.as_str(), order.existing));
    Ok(match &plan.bundle {
        Some(plan) => {
            let mut found = checks::bundle(client, &plan.destination, name, &plan.owner.account, size)?;
            found.push(bundle::check_certificate(client, plan));
            found
        }
        None => {
            let encrypted = order.arguments.snapshot.encrypted;
            checks::snapshot(client, name, size, encrypted, plan.kms_key.as_deref(), &plan.distribution)?
        }
    })
}

fn work(
    order: &mut Order<'_>,
    client: &Client,
    plan: &Plan,
    file: Option<Opened>,
    resolved: Option<Resolved>,
    journal: &Journal,
) -> Result<Value, CliError> {
    let mut fetched = None;
    let input = match (file, resolved) {
        (Some(Opened::Ready(ready)), _) => Err(ready),
        (Some(Opened::Input(input)), _) => Ok(input),
        (None, Some(resolved)) => {
            let source = Arc::new(SnapshotSource::open(client, &resolved, journal, &order.tell)?);
            fetched = Some(source.clone());
            Ok(Input::of_cloud(&resolved.given, &resolved.describe(), source))
        }
        (None, None) => return Err(CliError::usage("an image is needed")),
    };
    let mut request = order.request.clone();
    request.tags.push((fingerprint::TAG.to_owned(), plan.inputs.clone()));
    let ready = match input {
        Ok(input) => {
            let looks = disk::look(order, &input.disk)?;
            request.architecture = looks.architecture;
            request.boot_mode = looks.boot_mode;
            disk::ready(order, input)?
        }
        Err(ready) => {
            let arch = order.arguments.arch.map_or("x86_64", crate::args::Architecture::name);
            request.architecture = arch.to_owned();
            ready
        }
    };
    let sent = match &plan.bundle {
        Some(bundle) => bundle::upload(order, client, bundle, &ready, &mut request, journal)?,
        None => ebs(order, client, plan, &ready, fetched.as_deref(), &mut request, journal)?,
    };
    if order.trial.is_some() {
        // Until it has passed nobody takes it for what `--if-changed` and `--existing reuse` look for.
        request.tags.push((fingerprint::TESTED.to_owned(), fingerprint::NOT_TESTED.to_owned()));
    }
    let registered = image::register(client, &request, order.existing, journal, &order.tell)?;
    if let Some(test) = &order.trial {
        let console = trial::console_of(&order.journal);
        trial::on_cloud(client, &registered.id, test, request.imds_v2, &console, journal, &order.tell)?;
        let passed = (fingerprint::TESTED.to_owned(), fingerprint::PASSED.to_owned());
        create_tags(client, &[&registered.id], &[passed])?;
    }
    let placed = distribute(client, &registered.id, &request.name, &plan.distribution, journal, &order.tell)?;
    if let Some(source) = fetched {
        source.release(journal)?;
    }
    let mut result = json!({
        "image": registered.id,
        "name": request.name,
        "on": order.arguments.place.on.name(),
        "region": client.place().region,
        "found": registered.found,
        "architecture": request.architecture,
        "boot_mode": request.boot_mode.map(|mode| mode.name()),
        "changes": ready.changes.map(|(changes, _)| changes),
        "confirmed": ready.changes.map(|(_, confirmed)| confirmed),
        "images": placed.iter().map(|placed| json!({"region": placed.region, "image": placed.id}))
            .collect::<Vec<_>>(),
    });
    if let (Some(result), Value::Object(sent)) = (result.as_object_mut(), sent) {
        result.extend(sent);
    }
    Ok(result)
}

/// The disk as a snapshot, and the devices that are registered with it.
fn ebs(
    order: &Order<'_>,
    client: &Client,
    plan: &Plan,
    ready: &Ready,
    source: Option<&SnapshotSource>,
    request: &mut RegisterImage,
    journal: &Journal,
) -> Result<Value, CliError> {
    let arguments: &InstallArgs = order.arguments;
    let options = &arguments.register;
    let encrypted = arguments.snapshot.encrypted || plan.kms_key.is_some();
    // What an account may not ask, it is told by the snapshot itself; a parent only saves work.
    let default = encryption_default(client);
    let is_encrypted = encrypted || default.as_ref().map_or(true, |default| default.enabled);
    let parent = match (source, default) {
        (Some(source), Ok(default)) => source
            .parent(&client.place().region, encrypted || default.enabled, plan.kms_key.as_deref())
            .map(|snapshot| (snapshot.to_owned(), ready.changed.clone())),
        _ => None,
    };
    let mut tags = request.tags.clone();
    tags.push(("Name".to_owned(), request.name.clone()));
    if order.request.tags.iter().any(|(name, _)| name == "Name") {
        tags.pop();
    }
    let snapshot = write_snapshot(
        client,
        &*ready.disk,
        &disk::free(ready, is_encrypted)?,
        &SnapshotRequest {
            description: options.description.clone().unwrap_or_else(|| request.name.clone()),
            tags,
            size: None,
            encrypted,
            kms_key: plan.kms_key.clone(),
            parent,
            parallel: BLOCKS,
        },
        journal,
        &order.tell,
    )?;
    let (blocks, sent) = (snapshot.blocks, snapshot.sent);
    order.tell.note(&format!("{}: {} GiB, blocks: {blocks}, sent now: {sent}", snapshot.id, snapshot.size));
    let device = request.root_device.get_or_insert_with(|| "/dev/xvda".to_owned()).clone();
    request.mappings = vec![Mapping {
        device,
        snapshot: Some(snapshot.id.clone()),
        size: options.volume_size,
        volume_type: Some(options.volume_type.clone()),
        delete_on_termination: Some(true),
        ..Mapping::default()
    }];
    let hvm = request.virtualization.as_deref() == Some("hvm");
    request.ena = hvm && !options.no_ena;
    request.sriov = hvm && !options.no_ena;
    Ok(json!({
        "snapshot": snapshot.id, "blocks": blocks, "sent": sent, "encrypted": snapshot.encrypted,
    }))
}

/// An image that fails its test is not to stay.
fn take_back(order: &Order<'_>, client: &Client, journal: &Journal, error: CliError) -> CliError {
    match undo::undo(journal, Some(client), &order.tell) {
        Ok(undone) => {
            for text in undone.left {
                talk::note(&format!("left: {text}"));
            }
            talk::note("what was made for the image is taken away again");
            error
        }
        Err(failed) => error.hint(format!("it could not be taken away: {failed}")),
    }
}
