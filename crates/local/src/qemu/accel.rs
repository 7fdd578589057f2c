//! Which accelerator works, found out and remembered: `CATALOG/accel.json`.
//!
//! A host may have a `/dev/kvm` that opens, makes machines, and hangs every kernel: that shows only by a guest that
//! stands still. What was found out holds for this boot of the host and this QEMU.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hardtack_cloud::Environment;
use hardtack_disk::AtomicFile;
use serde::{Deserialize, Serialize};

use super::{QEMU, find};
use crate::instance::read_small;

/// What is known of KVM here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kvm {
    /// A guest came as far as its programs.
    Works,
    /// A guest stood still, and came on without it.
    Hangs,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    boot: String,
    qemu: String,
    kvm: Kvm,
}

/// What was found out, and where it is kept.
#[derive(Debug)]
pub struct Verdict {
    path: PathBuf,
    boot: String,
    qemu: String,
}

impl Verdict {
    /// That of a catalog, on this host.
    pub fn new(catalog: &Path, environment: &Environment) -> Self {
        let boot = read_small(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
        let qemu = find(QEMU, environment).and_then(|path| std::fs::metadata(path).ok());
        Self {
            path: catalog.join("accel.json"),
            boot: String::from_utf8_lossy(&boot).trim().to_owned(),
            qemu: qemu.map_or_else(String::new, |found| format!("{}-{}", found.len(), found.mtime())),
        }
    }

    /// What is known.
    pub fn get(&self) -> Option<Kvm> {
        let kept: Kept = serde_json::from_slice(&read_small(&self.path).ok()?).ok()?;
        (kept.boot == self.boot && kept.qemu == self.qemu && !self.boot.is_empty()).then_some(kept.kvm)
    }

    /// Remembers it. Where it cannot be written, the next one finds out for itself.
    pub fn keep(&self, kvm: Kvm) {
        let kept = Kept { boot: self.boot.clone(), qemu: self.qemu.clone(), kvm };
        let Ok(text) = serde_json::to_vec(&kept) else { return };
        if let Ok(file) = AtomicFile::create(&self.path)
            && file.file().write_all(&text).is_ok()
        {
            let _ = file.commit(true);
        }
    }
}

/// Why KVM cannot be opened, if it cannot.
///
/// # Errors
/// The reason.
pub fn kvm_opens() -> Result<(), String> {
    match std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("no /dev/kvm here".to_owned()),
        Err(error) => Err(format!("/dev/kvm cannot be opened: {error}")),
    }
}
