//! A disk as the one member of a packed tar archive: a bundle's stream without its encryption, in one file.

use hardtack_disk::{AtomicFile, BlockSource};

use super::{BundleOptions, Plan, Progress, Taker, run};
use crate::Error;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenArchive {
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of the disk that are in the archive.
    pub data: u64,
    /// Bytes of the archive.
    pub length: u64,
}

/// Writes `disk` as the member `options.name` of a tar archive, packed by gzip, to `out`, which is then ready to be
/// committed. Of the other options `gzip`, `level`, `dense` and `threads` count.
pub fn write_archive(
    disk: &dyn BlockSource,
    options: &BundleOptions<'_>,
    out: &AtomicFile,
    progress: Progress<'_>,
) -> Result<WrittenArchive, Error> {
    let plan = Plan::new(disk, options, progress)?;
    let (_, length) = run(&plan.stream, ToFile { out, length: 0 }, options, plan.threads, progress)?;
    Ok(WrittenArchive { size: disk.len(), data: plan.data, length })
}

struct ToFile<'a> {
    out: &'a AtomicFile,
    length: u64,
}

impl Taker for ToFile<'_> {
    type Done = u64;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        use std::io::Write as _;
        self.out.file().write_all(bytes).map_err(|source| Error::Io {
            action: "write".to_owned(),
            path: self.out.path().to_owned(),
            source,
        })?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn finish(self) -> Result<u64, Error> {
        Ok(self.length)
    }
}
