//! Snapshots: what they hold, what travelled, and what a second run does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use hardtack_cloud::ec2::delete_snapshot;
use hardtack_disk::{BlockSource, Holes};
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, MasterKey, RandomFaults, Service};
use hardtack_publish::snapshot::{SnapshotRequest, WrittenSnapshot, write_snapshot};
use hardtack_publish::{Error, Silent, undo};

use crate::world::{BLOCK, Listener, World, disk};

const SIZE: u64 = BLOCK as u64;

fn request() -> SnapshotRequest {
    SnapshotRequest { description: "web".to_owned(), parallel: 8, ..SnapshotRequest::default() }
}

fn write(world: &World, disk: &dyn BlockSource, free: &[Range<u64>]) -> Result<WrittenSnapshot, Error> {
    write_snapshot(&world.client, disk, free, &request(), &world.journal(), &Silent)
}

/// The snapshot's blocks.
fn blocks(world: &World, id: &str) -> BTreeSet<u64> {
    world.cloud.read_snapshot(id).unwrap().blocks()
}

fn assert_holds(world: &World, id: &str, disk: &[u8]) {
    let reader = world.cloud.read_snapshot(id).unwrap();
    assert!(reader.bytes(0, disk.len()) == disk, "{id} holds something else");
}

/// How often each block was written.
fn times(world: &World) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for entry in world.done("PutSnapshotBlock") {
        *times.entry(entry.key).or_insert(0) += 1;
    }
    times
}

#[test]
fn an_unencrypted_snapshot_has_what_is_not_zero() {
    let world = World::new();
    let disk = disk(40, 1000, &[0, 3, 17, 40]);
    let written = write(&world, &disk, &[0..u64::MAX]).unwrap();
    assert_eq!((written.size, written.blocks, written.sent, written.encrypted), (1, 4, 4, false));
    assert_eq!(blocks(&world, &written.id), BTreeSet::from([0, 3, 17, 40]));
    assert_holds(&world, &written.id, &disk);
    let view = world.cloud.snapshots().remove(0);
    assert_eq!((view.state.as_str(), view.size), ("completed", 1));
    assert_eq!(view.tags.get("hardtack:journal"), Some(&world.journal().id()));
    assert_eq!(view.tags.get("hardtack:inputs").map(String::as_str), Some("aa"));
    // Nothing is done again by a run with the same journal.
    let again = write(&world, &disk, &[]).unwrap();
    assert_eq!((again.id, again.blocks, again.sent), (written.id, 4, 0));
    assert_eq!((world.asked("StartSnapshot"), world.asked("PutSnapshotBlock")), (1, 4));
}

#[test]
fn an_empty_disk_and_a_larger_volume() {
    let world = World::new();
    let disk = vec![0; BLOCK];
    let request = SnapshotRequest { size: Some(3), parallel: 0, ..request() };
    let written = write_snapshot(&world.client, &disk, &[], &request, &world.journal(), &Silent).unwrap();
    assert_eq!((written.size, written.blocks), (3, 0));
    assert_eq!(world.cloud.read_snapshot(&written.id).unwrap().len(), 3 << 30);
}

#[test]
fn an_encrypted_snapshot_lacks_only_what_nobody_reads() {
    let world = World::of(Cloud::builder().with(|options| options.encryption_by_default = true));
    let disk = disk(20, 77, &[1, 5, 20]);
    let free = [2 * SIZE..4 * SIZE, 5 * SIZE + 1..7 * SIZE];
    let written = write(&world, &Holes::new(disk.clone(), vec![8 * SIZE..9 * SIZE]), &free).unwrap();
    assert!(written.encrypted);
    let expected: BTreeSet<u64> = (0..21).filter(|index| ![2, 3, 6].contains(index)).collect();
    assert_eq!(blocks(&world, &written.id), expected);
    assert_eq!(written.blocks, 18);
    let reader = world.cloud.read_snapshot(&written.id).unwrap();
    for index in expected {
        let end = disk.len().min((index as usize + 1) * BLOCK);
        let mut wanted = disk[index as usize * BLOCK..end].to_vec();
        wanted.resize(BLOCK, 0);
        assert!(reader.block(index) == wanted, "block {index}");
    }
}

