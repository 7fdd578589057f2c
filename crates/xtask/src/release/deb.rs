//! The Debian package: the archive's programs and documents where Debian has them, without debhelper.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Release, VERSION, all_files, changelog, copy, failed, files, gzip, write};
use crate::shell::{run, said};

/// The packaging's own version: it grows when only the packaging changes.
const REVISION: &str = "1";
const DOCUMENTS: &str = "usr/share/doc/hardtack";

/// Makes the package of the archive's folder; its name.
pub(super) fn make(release: &Release, archive: &Path) -> Result<String, String> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => return Err(format!("{other}: Debian's name of this architecture is not known here")),
    };
    let version = format!("{VERSION}-{REVISION}");
    let root = release.scratch("deb")?;
    for path in all_files(archive)? {
        if let Some(place) = place(&path) {
            copy(&archive.join(&path), &root.join(place))?;
        }
    }
    documents(release, archive, &root, &version)?;
    modes(&root)?;
    let control = files::template("debian/control", release)?
        .replace("@DEBIAN_VERSION@", &version)
        .replace("@MAINTAINER@", &maintainer())
        .replace("@ARCHITECTURE@", architecture)
        .replace("@SIZE@", &installed_size(&root)?.to_string());
    // What dpkg -V compares with.
    let installed = all_files(&root)?;
    let sums = said(Command::new("md5sum").current_dir(&root).arg("--").args(&installed))?;
    write(&root.join("DEBIAN/control"), control)?;
    write(&root.join("DEBIAN/md5sums"), sums)?;
    modes(&root.join("DEBIAN"))?;
    let name = format!("hardtack_{version}_{architecture}.deb");
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&root).arg(release.output.join(&name));
    // It limits the times of all files, and is that of the archive's members.
    build.env("SOURCE_DATE_EPOCH", release.epoch.to_string()).stdout(std::process::Stdio::null());
    run(build)?;
    Ok(name)
}

/// Who answers for the package: who makes it, as `dch` asks for them, or else nobody who could be written to.
fn maintainer() -> String {
    let variable =
        |name| std::env::var(name).ok().filter(|text| !text.trim().is_empty() && !text.contains('\n'));
    match (variable("DEBFULLNAME"), variable("DEBEMAIL")) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        _ => "Hardtack maintainers <maintainers@hardtack.invalid>".to_owned(),
    }
}

/// Where a file of the archive goes, unless it is made anew.
fn place(path: &Path) -> Option<PathBuf> {
    const ZSH: (&str, &str) = ("share/zsh/site-functions", "usr/share/zsh/vendor-completions");
    if let Ok(rest) = path.strip_prefix(ZSH.0) {
        return Some(Path::new(ZSH.1).join(rest));
    }
    if files::is_installed(path) {
        return Some(Path::new("usr").join(path));
    }
    // Debian has the licence's text, a README about unpacking is of no use, and there is no context to build in.
    let left_out = ["LICENSE", "README.md", "CHANGELOG.md", "Containerfile"];
    (!left_out.iter().any(|name| path == Path::new(name))).then(|| Path::new(DOCUMENTS).join(path))
}

/// What Debian's policy asks for: copyright, both change logs, compressed pages.
fn documents(release: &Release, archive: &Path, root: &Path, version: &str) -> Result<(), String> {
    let folder = root.join(DOCUMENTS);
    let changes = archive.join("CHANGELOG.md");
    let text = fs::read_to_string(&changes).map_err(|error| failed(&changes, &error))?;
    let date = said(Command::new("date").env("LC_ALL", "C").args([
        "-u",
        "-R",
        "-d",
        &format!("@{}", release.epoch),
    ]))?;
    let entry = changelog::entry(&text, VERSION, version, &maintainer(), date.trim())?;
    write(&folder.join("changelog.Debian"), entry)?;
    copy(&changes, &folder.join("changelog"))?;
    write(&folder.join("copyright"), files::template("debian/copyright", release)?)?;
    let overrides = files::template("debian/lintian-overrides", release)?;
    write(&root.join("usr/share/lintian/overrides/hardtack"), overrides)?;
    gzip(&folder.join("changelog.Debian"))?;
    gzip(&folder.join("changelog"))?;
    gzip(&folder.join("THIRD-PARTY.txt"))?;
    let pages = root.join("usr/share/man/man1");
    for page in all_files(&pages)? {
        gzip(&pages.join(page))?;
    }
    Ok(())
}

/// Folders and programs 0755, files 0644, whatever the umask is.
fn modes(root: &Path) -> Result<(), String> {
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| failed(path, &error))
    };
    for path in all_files(root)? {
        let program = ["usr/bin", "usr/lib"].iter().any(|folder| path.starts_with(folder));
        set(&root.join(&path), if program { 0o755 } else { 0o644 })?;
        for folder in path.ancestors().skip(1) {
            set(&root.join(folder), 0o755)?;
        }
    }
    Ok(())
}

/// KiB, as dpkg-gencontrol(1) counts: each file's rounded up, and one for each folder.
fn installed_size(root: &Path) -> Result<u64, String> {
    let mut folders = std::collections::BTreeSet::new();
    let mut size = 0;
    for path in all_files(root)? {
        let file = root.join(&path);
        size += fs::metadata(&file).map_err(|error| failed(&file, &error))?.len().div_ceil(1024);
        folders.extend(path.ancestors().skip(1).map(Path::to_owned));
    }
    Ok(size + folders.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_where_debian_has_them() {
        let placed = |path: &str| place(Path::new(path)).map(|path| path.display().to_string());
        assert_eq!(placed("bin/hardtack").as_deref(), Some("usr/bin/hardtack"));
        assert_eq!(
            placed("share/zsh/site-functions/_hardtack").as_deref(),
            Some("usr/share/zsh/vendor-completions/_hardtack")
        );
        assert_eq!(placed("docs/look.md").as_deref(), Some("usr/share/doc/hardtack/docs/look.md"));
        assert_eq!(placed("LICENSE"), None);
    }
}
