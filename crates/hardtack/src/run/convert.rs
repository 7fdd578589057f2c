//! `hardtack convert`: a disk written in another format.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{AtomicFile, Overlay};
use hardtack_guest::disk_residue;
use serde_json::json;

use crate::args::ConvertArgs;
use crate::error::CliError;
use crate::progress::Progress;
use crate::source::Input;
use crate::talk::note;
use crate::target::{self, Finished, Job};

/// Runs `hardtack convert`.
pub(crate) fn run(arguments: &ConvertArgs) -> Result<u8, CliError> {
    let ConvertArgs { source, output, target: options, .. } = arguments;
    target::check_output(output, options.force, &[(source, "source")])?;
    target::format(output, options)?;
    let mut out = AtomicFile::create(output)?;
    let input = Input::open(source, &arguments.open, Some(output))?;
    if !options.overlay {
        input.note_snapshots();
    }
    let residue = if options.sparsify { residue(&input)? } else { Vec::new() };
    let progress = Progress::start(format!("writing {}", output.display()));
    let job = Job { input: &input, disk: &input.disk, changed: Vec::new(), residue };
    let finished = target::write(job, options, &mut out, &|done, total| progress.at(done, total))?;
    out.commit(options.force)?;
    progress.finish(finished.written.data);
    tell(arguments, &input, &finished)
}

/// What no file of the disk owns. Recovering a journal would change the disk, which is not what a
/// conversion does: such file systems are left alone.
pub(super) fn residue(input: &Input) -> Result<Vec<Range<u64>>, CliError> {
    let disk = Arc::new(Overlay::new(input.disk.clone()));
    let found = disk_residue(disk.clone()).map_err(|error| CliError::from(error).within(&input.path))?;
    let mut residue = Vec::new();
    for volume in found {
        let name = format!("{}: {}", input.path.display(), volume.name);
        match volume.ranges {
            Ok(_) if !disk.changed_ranges(volume.range).is_empty() => {
                note(&format!("{name} was not unmounted cleanly: it is taken over as it is"));
            }
            Ok(ranges) => residue.extend(ranges),
            Err(why) => note(&format!("{name} is taken over as it is: {why}")),
        }
    }
    Ok(residue)
}

fn tell(arguments: &ConvertArgs, input: &Input, finished: &Finished) -> Result<u8, CliError> {
    let Finished { written, format, member, kept } = finished;
    let output = arguments.output.display().to_string();
    let overlay = arguments.target.overlay;
    let mut out = std::io::stdout().lock();
    let told = if arguments.json {
        let result = json!({
            "output": output,
            "format": format.name(),
            "virtual_size": written.virtual_size,
            "file_size": written.file_size,
            "data": written.data,
            "source_formats": input.formats,
            "members": input.members,
            "snapshots_dropped": if overlay { 0 } else { input.snapshots },
            "clusters_kept": kept,
            "overlay": overlay,
            "member": member,
        });
        writeln!(out, "{result}")
    } else {
        let (disk, data) = (mebibytes(written.virtual_size), mebibytes(written.data));
        let what = match member {
            Some(member) => format!("{member} ({}) in tar in gzip", format.name()),
            None if overlay => "qcow2 overlay".to_owned(),
            None => format.name().to_owned(),
        };
        writeln!(
            out,
            "{output}: {what}, a disk of {disk} MiB with {data} MiB of data, from {}",
            input.described
        )
    };
    told.map_err(CliError::stream)?;
    Ok(0)
}

pub(super) fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
