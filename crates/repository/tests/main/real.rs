//! Debian's own index, as this machine's apt fetches it from the mirror that it is set up for.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use hardtack_guest::{MemoryTree, Stage};
use hardtack_repository::{Catalogue, Keys, Settings, Source, resolve, sources};

use crate::made::{architectures, have};
use crate::resolving::{apt, image, install, shown, theirs};

/// A root in which apt has Debian's lists, and the same files as a mirror on disk. `None` offline.
fn debian() -> Option<(tempfile::TempDir, Vec<Source>)> {
    let folder = tempfile::Builder::new().prefix("hr").tempdir_in("/tmp").unwrap();
    let root = folder.path();
    for directory in [
        "etc/apt/sources.list.d",
        "etc/apt/apt.conf.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
        "m",
    ] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    // The mirror of this machine: the entries with Debian's own keyring.
    let tree = machine();
    let (mut found, _) = sources::of_image(&Stage::new(&tree), false).ok()?;
    let ring = "debian-archive-keyring";
    found.retain(|source| matches!(&source.keys, Keys::Rings(rings) if rings.iter().any(|(name, _)| name.contains(ring))));
    found.retain(|source| {
        source.components.iter().any(|component| component == "main") && !source.suite.contains("backports")
    });
    let mut list = String::new();
    for source in &mut found {
        source.components = vec!["main".to_owned()];
        let Keys::Rings(rings) = &source.keys else { continue };
        list.push_str(&format!(
            "deb [arch=amd64 signed-by={}] {} {} main\n",
            rings[0].0, source.uri, source.suite
        ));
    }
    std::fs::write(root.join("etc/apt/sources.list"), list).unwrap();
    std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let mut update = apt(root);
    let update = update.args([
        "-o",
        "Acquire::Retries=1",
        "-o",
        "Acquire::http::Timeout=20",
        "update",
        "--error-on=any",
    ]);
    if found.is_empty() || !update.output().is_ok_and(|output| output.status.success()) {
        return None;
    }
    for source in &found {
        let rest = source.uri.split_once("://")?.1;
        let dists = root.join("m").join(rest).join("dists").join(&source.suite);
        let name = |path: &str| {
            let name = format!("{rest}/dists/{}/{path}", source.suite).replace('/', "_");
            root.join("var/lib/apt/lists").join(name)
        };
        std::fs::create_dir_all(dists.join("main/binary-amd64")).unwrap();
        for path in ["InRelease", "main/binary-amd64/Packages"] {
            std::fs::copy(name(path), dists.join(path)).ok()?;
        }
    }
    Some((folder, found))
}

/// The files of this machine's apt that lists of sources name.
fn machine() -> MemoryTree {
    let mut tree = MemoryTree::new();
    let mut add = |path: PathBuf| {
        if let Ok(content) = std::fs::read(&path) {
            tree = std::mem::take(&mut tree).file(path.to_str().unwrap(), content);
        }
    };
    add("/etc/apt/sources.list".into());
    for folder in
        ["/etc/apt/sources.list.d", "/etc/apt/trusted.gpg.d", "/etc/apt/keyrings", "/usr/share/keyrings"]
    {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            add(entry.path());
        }
    }
    tree
}

/// The package database of a small Debian 12, else of this machine.
fn status(root: &Path) {
    let to = root.join("var/lib/dpkg");
    let archive = std::env::var_os("HARDTACK_CACHE")
        .map_or("/var/cache/hardtack".into(), PathBuf::from)
        .join("bookworm.tar");
    let unpacked = std::process::Command::new("tar")
        .arg("-C")
        .arg(root)
        .arg("-xf")
        .arg(archive)
        .arg("./var/lib/dpkg/status")
        .output()
        .is_ok_and(|output| output.status.success());
    if !unpacked {
        std::fs::copy("/var/lib/dpkg/status", to.join("status")).unwrap();
    }
}

#[test]
fn debian_is_proved_read_and_resolved_as_by_apt() {
    if !have("debian", &["apt-get", "tar"]) {
        return;
    }
    let Some((folder, found)) = debian() else {
        eprintln!("SKIPPED: debian: this machine's apt gets no lists of Debian");
        return;
    };
    let root = folder.path();
    status(root);
    let mut settings = Settings::new(SystemTime::now());
    settings.offline = Some(root.join("m"));
    let start = Instant::now();
    let catalogue = Catalogue::open(&found, &architectures(), &settings, None).unwrap();
    let read = start.elapsed();
    assert!(catalogue.releases().iter().all(|release| release.key.is_some()));
    assert!(catalogue.offers().len() > 50_000, "{}", catalogue.offers().len());
    let image = image(&root.join("var/lib/dpkg/status"), &root.join("var/lib/apt/extended_states"));
    let (mut same, mut solving) = (0, std::time::Duration::ZERO);
    let mut differ = Vec::new();
    for names in [
        &["libpam-google-authenticator"][..],
        &["nginx"],
        &["postgresql"],
        &["git", "curl"],
        &["python3-yaml"],
        &["apache2", "php"],
        &["docker.io"],
        &["build-essential"],
        &["chrony"],
        &["exim4"],
        &["postfix"],
        &["task-ssh-server"],
        &["qemu-system-x86"],
        &["openjdk-17-jre-headless"],
        &["no-such-package"],
    ] {
        let start = Instant::now();
        let ours = resolve(&catalogue, &image, &install(names)).ok().map(|solution| shown(&solution));
        solving += start.elapsed();
        let theirs = theirs(root, &[&["install"], names].concat());
        if ours == theirs {
            same += 1;
        } else {
            let sets = |a: &Option<std::collections::BTreeSet<String>>,
                        b: &Option<std::collections::BTreeSet<String>>| {
                a.iter()
                    .flatten()
                    .filter(|one| !b.iter().flatten().any(|other| other == *one))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            differ.push(format!(
                "{names:?}: only we {:?}, only apt {:?}",
                sets(&ours, &theirs),
                sets(&theirs, &ours)
            ));
        }
    }
    eprintln!("{} offers read in {read:?}; {same} of 15 as apt, in {solving:?}", catalogue.offers().len());
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}
