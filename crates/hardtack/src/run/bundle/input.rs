//! Standard input as the image: `-i -`, as euca-bundle-image takes it.
//!
//! Where the image has data is looked at before anything of it is packed, and a disk's format is told by its end too:
//! a stream is written into a file without a name first, which is gone with the process.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::args::BundleArgs;
use crate::error::CliError;
use crate::progress::Progress;

/// What messages call it.
const NAME: &str = "standard input";

/// Whether `image` stands for standard input.
pub(super) fn is_standard(image: &Path) -> bool {
    image.as_os_str() == "-"
}

/// The name of `image` in messages.
pub(super) fn shown(image: &Path) -> &Path {
    if is_standard(image) { Path::new(NAME) } else { image }
}

/// A stream that says how much of it was read.
struct Counted<'a> {
    stream: &'a mut dyn Read,
    read: u64,
    all: u64,
    progress: &'a Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.read += count as u64;
        self.progress.at(self.read.min(self.all), self.all);
        Ok(count)
    }
}

/// What is missing before standard input can be an image.
pub(super) fn check(arguments: &BundleArgs, images: &[&PathBuf]) -> Result<(), CliError> {
    let standard = images.iter().filter(|image| is_standard(image)).count();
    if standard > 0 && (images.len() > 1 || arguments.prefix.is_none() || arguments.image_size.is_none()) {
        let text = "standard input has neither a name nor a size: it needs --prefix and --image-size";
        return Err(CliError::usage(text).hint("and it is the only image of its run"));
    }
    if images.len() > 1 && arguments.image_size.is_some() {
        return Err(CliError::usage("--image-size is for one image, and there are several"));
    }
    Ok(())
}

/// All of standard input in a file of `--scratch`, else of the output's directory.
pub(super) fn spooled(arguments: &BundleArgs) -> Result<(File, u64), CliError> {
    let size = arguments.image_size.unwrap_or_default();
    let directory = arguments.open.scratch.as_deref().unwrap_or(&arguments.output);
    let progress = Progress::start(format!("reading {NAME}"));
    let mut stream = std::io::stdin().lock();
    let mut counted = Counted { stream: &mut stream, read: 0, all: size, progress: &progress };
    // One byte more tells that there are too many.
    let (file, length) =
        hardtack_disk::spool(&mut counted, Path::new(NAME), directory, size.saturating_add(1))?;
    compare(Path::new(NAME), length, size)?;
    progress.finish(length);
    Ok((file, length))
}

/// Compares a file with `--image-size`.
pub(super) fn check_file(image: &Path, size: u64) -> Result<(), CliError> {
    let found = std::fs::metadata(image).map_err(|error| CliError::io(image, "open the image", error))?;
    // A device's length stands elsewhere, and nobody can cut it off.
    if found.is_file() { compare(image, found.len(), size) } else { Ok(()) }
}

fn compare(image: &Path, length: u64, size: u64) -> Result<(), CliError> {
    if length == size {
        return Ok(());
    }
    let found = if length > size && is_stream(image) { "more".to_owned() } else { format!("{length}") };
    let text = format!("{}: it has {found} bytes, and --image-size says {size}", image.display());
    Err(CliError::refused(text).hint("what it came from was cut off, or the size is another one"))
}

fn is_stream(image: &Path) -> bool {
    image == Path::new(NAME)
}
