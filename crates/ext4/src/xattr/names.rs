//! Attributes by the names and in the form that programs know: "security.selinux", getxattr(2).
//!
//! Linux, fs/ext4/xattr.h `EXT4_XATTR_INDEX_*`; include/uapi/linux/xattr.h. On the disk a number stands
//! for the prefix, and for the two lists of access rights for the whole name.

use super::{DATA, INDEX_SYSTEM, acl, refused};
use crate::Error;
use crate::inode::Inode;
use crate::volume::Volume;

/// The list of access rights of a file.
pub(super) const INDEX_ACCESS: u8 = 2;
/// The list that new files of a directory get.
pub(super) const INDEX_DEFAULT: u8 = 3;
const INDEX_USER: u8 = 1;

/// Prefixes; the longer ones first where one is the start of the other.
const PREFIXES: &[(u8, &str)] = &[
    (INDEX_USER, "user."),
    (4, "trusted."),
    (5, "lustre."),
    (6, "security."),
    (10, "gnu."),
    (INDEX_SYSTEM, "system."),
];

/// Names that a number stands for as a whole.
const WHOLE: &[(u8, &str)] = &[
    (INDEX_ACCESS, "system.posix_acl_access"),
    (INDEX_DEFAULT, "system.posix_acl_default"),
    (8, "system.richacl"),
];

/// The full name of an attribute; `None` for kinds that have none for programs.
pub(crate) fn full_name(index: u8, name: &[u8]) -> Option<String> {
    if let Some((_, whole)) = WHOLE.iter().find(|(number, _)| *number == index) {
        return name.is_empty().then(|| (*whole).to_owned());
    }
    let (_, prefix) = PREFIXES.iter().find(|(number, _)| *number == index)?;
    Some(format!("{prefix}{}", String::from_utf8_lossy(name)))
}

/// Kind and rest of a full name; `None` when it has no known prefix, or nothing behind it.
pub(crate) fn split_name(full: &str) -> Option<(u8, &[u8])> {
    if let Some((index, _)) = WHOLE.iter().find(|(_, whole)| *whole == full) {
        return Some((*index, &[]));
    }
    PREFIXES.iter().find_map(|(index, prefix)| {
        let name = full.strip_prefix(prefix)?;
        (!name.is_empty()).then_some((*index, name.as_bytes()))
    })
}

impl Volume {
    /// The attributes that programs see, by full name, sorted; lists of access rights as getxattr(2) gives
    /// them. Inline data is not among them.
    pub(crate) fn named_attributes(&self, inode: &Inode) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut named = Vec::new();
        for attribute in self.attributes(inode)? {
            if attribute.index == INDEX_SYSTEM && attribute.name == DATA {
                continue;
            }
            let Some(name) = full_name(attribute.index, &attribute.name) else { continue };
            let value = match attribute.index {
                INDEX_ACCESS | INDEX_DEFAULT => acl::from_disk(&attribute.value)
                    .map_err(|what| Error::Damaged(format!("inode {}: its {name}: {what}", inode.number)))?,
                _ => attribute.value,
            };
            named.push((name, value));
        }
        named.sort();
        Ok(named)
    }

    /// Sets or (with `None`) removes an attribute by its full name, as setxattr(2) of root does: a list of
    /// access rights also sets the mode's bits, and is not kept where they say all of it. The inode is
    /// changed and not written.
    ///
    /// # Errors
    /// Those of [`set_attribute`](Self::set_attribute); [`Error::Operation`] for names and values that the
    /// kernel would refuse.
    pub(crate) fn set_named_attribute(
        &mut self,
        inode: &mut Inode,
        full: &str,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let Some((index, name)) = split_name(full) else {
            return Err(refused(format!(
                "{} is no name: names start with user., trusted., security. or system.",
                full.escape_debug()
            )));
        };
        if index == INDEX_SYSTEM && name == DATA {
            return Err(refused("system.data is where the file system keeps small contents".to_owned()));
        }
        match index {
            INDEX_USER if value.is_some() && !inode.is_regular() && !inode.is_directory() => {
                Err(refused(format!("{full}: only files and directories have attributes of users")))
            }
            INDEX_ACCESS | INDEX_DEFAULT if value.is_some() => {
                if inode.is_symlink() || (index == INDEX_DEFAULT && !inode.is_directory()) {
                    return Err(refused(format!("{full}: not for a file of this type")));
                }
                let list = acl::to_disk(value.unwrap_or_default())
                    .map_err(|what| refused(format!("{full}: {what}")))?;
                let Some(list) = list else { return self.set_attribute(inode, index, name, None) };
                if index == INDEX_DEFAULT {
                    return self.set_attribute(inode, index, name, Some(&list.stored));
                }
                let stored = (!list.is_mode).then_some(&list.stored[..]);
                self.set_attribute(inode, index, name, stored)?;
                inode.set_mode(inode.mode() & !0o777 | list.mode);
                Ok(())
            }
            _ => self.set_attribute(inode, index, name, value),
        }
    }

    /// Sets the permission bits, set-id and sticky included, as chmod(2) does: a list of access rights
    /// follows. The inode is changed and not written.
    ///
    /// # Errors
    /// As [`set_attribute`](Self::set_attribute); [`Error::Damaged`] for a list that is none.
    pub(crate) fn set_permissions(&mut self, inode: &mut Inode, bits: u16) -> Result<(), Error> {
        let list = self.attributes(inode)?.into_iter().find(|attribute| attribute.index == INDEX_ACCESS);
        if let Some(list) = list {
            let changed = acl::with_mode(&list.value, bits).map_err(|what| {
                Error::Damaged(format!("inode {}: its list of access rights: {what}", inode.number))
            })?;
            self.set_attribute(inode, INDEX_ACCESS, &[], Some(&changed))?;
        }
        inode.set_mode(inode.file_type() | bits);
        Ok(())
    }
}
