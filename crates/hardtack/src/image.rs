//! One image through the whole pipeline: source, overlay, guest, stage, output, second opinion.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hardtack_disk::{AtomicFile, BlockSource, ImageFormat, Overlay, Written, open_source, write_image};
use hardtack_guest::{Confirmation, Edit, FileType, Guest, GuestPath, Location, Tree, confirm};

use crate::error::CliError;
use crate::progress::Progress;

/// An image that was opened to be changed in a copy.
pub(crate) struct Image {
    disk: Arc<Overlay<Box<dyn BlockSource>>>,
    /// The guest in it.
    pub(crate) guest: Guest,
    /// The clock of the build, seconds since 1970.
    pub(crate) epoch: i64,
}

/// What was written, and what the second reader says of it.
pub(crate) struct Finished {
    /// Sizes.
    pub(crate) written: Written,
    /// The second opinion.
    pub(crate) confirmation: Confirmation,
}

impl Image {
    /// Opens the image read-only, and the guest in it. Without `epoch` the clock is the time at
    /// which the image itself was last changed, so that builds repeat.
    pub(crate) fn open(path: &Path, epoch: Option<i64>) -> Result<Self, CliError> {
        let disk = Arc::new(Overlay::new(open_source(path)?));
        let in_image = |error: hardtack_guest::Error| {
            let error = CliError::from(error);
            error.within(path)
        };
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => image_time(&Guest::open(disk.clone(), 0).map_err(in_image)?).map_err(in_image)?,
        };
        let guest = Guest::open(disk.clone(), epoch).map_err(in_image)?;
        Ok(Self { disk, guest, epoch })
    }

    /// Carries `edits` out in the overlay and writes the whole disk to `output`; it gets its name
    /// only when the second reader has found every edit in it.
    pub(crate) fn write(
        mut self,
        edits: &[Edit],
        output: &Path,
        format: ImageFormat,
        force: bool,
    ) -> Result<Finished, CliError> {
        hardtack_guest::apply(edits, &mut self.guest)?;
        self.guest.finish_all()?;
        let mut file = AtomicFile::create(output)?;
        let progress = Progress::start(format!("writing {}", output.display()));
        let written = write_image(&*self.disk, &mut file, format, &|done, total| progress.at(done, total))?;
        progress.finish(written.data);
        // The file may have no name yet; the kernel's name for an open one does.
        let finished = PathBuf::from(format!("/proc/self/fd/{}", file.file().as_raw_fd()));
        let finished: Arc<dyn BlockSource> = Arc::from(open_source(&finished)?);
        let confirmation = confirm(edits, self.epoch, &finished, &|path: &GuestPath| self.locate(path))?;
        file.commit(force)?;
        Ok(Finished { written, confirmation })
    }

    fn locate(&self, path: &GuestPath) -> Location {
        let (volume, inside) = self.guest.locate(path);
        Location { range: volume.range.clone(), file_system: volume.describe(), inside }
    }
}

/// When the image was last changed, as far as its main directories know.
fn image_time(guest: &Guest) -> Result<i64, hardtack_guest::Error> {
    let mut newest = 0;
    for path in ["/", "/etc", "/var/lib/dpkg", "/usr", "/boot"] {
        if let Some(found) = guest.lstat(&GuestPath::new(path))?
            && found.kind == FileType::Directory
        {
            newest = newest.max(found.mtime);
        }
    }
    Ok(newest)
}
