//! The test images of e2fsprogs (`tests/images/e2fsprogs.sh`), damaged in every way that its authors met:
//! each is refused, or stays as clean as it was.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hardtack_ext4::{Error, Ext4, Kind};

use crate::disk::TestDisk;
use crate::model::{EPOCH, Model, join};
use crate::operation::{Generator, Random};
use crate::tools::{self, run, said};

/// Images larger than this are left out: they are sparse, and take minutes to look at.
const LARGEST: u64 = 600 << 20;

/// What happened to one image.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It is not opened, or must not be changed.
    Refused,
    /// It was clean, was edited, and is clean.
    Clean,
    /// It was damaged, and every edit was refused.
    Untouched,
    /// It was damaged, was edited, and has no kind of damage that it had not.
    NoWorse,
    /// It was damaged, was edited, and e2fsck finds something that it did not find before.
    Other(Vec<String>),
}

#[test]
#[ignore = "the full suite: the test images of e2fsprogs"]
fn test_images_of_e2fsprogs_are_refused_or_stay_clean() {
    let folder = cache().join("e2fsprogs");
    if !folder.is_dir() {
        tools::skip(&format!("no {} (tests/images/e2fsprogs.sh makes it)", folder.display()));
        return;
    }
    if !tools::have("e2fsck") {
        return;
    }
    let mut images: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.sort();
    let only = std::env::var("HARDTACK_IMAGE").ok();
    let mut counts = [0; 5];
    let mut failed = Vec::new();
    for image in images {
        let name = image.file_stem().unwrap().to_str().unwrap().to_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let begun = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| judge(&image, &name))) {
            Ok(Some(outcome)) => {
                let index = match &outcome {
                    Outcome::Refused => 0,
                    Outcome::Clean => 1,
                    Outcome::Untouched => 2,
                    Outcome::NoWorse => 3,
                    Outcome::Other(found) => {
                        eprintln!("{name}: damaged before, and now also: {found:?}");
                        4
                    }
                };
                counts[index] += 1;
            }
            Ok(None) => eprintln!("{name}: left out"),
            Err(_) => failed.push(name.clone()),
        }
        // Editing alone has its own, stricter limit.
        assert!(begun.elapsed() < Duration::from_secs(300), "{name} took {:?}", begun.elapsed());
    }
    eprintln!(
        "{} refused, {} clean before and after, {} damaged and not changed, {} damaged and no worse, {} with something \
         else",
        counts[0], counts[1], counts[2], counts[3], counts[4]
    );
    assert!(failed.is_empty(), "{failed:?}");
    assert!(only.is_some() || counts.iter().sum::<usize>() > 200, "too few images");
}

/// Where real images are kept.
pub fn cache() -> PathBuf {
    std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from)
}

fn judge(packed: &Path, name: &str) -> Option<Outcome> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fs");
    let length = u32::from_le_bytes(std::fs::read(packed).unwrap().last_chunk().copied().unwrap());
    if u64::from(length) > LARGEST {
        return None;
    }
    let unpacked =
        Command::new("gzip").arg("-dc").arg(packed).stdout(std::fs::File::create(&path).unwrap()).status();
    assert!(unpacked.unwrap().success());
    // Recovery is compared with e2fsck's own elsewhere; what it leaves is the start here.
    let recovered = dir.path().join("recovered");
    std::fs::copy(&path, &recovered).unwrap();
    if needs_recovery(&path) {
        run("e2fsck", &["-fy", "-E", "journal_only", recovered.to_str().unwrap()]);
    }
    let (clean, before) = complaints(&recovered);
    let disk = TestDisk::open(&path);
    let begun = Instant::now();
    let mut fs = match Ext4::open(disk.clone(), EPOCH) {
        Ok(fs) => fs,
        Err(error) => {
            // A damaged journal, or a superblock of which only copies are left, is e2fsck's to give up.
            let sound = !needs_recovery(&path) && complaints(&path).0;
            assert!(
                !sound || matches!(error, Error::Unsupported(_)),
                "{name} is clean, and refused: {error}"
            );
            return Some(Outcome::Refused);
        }
    };
    if fs.read_only_reason().is_some() {
        assert_eq!(disk.writes(), 0, "{name}");
        return Some(Outcome::Refused);
    }
    if clean {
        let mut model = Model::read(&fs);
        let block = fs.superblock().block_size as usize;
        let mut generator = Generator::new(Random::of(5), block, 30_000);
        for _ in 0..80 {
            let operation = generator.next(&model);
            if model.refusal(&operation).is_none() && operation.carry_out(&mut fs).is_ok() {
                model.apply(&operation);
            }
        }
        model.assert_same(&fs, name);
    } else {
        exercise(&mut fs);
    }
    let written = disk.writes();
    fs.finish().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60), "{name}: editing took {:?}", begun.elapsed());
    let edited = dir.path().join("edited");
    disk.save(&edited);
    let (clean_after, after) = complaints(&edited);
    if clean {
        assert!(clean_after, "{name} was clean: {after:?}");
        return Some(Outcome::Clean);
    }
    let new: Vec<_> = after.difference(&before).cloned().collect();
    Some(match (written, new.is_empty()) {
        (0, _) => Outcome::Untouched,
        (_, true) => Outcome::NoWorse,
        (_, false) => Outcome::Other(new),
    })
}

