//! What a disk says of how it boots, and on what.

use hardtack_cloud::ec2::BootMode;
use hardtack_disk::BlockSource;

use crate::Error;
use crate::error::pending;

/// What registering an image needs to know of its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// How it boots: an ESP and a BIOS boot partition (or an MBR's boot code) together are `uefi-preferred`.
    pub boot_mode: Option<BootMode>,
    /// Why that was said: "GPT with an ESP and a BIOS boot partition".
    pub because: String,
    /// `x86_64`, `arm64`, where the ESP's programs (`EFI/BOOT/BOOTX64.EFI`, `BOOTAA64.EFI`) or boot code tell it.
    pub architecture: Option<String>,
}

/// Looks at partition table and ESP.
pub fn look(disk: &dyn BlockSource) -> Result<DiskFacts, Error> {
    let _ = disk;
    pending()
}
