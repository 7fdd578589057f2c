//! The lock file: which image a name meant, so that the next build takes the same.
//!
//! JSON, for people to read and to be kept beside the recipe; appears whole.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use hardtack_cloud::Client;
use hardtack_disk::AtomicFile;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::source::{Name, Resolved, resolve};

/// A lock file has five short lines.
const LIMIT: u64 = 64 << 10;

/// What a lock file holds of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// The name as it was given.
    pub given: String,
    /// The region.
    pub region: String,
    /// The image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The snapshot.
    pub snapshot: String,
}

impl From<&Resolved> for Locked {
    fn from(resolved: &Resolved) -> Self {
        let image = resolved.image.as_ref();
        Self {
            given: resolved.given.clone(),
            region: resolved.region.clone(),
            image: image.map(|image| image.id.clone()),
            name: image.map(|image| image.name.clone()),
            snapshot: resolved.snapshot.clone(),
        }
    }
}

/// Reads the lock file; `None` where there is none.
///
/// # Errors
/// It cannot be read, or is none of ours.
pub fn read(path: &Path) -> Result<Option<Locked>, Error> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| Error::file(path, "open the lock file", error))?,
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::file(path, "read the lock file", error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::Refused(format!("{}: more than {LIMIT} bytes are no lock file", path.display())));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Error::Refused(format!(
            "{}: no lock file of this program: {error}; remove it, and the next run writes a new one",
            path.display()
        ))
    })
}

/// Writes it, whole. Nothing is written where it says the same already.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, locked: &Locked) -> Result<(), Error> {
    if matches!(read(path), Ok(Some(there)) if there == *locked) {
        return Ok(());
    }
    let mut text = serde_json::to_vec_pretty(locked)
        .map_err(|error| Error::file(path, "write the lock file", error.into()))?;
    text.push(b'\n');
    let file = AtomicFile::create(path)?;
    let failed = |error| Error::file(path, "write the lock file", error);
    file.file().write_all(&text).map_err(failed)?;
    // It lies beside the recipe, for everybody who may read that.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    Ok(file.commit(true)?)
}

/// What `name` means by the lock file at `path`, where that is of the same name and region; else what the cloud says,
/// and the file is written.
///
/// # Errors
/// As [`read`], [`write`] and [`resolve`]; also when what is locked is gone.
pub fn resolve_locked(client: &Client, name: &Name, given: &str, path: &Path) -> Result<Resolved, Error> {
    let locked = read(path)?.filter(|there| there.given == given && there.region == client.place().region);
    let Some(locked) = locked else {
        let resolved = resolve(client, name, given)?;
        write(path, &Locked::from(&resolved))?;
        return Ok(resolved);
    };
    let pinned = match &locked.image {
        Some(image) => Name::Image(image.clone()),
        None => Name::Snapshot(locked.snapshot.clone()),
    };
    let resolved = resolve(client, &pinned, given).map_err(|error| match error {
        Error::Refused(what) => Error::Refused(format!(
            "{}: {what}; remove the file to take what {given} means now",
            path.display()
        )),
        other => other,
    })?;
    if resolved.snapshot != locked.snapshot {
        return Err(Error::Refused(format!(
            "{}: the root of {} is {}, and {} was locked: remove the file if that is right",
            path.display(),
            locked.image.as_deref().unwrap_or(given),
            resolved.snapshot,
            locked.snapshot
        )));
    }
    Ok(resolved)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn locked() -> Locked {
        Locked {
            given: "ssm:/aws/service/debian/release/13/latest/amd64".to_owned(),
            region: "eu-central-1".to_owned(),
            image: Some("ami-0123456789abcdef0".to_owned()),
            name: Some("debian-13-amd64".to_owned()),
            snapshot: "snap-0123456789abcdef0".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_written_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image.lock");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, &locked()).unwrap();
        assert_eq!(read(&path).unwrap(), Some(locked()));
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
        let before = inode(&path);
        write(&path, &locked()).unwrap();
        assert_eq!(inode(&path), before, "the same is not written again");
        write(&path, &Locked { snapshot: "snap-1".to_owned(), ..locked() }).unwrap();
        assert_ne!(inode(&path), before);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\n  \"snapshot\": \"snap-1\"\n") && text.ends_with("}\n"), "{text}");
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image.lock");
        for text in [String::new(), "{".to_owned(), "[]".to_owned(), "{}".to_owned(), "[".repeat(100_000)] {
            std::fs::write(&path, &text).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("lock file"), "{error}");
        }
    }
}
