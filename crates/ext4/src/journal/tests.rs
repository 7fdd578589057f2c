//! Logs built here, block by block; real ones are in `tests/ext4/recovery.rs`.
#![allow(clippy::unwrap_used)]

use super::layout::{self, be32, put_be32};
use super::log::LogBlocks;
use super::scan::Plan;
use super::superblock::{Checksums, JournalSuperblock};
use crate::Error;
use crate::checksum::crc32c;

const SIZE: usize = 1024;
/// Blocks of the journals built here, superblock included.
const LENGTH: u32 = 64;

const KINDS: [Checksums; 4] = [Checksums::Absent, Checksums::Transaction, Checksums::Short, Checksums::Full];

/// A journal in memory, written as the kernel writes it.
struct Journal {
    blocks: Vec<Vec<u8>>,
    kind: Checksums,
    wide: bool,
    seed: u32,
    sequence: u32,
    next: u32,
    /// Blocks of the transaction under way: places.
    commit: u32,
    descriptor: u32,
}

impl LogBlocks for Journal {
    fn read_log(&self, block: u32, buf: &mut [u8]) -> Result<(), Error> {
        buf.copy_from_slice(&self.blocks[block as usize]);
        Ok(())
    }
}

fn crc32(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            if crc >> 31 != 0 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
        })
    })
}

impl Journal {
    fn new(kind: Checksums, wide: bool, sequence: u32, start: u32) -> Self {
        let mut first = vec![0; SIZE];
        put_be32(&mut first, 0, layout::MAGIC);
        put_be32(&mut first, layout::H_BLOCKTYPE, layout::SUPERBLOCK_V2);
        put_be32(&mut first, layout::S_BLOCKSIZE, SIZE as u32);
        put_be32(&mut first, layout::S_MAXLEN, LENGTH);
        put_be32(&mut first, layout::S_FIRST, 1);
        put_be32(&mut first, layout::S_SEQUENCE, sequence);
        put_be32(&mut first, layout::S_START, start);
        let compat = if kind == Checksums::Transaction { layout::COMPAT_CHECKSUM } else { 0 };
        put_be32(&mut first, layout::S_FEATURE_COMPAT, compat);
        let incompat = match kind {
            Checksums::Short => layout::INCOMPAT_CSUM_V2,
            Checksums::Full => layout::INCOMPAT_CSUM_V3,
            _ => 0,
        };
        let wide_bit = if wide { layout::INCOMPAT_64BIT } else { 0 };
        put_be32(&mut first, layout::S_FEATURE_INCOMPAT, incompat | wide_bit | layout::INCOMPAT_REVOKE);
        first[layout::S_UUID..layout::S_UUID + 16].fill(0x5a);
        first[layout::S_CHECKSUM_TYPE] = layout::CRC32C;
        let mut blocks = vec![first];
        blocks.resize(LENGTH as usize, vec![0xee; SIZE]);
        let seed = crc32c(!0, &[0x5a; 16]);
        let mut journal = Self { blocks, kind, wide, seed, sequence, next: start, commit: 0, descriptor: 0 };
        journal.seal_superblock();
        journal
    }

    fn crc32c(&self) -> bool {
        matches!(self.kind, Checksums::Short | Checksums::Full)
    }

    fn seal_superblock(&mut self) {
        let first = &mut self.blocks[0];
        put_be32(first, layout::S_CHECKSUM, 0);
        let sum = crc32c(!0, first);
        put_be32(first, layout::S_CHECKSUM, sum);
    }

    fn set(&mut self, at: usize, value: u32) {
        put_be32(&mut self.blocks[0], at, value);
        self.seal_superblock();
    }

    fn push(&mut self, block: Vec<u8>) -> u32 {
        let place = self.next;
        self.blocks[place as usize] = block;
        self.next = if place + 1 == LENGTH { 1 } else { place + 1 };
        place
    }

