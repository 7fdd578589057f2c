//! A file that is written from its beginning to its end, with holes where there is nothing but zeros: a raw disk is
//! mostly that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The blocks of file systems; smaller holes are none.
const BLOCK: usize = 4096;

/// A file that is written so. It is empty at first.
#[derive(Debug)]
pub struct Sparse<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Sparse<'a> {
    /// Begins.
    #[must_use]
    pub fn new(file: &'a File) -> Self {
        Self { file, at: 0 }
    }

    /// Writes what comes next.
    ///
    /// # Errors
    /// What the host says.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let to_edge = BLOCK - usize::try_from(self.at % BLOCK as u64).unwrap_or(0);
            let (zeros, rest) = bytes.split_at(to_edge.min(bytes.len()));
            if is_zero(zeros) {
                self.at += zeros.len() as u64;
                bytes = rest;
                continue;
            }
            // As many blocks as have something in them, at once.
            let mut end = zeros.len();
            while let Some(block) = bytes.get(end..(end + BLOCK).min(bytes.len()))
                && !block.is_empty()
                && !is_zero(block)
            {
                end += block.len();
            }
            let (data, rest) = bytes.split_at(end);
            self.file.write_all_at(data, self.at)?;
            self.at += data.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Ends, and says how many bytes the file has.
    ///
    /// # Errors
    /// What the host says.
    pub fn finish(self) -> io::Result<u64> {
        self.file.set_len(self.at)?;
        Ok(self.at)
    }
}

/// True where all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let chunks = bytes.chunks_exact(64);
    let rest = chunks.remainder();
    // Without branches within a chunk, the compiler takes many bytes at once.
    chunks.into_iter().all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sparse_file_has_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = vec![0; 3 * BLOCK + 17];
        bytes[5] = 1;
        bytes[2 * BLOCK + 1] = 2;
        for length in [0, 1, 6, BLOCK, 2 * BLOCK, 2 * BLOCK + 1, 2 * BLOCK + 2, bytes.len()] {
            for step in [1, 7, 4095, 4096, 100_000] {
                let path = directory.path().join(format!("{length}-{step}"));
                let file = File::create(&path).unwrap();
                let mut sparse = Sparse::new(&file);
                for piece in bytes[..length].chunks(step) {
                    sparse.write(piece).unwrap();
                }
                assert_eq!(sparse.finish().unwrap(), length as u64);
                assert!(std::fs::read(&path).unwrap() == bytes[..length], "{length} {step}");
            }
        }
    }
}
