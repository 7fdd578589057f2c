//! The archive: GNU tar's, sorted, of nobody, with one time.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use super::{Release, failed, gzip};
use crate::shell::run;

/// Packs `root`; the archive's name.
pub(super) fn pack(release: &Release, root: &Path) -> Result<String, String> {
    let archive = release.output.join(format!("{}.tar", release.name()));
    File::create(&archive).map_err(|error| failed(&archive, &error))?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name", "--owner=root:0", "--group=root:0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX", &format!("--mtime=@{}", release.epoch)]);
    tar.arg("--directory").arg(root.parent().unwrap_or(root));
    tar.arg("--file").arg(&archive).arg(root.file_name().unwrap_or_default());
    run(tar)?;
    gzip(&archive)?;
    Ok(format!("{}.tar.gz", release.name()))
}