    fn header(&self, kind: u32) -> Vec<u8> {
        let mut block = vec![0; SIZE];
        put_be32(&mut block, 0, layout::MAGIC);
        put_be32(&mut block, layout::H_BLOCKTYPE, kind);
        put_be32(&mut block, layout::H_SEQUENCE, self.sequence);
        block
    }

    fn seal_tail(&self, block: &mut [u8]) {
        if self.crc32c() {
            let sum = crc32c(self.seed, block);
            put_be32(block, SIZE - 4, sum);
        }
    }

    /// One transaction: revokes, then copies of blocks filled with a byte each (0: the magic number).
    fn transaction(&mut self, time: u64, copies: &[(u64, u8)], revokes: &[u64]) {
        let mut sum = !0;
        if !revokes.is_empty() {
            let mut block = self.header(layout::REVOKE);
            let length = if self.wide { 8 } else { 4 };
            let mut at = layout::REVOKE_HEADER;
            for target in revokes {
                let bytes = target.to_be_bytes();
                block[at..at + length].copy_from_slice(&bytes[8 - length..]);
                at += length;
            }
            put_be32(&mut block, layout::R_COUNT, at as u32);
            self.seal_tail(&mut block);
            self.push(block);
        }
        let mut descriptor = self.header(layout::DESCRIPTOR);
        let mut at = layout::HEADER;
        let mut data = Vec::new();
        for (index, (target, fill)) in copies.iter().enumerate() {
            let content = vec![*fill; SIZE];
            let mut flags = if *fill == 0 { layout::FLAG_ESCAPE } else { 0 };
            if index + 1 == copies.len() {
                flags |= layout::FLAG_LAST_TAG;
            }
            if index > 0 {
                flags |= layout::FLAG_SAME_UUID;
            }
            let check = crc32c(crc32c(self.seed, &self.sequence.to_be_bytes()), &content);
            put_be32(&mut descriptor, at, *target as u32);
            put_be32(&mut descriptor, at + 4, flags.into());
            if self.wide {
                put_be32(&mut descriptor, at + 8, (*target >> 32) as u32);
            }
            at += match self.kind {
                Checksums::Full => {
                    put_be32(&mut descriptor, at + 12, check);
                    16
                }
                Checksums::Short => {
                    put_be32(&mut descriptor, at + 4, check << 16 | u32::from(flags));
                    if self.wide { 14 } else { 10 }
                }
                _ => {
                    if self.wide {
                        12
                    } else {
                        8
                    }
                }
            };
            at += if index == 0 { 16 } else { 0 };
            data.push(content);
        }
        self.seal_tail(&mut descriptor);
        sum = crc32(sum, &descriptor);
        self.descriptor = self.push(descriptor);
        for content in data {
            sum = crc32(sum, &content);
            self.push(content);
        }
        let mut commit = self.header(layout::COMMIT);
        commit[layout::C_SECONDS..layout::C_SECONDS + 8].copy_from_slice(&time.to_be_bytes());
        if self.crc32c() {
            sum = crc32c(self.seed, &commit);
        } else if self.kind == Checksums::Transaction {
            commit[layout::C_CHECKSUM_TYPE] = layout::CRC32;
            commit[layout::C_CHECKSUM_SIZE] = 4;
        } else {
            sum = 0;
        }
        put_be32(&mut commit, layout::C_CHECKSUM, sum);
        self.commit = self.push(commit);
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn superblock(&self) -> Result<JournalSuperblock, Error> {
        JournalSuperblock::parse(&self.blocks[0], LENGTH.into())
    }

    fn plan(&self) -> Result<Plan, Error> {
        Plan::make(self, &self.superblock()?)
    }

    /// What a replay writes: blocks, and the byte in the middle of each.
    fn replayed(&self) -> Vec<(u64, u8)> {
        let plan = self.plan().unwrap();
        plan.copies
            .iter()
            .map(|(target, copied)| {
                let byte = self.blocks[copied.block as usize][SIZE / 2];
                assert_eq!(copied.escaped, byte == 0, "block {target}");
                (*target, byte)
            })
            .collect()
    }
}

/// Runs `check` for all kinds of checksums and both widths.
fn all(check: impl Fn(Checksums, bool)) {
    for kind in KINDS {
        for wide in [false, true] {
            check(kind, wide);
        }
    }
}

#[test]
fn the_last_copy_wins_and_revoked_ones_do_not_return() {
    all(|kind, wide| {
        let high = if wide { 7 << 32 } else { 0 };
        let mut journal = Journal::new(kind, wide, 10, 1);
        journal.transaction(1, &[(5, 1), (6, 1), (high | 7, 1), (8, 0)], &[]);
        journal.transaction(1, &[(6, 2)], &[5, high | 7]);
        journal.transaction(2, &[(high | 7, 3)], &[]);
        let plan = journal.plan().unwrap();
        assert_eq!(plan.end, 13, "{kind:?} {wide}");
        assert_eq!(journal.replayed(), {
            let mut wanted = vec![(6, 2), (high | 7, 3), (8, 0)];
            wanted.sort_unstable();
            wanted
        });
        // A block that the same transaction writes and revokes is gone.
        journal.transaction(3, &[(9, 4)], &[9]);
        assert!(journal.replayed().iter().all(|(target, _)| *target != 9), "{kind:?} {wide}");
    });
}

#[test]
fn sequences_and_the_log_wrap() {
    all(|kind, wide| {
        let mut journal = Journal::new(kind, wide, u32::MAX - 1, LENGTH - 3);
        for round in 1..=4 {
            journal.transaction(round, &[(round, round as u8), (50, round as u8)], &[40]);
        }
        assert_eq!(journal.plan().unwrap().end, 2, "{kind:?} {wide}");
        assert_eq!(journal.replayed(), [(1, 1), (2, 2), (3, 3), (4, 4), (50, 4)], "{kind:?} {wide}");
    });
}

#[test]
fn a_transaction_without_its_commit_block_is_not_replayed() {
    all(|kind, wide| {
        let mut journal = Journal::new(kind, wide, 1, 1);
        journal.transaction(1, &[(5, 1)], &[]);
        journal.transaction(2, &[(5, 2), (6, 2)], &[5]);
        journal.blocks[journal.commit as usize].fill(0);
        assert_eq!(journal.plan().unwrap().end, 2, "{kind:?} {wide}");
        assert_eq!(journal.replayed(), [(5, 1)], "{kind:?} {wide}");
    });
}

#[test]
fn an_old_block_at_the_end_is_no_damage() {
    for kind in [Checksums::Short, Checksums::Full] {
        // The blocks of an earlier journal follow, with the right sequence and another seed.
        let mut journal = Journal::new(kind, true, 1, 1);
        journal.transaction(1000, &[(5, 1)], &[]);
        journal.seed = !journal.seed;
        journal.transaction(900, &[(6, 2)], &[]);
        assert_eq!(journal.plan().unwrap().end, 2, "{kind:?}");
        assert_eq!(journal.replayed(), [(5, 1)], "{kind:?}");
    }
}

#[test]
fn wrong_checksums_refuse_the_journal() {
    all(|kind, wide| {
        let base = || {
            let mut journal = Journal::new(kind, wide, 1, 1);
            journal.transaction(1, &[(5, 1), (6, 1)], &[]);
            journal
        };
        if kind == Checksums::Absent {
            return;
        }
        let whole = kind == Checksums::Transaction;
        for (what, place, at) in [
            ("copy", base().descriptor + 2, 100),
            ("descriptor", base().descriptor, 500),
            ("commit block", base().commit, if whole { layout::C_CHECKSUM } else { 40 }),
        ] {
            let mut journal = base();
            journal.transaction(2, &[(7, 1)], &[]);
            journal.blocks[place as usize][at] ^= 0x40;
            let error = journal.plan().unwrap_err().to_string();
            assert!(
                error.contains("transaction 1") && error.contains("checksum"),
                "{kind:?} {what}: {error}"
            );
        }
        // A copy that is revoked later is not looked at.
        let mut journal = base();
        journal.transaction(2, &[(7, 2)], &[6]);
        journal.blocks[base().descriptor as usize + 2][100] ^= 0x40;
        match (whole, journal.plan()) {
            (true, result) => assert!(result.is_err(), "{wide}"),
            (false, _) => assert_eq!(journal.replayed(), [(5, 1), (7, 2)], "{kind:?} {wide}"),
        }
    });
}

#[test]
fn commit_blocks_that_arrived_before_their_transaction() {
    // Asynchronous commits: the last transaction is left out, one in the middle is damage.
    let mut journal = Journal::new(Checksums::Transaction, true, 1, 1);
    let incompat = be32(&journal.blocks[0], layout::S_FEATURE_INCOMPAT);
    journal.set(layout::S_FEATURE_INCOMPAT, incompat | layout::INCOMPAT_ASYNC_COMMIT);
    journal.transaction(1, &[(5, 1)], &[]);
    journal.transaction(2, &[(5, 2)], &[]);
    journal.blocks[journal.descriptor as usize + 1][9] = 0;
    assert_eq!(journal.replayed(), [(5, 1)]);
    journal.transaction(3, &[(6, 3)], &[]);
    assert!(journal.plan().is_err());

    // Without them the same is damage at once.
    let mut journal = Journal::new(Checksums::Transaction, true, 1, 1);
    journal.transaction(1, &[(5, 1)], &[]);
    journal.blocks[journal.descriptor as usize + 1][9] = 0;
    assert!(journal.plan().is_err());

    // A commit block of which only the header arrived counts.
    let mut journal = Journal::new(Checksums::Full, true, 1, 1);
    journal.transaction(1, &[(5, 1)], &[]);
    journal.blocks[journal.commit as usize][512..].fill(0xab);
    assert_eq!(journal.replayed(), [(5, 1)]);
}

#[test]
fn a_log_that_never_ends_ends() {
    for kind in [layout::DESCRIPTOR, layout::REVOKE, layout::COMMIT] {
        let mut journal = Journal::new(Checksums::Absent, false, 1, 1);
        for block in 1..LENGTH {
            let mut bytes = journal.header(kind);
            if kind == layout::REVOKE {
                put_be32(&mut bytes, layout::R_COUNT, SIZE as u32);
            }
            if kind == layout::COMMIT {
                put_be32(&mut bytes, layout::H_SEQUENCE, block);
            }
            journal.blocks[block as usize] = bytes;
        }
        let end = if kind == layout::COMMIT { LENGTH } else { 1 };
        let plan = journal.plan().unwrap();
        assert_eq!((plan.end, plan.copies.len()), (end, 0), "{kind}");
    }
}

#[test]
fn superblocks_that_contradict_themselves() {
    for (at, value, told) in [
        (0, 0, "magic number"),
        (layout::H_BLOCKTYPE, 2, "type 2"),
        (layout::S_BLOCKSIZE, 4096, "4096 bytes"),
        (layout::S_MAXLEN, LENGTH + 1, "claims 65 blocks"),
        (layout::S_MAXLEN, 1, "blocks 1..1"),
        (layout::S_MAXLEN, 0, "blocks 1..0"),
        (layout::S_FIRST, 0, "blocks 0..64"),
        (layout::S_FIRST, LENGTH, "blocks 64..64"),
        (layout::S_START, LENGTH, "begin at block 64"),
        (layout::S_NR_USERS, 2, "2 file systems"),
        (layout::S_FEATURE_INCOMPAT, 0x40, "0x40"),
        (layout::S_FEATURE_RO_COMPAT, 1, "0x1"),
        (layout::S_FEATURE_INCOMPAT, layout::INCOMPAT_CSUM_V2 | layout::INCOMPAT_CSUM_V3, "several kinds"),
        (layout::S_FEATURE_INCOMPAT, layout::INCOMPAT_FAST_COMMIT, "fast commits"),
    ] {
        let mut journal = Journal::new(Checksums::Absent, false, 1, 1);
        journal.set(at, value);
        let error = journal.superblock().unwrap_err().to_string();
        assert!(error.contains(told), "{at:#x} {value}: {error}");
    }
    let mut journal = Journal::new(Checksums::Full, false, 1, 1);
    journal.blocks[0][layout::S_SEQUENCE] ^= 1;
    assert!(journal.superblock().unwrap_err().to_string().contains("checksum"));
    journal.blocks[0][layout::S_CHECKSUM_TYPE] = 1;
    assert!(journal.superblock().unwrap_err().to_string().contains("of type 1"));

    // The first version has no features: what stands there means nothing.
    let mut journal = Journal::new(Checksums::Absent, false, 1, 1);
    journal.set(layout::H_BLOCKTYPE, layout::SUPERBLOCK_V1);
    journal.set(layout::S_FEATURE_INCOMPAT, 0xffff_ffff);
    assert_eq!(journal.superblock().unwrap().checksums, Checksums::Absent);
}

#[test]
fn an_emptied_superblock_is_sound() {
    for kind in KINDS {
        let journal = Journal::new(kind, false, 1, 1);
        let emptied = journal.superblock().unwrap().emptied(77);
        let again = JournalSuperblock::parse(&emptied, LENGTH.into()).unwrap();
        assert_eq!((again.start, again.sequence, again.checksums), (0, 77, kind));
    }
}

#[test]
fn damage_at_random_never_panics() {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut sound = 0;
    for round in 0..800 {
        let mut journal = Journal::new(KINDS[round % 4], round % 8 < 4, 1, 1 + random(60) as u32);
        for time in 1..5 {
            journal.transaction(time, &[(time, 1), (9, 2), (10, 0)], &[3, 9]);
        }
        for _ in 0..1 + random(4) {
            let block = random(LENGTH as usize);
            let at = if random(2) == 0 { random(128) } else { random(SIZE) };
            journal.blocks[block][at] = [0, 1, 0xff, 0x80, random(256) as u8][random(5)];
        }
        if random(2) == 0 {
            journal.seal_superblock();
        }
        sound += usize::from(journal.plan().is_ok());
    }
    assert!((200..800).contains(&sound), "{sound} of 800");
}

#[test]
fn what_a_clean_journal_still_holds_is_cleared() {
    use crate::testing::{Image, debugfs};
    use hardtack_disk::BlockSource;

    let image = Image::make(&["-t", "ext4", "-b", "1024"], 16);
    let secret = b"$6$saltsalt$a-secret-that-was-journalled".repeat(16);
    let dir = tempfile::tempdir().unwrap();
    let (file, commands) = (dir.path().join("secret"), dir.path().join("commands"));
    std::fs::write(&file, &secret).unwrap();
    let block = debugfs(&image.path(), "testb 12000").contains("not in use").then_some(12000).unwrap();
    std::fs::write(&commands, format!("jo\njw -b {block} {}\njc\njr\n", file.display())).unwrap();
    let output = std::process::Command::new("debugfs")
        .args(["-w", "-f", commands.to_str().unwrap(), image.path().to_str().unwrap()])
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(output.status.success());

    let mut volume = image.volume();
    volume.recover().unwrap();
    let journal = volume.journal().unwrap().unwrap();
    let holds = |volume: &crate::volume::Volume| {
        let mut bytes = vec![0; SIZE];
        journal.log().into_iter().flatten().any(|block| {
            volume.disk().read_at(block * SIZE as u64, &mut bytes).unwrap();
            bytes.iter().any(|byte| *byte != 0)
        })
    };
    assert!(holds(&volume), "the log holds the copy");
    for range in volume.journal_log().unwrap() {
        for block in range {
            volume.disk().write_at(block * SIZE as u64, &[0; SIZE]).unwrap();
        }
    }
    assert!(!holds(&volume));
    // The block that was replayed belongs to nobody: only the journal is cleared here.
    image.assert_clean(&volume, "an empty journal of zeros");
}
