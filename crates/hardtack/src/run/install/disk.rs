//! The disk that is installed: opened, hardened, looked at.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hardtack_cloud::ec2::BootMode;
use hardtack_disk::{BlockSource, Holes};
use hardtack_guest::{FreeMap, free_map};
use hardtack_publish::facts;

use super::{Order, build};
use crate::error::CliError;
use crate::run::bundle::plain::Plain;
use crate::run::convert::residue;
use crate::source::Input;
use crate::talk;

/// A disk as it is sent.
pub(super) struct Ready {
    /// The disk.
    pub(super) disk: Arc<dyn BlockSource>,
    /// Ranges that are not as in the source, ascending.
    pub(super) changed: Vec<Range<u64>>,
    /// What nobody reads on it, where that was looked at.
    pub(super) free: Option<FreeMap>,
    /// Changes of the recipe, and the paths that the second reader found as planned.
    pub(super) changes: Option<(usize, usize)>,
}

/// The disk of `input`, with the recipe carried out in it.
pub(super) fn ready(order: &Order<'_>, input: Input) -> Result<Ready, CliError> {
    let Some((recipe, path)) = order.recipe.as_ref().zip(order.arguments.harden.recipe.as_deref()) else {
        input.note_snapshots();
        let residue = if order.arguments.harden.sparsify { residue(&input)? } else { Vec::new() };
        let disk: Arc<dyn BlockSource> = Arc::new(Holes::new(input.disk.clone(), residue.clone()));
        return Ok(Ready { disk, changed: residue, free: None, changes: None });
    };
    let arguments = order.arguments;
    let (image, edits, changes) = build::prepare_loaded(recipe, path, input, &arguments.harden)?;
    let edited = image.edited(&edits, &order.arguments.harden.target())?;
    for unread in &edited.confirmation.unread {
        talk::note(&format!("not read back by a second implementation: {unread}"));
    }
    let changes = Some((changes, edited.confirmation.confirmed));
    Ok(Ready { disk: edited.disk, changed: edited.changed, free: Some(edited.free), changes })
}

/// What nobody reads on the disk, for a snapshot. What is not known of it counts when it is encrypted: all that may be
/// in use is sent then, zeros too.
pub(super) fn free(ready: &Ready, is_encrypted: bool) -> Result<Vec<Range<u64>>, CliError> {
    let free = match &ready.free {
        Some(free) => free.clone(),
        None => free_map(ready.disk.clone())?,
    };
    if is_encrypted {
        free.notes.iter().for_each(|note| talk::note(note));
    }
    Ok(free.ranges)
}

/// A kernel or a RAM disk.
pub(super) fn plain(path: &Path) -> Result<Ready, CliError> {
    let disk: Arc<dyn BlockSource> = Arc::new(Plain::open(path)?);
    Ok(Ready { disk, changed: Vec::new(), free: None, changes: None })
}

/// What the image is registered as.
pub(super) struct Looks {
    /// `x86_64` and the like.
    pub(super) architecture: String,
    /// How it boots, where that is known.
    pub(super) boot_mode: Option<BootMode>,
}

/// What the disk and the options say of how it boots, and on what. Where they contradict each other, the options
/// are wrong.
pub(super) fn look(order: &Order<'_>, disk: &Arc<dyn BlockSource>) -> Result<Looks, CliError> {
    let given = order.arguments.arch.map(|arch| arch.name().to_owned());
    let wanted = order.request.boot_mode;
    let found = facts::look(disk)?;
    if let (Some(given), Some(found)) = (&given, &found.architecture)
        && given != found
    {
        return Err(CliError::refused(format!("--arch is {given}, and the disk boots {found}")));
    }
    if let (Some(wanted), Some(mode)) = (wanted, found.boot_mode)
        && wanted != mode
        && mode != BootMode::UefiPreferred
    {
        let (wanted, mode) = (wanted.name(), mode.name());
        let text = format!("--boot-mode is {wanted}, and the disk boots by {mode}: {}", found.because);
        return Err(CliError::refused(text));
    }
    let boot_mode = wanted.or(found.boot_mode);
    match boot_mode {
        Some(mode) => talk::note(&format!("boot mode {}: {}", mode.name(), found.because)),
        None => talk::note("how the disk boots is not known, so the place decides; --boot-mode says it"),
    }
    if order.request.tpm && boot_mode == Some(BootMode::Bios) {
        return Err(CliError::refused("--tpm needs an image that boots by UEFI, and this one boots by BIOS"));
    }
    let architecture = given.or(found.architecture).unwrap_or_else(|| "x86_64".to_owned());
    Ok(Looks { architecture, boot_mode })
}
