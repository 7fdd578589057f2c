//! Images on this machine: a directory for each, registered without any cloud.
//!
//! `CATALOG/images/ami-…/disk.qcow2` and `image.json`; `CATALOG/buckets/BUCKET/KEY` for bundles. An image's directory
//! has a name that begins with a dot until all of it is there. `CATALOG/lock` is held while names are compared, so
//! that no two images get the same. Everything is its owner's alone: images hold password hashes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hardtack_disk::AtomicFile;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::{Error, Instances};

/// No `image.json` of ours is larger.
const LARGEST_ENTRY: u64 = 1 << 20;
/// Hexadecimal digits of an id, as EC2's have.
const DIGITS: usize = 17;
/// What an image of EC2 may be called at most.
const LONGEST_NAME: usize = 128;

/// Directories of images that this process is writing.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Directories of images that are half written now: a program that is told to stop removes them.
pub fn unfinished_images() -> Vec<PathBuf> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A directory that is in the list of unfinished ones.
struct Unfinished(PathBuf);

impl Unfinished {
    fn note(path: &Path) -> Self {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|path| *path != self.0);
    }
}

/// An image of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `ami-` and 17 hexadecimal digits.
    pub id: String,
    /// Its name; no two have the same.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// `x86_64`, `arm64`.
    pub architecture: String,
    /// `legacy-bios`, `uefi`, `uefi-preferred`.
    pub boot_mode: Option<String>,
    /// Bytes of the disk.
    pub size: u64,
    /// Seconds since 1970.
    pub created: u64,
    /// Tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

/// The catalog in a directory.
#[derive(Clone, Debug)]
pub struct Catalog {
    directory: PathBuf,
}

impl Catalog {
    /// The catalog in `directory`, which need not be there yet.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// An id that no image has: `random` fills with random bytes.
    pub fn new_id(random: fn(&mut [u8])) -> String {
        let mut bytes = [0; DIGITS.div_ceil(2)];
        random(&mut bytes);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("ami-{}", digits.get(..DIGITS).unwrap_or(&digits))
    }

