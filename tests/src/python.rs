//! Programs of Python that are no Debian packages, in virtual environments that are kept.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A virtual environment `name` with these packages of the Python index, made where it is missing: its folder. Only one program makes
/// it at a time. An error where the index cannot be reached, or no folder can be written: the test is to be skipped
/// visibly then.
///
/// `scratch` is where it goes when neither `HARDTACK_CACHE` nor its usual place can be written.
pub fn environment(name: &str, packages: &[&str], scratch: &Path) -> Result<PathBuf, String> {
    let cache = cache(scratch).ok_or("no folder to keep it in can be written; HARDTACK_CACHE names one")?;
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let place = cache.join(name);
    let complete = place.join("complete");
    let wanted = packages.join("\n");
    if fs::read_to_string(&complete).is_ok_and(|have| have == wanted) {
        return Ok(place);
    }
    let said = |mut command: Command| {
        let output =
            command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}: {text}", output.status)) }
    };
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&place);
    said(make)?;
    let mut install = Command::new(place.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]);
    install.args(["--timeout", "20"]).args(packages);
    said(install)?;
    fs::write(complete, wanted).map_err(|error| error.to_string())?;
    Ok(place)
}

/// Where the tests keep what is dear to make.
fn cache(scratch: &Path) -> Option<PathBuf> {
    let given =
        std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
    [given, scratch.to_owned()]
        .into_iter()
        .find(|path| fs::create_dir_all(path).is_ok() && tempfile::Builder::new().tempfile_in(path).is_ok())
}
