//! A NoCloud seed: a FAT file system labelled `CIDATA` with `meta-data` and `user-data` in it.
//!
//! Source: cloud-init's documentation of the data source NoCloud.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::Error;

/// The smallest that is made; larger user-data makes it larger.
const SMALLEST: u64 = 1 << 20;

/// A seed that is there while somebody needs it.
pub(super) struct Seed(PathBuf);

impl Seed {
    /// Writes a seed, for its owner alone: user-data may have secrets.
    pub(super) fn write(path: &Path, instance: &str, user_data: &[u8]) -> Result<Self, Error> {
        let fail = |error| Error::file(path, "write the seed", error);
        let size =
            (user_data.len() as u64).saturating_mul(2).saturating_add(SMALLEST).next_multiple_of(SMALLEST);
        // One that a killed run left, or a link that somebody has laid there: what is opened is new.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
        let seed = Self(path.to_owned());
        file.set_len(size).map_err(fail)?;
        let format = fatfs::FormatVolumeOptions::new().volume_label(*b"CIDATA     ");
        fatfs::format_volume(&mut file, format).map_err(fail)?;
        let volume = fatfs::FileSystem::new(&mut file, fatfs::FsOptions::new()).map_err(fail)?;
        let meta_data = format!("instance-id: i-{instance}\nlocal-hostname: test\n");
        for (name, content) in [("meta-data", meta_data.as_bytes()), ("user-data", user_data)] {
            volume.root_dir().create_file(name).and_then(|mut file| file.write_all(content)).map_err(fail)?;
        }
        volume.unmount().map_err(fail)?;
        Ok(seed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_seed_is_found_by_its_label_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.seed");
        let user_data = b"#cloud-config\n".repeat(100_000);
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let seed = Seed::write(&path, "ami-1", &user_data).unwrap();
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"mine");
        let found = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!((found.is_file(), std::os::unix::fs::MetadataExt::mode(&found) & 0o777), (true, 0o600));
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let volume = fatfs::FileSystem::new(file, fatfs::FsOptions::new()).unwrap();
        assert_eq!(volume.volume_label(), "CIDATA");
        let mut read = Vec::new();
        volume.root_dir().open_file("user-data").unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, user_data);
        let mut text = String::new();
        volume.root_dir().open_file("meta-data").unwrap().read_to_string(&mut text).unwrap();
        assert!(text.starts_with("instance-id: i-ami-1\n"), "{text}");
        drop(volume);
        drop(seed);
        assert!(!path.exists());
    }
}
