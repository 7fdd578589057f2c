//! What the driver stands on: the disk, the clock and the inode generations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use fs_ext4::block_io::BlockDevice;
use fs_ext4::runtime::Runtime;
use hardtack_disk::BlockWrite;

/// The disk as the driver's block device. Flushing is nothing: an overlay in memory has no cache
/// of its own, and the finished image is synced as a whole when it is written out.
pub(crate) struct Device {
    disk: Arc<dyn BlockWrite>,
    writable: bool,
}

impl Device {
    pub(crate) fn new(disk: Arc<dyn BlockWrite>, writable: bool) -> Self {
        Self { disk, writable }
    }
}

fn failed(error: hardtack_disk::Error) -> fs_ext4::Error {
    fs_ext4::Error::Io(std::io::Error::other(error))
}

impl BlockDevice for Device {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> fs_ext4::Result<()> {
        self.disk.read_at(offset, buf).map_err(failed)
    }

    fn size_bytes(&self) -> u64 {
        self.disk.len()
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> fs_ext4::Result<()> {
        if !self.writable {
            return Err(fs_ext4::Error::ReadOnly);
        }
        self.disk.write_at(offset, buf).map_err(failed)
    }

    fn is_writable(&self) -> bool {
        self.writable
    }
}

/// A clock that stands still, and generations that count up from a number of the file system's
/// own: the driver's defaults (system time, process number) would make every build differ.
pub(crate) struct Fixed {
    seconds: i64,
    generation: AtomicU32,
}

impl Fixed {
    pub(crate) fn new(seconds: i64, first_generation: u32) -> Self {
        Self { seconds, generation: AtomicU32::new(first_generation) }
    }
}

impl Runtime for Fixed {
    fn now_unix_seconds(&self) -> i64 {
        self.seconds
    }

    fn next_inode_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }
}
