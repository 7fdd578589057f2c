//! The contents of files: reading, replacing, adding at the end.
//!
//! A file that is replaced keeps its blocks: they are written anew, and only what is missing is given
//! out, so that a large file can be replaced on a file system that is nearly full. Nothing reaches the disk
//! before the commit.

use std::ops::Range;

use crate::Error;
use crate::inode::{Inode, flag};
use crate::superblock::layout::RO_COMPAT_LARGE_FILE;
use crate::volume::Volume;

/// The largest size of a file where the feature large_file is not set.
const SMALL_FILE: u64 = 0x7fff_ffff;

impl Volume {
    /// Up to `buf.len()` bytes of the content from `offset`; inline data, holes and unwritten extents
    /// included. For files, directories and long link targets alike. What the operation under way
    /// writes is seen in directories alone.
    pub(crate) fn read_content(&self, inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let left = inode.size().saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..length).unwrap_or_default();
        if inode.has(flag::INLINE_DATA) {
            copy_from(&self.inline_content(inode)?, offset, buf);
        } else if super::is_fast_link(inode) {
            copy_from(inode.block_area(), offset, buf);
        } else {
            self.read_mapped(inode, offset, buf)?;
        }
        Ok(length)
    }

    fn read_mapped(&self, inode: &Inode, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let size = u64::from(self.superblock.block_size);
        let mut offset = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let (logical, inside) = (offset / size, offset % size);
            let run = self.map_block(inode, logical)?;
            let bytes = run.length.saturating_mul(size).saturating_sub(inside);
            let length = usize::try_from(bytes).unwrap_or(usize::MAX).clamp(1, rest.len());
            let (part, behind) = rest.split_at_mut(length);
            match run.physical {
                None => part.fill(0),
                Some(_) if run.unwritten => part.fill(0),
                Some(block) if inode.is_directory() => self.read_metadata(block, inside, part)?,
                Some(block) => self.read_raw(block, inside, part)?,
            }
            offset = offset.saturating_add(length as u64);
            rest = behind;
        }
        Ok(())
    }

    /// Bytes of successive blocks, pending changes seen.
    fn read_metadata(&self, block: u64, inside: u64, buf: &mut [u8]) -> Result<(), Error> {
        let mut inside = usize::try_from(inside).unwrap_or(0);
        let mut rest = buf;
        let mut block = block;
        while !rest.is_empty() {
            let bytes = self.read_block(block)?;
            let length = rest.len().min(bytes.len().saturating_sub(inside));
            let (part, behind) = rest.split_at_mut(length);
            part.copy_from_slice(bytes.get(inside..inside + length).unwrap_or_default());
            (inside, block, rest) = (0, block + 1, behind);
        }
        Ok(())
    }

    /// Replaces the whole content and the size; inline data where it fits and the file system has it.
    /// Times are the caller's. The inode is not written.
    ///
    /// # Errors
    /// [`Error::NoSpace`] when the missing blocks are not there; the caller rolls back.
    pub(crate) fn set_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<(), Error> {
        let inline = inode.has(flag::INLINE_DATA);
        if inline || self.may_be_inline(inode, content)? {
            if self.set_inline_content(inode, content)? {
                return self.set_file_size(inode, content.len() as u64);
            }
            if inline {
                self.clear_inline_content(inode)?;
            }
        }
        let needed = (content.len() as u64).div_ceil(self.superblock.block_size.into());
        self.truncate_map(inode, needed)?;
        self.write_blocks(inode, 0, content)?;
        self.set_file_size(inode, content.len() as u64)
    }

    /// Adds bytes at the end. The inode is not written. Not after another change of the same content
    /// in the same operation.
    ///
    /// # Errors
    /// As [`set_content`](Self::set_content).
    pub(crate) fn append_content(&mut self, inode: &mut Inode, content: &[u8]) -> Result<(), Error> {
        if content.is_empty() {
            return Ok(());
        }
        let old = inode.size();
        let Some(size) = old.checked_add(content.len() as u64) else {
            return Err(Error::Damaged(format!(
                "inode {}: its size is said to be {old} bytes",
                inode.number
            )));
        };
        if inode.has(flag::INLINE_DATA) {
            let mut whole = self.inline_content(inode)?;
            whole.truncate(usize::try_from(old).unwrap_or(usize::MAX));
            whole.extend_from_slice(content);
            return self.set_content(inode, &whole);
        }
        let block_size = u64::from(self.superblock.block_size);
        let inside = old % block_size;
        let mut bytes = vec![0; usize::try_from(inside).unwrap_or(0)];
        self.read_content(inode, old - inside, &mut bytes)?;
        bytes.extend_from_slice(content);
        self.write_blocks(inode, old / block_size, &bytes)?;
        self.set_file_size(inode, size)
    }

    /// True when the content may go into the inode: a regular file that has no blocks.
    fn may_be_inline(&self, inode: &Inode, content: &[u8]) -> Result<bool, Error> {
        Ok(self.superblock.has_inline_data()
            && inode.is_regular()
            && content.len() <= usize::from(self.superblock.inode_size)
            && self.has_no_blocks(inode)?)
    }

    /// Writes content from block `logical` of the file on, with zeros behind it to the block's end.
    fn write_blocks(&mut self, inode: &mut Inode, logical: u64, content: &[u8]) -> Result<(), Error> {
        let size = self.block_size();
        let count = (content.len() as u64).div_ceil(size as u64);
        if count == 0 {
            return Ok(());
        }
        if self.has_no_blocks(inode)? {
            self.init_map(inode);
        }
        let runs = self.fill_map(inode, logical..logical.saturating_add(count))?;
        self.check_owned(runs.clone())?;
        let mut rest = content;
        for run in runs {
            let blocks = usize::try_from(run.end - run.start).unwrap_or(usize::MAX);
            let room = blocks.saturating_mul(size);
            let (part, behind) = rest.split_at(room.min(rest.len()));
            rest = behind;
            let whole = part.len().next_multiple_of(size);
            let mut bytes = Vec::with_capacity(whole);
            bytes.extend_from_slice(part);
            bytes.resize(whole, 0);
            self.write_run(run.start, bytes)?;
        }
        Ok(())
    }

    /// Sets the size, and the feature that files of 2 GiB and more need.
    fn set_file_size(&mut self, inode: &mut Inode, size: u64) -> Result<(), Error> {
        inode.set_size(size);
        if size > SMALL_FILE && inode.is_regular() {
            self.superblock.features[2] |= RO_COMPAT_LARGE_FILE;
        }
        Ok(())
    }

    /// Maps what is not mapped of `logical`; answers where it lies, in the file's order.
    fn fill_map(&mut self, inode: &mut Inode, logical: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        super::check_mapped(inode)?;
        let (runs, _) = if inode.has(flag::EXTENTS) {
            self.fill_extents(inode, logical)?
        } else {
            self.fill_indirect(inode, logical)?
        };
        Ok(runs)
    }
}

/// Fills `buf` with the bytes of `content` from `offset` on, zeros behind its end.
fn copy_from(content: &[u8], offset: u64, buf: &mut [u8]) {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
    let bytes = content.get(start..).unwrap_or_default();
    let length = bytes.len().min(buf.len());
    let (part, behind) = buf.split_at_mut(length);
    part.copy_from_slice(bytes.get(..length).unwrap_or_default());
    behind.fill(0);
}
