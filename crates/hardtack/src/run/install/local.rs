//! Into the catalog of this machine: the disk is written once, as qcow2, where it is kept.

use std::path::Path;
use std::time::UNIX_EPOCH;

use hardtack_cloud::Environment;
use hardtack_disk::{AtomicFile, BlockSource};
use hardtack_publish::catalog::{Catalog, Entry};
use hardtack_publish::journal::{Journal, Resource, TAG};
use hardtack_publish::preflight::{Check, Outcome};
use hardtack_publish::source::Name;
use hardtack_publish::{fingerprint, trial};
use serde_json::{Value, json};

use super::{Existing, From, Order, disk, inputs, preflight};
use crate::args::{Format, TargetArgs};
use crate::error::CliError;
use crate::progress::Progress;
use crate::run::build;
use crate::run::convert::residue;
use crate::run::publish::{Session, Site, print_image};
use crate::source::Input;
use crate::talk;
use crate::target::{self, Job};

/// Installs into `catalog`.
pub(super) fn install(
    order: &mut Order<'_>,
    catalog: &Catalog,
    environment: &Environment,
) -> Result<u8, CliError> {
    let arguments = order.arguments;
    let path = source(order, catalog)?;
    let digest = inputs::of_order(order, &inputs::source(&path, &arguments.open)?, "local")?;
    let header = Site::Local(catalog.clone()).header(&order.request.name, &digest);
    let earlier = Journal::earlier(&order.journal, &header).map_err(CliError::from);
    // An image of a run that has not come to its end is not known to be good.
    let begun = matches!(&earlier, Ok(Some(journal)) if journal.result().is_none());
    if !begun && let Some(same) = same(order, catalog, &digest)? {
        print_image(&found(catalog, &same), arguments.json)?;
        return Ok(0);
    }
    let own = earlier.as_ref().ok().and_then(|journal| Some(journal.as_ref()?.id()));
    let mut checks = checks(order, catalog, own.as_deref(), environment)?;
    if arguments.dry_run {
        checks.extend(preflight::journal(&order.journal, &earlier));
        checks.push(preflight::disk(order, Input::open(&path, &arguments.open, None)?));
        return preflight::answer(&checks, arguments.json);
    }
    // Its lock is needed; one of another run is refused.
    drop(earlier?);
    preflight::pass(&checks)?;
    let session = Session::open(&order.journal, &header, environment)?;
    if let Some(result) = session.result() {
        let id = result.get("image").and_then(Value::as_str).unwrap_or_default();
        if catalog.find(id)?.is_none() {
            return Err(gone(&order.journal, id));
        }
        print_image(&result, arguments.json)?;
        return Ok(0);
    }
    let result = session.run(|journal| work(order, catalog, &path, &digest, journal, environment))?;
    print_image(&result, arguments.json)?;
    Ok(0)
}

/// A journal whose image somebody has removed since.
pub(super) fn gone(journal: &Path, id: &str) -> CliError {
    let journal = journal.display();
    CliError::refused(format!("{journal}: this run has made {id}, which is not there any more"))
        .hint(format!("`hardtack undo {journal}` takes the rest away, and the next run begins anew"))
}

/// The image's file: one that was named, or the disk of an image of the catalog.
fn source(order: &Order<'_>, catalog: &Catalog) -> Result<std::path::PathBuf, CliError> {
    match &order.from {
        From::File(path) => Ok(path.clone()),
        From::Name(Name::Image(id), _) => match catalog.find(id)? {
            Some(entry) => Ok(catalog.disk(&entry.id)),
            None => {
                let text = format!("{id}: no image of the catalog {}", catalog.directory().display());
                Err(CliError::usage(text).hint("an image of AWS needs --on aws"))
            }
        },
        From::Name(_, given) => Err(CliError::usage(format!("{given}: the local catalog has no such thing"))
            .hint("an image or a snapshot of AWS needs --on aws")),
    }
}

