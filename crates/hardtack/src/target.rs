//! An image that is written: in the format asked for, with as little work as its source allows.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hardtack_bundle::{BundleOptions, Stage, write_archive};
use hardtack_disk::{
    AtomicFile, BlockSource, Compression, Holes, ImageFormat, OverlayBase, Progress, Qcow2Options,
    RewriteOptions, Written, backing_name, write_overlay, write_qcow2, write_qcow2_from, write_raw,
};

use crate::args::{CompressionName, Format, TargetArgs};
use crate::error::{CliError, LOCAL_IO};
use crate::source::Input;
use crate::talk;

/// What is to be written.
pub(crate) struct Job<'a> {
    /// The image that was opened.
    pub(crate) input: &'a Input,
    /// Its disk with all edits.
    pub(crate) disk: &'a dyn BlockSource,
    /// The bytes of the disk that may differ from the source's.
    pub(crate) changed: Vec<Range<u64>>,
    /// The bytes of the disk that nobody owns, to be left out.
    pub(crate) residue: Vec<Range<u64>>,
}

/// What was written, and how.
pub(crate) struct Finished {
    /// Sizes.
    pub(crate) written: Written,
    /// The format.
    pub(crate) format: ImageFormat,
    /// The name of the archive's member that it is, where it is in one.
    pub(crate) member: Option<String>,
    /// Clusters of a qcow2 source that were taken over as they are stored.
    pub(crate) kept: Option<u64>,
}

/// True when the output's name asks for an archive with a raw disk in it.
pub(crate) fn is_archive(output: &Path) -> bool {
    let name = output.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    [".tgz", ".tar.gz"].iter().any(|suffix| name.ends_with(suffix))
}

/// The name of the member of an archive: that of the source, where it was a member itself, else the archive's with `.img`.
fn member_name(output: &Path, input: &Input) -> String {
    let last = |name: &String| name.rsplit('/').next().map(str::to_owned).filter(|name| !name.is_empty());
    input.members.last().and_then(last).unwrap_or_else(|| {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".tgz")).unwrap_or(&name);
        format!("{stem}.img")
    })
}

/// The format of the output, or why the options contradict each other.
pub(crate) fn format(output: &Path, options: &TargetArgs) -> Result<ImageFormat, CliError> {
    let suffix = output.extension().map(|suffix| suffix.to_string_lossy().to_lowercase());
    if is_archive(output) && (options.overlay || options.format == Some(Format::Qcow2)) {
        let what = if options.overlay { "--overlay writes" } else { "--format is" };
        return Err(CliError::usage(format!("{}: {what} qcow2, and an archive holds raw", output.display())));
    }
    if options.overlay {
        return match (options.format, suffix.as_deref()) {
            (Some(Format::Raw), _) => Err(CliError::usage("--overlay writes qcow2, and --format is raw")),
            (None, Some("raw")) => Err(CliError::usage(format!(
                "{}: --overlay writes qcow2, and the name says raw",
                output.display()
            ))
            .hint("give it the suffix .qcow2, or --format qcow2 if the name is meant")),
            _ => Ok(ImageFormat::Qcow2),
        };
    }
    let format = match (options.format, suffix.as_deref()) {
        (Some(Format::Qcow2), _) | (None, Some("qcow2")) => ImageFormat::Qcow2,
        (None, Some(other @ ("vmdk" | "vhd" | "vpc" | "vhdx" | "vdi"))) => {
            return Err(CliError::usage(format!("{}: {other} is not written", output.display()))
                .hint("outputs are raw and qcow2; --format says which, whatever the name"));
        }
        (Some(Format::Raw), _) | (None, _) => ImageFormat::Raw,
    };
    if format == ImageFormat::Raw && options.compression.is_some() {
        return Err(CliError::usage("--compression is for qcow2, and the output is raw")
            .hint("give --format qcow2, or an output with the suffix .qcow2"));
    }
    Ok(format)
}

/// Everything that is wrong with the output's name is told before any work is done. `inputs` are the
/// files that must not be it, with what they are.
pub(crate) fn check_output(output: &Path, force: bool, inputs: &[(&Path, &str)]) -> Result<(), CliError> {
    if let Some((_, what)) = inputs.iter().find(|(input, _)| same_file(output, input)) {
        return Err(CliError::usage(format!("{}: the output is the {what}", output.display()))
            .hint("inputs are never changed; give another output"));
    }
    let directory = output.parent().filter(|directory| !directory.as_os_str().is_empty());
    if let Some(directory) = directory.filter(|directory| !directory.is_dir()) {
        let text = format!("{}: no directory `{}`", output.display(), directory.display());
        return Err(CliError::new(LOCAL_IO, text).hint("make it: outputs make none"));
    }
    let there = output.symlink_metadata();
    if force && there.as_ref().is_ok_and(|found| found.is_dir()) {
        return Err(CliError::new(LOCAL_IO, format!("{}: is a directory", output.display()))
            .hint("name a file in it"));
    }
    if !force && there.is_ok() {
        return Err(CliError::new(LOCAL_IO, format!("{}: exists already", output.display()))
            .hint("--force replaces it"));
    }
    Ok(())
}

pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    match (identity(one), identity(other)) {
        (Some(one), Some(other)) => one == other,
        _ => place(one) == place(other),
    }
}

