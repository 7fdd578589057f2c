//! Images and snapshots of a cloud as disks.

use std::collections::BTreeMap;

use hardtack_cloud::Client;
use hardtack_cloud::ebs::BLOCK;
use hardtack_disk::BlockSource;
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use hardtack_publish::journal::{Journal, Resource};
use hardtack_publish::lock::{self, resolve_locked};
use hardtack_publish::source::{Name, Resolved, SnapshotSource, resolve};
use hardtack_publish::{Error, Silent, undo::undo};

use crate::world::{Listener, World};

const REGION: &str = "us-east-1";

fn number(cloud: &Cloud, account: usize) -> String {
    cloud.options().accounts[account].number.clone()
}

/// A block that is like no other one.
fn block(index: u64) -> Vec<u8> {
    let mut bytes = vec![index as u8 | 1; BLOCK];
    bytes[8..16].copy_from_slice(&index.to_be_bytes());
    bytes[BLOCK - 8..].copy_from_slice(&(!index).to_be_bytes());
    bytes
}

/// A snapshot with some blocks, of an account.
fn snapshot(
    cloud: &Cloud,
    account: usize,
    key: Option<&str>,
    public: bool,
) -> (String, BTreeMap<u64, Vec<u8>>) {
    let blocks: BTreeMap<u64, Vec<u8>> = (0..120_u64)
        .filter(|index| index % 3 != 1 || *index > 100)
        .chain([1000, 2047])
        .map(|index| (index, block(index)))
        .collect();
    let list: Vec<(u64, &[u8])> = blocks.iter().map(|(index, bytes)| (*index, &**bytes)).collect();
    (cloud.make_snapshot(REGION, &number(cloud, account), 1, key, public, &list), blocks)
}

fn named(client: &Client, text: &str) -> Result<Resolved, Error> {
    resolve(client, &Name::parse(text).unwrap().unwrap(), text)
}

fn open(client: &Client, text: &str, journal: &Journal) -> SnapshotSource {
    SnapshotSource::open(client, &named(client, text).unwrap(), journal, &Silent).unwrap()
}

/// The disk is what the blocks are, and zeros.
fn is(disk: &SnapshotSource, blocks: &BTreeMap<u64, Vec<u8>>) {
    assert_eq!(disk.len(), 1 << 30);
    let size = BLOCK as u64;
    let (mut found, zeros) = (vec![0; BLOCK], vec![0; BLOCK]);
    for index in (0..122).chain([999, 1000, 1001, 2046, 2047]) {
        disk.read_at(index * size, &mut found).unwrap();
        match blocks.get(&index) {
            Some(bytes) => assert!(found == *bytes, "block {index}"),
            None => assert!(found == zeros, "block {index}"),
        }
    }
    let data = disk.data_ranges(0..disk.len()).unwrap();
    let covered = |index: u64| data.iter().any(|range| range.contains(&(index * size)));
    for index in 0..2048 {
        assert_eq!(covered(index), blocks.contains_key(&index), "block {index}");
    }
    assert_eq!(disk.data_ranges(size + 1..2 * size + 5).unwrap().first(), Some(&(2 * size..2 * size + 5)));
    // Across blocks, at odd places.
    let mut odd = vec![1; BLOCK + 11];
    disk.read_at(2 * size - 4, &mut odd).unwrap();
    assert_eq!((&odd[..4], &odd[4..BLOCK + 4]), (&[0; 4][..], &blocks[&2][..]));
    assert!(disk.read_at(disk.len() - 1, &mut [0; 2]).is_err());
    assert!(disk.read_at(u64::MAX, &mut [0; 2]).is_err());
}

#[test]
fn an_own_snapshot_is_read_in_pages_with_each_block_once() {
    let world = World::of(Cloud::builder().with(|options| options.page = 40));
    let cloud = &world.cloud;
    let (id, blocks) = snapshot(cloud, 0, None, false);
    let client = &world.client;
    let journal = world.journal();
    let disk = open(client, &id, &journal);
    is(&disk, &blocks);
    assert!(!disk.is_copy() && disk.snapshot() == id);
    assert_eq!(disk.parent(REGION, false, None), Some(&*id));
    assert_eq!(disk.parent(REGION, true, None), None, "what is encrypted has no parent that is not");
    assert_eq!(disk.parent("eu-west-1", false, None), None);
    let gets = cloud.log().iter().filter(|entry| entry.action == "GetSnapshotBlock").count();
    // Reading a second time at odd places fetches again what was dropped, and what lies ahead.
    assert!((blocks.len()..blocks.len() + 10 + 32).contains(&gets), "{gets} of {}", blocks.len());
    disk.release(&journal).unwrap();
    assert_eq!(cloud.snapshots().len(), 1, "what is not a copy stays");
    assert!(journal.standing().is_empty());
}

