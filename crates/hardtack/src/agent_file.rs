//! Where the first-boot program is on the host.

use std::path::{Path, PathBuf};

use crate::error::CliError;

const NAME: &str = "hardtack-agent";
/// Far above the agent's real size; a wrong `--agent` should not fill the memory.
const LARGEST: u64 = 64 << 20;

/// The agent's bytes: `--agent PATH`, else beside this program, else in `../lib/hardtack/`.
/// `None` when it is in neither place; only a recipe that needs it minds.
pub(crate) fn find(given: Option<&Path>) -> Result<Option<Vec<u8>>, CliError> {
    if let Some(path) = given {
        return read(path).map(Some);
    }
    for path in candidates() {
        if path.is_file() {
            return read(&path).map(Some);
        }
    }
    Ok(None)
}

fn candidates() -> Vec<PathBuf> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let Some(directory) = program.parent() else { return Vec::new() };
    let mut places = vec![directory.join(NAME), directory.join("../lib/hardtack").join(NAME)];
    // Where `cargo xtask agent` puts it, beside this program's own directory or that of its target.
    if directory.ends_with("release") {
        let musl = format!("../../{}-unknown-linux-musl/agent", std::env::consts::ARCH);
        places.splice(0..0, [directory.join(musl).join(NAME), directory.join("../agent").join(NAME)]);
    }
    places
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let fail = |error| CliError::io(path, "read the agent", error);
    let size = std::fs::metadata(path).map_err(fail)?.len();
    if size > LARGEST {
        return Err(CliError::usage(format!("{}: {size} bytes is no hardtack-agent", path.display())));
    }
    std::fs::read(path).map_err(fail)
}