/// The image that is wanted, if it is there already.
fn same(order: &Order<'_>, catalog: &Catalog, digest: &str) -> Result<Option<Entry>, CliError> {
    let of_same = |entry: &Entry| {
        let mut tags = entry.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        entry.tags.get(fingerprint::TAG).is_some_and(|tag| tag == digest)
            && fingerprint::may_be_used(&mut tags)
    };
    if order.arguments.if_changed
        && let Some(entry) = catalog.images()?.into_iter().rev().find(of_same)
    {
        talk::note(&format!("nothing has changed since {} ({}) was made", entry.id, entry.name));
        return Ok(Some(entry));
    }
    match catalog.find(&order.request.name)? {
        Some(entry) if order.existing == Existing::Reuse && !order.journal.exists() => {
            if of_same(&entry) {
                return Ok(Some(entry));
            }
            let why = "was made of something else, or has not passed its test";
            let text = format!("{} ({}) is there, and {why}", entry.id, entry.name);
            Err(CliError::refused(text).hint("give another --name"))
        }
        _ => Ok(None),
    }
}

fn found(catalog: &Catalog, entry: &Entry) -> Value {
    result(catalog, entry, true, None)
}

fn result(catalog: &Catalog, entry: &Entry, found: bool, changes: Option<(usize, usize)>) -> Value {
    json!({
        "image": entry.id,
        "name": entry.name,
        "on": "local",
        "found": found,
        "disk": catalog.disk(&entry.id).display().to_string(),
        "size": entry.size,
        "architecture": entry.architecture,
        "boot_mode": entry.boot_mode,
        "changes": changes.map(|(changes, _)| changes),
        "confirmed": changes.map(|(_, confirmed)| confirmed),
    })
}

fn checks(
    order: &Order<'_>,
    catalog: &Catalog,
    own: Option<&str>,
    environment: &Environment,
) -> Result<Vec<Check>, CliError> {
    let name = &order.request.name;
    let mut checks = Vec::new();
    let place = catalog.directory().display();
    match catalog.find(name)? {
        Some(entry) if own.is_none() || entry.tags.get(TAG).map(String::as_str) != own => {
            checks.push(Check {
                subject: "name",
                outcome: Outcome::Bad,
                text: format!(
                    "{place} has an image of the name {name}, {}: give another --name, or --existing reuse",
                    entry.id
                ),
            })
        }
        _ => checks.push(Check { subject: "name", outcome: Outcome::Good, text: format!("{name} is free") }),
    }
    checks.push(match writable(catalog.directory()) {
        Ok(()) => {
            Check { subject: "catalog", outcome: Outcome::Good, text: format!("{place} can be written to") }
        }
        Err(error) => Check {
            subject: "catalog",
            outcome: Outcome::Bad,
            text: format!("{place} cannot be written to: {error}"),
        },
    });
    if order.trial.is_some() {
        let arch = order.arguments.arch.map_or("x86_64", crate::args::Architecture::name);
        let uefi = order.request.boot_mode == Some(hardtack_cloud::ec2::BootMode::Uefi);
        let (outcome, text) = match trial::check_qemu(arch, uefi, environment) {
            Ok(()) => (Outcome::Good, "QEMU is there".to_owned()),
            Err(error) => (Outcome::Bad, error.to_string()),
        };
        checks.push(Check { subject: "test", outcome, text });
    }
    Ok(checks)
}

/// The directory, or the nearest one above it that is there, lets us write.
fn writable(directory: &Path) -> Result<(), rustix::io::Errno> {
    let mut at = directory;
    loop {
        match rustix::fs::access(at, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
            Err(rustix::io::Errno::NOENT) => match at.parent() {
                Some(parent) if parent.as_os_str().is_empty() => at = Path::new("."),
                Some(parent) => at = parent,
                None => return Err(rustix::io::Errno::NOENT),
            },
            other => return other,
        }
    }
}