/// Which file there is, whatever it is called: device and inode.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// Where a file is, or will be: its directory without links, and its name there. A link of that name is replaced, and not
/// followed.
pub(crate) fn place(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    match (directory.unwrap_or(Path::new(".")).canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

/// Who may use an image that is replaced in its place is who might before: its owner, if we may give that, and its mode.
pub(crate) fn keep_access(input: &Path, output: &Path, out: &AtomicFile) -> Result<(), CliError> {
    use std::os::unix::fs::MetadataExt;
    if !same_file(input, output) {
        return Ok(());
    }
    let fail = |error| CliError::io(output, "keep its mode", error);
    let before = std::fs::metadata(input).map_err(fail)?;
    let now = out.file().metadata().map_err(fail)?;
    if (before.uid(), before.gid()) != (now.uid(), now.gid())
        && std::os::unix::fs::fchown(out.file(), Some(before.uid()), Some(before.gid())).is_err()
    {
        talk::note(&format!("{}: belongs to you now: its owner could not be kept", output.display()));
    }
    out.file().set_permissions(before.permissions()).map_err(fail)
}

/// Writes the whole disk, or what an overlay needs of it, to `out`.
pub(crate) fn write(
    job: Job<'_>,
    options: &TargetArgs,
    out: &mut AtomicFile,
    progress: Progress<'_>,
) -> Result<Finished, CliError> {
    let disk = job.disk;
    out.set_durable(!options.no_sync);
    write_all(job, options, out, progress).map_err(|failed| match failed {
        Failed::Disk(error) => match remedy(&error, disk, out) {
            Some(hint) => CliError::from(error).hint(hint),
            None => error.into(),
        },
        Failed::Other(error) => error,
    })
}

/// Why nothing was written, before it is put into words.
enum Failed {
    Disk(hardtack_disk::Error),
    Other(CliError),
}

impl From<hardtack_disk::Error> for Failed {
    fn from(error: hardtack_disk::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Self {
        Self::Other(error)
    }
}

/// What is missing, where an output did not fit.
fn remedy(error: &hardtack_disk::Error, disk: &dyn BlockSource, out: &AtomicFile) -> Option<String> {
    let hardtack_disk::Error::Io { source, path, .. } = error else { return None };
    match source.kind() {
        ErrorKind::StorageFull if path == out.path() => room(disk, out),
        ErrorKind::FileTooLarge => {
            Some("a file may not become so large there: by `ulimit -f`, or by its file system".to_owned())
        }
        _ => None,
    }
}

/// How much room the output found, and how much its disk may need.
fn room(disk: &dyn BlockSource, out: &AtomicFile) -> Option<String> {
    let free = rustix::fs::fstatvfs(out.file()).ok()?;
    let mine = rustix::fs::fstat(out.file()).ok()?;
    // What was written so far is free again when this ends.
    let written = u64::try_from(mine.st_blocks).ok()?.saturating_mul(512);
    let found = free.f_bavail.saturating_mul(free.f_frsize).saturating_add(written);
    let data: u64 = disk.data_ranges(0..disk.len()).ok()?.iter().map(|range| range.end - range.start).sum();
    Some(format!(
        "the disk holds up to {} MiB of data, and there is room for {} MiB: free some, or write elsewhere",
        data.div_ceil(1 << 20),
        found >> 20
    ))
}

fn write_all(
    job: Job<'_>,
    options: &TargetArgs,
    out: &mut AtomicFile,
    progress: Progress<'_>,
) -> Result<Finished, Failed> {
    let Job { input, disk, mut changed, residue } = job;
    let format = format(out.path(), options)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // In an overlay, what nobody owns is no reason to have a cluster; where it shares one with a change,
    // it is zero there.
    if !options.overlay {
        changed.extend(residue.iter().cloned());
    }
    let disk = &Holes::new(disk, residue);
    let finished = |written| Finished { written, format, member: None, kept: None };
    if is_archive(out.path()) {
        let member = member_name(out.path(), input);
        let archive = BundleOptions { threads, ..BundleOptions::new(&member, Path::new("")) };
        let packed = write_archive(disk, &archive, out, &|stage, done, total| {
            if stage == Stage::Write {
                progress(done, total);
            }
        })
        .map_err(CliError::from)?;
        let written = Written { virtual_size: packed.size, file_size: packed.length, data: packed.data };
        return Ok(Finished { written, format, member: Some(member), kept: None });
    }
    if options.overlay {
        let name = backing_name(out.path(), &input.path, false)?;
        let base = OverlayBase { name, format: input.base_format()? };
        let options = Qcow2Options { threads, ..Qcow2Options::default() };
        return Ok(finished(write_overlay(&input.disk, &base, disk, &changed, out, &options, progress)?));
    }
    let compression = match options.compression {
        Some(CompressionName::None) => Compression::None,
        Some(CompressionName::Zstd) => Compression::Zstd,
        Some(CompressionName::Zlib) | None => Compression::Zlib,
    };
    Ok(match (format, input.as_qcow2()) {
        (ImageFormat::Raw, _) => finished(write_raw(disk, out, threads, progress)?),
        (ImageFormat::Qcow2, Some(source)) if options.compression.is_none() => {
            let options = RewriteOptions { threads, scrub: options.sparsify, ..RewriteOptions::default() };
            let rewritten = write_qcow2_from(source, disk, &changed, out, &options, progress)?;
            Finished { written: rewritten.written, format, member: None, kept: Some(rewritten.kept) }
        }
        (ImageFormat::Qcow2, _) => {
            let options = Qcow2Options { threads, compression, ..Qcow2Options::default() };
            finished(write_qcow2(disk, out, &options, progress)?)
        }
    })
}
