//! What data sources ask of the machine that they run in.

use std::io;

use hardtack_modules::Machine;

/// A block device that holds a file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockDevice {
    /// `/dev/vdb`, `/dev/sr0`.
    pub path: String,
    /// The kernel's name of the file system: `vfat`, `iso9660`, `ext4`…
    pub file_system: String,
    /// The label, as blkid calls it (`LABEL`; of FAT the root directory's).
    pub label: String,
    /// The label in FAT's boot sector (`LABEL_FATBOOT`).
    pub boot_label: String,
    /// `UUID`, as blkid writes it: of FAT the serial number, `9796-932E`.
    pub uuid: String,
}

/// The machine.
pub trait Local: Sync {
    /// Its files, `/proc` and `/sys` among them.
    fn machine(&self) -> &dyn Machine;

    /// Block devices with a file system that this program knows.
    fn block_devices(&self) -> Vec<BlockDevice>;

    /// Mounts `device` read-only somewhere private, shows `work` its files as a machine whose root is the file
    /// system's, and unmounts it.
    ///
    /// # Errors
    /// What the kernel says.
    fn with_files(&self, device: &BlockDevice, work: &mut dyn FnMut(&dyn Machine)) -> io::Result<()>;
}
