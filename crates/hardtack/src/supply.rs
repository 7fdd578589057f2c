//! Repositories as this process reaches them: its clock, its proxies, its cache.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use hardtack_recipe::supply::Repositories;
use hardtack_repository::{Network, Settings};

use crate::args::SupplyArgs;
use crate::document;
use crate::error::CliError;

/// Debian's keyring has 60 KiB, all of its teams' together less than this.
const LARGEST_KEYRING: u64 = 16 << 20;

/// What a recipe may install from, by the options and the environment. Nobody is asked yet.
pub(crate) fn open(arguments: &SupplyArgs) -> Result<Arc<Repositories>, CliError> {
    let mut settings = Settings::new(SystemTime::now());
    if !arguments.offline && arguments.packages_from.is_none() {
        settings.network = Some(network());
    }
    settings.offline.clone_from(&arguments.packages_from);
    settings.cache = arguments.packages_cache.clone().or_else(default_cache);
    let mut repositories = Repositories::new(settings);
    for path in &arguments.keyring {
        repositories.keyrings.push((path.display().to_string(), read(path)?));
    }
    repositories.lock.clone_from(&arguments.packages_lock);
    repositories.update_lock = arguments.update_packages_lock;
    Ok(Arc::new(repositories))
}

/// Writes the lock file, if there is a new one. To be called when the image stands.
pub(crate) fn finish(repositories: &Repositories) -> Result<(), CliError> {
    let Some((path, text)) = repositories.new_lock() else { return Ok(()) };
    // One that was there is meant to be replaced: --update-packages-lock says so.
    document::write(&text, Some(&path), true, &[])?;
    crate::talk::note(&format!("{}: written; it pins what was taken", path.display()));
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let fail = |error| CliError::io(path, "read the keyring", error);
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(LARGEST_KEYRING).read_to_end(&mut content).map_err(fail)?;
    Ok(content)
}

/// `http_proxy` in lower case only: in a CGI script the other one is a header of the request.
fn network() -> Network {
    let variable = |names: &[&str]| {
        names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
    };
    let all = variable(&["all_proxy", "ALL_PROXY"]);
    let hosts = variable(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    Network {
        http_proxy: variable(&["http_proxy"]).or_else(|| all.clone()),
        https_proxy: variable(&["https_proxy", "HTTPS_PROXY"]).or(all),
        no_proxy: hosts.split([',', ' ']).filter(|host| !host.is_empty()).map(str::to_owned).collect(),
        ..Network::default()
    }
}

/// `hardtack/packages` in the user's cache (XDG Base Directory Specification).
fn default_cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("hardtack/packages"))
}