    /// All images, oldest first.
    ///
    /// # Errors
    /// An `image.json` is none of ours; the message names it.
    pub fn images(&self) -> Result<Vec<Entry>, Error> {
        let directory = self.directory.join("images");
        let fail = |error| Error::file(&directory, "list it", error);
        let listed = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fail)?,
        };
        let mut images = Vec::new();
        for found in listed {
            let name = found.map_err(fail)?.file_name();
            // Others, and those that are being written, are none of the catalog's.
            if let Some(id) = name.to_str().filter(|name| is_id(name)) {
                images.push(self.read(id)?);
            }
        }
        images.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(images)
    }

    /// The image of that id or name.
    ///
    /// # Errors
    /// As [`images`](Self::images).
    pub fn find(&self, id_or_name: &str) -> Result<Option<Entry>, Error> {
        if is_id(id_or_name) && self.image(id_or_name).symlink_metadata().is_ok() {
            return self.read(id_or_name).map(Some);
        }
        Ok(self.images()?.into_iter().find(|entry| entry.name == id_or_name))
    }

    /// Where an image's disk is.
    pub fn disk(&self, id: &str) -> PathBuf {
        self.image(id).join("disk.qcow2")
    }

    /// Adds an image: `write` writes the disk to the path that it is given (in a directory that gets its name when all
    /// of it is there). What an earlier call with the same id left half written is begun anew.
    ///
    /// # Errors
    /// An image of that name is there; writing fails.
    pub fn add<E: From<Error>>(
        &self,
        entry: &Entry,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        check(entry)?;
        let unfinished = self.unfinished(&entry.id);
        drop(self.free_name(&entry.name)?);
        self.clear(&unfinished)?;
        let _noted = Unfinished::note(&unfinished);
        make_directory(&unfinished)?;
        let written = write(&unfinished.join("disk.qcow2")).and_then(|()| {
            write_entry(&unfinished.join("image.json"), entry)?;
            let _lock = self.free_name(&entry.name)?;
            let path = self.image(&entry.id);
            std::fs::rename(&unfinished, &path)
                .map_err(|error| Error::file(&path, "give the image its name", error))?;
            sync(&self.directory.join("images"));
            Ok(())
        });
        if written.is_err() {
            // What went wrong is told; this is only tidied up.
            let _ = std::fs::remove_dir_all(&unfinished);
        }
        written
    }

    /// Sets a tag of an image.
    ///
    /// # Errors
    /// There is no such image; its entry cannot be written.
    pub fn tag(&self, id: &str, name: &str, value: &str) -> Result<(), Error> {
        let mut entry = self.read(id)?;
        entry.tags.insert(name.to_owned(), value.to_owned());
        let path = self.image(id).join("image.json");
        let file = AtomicFile::create(&path)?;
        file.file()
            .write_all(text(&entry)?.as_bytes())
            .map_err(|error| Error::file(&path, "write it", error))?;
        Ok(file.commit(true)?)
    }

    /// Removes an image, also one that is half written; false where there is none.
    ///
    /// # Errors
    /// Instances are there whose root disks are overlays over its disk; its files cannot be removed.
    pub fn remove(&self, id: &str) -> Result<bool, Error> {
        if !is_id(id) {
            return Err(Error::Usage(format!(
                "{id:?} is no id of an image in a catalog, as ami-0123456789abcdef0"
            )));
        }
        let path = self.image(id);
        if path.symlink_metadata().is_ok() {
            self.unused(id)?;
        }
        let unfinished = self.unfinished(id);
        let half = self.clear(&unfinished)?;
        match std::fs::rename(&path, &unfinished) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(half),
            other => other.map_err(|error| Error::file(&path, "remove the image", error))?,
        }
        self.clear(&unfinished)
    }

    /// Refuses where instances have the image below them.
    fn unused(&self, id: &str) -> Result<(), Error> {
        let all = Instances::new(&self.directory).all()?;
        let users: Vec<String> =
            all.into_iter().filter(|instance| instance.spec.image == id).map(|used| used.spec.id).collect();
        if users.is_empty() {
            return Ok(());
        }
        let users = users.join(" ");
        Err(Error::Refused(format!(
            "{id}: the image is not removed, since root disks of instances lie over its disk: {users}; end them before, \
             by `hardtack terminate {users}`"
        )))
    }

    /// Where an object of a bucket is.
    ///
    /// # Errors
    /// Names that lead elsewhere.
    pub fn object(&self, bucket: &str, key: &str) -> Result<PathBuf, Error> {
        let plain = |path: &str| {
            !path.is_empty()
                && !path.chars().any(char::is_control)
                && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
        };
        if bucket.contains('/') || !plain(bucket) || !plain(key) {
            return Err(Error::Usage(format!("{bucket}/{key}: no names of a bucket and of an object in it")));
        }
        Ok(self.directory.join("buckets").join(bucket).join(key))
    }

    fn image(&self, id: &str) -> PathBuf {
        self.directory.join("images").join(id)
    }

    fn unfinished(&self, id: &str) -> PathBuf {
        self.directory.join("images").join(format!(".{id}"))
    }

    fn clear(&self, path: &Path) -> Result<bool, Error> {
        match std::fs::remove_dir_all(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::file(path, "remove it", error)),
        }
    }

    /// The lock, when no image has that name.
    fn free_name(&self, name: &str) -> Result<File, Error> {
        make_directory(&self.directory)?;
        let path = self.directory.join("lock");
        let fail = |error| Error::file(&path, "lock the catalog", error);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(fail)?;
        // It is held for as long as it takes to list the images.
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| fail(error.into()))?;
        match self.images()?.into_iter().find(|entry| entry.name == name) {
            Some(entry) => Err(Error::Refused(format!(
                "{}: an image of the name {name} is there already, {}; give another name, or --existing reuse",
                self.directory.display(),
                entry.id
            ))),
            None => Ok(lock),
        }
    }

    fn read(&self, id: &str) -> Result<Entry, Error> {
        let path = self.image(id).join("image.json");
        let fail = |error| Error::file(&path, "read it", error);
        let damaged = |what: &str| {
            let repair = "remove its directory, or repair the file";
            Error::Refused(format!("{}: {what}: this is no image of a catalog; {repair}", path.display()))
        };
        // Opening a FIFO would wait for its writer.
        if !std::fs::metadata(&path).map_err(fail)?.is_file() {
            return Err(damaged("it is no file"));
        }
        let mut text = Vec::new();
        File::open(&path).map_err(fail)?.take(LARGEST_ENTRY + 1).read_to_end(&mut text).map_err(fail)?;
        if text.len() as u64 > LARGEST_ENTRY {
            return Err(damaged("it is too large"));
        }
        let entry: Entry = serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
        if entry.id != id {
            return Err(damaged(&format!("it says that it is {:?}", entry.id)));
        }
        Ok(entry)
    }
}

fn is_id(text: &str) -> bool {
    text.strip_prefix("ami-").is_some_and(|digits| {
        digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn check(entry: &Entry) -> Result<(), Error> {
    if !is_id(&entry.id) {
        return Err(Error::Usage(format!("{:?} is no id of an image", entry.id)));
    }
    let name = &entry.name;
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) || is_id(name) {
        return Err(Error::Usage(format!(
            "{name:?} is no name of an image: 1 to {LONGEST_NAME} bytes, no control characters, and no id"
        )));
    }
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Error::file(path, "make the directory", error))
}

/// What `image.json` holds.
fn text(entry: &Entry) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(entry)
        .map_err(|error| Error::Refused(format!("the entry of {}: {error}", entry.id)))?;
    Ok(text + "\n")
}

fn write_entry(path: &Path, entry: &Entry) -> Result<(), Error> {
    let fail = |error| Error::file(path, "write it", error);
    let text = text(entry)?;
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)
}