#[test]
fn a_key_may_be_called_by_its_alias() {
    let world = World::new();
    let arn = "arn:aws:kms:us-east-1:123456789012:key/1111";
    let key = MasterKey {
        arn: arn.to_owned(),
        alias: "alias/images".to_owned(),
        state: "Enabled".to_owned(),
        ..MasterKey::default()
    };
    world.cloud.make_key("us-east-1", key);
    let request = SnapshotRequest { kms_key: Some("alias/images".to_owned()), ..request() };
    let disk = disk(3, 0, &[1]);
    let written = write_snapshot(&world.client, &disk, &[], &request, &world.journal(), &Silent).unwrap();
    assert_eq!((written.encrypted, written.blocks), (true, 3));
    assert_eq!(world.cloud.snapshots()[0].key.as_deref(), Some(arn));
}

#[test]
fn a_run_that_has_lost_its_parent_begins_anew() {
    let world = World::new();
    let old = disk(30, 0, &[0, 4, 9, 20]);
    let parent =
        write_snapshot(&world.client, &old, &[], &request(), &world.journal_of("old", "o"), &Silent).unwrap();
    // Block 4 is emptied: the parent has something else there.
    let new = disk(30, 0, &[0, 9, 20]);
    let with = SnapshotRequest { parent: Some((parent.id.clone(), vec![4 * SIZE..5 * SIZE])), ..request() };
    world.cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::Status(403)));
    write_snapshot(&world.client, &new, &[], &with, &world.journal(), &Silent).unwrap_err();
    assert_eq!(world.cloud.snapshots().len(), 2);
    // The account may not be asked any more what it encrypts: no parent is given.
    let written = write(&world, &new, &[]).unwrap();
    assert_holds(&world, &written.id, &new);
    assert_eq!(world.cloud.snapshots().len(), 2, "the one with the parent is gone");
    undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap();
    assert_eq!(world.cloud.snapshots().len(), 1);
}

#[test]
fn of_a_parent_only_what_changed_travels() {
    let world = World::new();
    let old = disk(30, 0, &[0, 4, 9, 20]);
    let parent =
        write_snapshot(&world.client, &old, &[], &request(), &world.journal_of("old", "o"), &Silent).unwrap();
    world.cloud.clear_log();
    // Block 4 is emptied, 12 is filled, one byte of 20 changes.
    let mut new = disk(30, 0, &[0, 9, 12, 20]);
    new[20 * BLOCK + 5] ^= 1;
    let changed = vec![4 * SIZE..5 * SIZE, 12 * SIZE..13 * SIZE, 20 * SIZE + 5..20 * SIZE + 6];
    let request = SnapshotRequest { parent: Some((parent.id.clone(), changed)), size: Some(1), ..request() };
    let written =
        write_snapshot(&world.client, &new, &[0..u64::MAX], &request, &world.journal(), &Silent).unwrap();
    assert_eq!((written.blocks, world.done("PutSnapshotBlock").len()), (3, 3));
    assert_holds(&world, &written.id, &new);
    assert_holds(&world, &parent.id, &old);
}

#[test]
fn a_parent_that_is_encrypted_otherwise_is_none() {
    let world = World::new();
    let parent = world.cloud.make_snapshot("us-east-1", "123456789012", 2, None, false, &[]);
    let disk = disk(4, 0, &[1, 2]);
    for (file, parent, encrypted, what) in [
        ("a", parent.as_str(), true, "is not encrypted"),
        ("b", "snap-00000000000000000", false, "is not there"),
    ] {
        let tell = Listener::default();
        let request = SnapshotRequest { parent: Some((parent.to_owned(), vec![])), encrypted, ..request() };
        let journal = world.journal_of(file, "x");
        let written = write_snapshot(&world.client, &disk, &[], &request, &journal, &tell).unwrap();
        assert!(tell.heard().join("\n").contains(what), "{:?}", tell.heard());
        assert_eq!((written.encrypted, written.size), (encrypted, 1));
        assert_holds(&world, &written.id, &disk);
    }
    // With it, the volume is as large as the parent's.
    let request = SnapshotRequest { parent: Some((parent, vec![SIZE..3 * SIZE])), ..request() };
    let written =
        write_snapshot(&world.client, &disk, &[], &request, &world.journal_of("c", "x"), &Silent).unwrap();
    assert_eq!((written.size, written.blocks), (2, 2));
}

