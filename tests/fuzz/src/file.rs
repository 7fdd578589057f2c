//! Files without a name, for what opens files only.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::MemfdFlags;

/// A file in memory.
pub(crate) struct MemoryFile(File);

impl MemoryFile {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let memory = rustix::fs::memfd_create("image", MemfdFlags::CLOEXEC).expect("memory for a file");
        let mut file = File::from(memory);
        file.write_all(bytes).expect("memory for a file");
        Self(file)
    }

    /// A path that opens it.
    pub(crate) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

/// A directory in memory, for files that never get a name.
pub(crate) const SCRATCH: &str = "/dev/shm";
