//! Caches with real files: damaged, cut off, written by several at once, by somebody who is killed, by an enemy.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bucket;
mod foreign;
mod killed;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hardtack_cache::{Content, Digest, Directory, Inputs, Kind, Name, New, Noted, State, Store};

/// Bytes that nobody keeps secret.
pub(crate) fn random(bytes: &mut [u8]) {
    let mut state = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    bytes.iter_mut().for_each(|byte| *byte = next(&mut state) as u8);
}

/// xorshift64.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn open(root: &Path) -> Store {
    Store::Directory(Directory::open(root, random).unwrap())
}

pub(crate) fn name(of: &str) -> Name {
    Name::build(Digest::of(of.as_bytes()))
}

/// Stores an image, and a report that says its digest.
pub(crate) fn put(store: &Store, name: Name, image: &[u8]) {
    let report = Digest::of(image).to_string();
    let parts = vec![("image", Content::Bytes(image)), ("report", Content::Bytes(report.as_bytes()))];
    store.put(&New { name, stored: 1, about: BTreeMap::new(), parts }).unwrap();
}

/// The image, if it is there and whole.
pub(crate) fn get(store: &Store, name: Name) -> Result<Option<Vec<u8>>, hardtack_cache::Error> {
    let Some(entry) = store.find(name)? else { return Ok(None) };
    let image = store.read_small(&entry, "image", 1 << 30)?;
    let report = store.read_small(&entry, "report", 100)?;
    assert_eq!(report, Digest::of(&image).to_string().into_bytes(), "parts of two entries");
    Ok(Some(image))
}

fn folder(root: &Path, name: Name) -> PathBuf {
    let kind = if name.kind == Kind::Build { "builds" } else { "sources" };
    root.join(kind).join(name.digest.to_string())
}

#[test]
fn what_is_stored_comes_back_and_what_is_damaged_anywhere_does_not() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path());
    let mut image = vec![0; 300_000];
    let mut state = 88_172_645_463_325_252;
    image[100_000..200_000].iter_mut().for_each(|byte| *byte = next(&mut state) as u8);
    assert!(get(&store, name("a")).unwrap().is_none());
    put(&store, name("a"), &image);
    assert!(get(&store, name("a")).unwrap().unwrap() == image);
    for _ in 0..200 {
        let part = ["image", "manifest", "report"][next(&mut state) as usize % 3];
        let path = folder(scratch.path(), name("a")).join(part);
        let whole = fs::read(&path).unwrap();
        let at = next(&mut state) as usize % whole.len();
        let mut other = whole.clone();
        match next(&mut state) % 3 {
            0 => other[at] ^= 1 << (next(&mut state) % 8),
            1 => other.truncate(at),
            _ => other.extend_from_slice(&whole[at..]),
        }
        // The case of a hexadecimal digit says nothing.
        if other.eq_ignore_ascii_case(&whole) {
            continue;
        }
        fs::write(&path, &other).unwrap();
        let error = get(&store, name("a")).unwrap_err();
        assert!(error.is_damage(), "{part} {at}: {error}");
        let entry = store.find(name("a"));
        assert!(entry.is_err() || store.verify(&entry.unwrap().unwrap()).unwrap_err().is_damage());
        fs::write(&path, &whole).unwrap();
    }
    assert!(get(&store, name("a")).unwrap().is_some());
    fs::write(folder(scratch.path(), name("a")).join("image"), "x").unwrap();
    put(&store, name("a"), &image);
    assert!(get(&store, name("a")).unwrap().unwrap() == image, "replaced");
}