fn needs_recovery(image: &Path) -> bool {
    let mut incompat = [0; 4];
    let file = std::fs::File::open(image).unwrap();
    file.read_exact_at(&mut incompat, 1024 + 0x60).is_ok() && incompat[0] & 4 != 0
}

/// Whether e2fsck is content, and the kinds of what it says, without numbers and names.
fn complaints(image: &Path) -> (bool, BTreeSet<String>) {
    // On one of its own test images (f_illitable_flexbg) it runs for minutes.
    let output = run("timeout", &["20", "e2fsck", "-fn", image.to_str().unwrap()]);
    let kinds = said(&output)
        .lines()
        .filter(|line| ["? no", "IGNORED", "orrupt", "nvalid"].iter().any(|mark| line.contains(mark)))
        .map(|line| {
            line.split(|letter: char| !letter.is_alphabetic())
                .filter(|word| word.len() > 3)
                .collect::<Vec<_>>()
        })
        .map(|words| words[..words.len().min(3)].join(" "))
        .collect::<BTreeSet<_>>();
    (output.status.success() && kinds.is_empty(), kinds)
}

/// A bit of everything; whatever is refused is refused.
fn exercise(fs: &mut Ext4) {
    let mut found = Vec::new();
    walk(fs, "/", 0, &mut found);
    let of = |kind: Kind| found.iter().filter(move |(_, other)| *other == kind).map(|(path, _)| path.clone());
    let directories: Vec<_> = ["/".to_owned()].into_iter().chain(of(Kind::Directory)).take(20).collect();
    for directory in &directories {
        let new = |name: &str| join(directory, name);
        let _ = fs.create(&new("hardtack-new"), 0o600, 0, 0);
        let _ = fs.set_content(&new("hardtack-new"), &[3; 9000]);
        let _ = fs.mkdir(&new("hardtack-directory"), 0o755, 0, 0);
        let _ = fs.symlink(&new("hardtack-link"), &"x".repeat(100), 0, 0);
        let _ = fs.set_xattr(directory, "security.selinux", b"label");
    }
    for (number, path) in of(Kind::Regular).take(40).enumerate() {
        let _ = match number % 6 {
            0 => fs.append(&path, &[5; 3000]),
            1 => fs.set_content(&path, &[4; 70_000]),
            2 => fs.set_xattr(&path, "user.a", &[7; 700]),
            3 => fs.remove(&path),
            4 => fs.hard_link(&path, "/hardtack-hard"),
            _ => fs.rename(&path, "/hardtack-renamed"),
        };
    }
    for path in of(Kind::Symlink).chain(of(Kind::Special)).take(20) {
        let _ = fs.set_owner(&path, 70_000, 3);
        let _ = fs.remove(&path);
    }
    for path in directories.iter().skip(1).take(5) {
        let _ = fs.rename(path, "/hardtack-moved");
        let _ = fs.remove("/hardtack-moved");
    }
}

fn walk(fs: &Ext4, path: &str, depth: usize, found: &mut Vec<(String, Kind)>) {
    if depth > 8 || found.len() > 600 {
        return;
    }
    let _ = fs.xattrs(path);
    for entry in fs.read_dir(path).unwrap_or_default() {
        let below = join(path, &entry.name);
        let Ok(Some(stat)) = fs.lstat(&below) else { continue };
        found.push((below.clone(), stat.kind));
        match stat.kind {
            Kind::Directory => walk(fs, &below, depth + 1, found),
            Kind::Symlink => drop(fs.read_link(&below)),
            Kind::Regular => drop(fs.read_at(&below, 0, &mut [0; 4096])),
            Kind::Special => {}
        }
    }
}
