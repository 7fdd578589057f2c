//! Reading the log: a file's end, or standard input.

use hardtack_credentials::console::LOG_LIMIT;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::PrintedAt;
use crate::error::CliError;

/// A log, and what its file tells of when it was printed.
pub(crate) struct Log {
    pub(crate) bytes: Vec<u8>,
    pub(crate) printed: PrintedAt,
}

/// Reads `path`, `-` for standard input. Of a longer file only the end is read: the newest block
/// is there.
pub(crate) fn read(path: &Path) -> Result<Log, CliError> {
    if path.as_os_str() == "-" {
        let bytes = limited(std::io::stdin().lock())
            .map_err(|error| CliError::io(path, "read standard input", error))?;
        return Ok(Log { bytes, printed: PrintedAt::Since(None) });
    }
    let fail = |error| CliError::io(path, "read the console log", error);
    let mut file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let limit = LOG_LIMIT as u64;
    if metadata.len() > limit {
        file.seek(SeekFrom::Start(metadata.len() - limit)).map_err(fail)?;
    }
    let written = if metadata.is_file() { metadata.modified().ok() } else { None };
    let bytes = limited(file).map_err(fail)?;
    Ok(Log { bytes, printed: written.map_or(PrintedAt::Since(None), PrintedAt::With) })
}

/// One byte more than the limit is enough to be refused.
fn limited(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LOG_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