#[test]
fn an_enemys_entries_hold_nobody_up() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path());
    put(&store, name("a"), b"image");
    let entry = folder(scratch.path(), name("a"));
    for part in ["image", "manifest"] {
        let path = entry.join(part);
        let whole = fs::read(&path).unwrap();
        let damaged = |how: &str| {
            let error = get(&store, name("a")).unwrap_err();
            assert!(error.is_damage(), "{part} {how}: {error}");
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir(&path);
        };
        fs::remove_file(&path).unwrap();
        damaged("is missing");
        let fifo = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(fifo.unwrap().success());
        damaged("is a pipe");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        damaged("has no end");
        fs::create_dir(&path).unwrap();
        damaged("is a directory");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        damaged("is a terabyte");
        fs::write(&path, &whole).unwrap();
        assert!(get(&store, name("a")).unwrap().is_some());
    }
    // Another entry's folder in its place.
    put(&store, name("b"), b"other");
    fs::remove_dir_all(&entry).unwrap();
    fs::rename(folder(scratch.path(), name("b")), &entry).unwrap();
    assert!(get(&store, name("a")).unwrap_err().to_string().contains("another"));
    // A file where a folder belongs.
    fs::remove_dir_all(&entry).unwrap();
    fs::write(&entry, "x").unwrap();
    assert!(get(&store, name("a")).unwrap_err().is_damage());
    put(&store, name("a"), b"image");
    assert!(get(&store, name("a")).unwrap().is_some());
}

#[test]
fn many_at_once_on_one_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path();
    std::thread::scope(|scope| {
        for writer in 0..4_u8 {
            scope.spawn(move || {
                let store = open(root);
                for round in 0..12_u8 {
                    put(&store, name("a"), &vec![writer ^ round; 200_000]);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(move || {
                let store = open(root);
                for _ in 0..60 {
                    match get(&store, name("a")) {
                        Ok(Some(image)) => assert!(image.iter().all(|byte| *byte == image[0])),
                        // Removed between manifest and image: built again.
                        Ok(None) => {}
                        Err(error) => assert!(error.is_damage(), "{error}"),
                    }
                }
            });
        }
    });
    let store = open(root);
    assert!(get(&store, name("a")).unwrap().is_some());
    store.tidy(None);
    assert_eq!(fs::read_dir(root.join("tmp")).unwrap().count(), 0);
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn keys_are_the_caches_own_and_its_files_nobody_elses() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
    let mut inputs = Inputs::default();
    inputs.add("password", b"weak");
    let key = open(&one).key(&inputs);
    assert_eq!(key, open(&one).key(&inputs));
    assert_ne!(key, open(&other).key(&inputs));
    assert_ne!(key, inputs.digest());
    put(&open(&one), name("a"), b"image");
    let mut pending = vec![one];
    while let Some(path) = pending.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.permissions().mode() & 0o077, 0, "{}", path.display());
        if found.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|one| one.unwrap().path()));
        }
    }
}

#[test]
fn a_directory_that_is_something_else_is_none() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("home");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("letter"), "mine").unwrap();
    let why = |root: &Path| Directory::open(root, random).unwrap_err().to_string();
    assert!(why(&root).contains("neither empty nor a cache"), "{}", why(&root));
    assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
    fs::remove_file(root.join("letter")).unwrap();
    // Who only looks makes nothing.
    for root in [&root, &scratch.path().join("away")] {
        let error = Directory::open_existing(root, random).unwrap_err().to_string();
        assert!(error.contains("there is no cache"), "{error}");
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(why(&root).contains("others may write"), "{}", why(&root));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    Directory::open(&root, random).unwrap();
    fs::write(root.join("secret"), "x").unwrap();
    assert!(
        why(&root).contains("secret is damaged") || why(&root).contains("secret: is damaged"),
        "{}",
        why(&root)
    );
}

#[test]
fn a_note_is_trusted_while_nothing_about_the_file_changes() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = Directory::open(&scratch.path().join("cache"), random).unwrap();
    let notes = directory.notes();
    let path = scratch.path().join("image");
    fs::write(&path, "image").unwrap();
    let state = || State::of(&File::open(&path).unwrap()).unwrap();
    let Some(first) = state() else { return };
    let digest = Digest::of(b"image");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    assert_eq!(notes.look(&first), Noted::Nothing);
    assert!(!notes.keep(&first, digest, now), "it was changed a moment ago");
    assert_eq!(notes.look(&first), Noted::Nothing);
    assert!(notes.keep(&first, digest, now + 10));
    assert_eq!(notes.look(&first), Noted::Known(digest));
    // The same size, and its time set back: what nobody can set back tells.
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "other").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(notes.look(&state().unwrap()), Noted::Stale);
    let note = fs::read_dir(scratch.path().join("cache/notes")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&note).unwrap();
    for at in [0, 70, whole.len() - 2] {
        let mut other = whole.clone();
        other[at] = if other[at] == b'1' { b'2' } else { b'1' };
        fs::write(&note, other).unwrap();
        assert_eq!(notes.look(&first), Noted::Stale, "{at}");
    }
    assert_eq!(State::of(&File::open("/dev/null").unwrap()).unwrap(), None);
}

