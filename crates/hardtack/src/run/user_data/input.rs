//! Reading user-data: a file, or standard input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hardtack_userdata::limits;

use crate::error::CliError;

/// What standard input is called in messages.
const STDIN: &str = "<stdin>";

/// A file of user-data.
pub(crate) struct Input {
    /// Its name for messages.
    pub(crate) name: String,
    /// Its bytes, one more than the limit at most: the reader of them says that it is too much.
    pub(crate) bytes: Vec<u8>,
}

/// Reads `path`, `-` for standard input.
pub(crate) fn read(path: &Path) -> Result<Input, CliError> {
    if path.as_os_str() == "-" {
        let bytes = limited(std::io::stdin().lock())
            .map_err(|error| CliError::io(Path::new(STDIN), "read it", error))?;
        return Ok(Input { name: STDIN.to_owned(), bytes });
    }
    let bytes = File::open(path)
        .and_then(limited)
        .map_err(|error| CliError::io(path, "read the user-data", error))?;
    Ok(Input { name: path.display().to_string(), bytes })
}

/// Reads all `paths`; standard input can be one of them.
pub(crate) fn read_all(paths: &[std::path::PathBuf]) -> Result<Vec<Input>, CliError> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(CliError::usage("- is given twice: standard input can be read once"));
    }
    paths.iter().map(|path| read(path)).collect()
}

fn limited(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(limits::RAW as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
