//! One image through the whole pipeline: source, overlay, guest, stage, output, second opinion.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hardtack_disk::ranges::merge;
use hardtack_disk::{
    AtomicFile, Backing, BlockSource, BlockWrite, Holes, ImageFormat, Overlay, Qcow2Source, Written,
};
use hardtack_guest::{
    Confirmation, Content, Edit, FileType, FreeMap, Guest, GuestPath, Location, Residue, State, Tree,
    confirm, free_map, grow_root,
};

use crate::args::TargetArgs;
use crate::error::CliError;
use crate::progress::Progress;
use crate::source::Input;
use crate::talk;
use crate::target::{self, Job};

/// An image that was opened to be changed in a copy.
pub(crate) struct Image {
    input: Input,
    disk: Arc<Overlay<Arc<dyn BlockSource>>>,
    /// The guest in it.
    pub(crate) guest: Guest,
    /// The clock of the build, seconds since 1970.
    pub(crate) epoch: i64,
    /// What growing does to the disk.
    pub(crate) grown: Vec<String>,
}

/// What was written, and what the second reader says of it.
pub(crate) struct Finished {
    /// Sizes.
    pub(crate) written: Written,
    /// The format.
    pub(crate) format: ImageFormat,
    /// The second opinion.
    pub(crate) confirmation: Confirmation,
    /// Bytes of the disk that were left out because nobody owns them, where they held anything.
    pub(crate) left_out: u64,
}

/// A disk with all edits, and what the second reader says of it.
pub(crate) struct Edited {
    /// The disk, without what nobody owns.
    pub(crate) disk: Arc<dyn BlockSource>,
    /// The bytes of it that nobody can read anything from.
    pub(crate) free: FreeMap,
    /// The bytes of it that may differ from the source's, ascending; what it has grown by included.
    pub(crate) changed: Vec<Range<u64>>,
    /// The second opinion.
    pub(crate) confirmation: Confirmation,
    /// Bytes of the disk that were left out because nobody owns them, where they held anything.
    pub(crate) left_out: u64,
}

impl Image {
    /// Opens the guest in the image. Without `epoch` the clock is the time at which the image itself
    /// was last changed, so that builds repeat. With `size` the disk becomes so large, and the root
    /// fills it.
    pub(crate) fn open(input: Input, epoch: Option<i64>, size: Option<u64>) -> Result<Self, CliError> {
        let path = input.path.clone();
        let in_image = |error: hardtack_guest::Error| CliError::from(error).within(&path);
        let epoch = match epoch {
            Some(epoch) => epoch,
            // On a disk of its own: what opening recovers is to carry the right time.
            None => {
                let probe = Arc::new(Overlay::new(input.disk.clone()));
                image_time(&Guest::open(probe, 0).map_err(in_image)?).map_err(in_image)?
            }
        };
        let old = input.disk.len();
        let disk = Arc::new(Overlay::with_size(input.disk.clone(), size.unwrap_or(old)));
        let mut told = Vec::new();
        if let Some(size) = size {
            if size < old {
                let text = format!("{}: its disk has {old} bytes, more than --grow {size}", path.display());
                return Err(CliError::usage(text).hint("a disk can only become larger"));
            }
            let disk: Arc<dyn BlockWrite> = disk.clone();
            let grown = grow_root(&disk, old, epoch).map_err(in_image)?;
            told.push(format!(
                "{}; its file system has {} MiB instead of {}",
                grown.partition.describe(),
                grown.new >> 20,
                grown.old >> 20
            ));
            told.extend(grown.partition.notes.iter().cloned());
            told.iter().for_each(|text| talk::note(text));
            if size == old && grown.new == grown.old {
                told.clear();
            }
        }
        let guest = Guest::open(disk.clone(), epoch).map_err(in_image)?;
        Ok(Self { input, disk, guest, epoch, grown: told })
    }

    /// The files that hold what the source does not hold itself.
    pub(crate) fn backing_files(&self) -> Vec<&Path> {
        self.input.as_qcow2().map(Qcow2Source::backing_files).unwrap_or_default()
    }

    /// Carries `edits` out in the overlay and throws it away.
    pub(crate) fn rehearse(mut self, edits: &[Edit]) -> Result<(), CliError> {
        hardtack_guest::apply(edits, &mut self.guest)?;
        Ok(self.guest.finish_all()?)
    }