fn work(
    order: &mut Order<'_>,
    catalog: &Catalog,
    path: &Path,
    digest: &str,
    journal: &Journal,
    environment: &Environment,
) -> Result<Value, CliError> {
    let directory = std::path::absolute(catalog.directory())
        .map_err(|error| CliError::io(catalog.directory(), "find the catalog", error))?;
    let place = directory.display().to_string();
    // An id that an earlier run has written down is the image's.
    let known = journal.standing().into_iter().find_map(|standing| match standing.resource {
        Resource::Local { catalog, id } if catalog == place => Some(id),
        _ => None,
    });
    let id = known.unwrap_or_else(|| Catalog::new_id(environment.random));
    let resource = Resource::Local { catalog: place, id: id.clone() };
    let mut changes = None;
    let (entry, ticket) = match catalog.find(&id)? {
        Some(entry) => (entry, journal.intend("", &resource)?),
        None => {
            let input = Input::open(path, &order.arguments.open, None)?;
            let looks = disk::look(order, &input.disk)?;
            let mut tags: std::collections::BTreeMap<_, _> = order.request.tags.iter().cloned().collect();
            tags.extend(journal.tags());
            tags.insert(fingerprint::TAG.to_owned(), digest.to_owned());
            if order.trial.is_some() {
                tags.insert(fingerprint::TESTED.to_owned(), fingerprint::NOT_TESTED.to_owned());
            }
            let entry = Entry {
                id: id.clone(),
                name: order.request.name.clone(),
                description: order.request.description.clone(),
                architecture: looks.architecture,
                boot_mode: looks.boot_mode.map(|mode| mode.name().to_owned()),
                size: order.arguments.harden.grow.unwrap_or(input.disk.len()),
                created: (environment.now)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
                tags,
            };
            let ticket = journal.intend("", &resource)?;
            let added = catalog.add(&entry, |path| {
                changes = write(order, input, path)?;
                Ok::<(), CliError>(())
            });
            if let Err(error) = added {
                journal.removed(ticket)?;
                return Err(error);
            }
            (entry, ticket)
        }
    };
    journal.made(ticket, &id)?;
    if let Some(test) = &order.trial {
        let machine = trial::LocalMachine {
            id: &id,
            disk: &catalog.disk(&id),
            architecture: &entry.architecture,
            uefi: entry.boot_mode.as_deref() == Some("uefi"),
            accel: &order.arguments.accel,
        };
        if let Err(error) =
            trial::on_qemu(&machine, test, &trial::console_of(&order.journal), environment, &order.tell)
        {
            catalog.remove(&id)?;
            journal.removed(ticket)?;
            return Err(error.into());
        }
        catalog.tag(&id, fingerprint::TESTED, fingerprint::PASSED)?;
    }
    Ok(result(catalog, &entry, false, changes))
}

/// Writes the disk, with the recipe carried out in it, as qcow2.
fn write(order: &Order<'_>, input: Input, path: &Path) -> Result<Option<(usize, usize)>, CliError> {
    let options = TargetArgs { format: Some(Format::Qcow2), ..order.arguments.harden.target() };
    let arguments = order.arguments;
    let Some((recipe, recipe_path)) = order.recipe.as_ref().zip(arguments.harden.recipe.as_deref()) else {
        input.note_snapshots();
        let residue = if arguments.harden.sparsify { residue(&input)? } else { Vec::new() };
        let mut out = AtomicFile::create(path)?;
        let progress = Progress::start("writing the image");
        let job = Job { input: &input, disk: &*input.disk, changed: Vec::new(), residue };
        let written = target::write(job, &options, &mut out, &|done, total| progress.at(done, total))?;
        out.commit(false)?;
        progress.finish(written.written.data);
        return Ok(None);
    };
    let (image, edits, changes) = build::prepare_loaded(recipe, recipe_path, input, &arguments.harden)?;
    let finished = image.write(&edits, path, &options)?;
    for unread in &finished.confirmation.unread {
        talk::note(&format!("not read back by a second implementation: {unread}"));
    }
    Ok(Some((changes, finished.confirmation.confirmed)))
}
