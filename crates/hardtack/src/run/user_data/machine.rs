//! The image as a machine that modules ask.

use std::path::Path;

use hardtack_guest::{Stage, Tree};
use hardtack_modules::Machine;

use crate::args::SourceArgs;
use crate::error::CliError;
use crate::image::Image;
use crate::source::Input;
use crate::talk;

/// A file that is larger is none that a module reads.
const LARGEST: u64 = 16 << 20;

/// Opens the guest in the image at `path`; nothing is ever written to it. What was passed over while
/// opening is said on standard error.
pub(super) fn open(path: &Path, options: &SourceArgs) -> Result<Image, CliError> {
    let input = Input::open(path, options, None)?;
    // No clock is needed where nothing is written.
    let image = Image::open(input, Some(0), None)?;
    for note in image.guest.notes() {
        talk::note(&format!("{}: {note}", path.display()));
    }
    Ok(image)
}

/// A guest that has not booted.
pub(super) struct GuestMachine<'t> {
    stage: Stage<'t>,
}

impl<'t> GuestMachine<'t> {
    /// The machine that `guest` will be.
    pub(super) fn new(guest: &'t dyn Tree) -> Self {
        Self { stage: Stage::new(guest) }
    }
}

/// What cannot be read is not there: a module can do nothing else with it either.
impl Machine for GuestMachine<'_> {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.stage.read_limited(path, LARGEST).ok().flatten()
    }

    fn exists(&self, path: &str) -> bool {
        matches!(self.stage.stat(path), Ok(Some(_)))
    }

    fn list(&self, path: &str) -> Vec<String> {
        let entries = self.stage.list(path).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    }
}
