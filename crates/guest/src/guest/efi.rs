//! The programs that a firmware starts where nobody has told it of others: those of `EFI/BOOT` on an EFI system
//! partition (UEFI specification 2.10, section 3.5.1.1, "Removable Media Boot Behavior").

use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{BlockSource, Overlay, Window};

use crate::volume::Place;
use crate::volume::fat::FatVolume;
use crate::{Error, GuestPath, Tree, volume};

/// The names in `EFI/BOOT` of the FAT file system at `range` of `disk`, in capital letters: `BOOTX64.EFI`. None where
/// there is no such directory.
///
/// # Errors
/// When there is no FAT file system, or it is damaged.
pub fn efi_programs(disk: Arc<dyn BlockSource>, range: Range<u64>) -> Result<Vec<String>, Error> {
    let window = Arc::new(Window::new(Arc::new(Overlay::new(disk)), range)?);
    let place =
        Place { name: volume::describe(hardtack_partition::FsKind::Fat, 0), mount: GuestPath::root() };
    let fat = FatVolume::open(window, 0, place, &[])?;
    match fat.read_dir(&GuestPath::new("/EFI/BOOT")) {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name.to_ascii_uppercase()).collect()),
        Err(Error::Missing { .. } | Error::WrongType { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
