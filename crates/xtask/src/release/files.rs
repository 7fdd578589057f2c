//! What lies where in the archive. `bin`, `lib` and `share` are as they are below `/usr/local`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::programs::{Programs, executable};
use super::{Release, VERSION, copy, thirdparty, write};
use crate::shell::{run, said, top};

/// What of the project goes in as it is: what documents name, too.
const TRACKED: [&str; 6] =
    ["docs", "image-recipes", "cloud-config", "LICENSE", "CHANGELOG.md", "ARCHITECTURE.md"];

/// Where each shell looks for the completions of `hardtack`, below its prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/hardtack"),
    ("zsh", "share/zsh/site-functions/_hardtack"),
    ("fish", "share/fish/vendor_completions.d/hardtack.fish"),
];

/// The folder that becomes the archive.
pub(super) fn lay_out(release: &Release, programs: &Programs, tree: &str) -> Result<PathBuf, String> {
    let root = release.scratch("archive")?.join(release.name());
    for (from, to) in [(&programs.hardtack, "bin/hardtack"), (&programs.agent, "lib/hardtack/hardtack-agent")]
    {
        copy(from, &root.join(to))?;
        executable(&root.join(to))?;
    }
    let mut man = Command::new(&programs.hardtack);
    man.arg("man").arg(root.join("share/man/man1"));
    run(man)?;
    for (shell, place) in COMPLETIONS {
        let text = said(Command::new(&programs.hardtack).args(["completions", shell]))?;
        write(&root.join(place), text)?;
    }
    for path in tracked()? {
        copy(&top().join(&path), &root.join(&path))?;
    }
    let readme = template("README.md", release)?;
    write(&root.join("README.md"), readme)?;
    copy(&top().join("packaging/Containerfile"), &root.join("Containerfile"))?;
    write(&root.join("THIRD-PARTY.txt"), thirdparty::texts(tree)?)?;
    Ok(root)
}

/// The files that git knows: what somebody left in the folders stays out.
fn tracked() -> Result<Vec<PathBuf>, String> {
    let mut list = Command::new("git");
    list.current_dir(top()).args(["ls-files", "-z", "--"]).args(TRACKED);
    let files: Vec<PathBuf> = said(&mut list)
        .map_err(|error| format!("a release is made of what git knows: {error}"))?
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect();
    for wanted in TRACKED {
        if !files.iter().any(|path| path.starts_with(wanted)) {
            return Err(format!("git knows no {wanted}: a release is made in a checkout"));
        }
    }
    Ok(files)
}

/// A file of `packaging/` with what the release says of itself.
pub(super) fn template(name: &str, release: &Release) -> Result<String, String> {
    let path = top().join("packaging").join(name);
    let text = std::fs::read_to_string(&path).map_err(|error| super::failed(&path, &error))?;
    Ok(text.replace("@NAME@", &release.name()).replace("@VERSION@", VERSION))
}

/// Whether `path` is one of the program's own folders, and not a document.
pub(super) fn is_installed(path: &Path) -> bool {
    ["bin", "lib", "share"].iter().any(|folder| path.starts_with(folder))
}
