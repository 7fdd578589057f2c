//! Which file systems cannot be read, and which must not be written, by name.
//!
//! Linux, fs/ext4/super.c `ext4_feature_set_ok`; fs/ext4/mmp.c, `struct mmp_struct` of fs/ext4/ext4.h.

use hardtack_disk::BlockSource;

use super::layout::{self, Feature, Handling};
use super::{Fields, Superblock};
use crate::Error;
use crate::bytes::u32_at;

const REPAIR: &str = "run e2fsck -fy on a copy and use that";

/// Refuses what cannot even be read.
pub(super) fn refuse_unreadable(incompat: u32) -> Result<(), Error> {
    for Feature { bit, name, handling } in layout::INCOMPAT {
        if let Handling::Refused(why) = handling
            && incompat & bit != 0
        {
            return Err(Error::Unsupported(format!("the feature {name}: {why}")));
        }
    }
    match unknown(incompat, layout::INCOMPAT) {
        0 => Ok(()),
        bits => Err(Error::Unsupported(format!(
            "unknown incompatible features, s_feature_incompat bits {bits:#x}"
        ))),
    }
}

fn unknown(word: u32, known: &[Feature]) -> u32 {
    known.iter().fold(word, |rest, feature| rest & !feature.bit)
}

/// The first reason that a person can act on: a recorded error before features before states.
pub(super) fn read_only_reason(
    fields: &Fields<'_>,
    dynamic: bool,
    [compat, incompat, ro_compat]: [u32; 3],
) -> Option<String> {
    let state = fields.u16(layout::S_STATE);
    if state & layout::ERROR_FS != 0 {
        return Some(format!("the kernel recorded an error in it (s_state); {REPAIR}"));
    }
    for (word, features) in [(incompat, layout::INCOMPAT), (ro_compat, layout::RO_COMPAT)] {
        for Feature { bit, name, handling } in features {
            if let Handling::Read(why) = handling
                && word & bit != 0
            {
                return Some(format!("the feature {name}: {why}"));
            }
        }
    }
    let bits = unknown(ro_compat, layout::RO_COMPAT);
    if bits != 0 {
        return Some(format!("unknown features, s_feature_ro_compat bits {bits:#x}"));
    }
    let has_journal = compat & layout::COMPAT_HAS_JOURNAL != 0;
    if has_journal && fields.u32(layout::S_JOURNAL_INUM) == 0 {
        return Some("its journal is on another device (s_journal_dev)".to_owned());
    }
    let recover = incompat & layout::INCOMPAT_RECOVER != 0;
    if recover && !has_journal {
        return Some(format!(
            "the feature needs_recovery, and there is no journal to recover from; {REPAIR}"
        ));
    }
    // A journal makes an unclean state clean; without one nobody knows what is half done.
    if state & layout::VALID_FS == 0 && !recover {
        return Some(format!("it was not unmounted cleanly (s_state); {REPAIR}"));
    }
    if ro_compat & layout::RO_COMPAT_METADATA_CSUM != 0 {
        let [kind] = fields.array(layout::S_CHECKSUM_TYPE);
        if kind != layout::CRC32C {
            return Some(format!("checksums of the unknown type {kind} (s_checksum_type)"));
        }
    }
    if !dynamic {
        return Some("it is of revision 0 (s_rev_level), from before 1997".to_owned());
    }
    None
}

/// Why multiple mount protection forbids writing: the block that it keeps says who has the file
/// system mounted, by a sequence number that only a clean unmount replaces by a mark.
pub(super) fn in_use(
    disk: &(impl BlockSource + ?Sized),
    superblock: &Superblock,
    block: u64,
) -> Result<Option<String>, Error> {
    const MAGIC: u32 = 0x004d_4d50;
    const CLEAN: u32 = 0xff4d_4d50;
    const FSCK: u32 = 0xe24d_4d50;
    if block <= superblock.first_data_block.into() || block >= superblock.blocks {
        return Err(Error::Damaged(format!(
            "superblock: the block of multiple mount protection is {block} of {}",
            superblock.blocks
        )));
    }
    let mut bytes = [0; 1024];
    disk.read_at(block * u64::from(superblock.block_size), &mut bytes)?;
    if u32_at(&bytes, 0) != MAGIC {
        return Err(Error::Damaged(format!(
            "block {block} of multiple mount protection: its magic number is {:#010x}, not {MAGIC:#010x}",
            u32_at(&bytes, 0)
        )));
    }
    let node: String = bytes[16..80]
        .split(|byte| *byte == 0)
        .next()
        .map(|name| String::from_utf8_lossy(name).chars().filter(|letter| !letter.is_control()).collect())
        .unwrap_or_default();
    Ok(match u32_at(&bytes, 4) {
        CLEAN => None,
        FSCK => Some(format!("the feature mmp: e2fsck runs on it, or was stopped, on \"{node}\"")),
        _ => Some(format!(
            "the feature mmp: it is in use by \"{node}\", or was when that stopped; run tune2fs -f -E clear_mmp on a copy"
        )),
    })
}
