//! Extended attributes: in the inode, in a block that inodes share, or in inodes of their own.

use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

/// `EXT4_XATTR_INDEX_SYSTEM`: the kind of `system.data`, where inline data goes on behind `i_block`.
pub(crate) const INDEX_SYSTEM: u8 = 7;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// Kind of the name (`EXT4_XATTR_INDEX_*`): 1 user, 2 and 3 POSIX ACLs, 4 trusted, 6 security, 7 system, 8 richacl.
    pub(crate) index: u8,
    /// The name without the prefix that the kind stands for.
    pub(crate) name: Vec<u8>,
    /// The value as it is stored.
    pub(crate) value: Vec<u8>,
}

impl Volume {
    /// All attributes, `system.data` included.
    pub(crate) fn attributes(&self, inode: &Inode) -> Result<Vec<Attribute>, Error> {
        let _ = inode;
        Err(Error::Damaged("attributes cannot be read yet".to_owned()))
    }

    /// Sets or (with `None`) removes an attribute. The inode is changed and not written.
    pub(crate) fn set_attribute(
        &mut self,
        inode: &mut Inode,
        index: u8,
        name: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let _ = (inode, index, name, value);
        Err(Error::Damaged("attributes cannot be written yet".to_owned()))
    }

    /// Gives back everything that the inode's attributes hold outside it, when it is removed.
    pub(crate) fn release_attributes(&mut self, inode: &mut Inode) -> Result<(), Error> {
        let _ = inode;
        Err(Error::Damaged("attributes cannot be released yet".to_owned()))
    }
}
