//! Where people's files are: virt-sysprep knows `/root` and `/home/*` only.

use std::collections::BTreeSet;

use hardtack_guest::{Error, FileType, Stage, accounts};

/// Homes of services are somewhere in here, and no home of anybody who types.
const NO_HOMES: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/boot", "/dev", "/proc", "/sys", "/run", "/nonexistent"];

/// Every home: of `/etc/passwd`, and what lies in `/home` though nobody has it. Without the links
/// on the way, each once.
pub(super) fn all(stage: &Stage<'_>) -> Result<BTreeSet<String>, Error> {
    let mut named: Vec<String> = accounts::users(stage)?.into_iter().map(|user| user.home).collect();
    named.push("/root".to_owned());
    if is_directory(stage, "/home")? {
        named.extend(stage.list("/home")?.into_iter().map(|entry| format!("/home/{}", entry.name)));
    }
    let mut homes = BTreeSet::new();
    for home in named.iter().filter(|home| home.starts_with('/')) {
        let real = match stage.resolve(home) {
            Ok(real) => real,
            // Nobody gets into such a home either.
            Err(Error::LinkLoop { .. }) => continue,
            Err(error) => return Err(error),
        };
        let system = NO_HOMES.iter().any(|no| real.starts_with(&(*no).into()));
        if real.as_str() != "/" && !system && is_directory(stage, real.as_str())? {
            homes.insert(real.as_str().to_owned());
        }
    }
    Ok(homes)
}

pub(super) fn is_directory(stage: &Stage<'_>, path: &str) -> Result<bool, Error> {
    match stage.stat(path) {
        Ok(found) => Ok(found.is_some_and(|found| found.kind == FileType::Directory)),
        Err(Error::LinkLoop { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