#[test]
fn expired_tokens_and_damaged_blocks_are_fetched_again() {
    let world = World::of(Cloud::builder().with(|options| options.page = 40));
    let cloud = &world.cloud;
    let (id, blocks) = snapshot(cloud, 0, None, false);
    let client = &world.client;
    let disk = open(client, &id, &world.journal());
    let refused = |code| FaultKind::Code(400, code);
    cloud.inject(
        Fault::new(Service::Ebs, "GetSnapshotBlock", refused("ValidationException")).after(7).times(2),
    );
    cloud.inject(Fault::new(Service::Ebs, "GetSnapshotBlock", FaultKind::Nonsense).after(30));
    cloud.inject(Fault::new(Service::Ebs, "GetSnapshotBlock", FaultKind::Truncated).after(60));
    cloud.inject(Fault::new(Service::Ebs, "ListSnapshotBlocks", refused("ValidationException")).after(1));
    is(&disk, &blocks);
}

#[test]
fn a_block_that_may_not_be_read_is_the_services_words() {
    let world = World::new();
    let cloud = &world.cloud;
    let (id, _) = snapshot(cloud, 0, None, false);
    let client = &world.client;
    let disk = open(client, &id, &world.journal());
    cloud.inject(
        Fault::new(Service::Ebs, "GetSnapshotBlock", FaultKind::Code(403, "AccessDeniedException")).times(1),
    );
    let error = disk.read_at(0, &mut [0; 16]).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.to_string().contains(&id) && reason.contains("AccessDenied"), "{error}: {reason}");
    disk.read_at(0, &mut [0; 16]).unwrap();
}

#[test]
fn a_public_snapshot_is_copied_and_the_copy_is_removed() {
    let world = World::new();
    let cloud = &world.cloud;
    let (id, blocks) = snapshot(cloud, 1, None, true);
    let client = &world.client;
    let ear = Listener::default();
    let resolved = named(client, &id).unwrap();
    assert!(!resolved.own);
    let copy = {
        let journal = world.journal();
        let disk = SnapshotSource::open(client, &resolved, &journal, &ear).unwrap();
        is(&disk, &blocks);
        assert!(disk.is_copy() && disk.parent(REGION, false, None) == Some(disk.snapshot()));
        assert_eq!(journal.standing().len(), 1);
        disk.snapshot().to_owned()
    };
    {
        let waits = ear.waits.lock().unwrap();
        assert!(waits.iter().any(|text| text.contains(&copy) && text.contains("pending")), "{waits:?}");
    }
    // A later run with the same journal takes the same copy.
    let journal = world.journal();
    let disk = SnapshotSource::open(client, &resolved, &journal, &Silent).unwrap();
    assert_eq!((disk.snapshot(), cloud.snapshots().len()), (&*copy, 2));
    disk.release(&journal).unwrap();
    assert_eq!(cloud.snapshots().len(), 1);
    assert!(journal.standing().is_empty());
}

#[test]
fn a_copy_whose_answer_is_lost_is_found_again_or_undone() {
    for (goes_on, misses) in [(true, 0), (false, 0), (true, 3), (false, 3)] {
        // What was just made may not be seen everywhere.
        let world = World::of(Cloud::builder().with(|options| options.describe_misses = misses));
        let cloud = &world.cloud;
        let (id, blocks) = snapshot(cloud, 1, None, true);
        let client = &world.client;
        let resolved = named(client, &id).unwrap();
        cloud.inject(Fault::new(Service::Ec2, "CopySnapshot", FaultKind::CloseAfterRequest));
        let failed = SnapshotSource::open(client, &resolved, &world.journal(), &Silent);
        let journal = world.journal();
        if goes_on {
            let disk = match failed {
                Ok(disk) => disk,
                Err(_) => SnapshotSource::open(client, &resolved, &journal, &Silent).unwrap(),
            };
            is(&disk, &blocks);
            assert_eq!(cloud.snapshots().len(), 2, "it is copied once");
        } else {
            assert_eq!(cloud.snapshots().len(), 2);
            undo(&journal, Some(client), &Silent).unwrap();
            assert_eq!(cloud.snapshots().len(), 1);
        }
    }
}

