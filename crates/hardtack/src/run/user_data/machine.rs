//! The image as a machine that modules ask.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hardtack_cloud::Environment;
use hardtack_guest::{Stage, Tree};
use hardtack_launch::here;
use hardtack_modules::Machine;
use hardtack_publish::catalog::Catalog;

use crate::args::SourceArgs;
use crate::environment;
use crate::error::{CliError, LOCAL_IO};
use crate::image::Image;
use crate::run::publish::catalog_directory;
use crate::source::Input;
use crate::talk;

/// A file that is larger is none that a module reads.
const LARGEST: u64 = 16 << 20;

/// Opens the guest in the image that `given` names: a file, else the disk of an image of the local catalog, by its id or
/// its name. What was passed over while opening is said on standard error.
pub(super) fn open(given: &Path, options: &SourceArgs) -> Result<Image, CliError> {
    let image = open_disk(&found(given, &environment::of_process())?, options)?;
    for note in image.guest.notes() {
        talk::note(&format!("{}: {note}", given.display()));
    }
    Ok(image)
}

/// Opens the guest on a disk; nothing is ever written to it.
pub(super) fn open_disk(path: &Path, options: &SourceArgs) -> Result<Image, CliError> {
    let input = Input::open(path, options, None)?;
    // No clock is needed where nothing is written.
    Image::open(input, Some(0), None)
}

/// The file that is meant.
fn found(given: &Path, environment: &Environment) -> Result<PathBuf, CliError> {
    let name = given.to_str().filter(|name| !name.contains('/'));
    let missing = std::fs::metadata(given).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let Some(name) = name.filter(|_| missing && given.as_os_str() != "-") else {
        return Ok(given.to_owned());
    };
    // Without a catalog only a file can be meant.
    let Ok(directory) = catalog_directory(None, environment) else { return Ok(given.to_owned()) };
    let catalog = Catalog::new(&directory);
    match here::image(&catalog, name) {
        Ok(entry) => Ok(catalog.disk(&entry.id)),
        Err(error) => {
            let text = format!("{error}, and there is no such file");
            Err(CliError::new(LOCAL_IO, text).hint("`hardtack images` lists the catalog"))
        }
    }
}

/// A guest that has not booted.
pub(crate) struct GuestMachine<'t> {
    stage: Stage<'t>,
}

impl<'t> GuestMachine<'t> {
    /// The machine that `guest` will be.
    pub(crate) fn new(guest: &'t dyn Tree) -> Self {
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
