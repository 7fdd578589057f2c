//! `hardtack ls`, `cat`, `cp` and `tar`: looking into an image without changing it.
//!
//! * `place`: which image, which partition, which path.
//! * `list`, `copy`, `archive`: what the verbs make of it.

mod archive;
mod copy;
mod list;
mod place;

use std::io::{IsTerminal, Write};
use std::ops::Range;

use hardtack_guest::{FileType, GuestPath, Stage, Tree};

use crate::args::{CatArgs, CpArgs, LsArgs, TarArgs};
use crate::error::CliError;
use crate::terminal;

pub(in crate::run) use place::{Looked, Spec};

/// Bytes that are read at once: a file of any size takes no more memory.
pub(in crate::run) const PIECE: usize = 1 << 20;

/// Zeros of this length become a hole: the block of nearly all file systems.
const BLOCK: usize = 4096;

/// Directories below each other that are walked into; the deepest path of Linux' own API has half of it.
pub(in crate::run) const DEEPEST: usize = 256;

/// List files of an image.
pub(crate) fn ls(arguments: &LsArgs) -> Result<u8, CliError> {
    list::run(arguments)
}

/// Copy files out of an image.
pub(crate) fn cp(arguments: &CpArgs) -> Result<u8, CliError> {
    copy::run(arguments)
}

/// Write files of an image as a tar archive.
pub(crate) fn tar(arguments: &TarArgs) -> Result<u8, CliError> {
    archive::run(arguments)
}

/// Print files of an image.
pub(crate) fn cat(arguments: &CatArgs) -> Result<u8, CliError> {
    let mut images = place::Images::new(&arguments.place);
    for given in &arguments.at {
        let (looked, path) = images.open(given)?;
        let stage = Stage::new(&*looked.tree);
        for path in looked.resolve(&stage, &path, true)? {
            let found = looked.existing(&path)?;
            if found.kind != FileType::Regular {
                let text = format!("{}:{path}: is {}, not a file", looked.name, found.kind.describe());
                return Err(CliError::refused(terminal::safe(&text)));
            }
            let mut out = std::io::stdout().lock();
            if out.is_terminal() {
                let mut carried = Vec::new();
                pieces(&*looked.tree, &path, &mut |piece| {
                    carried.extend_from_slice(piece);
                    // A character that is cut in two waits for its rest.
                    let cut = cut(&carried);
                    let text = String::from_utf8_lossy(&carried[..cut]).into_owned();
                    carried.drain(..cut);
                    out.write_all(terminal::safe_lines(&text).as_bytes()).map_err(CliError::stream)
                })?;
                let rest = String::from_utf8_lossy(&carried).into_owned();
                out.write_all(terminal::safe_lines(&rest).as_bytes()).map_err(CliError::stream)?;
            } else {
                pieces(&*looked.tree, &path, &mut |piece| out.write_all(piece).map_err(CliError::stream))?;
            }
            out.flush().map_err(CliError::stream)?;
        }
    }
    Ok(0)
}

/// How many of the bytes end with a whole character.
fn cut(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

/// The parts of `piece` that are not zeros, in steps of [`BLOCK`].
fn data(piece: &[u8]) -> Vec<Range<usize>> {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, block) in piece.chunks(BLOCK).enumerate() {
        // A comparison of memory is many times faster than one of bytes.
        if *block == ZEROS[..block.len()] {
            continue;
        }
        let start = index * BLOCK;
        match found.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end += block.len(),
            None => found.push(start..start + block.len()),
        }
    }
    found
}

/// Gives the content of the file `path` away, piece by piece.
pub(in crate::run) fn pieces(
    tree: &dyn Tree,
    path: &GuestPath,
    take: &mut dyn FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<u64, CliError> {
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let count = tree.read_at(path, offset, &mut piece)?;
        if count == 0 {
            return Ok(offset);
        }
        take(&piece[..count])?;
        offset += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_no_data() {
        let mut piece = vec![0; 5 * BLOCK + 10];
        assert!(data(&piece).is_empty());
        piece[BLOCK] = 1;
        piece[3 * BLOCK - 1] = 1;
        piece[5 * BLOCK + 9] = 1;
        assert_eq!(data(&piece), [BLOCK..3 * BLOCK, 5 * BLOCK..5 * BLOCK + 10]);
    }
}
