//! Inline data: small contents in the inode, 60 bytes in `i_block` and the rest in `system.data`.

use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

impl Volume {
    /// The content of an inode that has `flag::INLINE_DATA`, `i_size` bytes; for a directory the raw 60 bytes
    /// followed by the raw value of `system.data`.
    pub(crate) fn inline_content(&self, inode: &Inode) -> Result<Vec<u8>, Error> {
        let _ = inode;
        Err(Error::Damaged("inline data cannot be read yet".to_owned()))
    }

    /// Puts `content` into the inode (flag, `i_block`, `system.data`); false when it does not fit, and then
    /// nothing is changed. Any block map must have been freed before. The size is the caller's.
    pub(crate) fn set_inline_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<bool, Error> {
        let _ = (inode, content);
        Err(Error::Damaged("inline data cannot be written yet".to_owned()))
    }

    /// Takes the inline data away (flag, `i_block`, `system.data`): the inode has an empty map then.
    pub(crate) fn clear_inline_content(&mut self, inode: &mut Inode) -> Result<(), Error> {
        let _ = inode;
        Err(Error::Damaged("inline data cannot be removed yet".to_owned()))
    }
}
