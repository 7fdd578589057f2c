//! `hardtack convert`: a disk written in another format.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use hardtack_disk::{
    AtomicFile, Backing, BlockSource, Compression, ImageFormat, Opened, OverlayBase, Qcow2Options,
    RewriteOptions, Source, SourceOptions, Written, backing_name, open_source_with, write_overlay,
    write_qcow2, write_qcow2_from, write_raw,
};
use serde_json::json;

use super::build::{format_of, same_file};
use crate::args::{CompressionName, ConvertArgs, Format};
use crate::error::{CliError, LOCAL_IO};
use crate::progress::Progress;

/// What was written, and how.
struct Finished {
    written: Written,
    format: ImageFormat,
    /// Clusters of a qcow2 source that were taken over as they are stored.
    kept: Option<u64>,
}

/// Runs `hardtack convert`.
pub(crate) fn run(arguments: &ConvertArgs) -> Result<u8, CliError> {
    check_output(arguments)?;
    let format = format(arguments)?;
    let mut out = AtomicFile::create(&arguments.output)?;
    let opened = open(arguments)?;
    if !opened.is_direct() {
        let members = opened.members.join(", in it ");
        let member = if members.is_empty() { String::new() } else { format!(", member {members}") };
        note(&format!("{}: {}{member}", arguments.source.display(), opened.describe()));
    }
    let snapshots = opened.source.snapshots()?;
    if snapshots > 0 && !arguments.overlay {
        let plural = if snapshots == 1 { "" } else { "s" };
        note(&format!(
            "{}: {snapshots} internal snapshot{plural} dropped: the output holds the present state only",
            arguments.source.display()
        ));
    }
    let progress = Progress::start(format!("writing {}", arguments.output.display()));
    let at = |done, total| progress.at(done, total);
    let finished = write(arguments, format, &opened, &mut out, &at)?;
    out.commit(arguments.force)?;
    progress.finish(finished.written.data);
    tell(arguments, &opened, snapshots, &finished)
}

/// Opens the source; what has to be unpacked is unpacked now.
fn open(arguments: &ConvertArgs) -> Result<Opened, CliError> {
    let unpacking: OnceLock<Progress> = OnceLock::new();
    let progress = |done, total| {
        let name = || Progress::start(format!("unpacking {}", arguments.source.display()));
        unpacking.get_or_init(name).at(done, total);
    };
    let beside = || match arguments.output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let options = SourceOptions {
        backing: arguments.backing_dir.clone().map_or(Backing::Refuse, Backing::Within),
        scratch: Some(arguments.scratch.clone().unwrap_or_else(beside)),
        member: arguments.member.clone(),
        limit: arguments.unpack_limit,
        progress: Some(&progress),
    };
    let opened = open_source_with(&arguments.source, &options)?;
    if let Some(progress) = unpacking.into_inner() {
        progress.finish(opened.source.len());
    }
    Ok(opened)
}

