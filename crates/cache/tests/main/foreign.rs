//! What somebody else has put into a cache's directory stays.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hardtack_cache::{Digest, Directory, Store};

use crate::{get, name, open, put, random};

/// Files that are no cache's, with names that a cache might give.
fn others(root: &Path) -> (PathBuf, Vec<PathBuf>) {
    let folder = root.join("src");
    let key = Digest::of(b"theirs").to_string();
    let files =
        ["code/main.rs", "12-3/letter", "1-2", &format!("{key}/manifest")].map(|one| folder.join(one));
    for file in &files {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "mine").unwrap();
        let old = fs::File::options().write(true).open(file).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    (folder, files.to_vec())
}

#[test]
fn folders_that_are_links_are_no_caches() {
    for folder in ["builds", "sources", "notes", "tmp"] {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("cache");
        drop(open(&root));
        let (target, files) = others(scratch.path());
        fs::remove_dir(root.join(folder)).unwrap();
        symlink(&target, root.join(folder)).unwrap();
        let error = Directory::open(&root, random).unwrap_err().to_string();
        assert!(error.contains(&format!("{folder}: is no directory, or a link")), "{error}");
        assert!(files.iter().all(|file| file.exists()), "{folder}");
        // One that leads nowhere is not made there, either.
        fs::remove_file(root.join(folder)).unwrap();
        symlink(scratch.path().join("nowhere"), root.join(folder)).unwrap();
        assert!(Directory::open(&root, random).is_err());
        assert!(!scratch.path().join("nowhere").exists());
    }
}

#[test]
fn what_is_cleared_is_what_was_made() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("cache");
    let store = open(&root);
    let (target, files) = others(scratch.path());
    let mine = ["work/letter", "12-x/letter", "-1/letter", "12-34-5/letter"];
    for folder in ["tmp", "notes"] {
        for name in mine {
            let file = root.join(folder).join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "mine").unwrap();
        }
        fs::write(root.join(folder).join("plain"), "mine").unwrap();
        symlink(&target, root.join(folder).join("7-7")).unwrap();
    }
    fs::create_dir(root.join("tmp/12-34")).unwrap();
    fs::write(root.join("notes/12-34"), "old").unwrap();
    put(&store, name("a"), b"image");
    store.tidy(Some(SystemTime::now() + std::time::Duration::from_secs(3600)));
    for folder in ["tmp", "notes"] {
        assert!(mine.iter().all(|name| root.join(folder).join(name).exists()), "{folder}");
        assert!(root.join(folder).join("plain").exists(), "{folder}");
        assert!(!root.join(folder).join("12-34").exists(), "{folder}: ours stays");
    }
    assert!(files.iter().all(|file| file.exists()));
}

#[test]
fn pipes_and_links_hold_nobody_up() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("cache");
    let store = open(&root);
    let fifo = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fifo(&root.join("tmp/12-34"));
    fifo(&root.join("tmp/pipe"));
    put(&store, name("a"), b"image");
    assert!(get(&store, name("a")).unwrap().is_some());
    fs::remove_file(root.join("lock")).unwrap();
    fifo(&root.join("lock"));
    store.tidy(None);
    let error = store.remove(name("a")).unwrap_err().to_string();
    assert!(error.contains("lock: cannot lock it"), "{error}");
    fs::remove_file(root.join("lock")).unwrap();
    symlink(scratch.path().join("elsewhere"), root.join("lock")).unwrap();
    assert!(store.remove(name("a")).is_err());
    assert!(!scratch.path().join("elsewhere").exists());
}

#[test]
fn what_others_may_read_or_write_is_no_cache() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("cache");
    drop(open(&root));
    for (name, mode) in [("secret", 0o644), ("secret", 0o620), ("builds", 0o777), ("tmp", 0o770)] {
        let path = root.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Directory::open(&root, random).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: others may read or write it")), "{error}");
        fs::set_permissions(&path, before).unwrap();
        let Store::Directory(_) = open(&root) else { panic!("no directory") };
    }
    let secret = root.join("secret");
    fs::rename(&secret, scratch.path().join("theirs")).unwrap();
    symlink(scratch.path().join("theirs"), &secret).unwrap();
    let error = Directory::open(&root, random).unwrap_err().to_string();
    assert!(error.contains("secret: is no regular file, or a link"), "{error}");
}