    /// Carries `edits` out in the overlay and writes the disk to `output`; it gets its name only when
    /// the second reader has found every edit in it.
    pub(crate) fn write(
        mut self,
        edits: &[Edit],
        output: &Path,
        options: &TargetArgs,
    ) -> Result<Finished, CliError> {
        for note in hardtack_guest::apply(edits, &mut self.guest)? {
            talk::note(&note);
        }
        self.guest.finish_all()?;
        if !options.overlay {
            self.input.note_snapshots();
        }
        let (residue, left_out) = self.residue(edits, options)?;
        if target::is_archive(output) {
            return self.write_archive(edits, output, options, residue, left_out);
        }
        let mut file = AtomicFile::create(output)?;
        let progress = Progress::start(format!("writing {}", output.display()));
        let changed = self.disk.changed_ranges(0..self.disk.len());
        let job = Job { input: &self.input, disk: &*self.disk, changed, residue };
        let written = target::write(job, options, &mut file, &|done, total| progress.at(done, total))?;
        progress.finish(written.written.data);
        let backing = if options.overlay { self.input.backing_of_overlay() } else { Backing::Refuse };
        let finished: Arc<dyn BlockSource> = Arc::from(file.read_back(&backing)?);
        let confirmation = confirm(edits, self.epoch, &finished, &|path: &GuestPath| self.locate(path))?;
        target::keep_access(&self.input.path, output, &file)?;
        file.commit(options.force)?;
        Ok(Finished { written: written.written, format: written.format, confirmation, left_out })
    }

    /// The same into an archive, which is not read again: the second reader looks at the disk before it is packed.
    fn write_archive(
        self,
        edits: &[Edit],
        output: &Path,
        options: &TargetArgs,
        residue: Vec<Range<u64>>,
        left_out: u64,
    ) -> Result<Finished, CliError> {
        let disk: Arc<dyn BlockSource> = Arc::new(Holes::new(self.disk.clone(), residue));
        let confirmation = confirm(edits, self.epoch, &disk, &|path: &GuestPath| self.locate(path))?;
        let mut file = AtomicFile::create(output)?;
        let progress = Progress::start(format!("writing {}", output.display()));
        let job = Job { input: &self.input, disk: &*disk, changed: Vec::new(), residue: Vec::new() };
        let written = target::write(job, options, &mut file, &|done, total| progress.at(done, total))?;
        progress.finish(written.written.data);
        file.commit(options.force)?;
        Ok(Finished { written: written.written, format: written.format, confirmation, left_out })
    }

    /// Carries `edits` out in the overlay, has the second reader look at them there, and gives the disk
    /// away, for an output that is no image.
    pub(crate) fn edited(mut self, edits: &[Edit], options: &TargetArgs) -> Result<Edited, CliError> {
        for note in hardtack_guest::apply(edits, &mut self.guest)? {
            talk::note(&note);
        }
        self.guest.finish_all()?;
        self.input.note_snapshots();
        let (residue, left_out) = self.residue(edits, options)?;
        let changed = self.changed(&residue)?;
        let disk: Arc<dyn BlockSource> = Arc::new(Holes::new(self.disk.clone(), residue));
        let confirmation = confirm(edits, self.epoch, &disk, &|path: &GuestPath| self.locate(path))?;
        let free = free_map(disk.clone())?;
        Ok(Edited { disk, free, changed, confirmation, left_out })
    }

    /// What may differ from the source: what was written, what is cleared of `residue`, what is new.
    fn changed(&self, residue: &[Range<u64>]) -> Result<Vec<Range<u64>>, CliError> {
        let mut changed = self.disk.changed_ranges(0..self.disk.len());
        for range in residue {
            // What reads as zeros stays what it was.
            changed.extend(self.disk.data_ranges(range.clone())?);
        }
        changed.push(self.input.disk.len()..self.disk.len());
        Ok(merge(changed))
    }

    /// What is not to reach the output, and how much of it the source really holds.
    fn residue(&self, edits: &[Edit], options: &TargetArgs) -> Result<(Vec<Range<u64>>, u64), CliError> {
        if options.no_sparsify {
            return Ok((Vec::new(), 0));
        }
        let all = options.sparsify || edits.iter().any(ends_a_secret);
        let residue = self.guest.residue(if all { Residue::All } else { Residue::OfEdits })?;
        // An overlay cannot hide what lies in its backing file; it only takes nothing of it along.
        if options.overlay {
            return Ok((residue, 0));
        }
        let mut left_out = 0;
        for range in &residue {
            let data = self.disk.data_ranges(range.clone())?;
            left_out += data.iter().map(|data| data.end - data.start).sum::<u64>();
        }
        Ok((residue, left_out))
    }

    fn locate(&self, path: &GuestPath) -> Location {
        let (volume, inside) = self.guest.locate(path);
        Location { range: volume.range.clone(), file_system: volume.describe(), inside }
    }
}

/// True when an edit takes something away that not everybody could read, or any file at all: older
/// copies of it may lie in blocks that no file owns.
fn ends_a_secret(edit: &Edit) -> bool {
    let Some(before) = edit.before.filter(|before| before.kind == FileType::Regular) else { return false };
    match &edit.state {
        State::File(Content::Kept | Content::Appended(_), _) => false,
        State::File(Content::Bytes(_), _) => before.mode & 0o004 == 0,
        _ => true,
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