#[test]
fn a_parent_that_the_service_refuses_is_none() {
    let world = World::new();
    let parent = world.cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[]);
    world.cloud.inject(Fault::new(
        Service::Ebs,
        "StartSnapshot",
        FaultKind::Code(400, "ValidationException"),
    ));
    let disk = disk(4, 0, &[1, 2]);
    let request = SnapshotRequest { parent: Some((parent, vec![])), ..request() };
    let written = write_snapshot(&world.client, &disk, &[], &request, &world.journal(), &Silent).unwrap();
    assert_holds(&world, &written.id, &disk);
    assert_eq!(world.asked("StartSnapshot"), 2);
}

#[test]
fn what_passes_is_waited_out() {
    let kinds = [
        FaultKind::Status(400),
        FaultKind::Status(500),
        FaultKind::Status(503),
        FaultKind::Reset,
        FaultKind::CloseAfterRequest,
        FaultKind::Truncated,
        FaultKind::Html502,
        FaultKind::SlowBody(Duration::from_millis(1)),
    ];
    let disk = disk(30, 5, &(0..30).step_by(2).collect::<Vec<_>>());
    for kind in kinds.clone() {
        let world = World::of(Cloud::builder().with(|options| options.start_misses = 10));
        for action in ["StartSnapshot", "PutSnapshotBlock", "CompleteSnapshot"] {
            world.cloud.inject(Fault::new(Service::Ebs, action, kind.clone()).times(2));
        }
        world.cloud.inject(Fault::new(Service::Ec2, "DescribeSnapshots", kind.clone()).times(9));
        let written = write(&world, &disk, &[]).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!((written.blocks, world.cloud.snapshots().len()), (15, 1), "{kind:?}");
        assert_holds(&world, &written.id, &disk);
    }
    let world = World::new();
    world.cloud.random_faults(Some(RandomFaults { seed: 5, per_mille: 30, kinds: kinds.to_vec() }));
    let written = write(&world, &disk, &[]).unwrap();
    assert_holds(&world, &written.id, &disk);
}

#[test]
fn what_does_not_pass_ends_it_at_once_and_says_what_is_left() {
    for (status, text) in [(402, "ServiceQuotaExceededException"), (403, "AccessDeniedException")] {
        let world = World::new();
        world.cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::Status(status)).always());
        let disk = disk(200, 0, &(0..200).collect::<Vec<_>>());
        let error = write(&world, &disk, &[]).unwrap_err().to_string();
        let id = world.cloud.snapshots().remove(0).id;
        assert!(error.contains(text) && error.contains(&id) && error.contains("hardtack undo"), "{error}");
        assert!(world.asked("PutSnapshotBlock") <= 8, "each worker's first block, and no more");
        assert_eq!(world.asked("CompleteSnapshot"), 0);
    }
}

#[test]
fn a_second_run_sends_what_is_missing() {
    let world = World::new();
    let disk = disk(64, 9, &(0..64).filter(|index| index % 3 != 0).collect::<Vec<_>>());
    world.cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::Status(403)).after(20));
    write(&world, &disk, &[]).unwrap_err();
    let before = world.done("PutSnapshotBlock").len();
    assert!((20..64).contains(&before), "{before}");
    let written = write(&world, &disk, &[]).unwrap();
    assert_eq!((written.blocks, written.sent), (42, 42 - before as u64));
    assert!(times(&world).values().all(|times| *times == 1));
    assert_eq!(world.done("StartSnapshot").len(), 1);
    assert_holds(&world, &written.id, &disk);
}

#[test]
fn what_a_first_run_sent_and_a_second_has_not_becomes_zeros() {
    let world = World::new();
    world.cloud.inject(Fault::new(Service::Ebs, "CompleteSnapshot", FaultKind::Status(403)));
    // One block's answer does not arrive, and nor does that of any later try.
    let lost = Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::CloseAfterRequest).key("/5").times(4);
    world.cloud.inject(lost);
    let first = disk(10, 0, &[1, 2, 5]);
    write(&world, &first, &[]).unwrap_err();
    let second = disk(10, 0, &[2, 8]);
    let written = write(&world, &second, &[]).unwrap_or_else(|_| write(&world, &second, &[]).unwrap());
    assert_holds(&world, &written.id, &second);
    assert_eq!(world.cloud.snapshots().len(), 1);
    assert_eq!(blocks(&world, &written.id).len() as u64, written.blocks);
}

