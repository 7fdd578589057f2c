//! What the tests of this crate share: programs that may be missing, disks with known bytes.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_disk::BlockSource;

/// Runs a program that must succeed and answers its standard output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// False, said aloud, when one of the programs is missing; an error where CI promises them all.
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

/// A small fixed pseudo-random sequence (xorshift64*), the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A disk of `size` bytes in which zeros, text and noise of all lengths alternate.
pub(crate) fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed | 1);
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let length = 1 << random.below(20);
        match random.below(4) {
            0 | 1 => bytes.resize(bytes.len() + length, 0),
            2 => bytes.extend(
                b"the quick brown fox, "
                    .iter()
                    .cycle()
                    .take(length)
                    .enumerate()
                    .map(|(at, byte)| byte ^ (at >> 12) as u8),
            ),
            _ => bytes.extend((0..length).map(|_| random.next() as u8)),
        }
    }
    bytes.truncate(size);
    bytes
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `name` in `directory` with `bytes` in it.
pub(crate) fn file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn read_all(disk: &dyn BlockSource) -> Vec<u8> {
    let mut bytes = vec![0xa5; disk.len() as usize];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Not `assert_eq`: a difference of megabytes is no message.
pub(crate) fn assert_same(got: &[u8], expected: &[u8], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    // One comparison of memory: looking at single bytes takes seconds without optimisation.
    if got == expected {
        return;
    }
    if let Some(at) = (0..got.len()).find(|at| got[*at] != expected[*at]) {
        panic!("{what}: byte {at:#x} is {:#04x} instead of {:#04x}", got[at], expected[at]);
    }
}

/// The ranges are ascending and disjoint, lie inside, and everything between them is zero.
pub(crate) fn assert_ranges(disk: &dyn BlockSource, expected: &[u8], what: &str) {
    let mut at = 0;
    for range in disk.data_ranges(0..disk.len()).unwrap() {
        assert!(
            range.start >= at && range.end > range.start && range.end <= disk.len(),
            "{what}: {range:?} after {at:#x}"
        );
        assert!(is_zero(&expected[at as usize..range.start as usize]), "{what}: data before {range:?}");
        at = range.end;
    }
    assert!(is_zero(&expected[at as usize..]), "{what}: data after {at:#x}");
}

pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|chunk| *chunk == [0; 4096][..chunk.len()])
}

/// A directory in memory where there is one: outputs are synchronised, and hundreds of them take
/// minutes on a disk.
pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
