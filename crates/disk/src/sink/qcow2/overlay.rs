//! A qcow2 file that holds edits only, above the image that was edited as its backing file.
//!
//! QEMU's `docs/interop/qcow2.rst`: "backing file name" of the header, and the header extension
//! with its format, without which QEMU would guess the format from the guest's own bytes.
//!
//! What the edits superseded is still in the backing file: an overlay hides it from the guest and
//! from nobody else. To be rid of it, write a whole image.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::compress::{Cluster, ClusterCompressor};
use super::fresh::{self, BATCH, Runs, in_parallel, read_run, same};
use super::layout::{Output, Tables, ZERO};
use super::{Method, OverlayBase, Progress, Qcow2Options, Written};
use crate::ranges::merge;
use crate::{AtomicFile, BlockSource, Error};

/// Writes what `disk` holds in the ranges `changed` as an overlay file above `source`, which
/// programs find as `base` says. The ranges may overlap, come in any order and claim too much;
/// outside of them `disk` must hold what `source` holds, and zeros behind its end.
///
/// The source's data that were changed can still be read from the source.
pub fn write_overlay(
    source: &dyn BlockSource,
    base: &OverlayBase,
    disk: &dyn BlockSource,
    changed: &[Range<u64>],
    out: &mut AtomicFile,
    options: &Qcow2Options,
    progress: Progress<'_>,
) -> Result<Written, Error> {
    let output = Output { file: out.file(), path: out.path() };
    let cluster = options.cluster_size;
    let mut tables = Tables::new(out, disk.len(), cluster)?;
    let changed = merge(changed.iter().map(|range| range.start..range.end.min(disk.len())).collect());
    let mut writer =
        Writer { source, disk, changed: &changed, cluster, options, output: &output, tables: &mut tables };
    let (mut runs, mut waiting) = (Runs::default(), 0);
    for range in fresh::clusters(changed.clone(), cluster) {
        let mut start = range.start * cluster;
        let end = (range.end * cluster).min(disk.len());
        while start < end {
            let span = start..start.saturating_add(fresh::span(cluster)).min(end);
            progress(start, disk.len());
            // Where neither of them holds data, both read as zeros.
            let mut data = disk.data_ranges(span.clone())?;
            let below = span.start..span.end.min(source.len());
            if !below.is_empty() {
                data.extend(source.data_ranges(below)?);
            }
            for index in fresh::clusters(merge(data), cluster).into_iter().flatten() {
                runs.push(index, cluster);
                waiting += cluster;
                if waiting >= BATCH {
                    writer.batch(&std::mem::take(&mut runs).0)?;
                    waiting = 0;
                }
            }
            start = span.end;
        }
    }
    writer.batch(&runs.0)?;
    let method = options.compression.method().unwrap_or(Method::Zlib);
    let file_size = tables.finish(&output, method, Some(base))?;
    progress(disk.len(), disk.len());
    Ok(Written { virtual_size: tables.size, file_size, data: tables.data })
}

struct Writer<'a, 'o> {
    source: &'a dyn BlockSource,
    disk: &'a dyn BlockSource,
    changed: &'a [Range<u64>],
    cluster: u64,
    options: &'a Qcow2Options,
    output: &'a Output<'o>,
    tables: &'a mut Tables,
}

impl Writer<'_, '_> {
    fn batch(&mut self, runs: &[Range<u64>]) -> Result<(), Error> {
        let (source, disk, cluster) = (self.source, self.disk, self.cluster);
        let threads = fresh::useful_threads(self.options.threads, cluster);
        let state = || (ClusterCompressor::new(self.options.compression, cluster), Vec::new(), Vec::new());
        let clusters = in_parallel(threads, runs, state, |(compressor, new, old), run| {
            read_run(disk, cluster, run, new)?;
            let mut results = Vec::new();
            for (index, bytes) in run.clone().zip(new.chunks(cluster as usize)) {
                let same = same(source, self.changed, index * cluster, bytes, old)?;
                results.push((!same).then(|| compressor.cluster(bytes)));
            }
            Ok(results)
        })?;
        let mut writes = Vec::new();
        let numbered = runs.iter().cloned().flatten().zip(clusters.into_iter().flatten());
        for (index, cluster) in numbered {
            match cluster {
                None => {}
                Some(Cluster::Zero) => self.tables.set(index, ZERO, &mut writes),
                Some(cluster) => self.tables.place(index, cluster, &mut writes),
            }
        }
        self.output.write_all(writes)
    }
}

/// The name by which the overlay file `output` can call its backing file `source`: relative to
/// the directory of `output`, so that both can be moved together, or absolute.
pub fn backing_name(output: &Path, source: &Path, absolute: bool) -> Result<Vec<u8>, Error> {
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|error| Error::io(path, "find its full path", error))
    };
    let source = real(source)?;
    if absolute {
        return Ok(source.into_os_string().as_bytes().to_vec());
    }
    let directory = output.parent().filter(|path| !path.as_os_str().is_empty());
    let relative = relative(&real(directory.unwrap_or(Path::new(".")))?, &source);
    // "nbd:disk" would be a protocol to QEMU, "./nbd:disk" is a file.
    let first = relative.components().next().map_or(OsStr::new(""), Component::as_os_str);
    let named = match first.as_bytes().contains(&b':') {
        true => Path::new(".").join(&relative),
        false => relative,
    };
    Ok(named.into_os_string().as_bytes().to_vec())
}

/// The way from a directory to a file, both absolute and without links.
fn relative(directory: &Path, file: &Path) -> PathBuf {
    let common = directory.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = directory.components().skip(common).map(|_| Component::ParentDir);
    up.chain(file.components().skip(common)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_two_files() {
        for (directory, file, expected) in [
            ("/a/b", "/a/b/disk", "disk"),
            ("/a/b", "/a/disk", "../disk"),
            ("/a/b/c", "/a/x/disk", "../../x/disk"),
            ("/", "/disk", "disk"),
            ("/a", "/ab/disk", "../ab/disk"),
        ] {
            assert_eq!(relative(Path::new(directory), Path::new(file)), Path::new(expected), "{directory}");
        }
    }
}