#[test]
fn names_lead_to_the_newest_image_and_the_lock_file_holds_it() {
    let world = World::new();
    let cloud = &world.cloud;
    let (id, _) = snapshot(cloud, 1, None, true);
    let first = cloud.make_image(REGION, "debian-13-1", &id, "x86_64", true);
    let second = cloud.make_image(REGION, "debian-13-2", &id, "x86_64", true);
    cloud.make_image(REGION, "debian-13-3", &id, "arm64", true);
    cloud.make_image(REGION, "debian-13-4", &id, "x86_64", false);
    cloud.make_parameter(REGION, "/aws/service/debian/13", &first);
    cloud.make_parameter(REGION, "/aws/service/ecs", &format!("{{\"image_id\":\"{second}\",\"os\":\"x\"}}"));
    cloud.make_parameter(REGION, "/mine", "t3.micro");
    let client = &world.client;
    let owner = number(cloud, 1);
    let image = |text: &str| named(client, text).unwrap().image.unwrap().id;
    let newest = format!("owner={owner},name=debian-13-*,architecture=x86_64");
    assert_eq!(image(&newest), second);
    assert_eq!(image("ssm:/aws/service/debian/13"), first);
    assert_eq!(image("ssm:/aws/service/ecs"), second);
    let resolved = named(client, &first).unwrap();
    assert_eq!((&*resolved.snapshot, resolved.size, resolved.own), (&*id, 1, false));
    assert_eq!(resolved.describe(), format!("{id} of {first} (debian-13-1)"));
    for (text, what) in [
        ("ssm:/not/there", "no such parameter"),
        ("ssm:/mine", "no image's id"),
        ("ami-0123456789abcdef0", "no image"),
        ("snap-0123456789abcdef0", "no snapshot"),
        ("owner=self,name=debian-13-*", "no available image"),
    ] {
        let error = named(client, text).unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && error.to_string().contains(what), "{text}: {error}");
    }
    // What is locked stays, until the file goes.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.lock");
    let name = Name::parse(&newest).unwrap().unwrap();
    let locked = |given: &str| resolve_locked(client, &name, given, &path).unwrap().image.unwrap().id;
    assert_eq!(locked(&newest), second);
    assert_eq!(lock::read(&path).unwrap().unwrap().image.as_ref(), Some(&second));
    let third = cloud.make_image(REGION, "debian-13-5", &id, "x86_64", true);
    assert_eq!(locked(&newest), second);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(locked(&newest), third);
}

#[test]
fn an_image_whose_snapshot_is_not_shared_is_refused_with_who_must_share_it() {
    let world = World::new();
    let cloud = &world.cloud;
    let (id, _) = snapshot(cloud, 1, None, false);
    let image = cloud.make_image(REGION, "theirs", &id, "x86_64", true);
    let error = named(&world.client, &image).unwrap_err().to_string();
    assert!(error.contains(&id) && error.contains(&number(cloud, 1)), "{error}");
}

#[test]
fn a_copy_that_was_deleted_before_that_was_written_down_is_made_anew() {
    let world = World::new();
    let (id, blocks) = snapshot(&world.cloud, 1, None, true);
    let resolved = named(&world.client, &id).unwrap();
    let resource = Resource::SnapshotCopy { of: id.clone() };
    let journal = world.journal();
    let disk = SnapshotSource::open(&world.client, &resolved, &journal, &Silent).unwrap();
    let copy = disk.snapshot().to_owned();
    disk.release(&journal).unwrap();
    // As the journal is when the run is killed in between; and when somebody else has deleted it.
    for gone in [copy.as_str(), "snap-00000000000000000"] {
        let ticket = journal.intend(REGION, &resource).unwrap();
        journal.made(ticket, gone).unwrap();
        let disk = SnapshotSource::open(&world.client, &resolved, &journal, &Silent).unwrap();
        assert_ne!(disk.snapshot(), gone);
        is(&disk, &blocks);
        disk.release(&journal).unwrap();
        assert_eq!((world.cloud.snapshots().len(), journal.standing().len()), (1, 0));
    }
}
