//! Text that a verb writes: to standard output, or whole into a file.

use std::io::Write as _;
use std::path::Path;

use hardtack_disk::AtomicFile;

use crate::error::CliError;
use crate::target;

/// Writes `text` to `output`, which appears whole or not at all, or else to standard output. An existing file is replaced
/// with `force` only; `inputs` are files that it must not be, with what they are.
pub(crate) fn write(
    text: &str,
    output: Option<&Path>,
    force: bool,
    inputs: &[(&Path, &str)],
) -> Result<(), CliError> {
    let Some(path) = output else {
        let mut out = std::io::stdout().lock();
        return out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream);
    };
    target::check_output(path, force, inputs)?;
    let mut file = AtomicFile::create(path)?;
    file.file().write_all(text.as_bytes()).map_err(|error| CliError::io(path, "write it", error))?;
    file.set_durable(true);
    Ok(file.commit(force)?)
}