#[test]
fn a_completion_that_was_not_answered_is_asked_for_again() {
    let world = World::of(Cloud::builder().with(|options| options.completion_polls = 6));
    world.cloud.inject(Fault::new(Service::Ebs, "CompleteSnapshot", FaultKind::CloseAfterRequest).times(4));
    let disk = disk(10, 0, &[1, 2, 5]);
    write(&world, &disk, &[]).unwrap_err();
    let written = write(&world, &disk, &[]).unwrap();
    assert_eq!((written.blocks, written.sent), (3, 0));
    assert!(times(&world).values().all(|times| *times == 1));
    assert_holds(&world, &written.id, &disk);
}

#[test]
fn a_snapshot_that_is_gone_is_begun_anew() {
    let world = World::new();
    let disk = disk(10, 0, &[1, 2, 5]);
    world.cloud.inject(Fault::new(Service::Ebs, "CompleteSnapshot", FaultKind::Status(403)));
    write(&world, &disk, &[]).unwrap_err();
    let old = world.cloud.snapshots().remove(0).id;
    delete_snapshot(&world.client, &old).unwrap();
    let tell = Listener::default();
    let written = write_snapshot(&world.client, &disk, &[], &request(), &world.journal(), &tell).unwrap();
    assert_ne!(written.id, old);
    assert_eq!((written.blocks, written.sent), (3, 3));
    assert!(tell.heard().join("\n").contains(&format!("snapshot {old} of an earlier run came to nothing")));
    assert_holds(&world, &written.id, &disk);
}

#[test]
fn a_snapshot_that_fails_is_told_from_one_that_is_pending() {
    let reason = "The key arn:aws:kms:x is not there.".to_owned();
    let world = World::of(Cloud::builder().with(|options| options.snapshots_fail = Some(reason)));
    let error = write(&world, &disk(2, 0, &[1]), &[]).unwrap_err().to_string();
    let id = world.cloud.snapshots().remove(0).id;
    assert!(
        error.contains("came to nothing: The key arn:aws:kms:x is not there.") && error.contains(&id),
        "{error}"
    );
    // The next run deletes it, and makes another.
    let error = write(&world, &disk(2, 0, &[1]), &[]).unwrap_err().to_string();
    assert_eq!(world.cloud.snapshots().len(), 1);
    assert!(!error.contains(&id) && error.contains("came to nothing"), "{error}");
}

#[test]
fn waiting_tells_the_state_and_stands_still_aloud() {
    let world = World::of(Cloud::builder().with(|options| options.completion_polls = 120));
    let tell = Listener::default();
    write_snapshot(&world.client, &disk(2, 0, &[1]), &[], &request(), &world.journal(), &tell).unwrap();
    assert!(tell.heard().join("\n").contains(" is pending, "), "{:?}", tell.heard());
    assert!(tell.waits.lock().unwrap().len() >= 100);
}

#[test]
fn nothing_is_left_of_what_is_undone() {
    let world = World::new();
    let disk = disk(10, 0, &[1, 2, 5]);
    world.cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::Status(402)).after(1));
    write(&world, &disk, &[]).unwrap_err();
    let journal = world.journal();
    undo::undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!(world.cloud.leftovers(), BTreeSet::new());
    assert_eq!(journal.standing(), []);
}

/// A long disk with little on it.
#[derive(Clone)]
struct Sparse(u64, BTreeMap<u64, Vec<u8>>);

impl BlockSource for Sparse {
    fn len(&self) -> u64 {
        self.0
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        let inside = (offset % SIZE) as usize;
        assert!(inside + buffer.len() <= BLOCK, "blocks are read one by one");
        match self.1.get(&(offset / SIZE)) {
            Some(block) => buffer.copy_from_slice(&block[inside..inside + buffer.len()]),
            None => buffer.fill(0),
        }
        Ok(())
    }
    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
        let ranges = self.1.keys().map(|index| index * SIZE..((index + 1) * SIZE).min(self.0));
        let inside = |range: Range<u64>| range.start.max(within.start)..range.end.min(within.end);
        Ok(ranges.map(inside).filter(|range| !range.is_empty()).collect())
    }
}