fn sync(directory: &Path) {
    // The image is there; not every file system can do more for it.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(digit: char, name: &str) -> Entry {
        let id = format!("ami-{}", digit.to_string().repeat(DIGITS));
        Entry { id, name: name.to_owned(), architecture: "x86_64".to_owned(), ..Entry::default() }
    }

    fn write(bytes: &'static [u8]) -> impl FnOnce(&Path) -> Result<(), Error> {
        move |path| std::fs::write(path, bytes).map_err(|error| Error::file(path, "write", error))
    }

    #[test]
    fn images_have_one_name_each_and_are_found_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(&folder.path().join("a/b"));
        assert_eq!(catalog.images().unwrap(), []);
        let (one, other) = (entry('1', "web"), entry('2', "web"));
        catalog.add(&one, write(b"disk")).unwrap();
        let refused = catalog.add(&other, write(b"disk")).unwrap_err().to_string();
        assert!(refused.contains(&one.id) && refused.contains("web"), "{refused}");
        assert_eq!(catalog.find("web").unwrap(), Some(one.clone()));
        assert_eq!(catalog.find(&one.id).unwrap(), Some(one.clone()));
        catalog.tag(&one.id, "a", "b").unwrap();
        let one = Entry { tags: [("a".to_owned(), "b".to_owned())].into(), ..one };
        assert_eq!(catalog.find("web").unwrap(), Some(one.clone()));
        assert_eq!(catalog.find(&other.id).unwrap(), None);
        assert_eq!(std::fs::read(catalog.disk(&one.id)).unwrap(), b"disk");
        assert!(catalog.remove(&one.id).unwrap());
        assert!(!catalog.remove(&one.id).unwrap());
        assert_eq!(std::fs::read_dir(catalog.directory().join("images")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_half_written_is_no_image() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(folder.path());
        let one = entry('1', "web");
        let failed = catalog.add(&one, |path| {
            assert_eq!(catalog.images().unwrap(), []);
            assert!(unfinished_images().contains(&catalog.unfinished(&one.id)));
            Err(Error::file(path, "write", std::io::Error::from(ErrorKind::StorageFull)))
        });
        assert!(failed.is_err());
        assert!(!unfinished_images().contains(&catalog.unfinished(&one.id)));
        assert_eq!(std::fs::read_dir(folder.path().join("images")).unwrap().count(), 0);
        // As after a SIGKILL: it is begun anew, or removed.
        std::fs::create_dir(catalog.unfinished(&one.id)).unwrap();
        std::fs::write(catalog.unfinished(&one.id).join("disk.qcow2"), "half").unwrap();
        assert_eq!(catalog.images().unwrap(), []);
        catalog.add(&one, write(b"whole")).unwrap();
        assert_eq!(std::fs::read(catalog.disk(&one.id)).unwrap(), b"whole");
        std::fs::create_dir(catalog.unfinished(&entry('2', "").id)).unwrap();
        assert!(catalog.remove(&entry('2', "").id).unwrap());
    }

    #[test]
    fn two_at_once_do_not_get_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(folder.path());
        let (one, other) = (entry('1', "web"), entry('2', "web"));
        let added = catalog.add(&one, |path| {
            catalog.add(&other, write(b"first"))?;
            write(b"second")(path)
        });
        assert!(added.is_err());
        assert_eq!(catalog.images().unwrap(), [other]);
    }

    #[test]
    fn hostile_entries_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::new(folder.path());
        let one = entry('1', "web");
        catalog.add(&one, write(b"disk")).unwrap();
        let path = catalog.image(&one.id).join("image.json");
        let moved = serde_json::to_string(&entry('2', "web")).unwrap();
        let deep = "[".repeat(100_000);
        let large = " ".repeat(LARGEST_ENTRY as usize + 2);
        for text in ["", "{}", "null", "[1]", "\u{0}", &moved, &deep, &large] {
            std::fs::write(&path, text).unwrap();
            let error = catalog.images().unwrap_err().to_string();
            assert!(error.contains("image.json"), "{error}");
            assert!(catalog.remove(&entry('3', "").id).is_ok());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(catalog.find(&one.id).unwrap_err().to_string().contains("image.json"));
        assert!(catalog.remove(&one.id).unwrap());
    }

    #[test]
    fn names_lead_nowhere_else() {
        let catalog = Catalog::new(Path::new("/catalog"));
        for id in ["", "..", "ami-../../etc", "ami-0123456789ABCDEF0", "ami-0123456789abcdef"] {
            assert!(catalog.remove(id).is_err(), "{id}");
        }
        for (bucket, key) in
            [("..", "a"), ("a/b", "c"), ("a", "../b"), ("a", "/b"), ("a", "b/../../c"), ("", "a")]
        {
            assert!(catalog.object(bucket, key).is_err(), "{bucket} {key}");
        }
        let found = catalog.object("images", "2026/web.manifest.xml").unwrap();
        assert_eq!(found, Path::new("/catalog/buckets/images/2026/web.manifest.xml"));
        let id = Catalog::new_id(|bytes| bytes.fill(0xab));
        assert!(is_id(&id), "{id}");
    }
}
