//! Inline data: small contents in the inode, 60 bytes in `i_block` and the rest in `system.data`.
//!
//! Linux, fs/ext4/inline.c. The attribute exists even when the content fits `i_block`, and lies in the
//! inode itself, never in an attribute block. Directories keep their entries there without any header: four
//! bytes of the parent's number, then entries (their form is the directory's business).

use crate::Error;
use crate::inode::{Inode, flag};
use crate::volume::Volume;

/// Bytes of `i_block`, where inline content starts.
const HEAD: usize = 60;

#[cfg(test)]
mod tests;

impl Volume {
    /// The content of an inode that has `flag::INLINE_DATA`, `i_size` bytes; for a directory the raw 60 bytes
    /// followed by the raw value of `system.data`.
    pub(crate) fn inline_content(&self, inode: &Inode) -> Result<Vec<u8>, Error> {
        let Some(tail) = self.inline_tail(inode)? else {
            return Err(Error::Damaged(format!(
                "inode {}: it has inline data, but no attribute system.data",
                inode.number
            )));
        };
        let mut content = inode.block_area().to_vec();
        content.extend(tail);
        if !inode.is_directory() {
            let held = content.len();
            match usize::try_from(inode.size()) {
                Ok(size) if size <= held => content.truncate(size),
                _ => {
                    return Err(Error::Damaged(format!(
                        "inode {}: its inline data is said to have {} bytes of {held}",
                        inode.number,
                        inode.size()
                    )));
                }
            }
        }
        Ok(content)
    }

    /// Puts `content` into the inode (flag, `i_block`, `system.data`); false when it does not fit, and then
    /// nothing is changed. Any block map must have been freed before. The size is the caller's.
    pub(crate) fn set_inline_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<bool, Error> {
        if !self.superblock.has_inline_data() {
            return Ok(false);
        }
        let (head, tail) = content.split_at_checked(HEAD).unwrap_or((content, &[]));
        if !self.set_inline_tail(inode, Some(tail))? {
            return Ok(false);
        }
        let area = inode.block_area_mut();
        area.fill(0);
        crate::bytes::put(area, 0, head);
        inode.set_flags(inode.flags() & !flag::EXTENTS | flag::INLINE_DATA);
        Ok(true)
    }

    /// Takes the inline data away (flag, `i_block`, `system.data`): the inode has an empty map then.
    pub(crate) fn clear_inline_content(&mut self, inode: &mut Inode) -> Result<(), Error> {
        self.set_inline_tail(inode, None)?;
        inode.block_area_mut().fill(0);
        inode.set_flags(inode.flags() & !flag::INLINE_DATA);
        self.init_map(inode);
        Ok(())
    }
}