fn write(
    arguments: &ConvertArgs,
    format: ImageFormat,
    opened: &Opened,
    out: &mut AtomicFile,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Finished, CliError> {
    let source = &opened.source;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let written = |written| Finished { written, format, kept: None };
    if arguments.overlay {
        let base = overlay_base(arguments, opened)?;
        let options = Qcow2Options { threads, ..Qcow2Options::default() };
        return Ok(written(write_overlay(source, &base, source, &[], out, &options, progress)?));
    }
    let compression = match arguments.compression {
        Some(CompressionName::None) => Compression::None,
        Some(CompressionName::Zstd) => Compression::Zstd,
        Some(CompressionName::Zlib) | None => Compression::Zlib,
    };
    Ok(match (format, source.as_qcow2()) {
        (ImageFormat::Raw, _) => written(write_raw(source, out, threads, progress)?),
        (ImageFormat::Qcow2, Some(qcow2)) if arguments.compression.is_none() => {
            let options = RewriteOptions { threads, ..RewriteOptions::default() };
            let rewritten = write_qcow2_from(qcow2, source, &[], out, &options, progress)?;
            Finished { written: rewritten.written, format, kept: Some(rewritten.kept) }
        }
        (ImageFormat::Qcow2, _) => {
            let options = Qcow2Options { threads, compression, ..Qcow2Options::default() };
            written(write_qcow2(source, out, &options, progress)?)
        }
    })
}

/// The source as the file below an overlay: a virtual machine must be able to open it as it is.
fn overlay_base(arguments: &ConvertArgs, opened: &Opened) -> Result<OverlayBase, CliError> {
    let format = match &opened.source {
        Source::Raw(_) if opened.is_direct() => ImageFormat::Raw,
        Source::Qcow2(_) if opened.is_direct() => ImageFormat::Qcow2,
        _ => {
            let text = format!(
                "{}: {} cannot lie below an overlay, only raw and qcow2",
                arguments.source.display(),
                opened.describe()
            );
            return Err(CliError::refused(text).hint("convert it to qcow2, and make the overlay above that"));
        }
    };
    Ok(OverlayBase { name: backing_name(&arguments.output, &arguments.source, false)?, format })
}

fn tell(
    arguments: &ConvertArgs,
    opened: &Opened,
    snapshots: u32,
    finished: &Finished,
) -> Result<u8, CliError> {
    let Finished { written, format, kept } = finished;
    let output = arguments.output.display().to_string();
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let result = json!({
            "output": output,
            "format": format.name(),
            "virtual_size": written.virtual_size,
            "file_size": written.file_size,
            "data": written.data,
            "source_formats": opened.formats,
            "members": opened.members,
            "snapshots_dropped": if arguments.overlay { 0 } else { snapshots },
            "clusters_kept": kept,
            "overlay": arguments.overlay,
        });
        writeln!(out, "{result}")
    } else {
        let (disk, data) = (mebibytes(written.virtual_size), mebibytes(written.data));
        let what = if arguments.overlay { "qcow2 overlay" } else { format.name() };
        writeln!(
            out,
            "{output}: {what}, a disk of {disk} MiB with {data} MiB of data, from {}",
            opened.describe()
        )
    };
    told.map_err(CliError::stream)?;
    Ok(0)
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn note(text: &str) {
    // Names of members are nothing that a terminal should obey.
    let safe: String = text
        .chars()
        .flat_map(|char| match char.is_control() {
            true => char.escape_unicode().collect::<Vec<_>>(),
            false => vec![char],
        })
        .collect();
    // What is said on standard error is talk; the work goes on without a listener.
    let _ = writeln!(std::io::stderr(), "note: {safe}");
}

fn format(arguments: &ConvertArgs) -> Result<ImageFormat, CliError> {
    if arguments.overlay {
        return match arguments.format {
            Some(Format::Raw) => Err(CliError::usage("--overlay writes qcow2, and --format is raw")),
            _ => Ok(ImageFormat::Qcow2),
        };
    }
    let format = format_of(&arguments.output, arguments.format);
    if format == ImageFormat::Raw && arguments.compression.is_some() {
        return Err(CliError::usage("--compression is for qcow2, and the output is raw")
            .hint("give --format qcow2, or an output with the suffix .qcow2"));
    }
    Ok(format)
}

/// Everything that is wrong with the output's name is told before any work is done.
fn check_output(arguments: &ConvertArgs) -> Result<(), CliError> {
    let output: &Path = &arguments.output;
    if same_file(output, &arguments.source) {
        return Err(CliError::usage(format!("{}: the output is the source", output.display()))
            .hint("the source is never changed; give another output"));
    }
    if !arguments.force && output.symlink_metadata().is_ok() {
        return Err(CliError::new(LOCAL_IO, format!("{}: exists already", output.display()))
            .hint("--force replaces it"));
    }
    Ok(())
}