/// Writes through a mapping, and again when it is told to, into what was not written to the disk since.
const MAPPED: &str = "
import mmap, sys
file = open(sys.argv[1], 'r+b')
mapping = mmap.mmap(file.fileno(), 0)
for byte in b'ab':
    mapping[0] = byte
    print('written', flush=True)
    sys.stdin.readline()
";

#[test]
fn a_mapping_that_is_written_to_again_is_noticed() {
    use std::io::{BufRead as _, Write as _};
    use std::process::{Command, Stdio};
    let scratch = tempfile::tempdir().unwrap();
    let directory = Directory::open(&scratch.path().join("cache"), random).unwrap();
    let path = scratch.path().join("image");
    fs::write(&path, [0; 4096]).unwrap();
    let state = || State::of(&File::open(&path).unwrap()).unwrap();
    if state().is_none() {
        eprintln!("SKIPPED: nothing is noted of files in {}", scratch.path().display());
        return;
    }
    let python = Command::new("python3")
        .args(["-c", MAPPED])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = python else {
        eprintln!("SKIPPED: there is no python3");
        return;
    };
    let mut lines = std::io::BufReader::new(python.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "written");
    std::thread::sleep(Duration::from_secs(4));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    let (first, digest) = (state().unwrap(), Digest::of(&fs::read(&path).unwrap()));
    assert!(directory.notes().keep(&first, digest, now));
    assert_eq!(directory.notes().look(&state().unwrap()), Noted::Known(digest));
    writeln!(python.stdin.as_mut().unwrap()).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "written");
    assert_ne!(Digest::of(&fs::read(&path).unwrap()), digest);
    assert_eq!(directory.notes().look(&state().unwrap()), Noted::Stale);
    drop(python.stdin.take());
    assert!(python.wait().unwrap().success());
}

#[test]
fn what_changed_since_it_was_known_is_not_stored() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(&scratch.path().join("cache"));
    let path = scratch.path().join("image");
    fs::write(&path, "other").unwrap();
    let parts = vec![("image", Content::File(&path, Some(Digest::of(b"image"))))];
    let error = store.put(&New { name: name("a"), stored: 1, about: BTreeMap::new(), parts }).unwrap_err();
    assert!(error.to_string().contains("has changed"), "{error}");
    assert!(store.find(name("a")).unwrap().is_none());
    assert_eq!(fs::read_dir(scratch.path().join("cache/tmp")).unwrap().count(), 0);
}

#[test]
fn what_was_used_last_stays_longest() {
    let scratch = tempfile::tempdir().unwrap();
    let store = open(scratch.path());
    for one in ["a", "b", "c"] {
        put(&store, name(one), &[1; 100_000]);
        let manifest = folder(scratch.path(), name(one)).join("manifest");
        let age = Duration::from_secs(3600 * (10 - u64::from(one.as_bytes()[0] - b'a')));
        File::options().write(true).open(manifest).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
    store.used(&store.find(name("a")).unwrap().unwrap());
    let all = store.list().unwrap();
    assert_eq!(all.iter().map(|one| one.name).collect::<Vec<_>>(), ["b", "c", "a"].map(name));
    let sum: u64 = all.iter().map(|one| one.size).sum();
    let gone = |before, most| Store::to_prune(&all, before, most).into_iter().collect::<Vec<_>>();
    assert_eq!(gone(None, None), []);
    assert_eq!(gone(None, Some(sum)), []);
    assert_eq!(gone(None, Some(sum - 1)), [name("b")]);
    assert_eq!(gone(Some(SystemTime::now() - Duration::from_secs(3600)), None).len(), 2);
    assert_eq!(gone(None, Some(0)).len(), 3);
    fs::write(folder(scratch.path(), name("a")).join("manifest"), "x").unwrap();
    let all = store.list().unwrap();
    assert_eq!(Store::to_prune(&all, None, None).into_iter().collect::<Vec<_>>(), [name("a")]);
}