/// Whatever is left out: what a volume of the snapshot shows is the disk, where somebody reads it.
#[test]
fn a_volume_is_the_disk_with_any_size_map_parent_and_key() {
    let mut seed = 11;
    let mut below = |end: u64| Cloud::random(&mut seed) % end;
    let gib = 1_u64 << 30;
    for round in 0..16 {
        let (encrypted, has_parent, grows) = (round % 2 == 1, round / 2 % 2 == 1, round / 4 % 2 == 1);
        let world = World::new();
        world.cloud.encrypt_by_default("us-east-1", encrypted, None);
        // Blocks that somebody may read: all others are free, as a whole.
        let mut used: BTreeSet<u64> = (0..8).map(|_| below(2048)).collect();
        used.extend([0, 2047]);
        let old_length =
            if has_parent { gib } else { gib - below(3) * SIZE - [0, 512, 77][below(3) as usize] };
        let mut disk = Sparse(old_length, BTreeMap::new());
        let last = (old_length - 1) / SIZE;
        for index in used.iter().filter(|index| **index <= last) {
            if below(3) > 0 {
                disk.1.insert(*index, (0..BLOCK).map(|at| (at as u64 * 7 + index) as u8).collect());
            }
        }
        let free = |used: &BTreeSet<u64>, length: u64| -> Vec<Range<u64>> {
            let blocks = (0..length.div_ceil(SIZE)).filter(|index| !used.contains(index));
            blocks.map(|index| index * SIZE..((index + 1) * SIZE).min(length)).collect()
        };
        let mut request = SnapshotRequest { size: (round > 7).then_some(3), ..request() };
        if has_parent {
            let journal = world.journal_of("parent", "p");
            let map = free(&used, disk.0);
            let parent = write_snapshot(&world.client, &disk, &map, &request, &journal, &Silent).unwrap();
            // Some blocks are emptied, some written, some new ones are used, with zeros too.
            let mut changed = Vec::new();
            if grows {
                disk.0 += 5 * SIZE + 1000;
                used.extend([2049, 2053]);
                disk.1.insert(2053, (0..BLOCK).map(|at| if at < 1000 { 9 } else { 0 }).collect());
                changed.push(2049 * SIZE..2049 * SIZE + 1);
                changed.push(2053 * SIZE..disk.0);
            }
            for _ in 0..6 {
                let index = below(2048);
                used.insert(index);
                match below(3) {
                    0 => drop(disk.1.remove(&index)),
                    1 => drop(disk.1.insert(index, vec![index as u8 | 1; BLOCK])),
                    _ => disk.1.entry(index).or_insert_with(|| vec![0; BLOCK])[5] ^= 1,
                }
                changed.push(index * SIZE..(index + 1) * SIZE);
            }
            request.parent = Some((parent.id, changed));
        }
        let map = free(&used, disk.0);
        let written =
            write_snapshot(&world.client, &disk, &map, &request, &world.journal(), &Silent).unwrap();
        assert_eq!(
            (written.encrypted, written.size),
            (encrypted, request.size.unwrap_or(disk.0.div_ceil(gib)))
        );
        let volume = world.cloud.read_snapshot(&written.id).unwrap();
        let zeros = (0..8).map(|_| below(2048)).filter(|_| !encrypted);
        for index in used.iter().copied().chain(zeros.collect::<Vec<_>>()) {
            let end = disk.0.saturating_sub(index * SIZE).min(SIZE) as usize;
            let mut wanted = disk.1.get(&index).cloned().unwrap_or_else(|| vec![0; BLOCK]);
            wanted[end..].fill(0);
            if end > 0 {
                assert!(volume.block(index) == wanted, "round {round}: block {index} of {}", disk.0);
            }
        }
        assert!(world.done("PutSnapshotBlock").len() < 60, "what nobody reads does not travel");
    }
}
