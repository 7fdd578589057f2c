//! The agent against cloud-init itself: the same seeds in two copies of Debian's root, then a comparison of
//! everything that changed.
//!
//! `tests/seeds/NAME` is a seed; `tests/seeds/stages.sh` runs one. The real program is Debian 12's, 22.4. Every
//! difference has its reason in `tests/seeds/differences.json`, or the test fails; so it does when one
//! that stands there is gone. `docs/differences.md` tells them to people.

mod explained;
mod normal;
mod tree;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use hardtack_tests::image::Images;
use hardtack_tests::tools::{output, run, top};

use explained::Explained;
use tree::Copy;

/// A difference between the two copies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    seed: String,
    path: String,
    /// `only cloud-init`, `mode 644, agent 600`, or lines of a file, each behind `- ` or `+ `.
    what: Vec<String>,
}

#[test]
fn the_agent_does_what_cloud_init_does() {
    let Some(images) = Images::find() else { return };
    if !able() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    unpack(&images, &root);
    let queue: Mutex<VecDeque<PathBuf>> = Mutex::new(seeds().into());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = queue.lock().unwrap().pop_front() else { return };
                    let differences = compare(&root, work.path(), &seed);
                    found.lock().unwrap().extend(differences);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.sort_by(|a: &Difference, b| (&a.seed, &a.path).cmp(&(&b.seed, &b.path)));
    if let Some(file) = std::env::var_os("HARDTACK_DIFFERENCES") {
        std::fs::write(file, explained::as_json(&found)).unwrap();
    }
    let verdict = Explained::read(&top().join("tests/seeds/differences.json")).judge(&found);
    assert!(verdict.is_empty(), "{verdict}");
}

/// Whether a root can be entered here.
fn able() -> bool {
    let able = rustix::process::geteuid().is_root()
        && Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "true"])
            .status()
            .is_ok_and(|status| status.success());
    assert!(
        able || std::env::var_os("CI").is_none(),
        "cloud-init can be run in a root only by root, with unshare"
    );
    if !able {
        eprintln!("SKIPPED: cloud-init can be run in a root only by root, with unshare");
    }
    able
}

/// All seeds, the slow ones first.
fn seeds() -> Vec<PathBuf> {
    let mut seeds: Vec<PathBuf> = std::fs::read_dir(top().join("tests/seeds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    seeds.sort_by_key(|seed| (!seed.join("system.cfg").exists(), seed.clone()));
    assert!(seeds.len() >= 12, "{seeds:?}");
    seeds
}

/// The root that `debian12` was made of, as that image has it.
fn unpack(images: &Images, root: &Path) {
    std::fs::create_dir(root).unwrap();
    run(Command::new("tar")
        .arg("-C")
        .arg(root)
        .args(["--numeric-owner", "-xpf"])
        .arg(images.root("bookworm")));
    for name in std::fs::read_dir(root.join("etc/ssh")).unwrap() {
        let path = name.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("ssh_host_") {
            std::fs::remove_file(path).unwrap();
        }
    }
    for (name, text) in [
        ("etc/machine-id", "11111111111111111111111111111111\n"),
        ("etc/hostname", "localhost\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/fstab", "proc /proc proc defaults 0 0\n"),
        ("etc/resolv.conf", ""),
    ] {
        let _ = std::fs::remove_file(root.join(name));
        std::fs::write(root.join(name), text).unwrap();
    }
}

/// Runs both on `seed`, and what they left differently.
fn compare(root: &Path, work: &Path, seed: &Path) -> Vec<Difference> {
    let name = seed.file_name().unwrap().to_str().unwrap();
    let agent = hardtack_tests::tools::agent();
    let both =
        [("cloud-init", Path::new("cloud-init")), ("agent", agent.as_path())].map(|(whose, program)| {
            let place = work.join(format!("{name}-{whose}"));
            let mut stages = Command::new("bash");
            stages.arg(top().join("tests/seeds/stages.sh")).args([root, &place, seed, program]);
            let done = output(&mut stages);
            let instances = std::fs::read_dir(place.join("upper/var/lib/cloud/instances"));
            let finished = instances
                .into_iter()
                .flatten()
                .any(|entry| entry.unwrap().path().join("boot-finished").exists());
            assert!(
                done.status.success() && finished,
                "{name}, {whose}: {}\n{}\n{}",
                done.status,
                String::from_utf8_lossy(&done.stderr),
                String::from_utf8_lossy(&std::fs::read(place.join("console")).unwrap_or_default())
            );
            place
        });
    let [theirs, ours] = both.each_ref().map(|place| Copy::new(root, &place.join("upper")));
    let known = normal::Seed::read(seed);
    let differences = tree::compare(name, &theirs, &ours, &known);
    for place in both {
        std::fs::remove_dir_all(place).unwrap();
    }
    differences
}
