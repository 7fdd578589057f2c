//! Bundles into a bucket: what arrives is what `hardtack bundle` writes, nothing is sent twice, and undoing leaves
//! nothing.

use std::collections::BTreeMap;
use std::path::Path;

use hardtack_bundle::{
    BundleOptions, Manifest, PrivateKey, PublicKey, Session, manifest_path, write_manifest, write_parts,
};
use hardtack_cloud::ec2::RegisterImage;
use hardtack_fake_cloud::{
    BucketOwnership, CLOUD_CERTIFICATE, Cloud, Fault, FaultKind, Service, USER_CERTIFICATE, USER_KEY,
};
use hardtack_publish::bundle::{Destination, Identity, UploadOptions, Uploaded, upload_disk, upload_files};
use hardtack_publish::image::{Existing, register};
use hardtack_publish::journal::Journal;
use hardtack_publish::undo::undo;
use hardtack_publish::{Error, Silent};

use crate::world::{Listener, World};

const PART: u64 = 1 << 20;

/// Noise between zeros: 6 parts of 1 MiB, and something more.
pub(crate) fn noise() -> Vec<u8> {
    let mut disk = vec![0; 12 << 20];
    let mut seed = 11;
    for block in disk.chunks_mut(8192).skip(1).step_by(2).take(790) {
        for word in block.chunks_exact_mut(8) {
            word.copy_from_slice(&Cloud::random(&mut seed).to_le_bytes());
        }
    }
    disk
}

pub(crate) fn session() -> Session {
    Session::new(&[7; 32])
}

pub(crate) fn destination() -> Destination {
    Destination::parse("images/debian 12", "aws-exec-read").unwrap()
}

fn keys() -> (PrivateKey, PublicKey, PublicKey) {
    let path = Path::new("key");
    (
        PrivateKey::from_pem(USER_KEY.as_bytes(), path).unwrap(),
        PublicKey::from_certificate(USER_CERTIFICATE.as_bytes(), path).unwrap(),
        PublicKey::from_certificate(CLOUD_CERTIFICATE.as_bytes(), path).unwrap(),
    )
}

fn manifest() -> Manifest {
    Manifest {
        bundler: ("hardtack".to_owned(), "0".to_owned()),
        architecture: "x86_64".to_owned(),
        devices: vec![("ami".to_owned(), "sda".to_owned())],
        name: "disk".to_owned(),
        user: "123456789012".to_owned(),
        ..Manifest::default()
    }
}

/// Sends `disk` as the bundle `disk`.
pub(crate) fn send(
    world: &World,
    disk: &[u8],
    given: Option<Session>,
    journal: &Journal,
    teller: &Listener,
) -> Result<Uploaded, Error> {
    let (signer, user, cloud) = keys();
    let identity = Identity {
        manifest: manifest(),
        signer: Some(&signer),
        user: Some(&user),
        cloud: &cloud,
        session: given,
    };
    let options = BundleOptions {
        part_size: PART,
        threads: 2,
        level: 1,
        ..BundleOptions::new("disk", Path::new("/nowhere"))
    };
    let disk = disk.to_vec();
    upload_disk(&world.client, &disk, &options, &identity, &destination(), journal, teller)
}

/// The files that `hardtack bundle` would write of `disk`.
fn files(disk: &[u8], directory: &Path) {
    let (signer, user, cloud) = keys();
    let disk = disk.to_vec();
    let options =
        BundleOptions { part_size: PART, durable: false, level: 1, ..BundleOptions::new("disk", directory) };
    let mut written = write_parts(&disk, &session(), &options, &|_, _, _| {}).unwrap();
    let manifest = Manifest {
        digest: written.digest,
        size: written.size,
        bundled_size: written.bundled_size,
        cloud_key: cloud.seal(&session()).unwrap(),
        user_key: user.seal(&session()).unwrap(),
        parts: written.parts.clone(),
        ..manifest()
    };
    let xml = manifest.to_xml(Some(&signer)).unwrap();
    write_manifest(&manifest_path(directory, "disk"), &xml, false, false).unwrap();
    written.keep();
}

/// All objects of the bucket, by key.
fn objects(world: &World) -> BTreeMap<String, Vec<u8>> {
    let keys = world.cloud.keys("images").into_iter();
    keys.map(|key| (key.clone(), world.cloud.object("images", &key).unwrap())).collect()
}

/// How often each key was sent, whatever came of it.
fn sent(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in world.done("PutObject") {
        *counts.entry(entry.key).or_default() += 1;
    }
    counts
}

#[test]
fn what_arrives_is_what_bundle_writes() {
    let world = World::new();
    let (disk, folder) = (noise(), tempfile::tempdir().unwrap());
    files(&disk, folder.path());
    let uploaded = send(&world, &disk, Some(session()), &world.journal(), &Listener::default()).unwrap();
    assert_eq!(uploaded.location, "images/debian 12/disk.manifest.xml");
    assert_eq!((uploaded.parts, uploaded.skipped, uploaded.size), (7, 0, 12 << 20));
    let objects = objects(&world);
    assert_eq!(objects.len(), 8);
    for (key, bytes) in &objects {
        let name = key.strip_prefix("debian 12/").unwrap();
        assert!(std::fs::read(folder.path().join(name)).unwrap() == *bytes, "{name}");
        assert_eq!(world.cloud.acl("images", key).as_deref(), Some("aws-exec-read"), "{name}");
    }
    let parts: usize =
        objects.iter().filter(|(key, _)| key.contains(".part.")).map(|(_, part)| part.len()).sum();
    assert_eq!(uploaded.bundled_size, parts as u64);
    let last = world.done("PutObject").pop().unwrap();
    assert!(last.key.ends_with(".manifest.xml"), "the manifest comes last");
    assert!(!std::fs::read_to_string(world.path()).unwrap().contains("PRIVATE"));
}

#[test]
fn a_run_that_failed_goes_on_and_sends_nothing_twice() {
    let (world, disk) = (World::new(), noise());
    let denied = Fault::new(Service::S3, "PutObject", FaultKind::Status(403));
    world.cloud.inject(denied.key("disk.part.03").always());
    let error = send(&world, &disk, None, &world.journal(), &Listener::default()).unwrap_err().to_string();
    assert!(error.starts_with("images/debian 12/disk.part.03: cannot send it: "), "{error}");
    let tries = world.cloud.log().iter().filter(|entry| entry.key.ends_with("disk.part.03")).count();
    assert_eq!(tries, 1, "who may not is not asked again");
    assert!(!objects(&world).keys().any(|key| key.ends_with(".manifest.xml")));
    let before = objects(&world);
    assert!(!before.is_empty());

    world.cloud.heal();
    let uploaded = send(&world, &disk, None, &world.journal(), &Listener::default()).unwrap();
    assert_eq!((uploaded.parts, uploaded.skipped), (7, before.len()));
    assert!(sent(&world).values().all(|count| *count == 1), "{:?}", sent(&world));
    let after = objects(&world);
    assert!(before.iter().all(|(key, bytes)| after[key] == *bytes));

    // All of it is there: it is not even packed.
    let teller = Listener::default();
    let again = send(&world, &disk, None, &world.journal(), &teller).unwrap();
    assert_eq!(again, Uploaded { skipped: 7, ..uploaded });
    assert!(format!("{:?}", teller.heard()).contains("is there already"));
    assert!(sent(&world).values().all(|count| *count == 1));

    // One that is not the right one is sent again, and only that.
    world.cloud.clear_log();
    hardtack_cloud::s3::delete_object(&world.client, "images", "debian 12/disk.part.02").unwrap();
    let repaired = send(&world, &disk, None, &world.journal(), &Listener::default()).unwrap();
    assert_eq!(repaired.skipped, 6);
    assert_eq!(sent(&world).into_keys().collect::<Vec<_>>(), ["images/debian 12/disk.part.02"]);
    assert!(objects(&world) == after);
}

#[test]
fn a_bad_connection_changes_nothing() {
    for kind in [
        FaultKind::Status(500),
        FaultKind::Status(503),
        FaultKind::Status(400),
        FaultKind::Reset,
        FaultKind::CloseAfterRequest,
        FaultKind::Html502,
    ] {
        let (world, disk) = (World::new(), noise().split_off(9 << 20));
        world.cloud.inject(Fault::new(Service::S3, "PutObject", kind.clone()).after(1).times(2));
        let uploaded = send(&world, &disk, Some(session()), &world.journal(), &Listener::default());
        assert!(uploaded.is_ok(), "{kind:?}: {uploaded:?}");
        let folder = tempfile::tempdir().unwrap();
        files(&disk, folder.path());
        for (key, bytes) in objects(&world) {
            let name = key.strip_prefix("debian 12/").unwrap().to_owned();
            assert!(std::fs::read(folder.path().join(name)).unwrap() == bytes, "{kind:?} {key}");
        }
    }
}

#[test]
fn a_run_that_ends_anywhere_goes_on_or_is_undone() {
    let disk = noise().split_off(9 << 20);
    for (kind, after) in [FaultKind::Status(403), FaultKind::CloseAfterRequest, FaultKind::Reset]
        .into_iter()
        .flat_map(|kind| [0, 1, 3, 4].map(|after| (kind.clone(), after)))
    {
        let world = World::new();
        let nothing = world.cloud.leftovers();
        let stop = || world.cloud.inject(Fault::any(kind.clone()).after(after).always());
        let run = |file: &str| send(&world, &disk, None, &world.journal_of(file, "aa"), &Listener::default());
        stop();
        let first = run("journal");
        world.cloud.heal();
        // What was sent and never acknowledged may be asked for again, but not sent.
        let had = objects_or_none(&world);
        world.cloud.clear_log();
        let second = run("journal").unwrap();
        assert!(sent(&world).keys().all(|key| !had.contains(key)), "{kind:?} {after}: {first:?}");
        assert!(sent(&world).values().all(|count| *count == 1), "{kind:?} {after}");
        assert_eq!(objects(&world).len(), second.parts + 1, "{kind:?} {after}");
        undo(&world.journal_of("journal", "aa"), Some(&world.client), &Silent).unwrap();
        assert_eq!(world.cloud.leftovers(), nothing, "{kind:?} {after}");

        stop();
        let _ = run("another");
        world.cloud.heal();
        undo(&world.journal_of("another", "aa"), Some(&world.client), &Silent).unwrap();
        assert_eq!(world.cloud.leftovers(), nothing, "{kind:?} {after}");
    }
}

/// `BUCKET/KEY` of what is there.
fn objects_or_none(world: &World) -> Vec<String> {
    let leftovers = world.cloud.leftovers().into_iter();
    leftovers.filter_map(|text| Some(text.strip_prefix("object ")?.to_owned())).collect()
}

#[test]
fn a_bucket_whose_making_was_not_answered_is_ours() {
    for kind in [FaultKind::CloseAfterRequest, FaultKind::Reset, FaultKind::Status(503)] {
        let (world, disk) = (World::new(), noise().split_off(11 << 20));
        world.cloud.inject(Fault::new(Service::S3, "CreateBucket", kind.clone()));
        send(&world, &disk, None, &world.journal(), &Listener::default()).unwrap();
        undo(&world.journal(), Some(&world.client), &Silent).unwrap();
        assert_eq!(world.cloud.leftovers().len(), 0, "{kind:?}");
    }
}

#[test]
fn a_bundle_that_is_not_ours_is_left_alone() {
    let (world, disk) = (World::new(), noise());
    let first = send(&world, &disk, Some(session()), &world.journal(), &Listener::default()).unwrap();
    let there = objects(&world);
    let teller = Listener::default();
    for (journal, given) in [("second", None), ("third", Some(Session::new(&[9; 32])))] {
        let journal = world.journal_of(journal, "aa");
        let error = send(&world, &disk, given, &journal, &teller).unwrap_err().to_string();
        assert!(error.contains("another name or path"), "{error}");
        assert!(objects(&world) == there);
        assert_eq!(journal.standing(), []);
    }
    // The very same bundle is no other one, and is not of the second run.
    let journal = world.journal_of("fourth", "aa");
    world.cloud.clear_log();
    let same = send(&world, &disk, Some(session()), &journal, &teller).unwrap();
    assert_eq!((same.location, same.skipped), (first.location, 7));
    assert_eq!((world.asked("PutObject"), journal.standing().len()), (0, 0));
    // Nor does a key of another run come into a journal.
    let error = send(&world, &disk, Some(Session::new(&[9; 32])), &journal, &teller).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
}

#[test]
fn files_are_sent_as_they_are_and_damaged_ones_are_not() {
    let (world, disk, folder) = (World::new(), noise(), tempfile::tempdir().unwrap());
    files(&disk, folder.path());
    let path = manifest_path(folder.path(), "disk");
    let upload = |options: UploadOptions, journal: &Journal| {
        upload_files(&world.client, &path, folder.path(), options, &destination(), journal, &Silent)
    };
    // The bucket is at hand, and tags of its objects are no MD5.
    world.cloud.make_bucket_of("images", BucketOwnership::Writer, 0, "us-east-1", true);
    let part = folder.path().join("disk.part.01");
    let good = std::fs::read(&part).unwrap();
    let mut bad = good.clone();
    bad[5] ^= 1;
    std::fs::write(&part, &bad).unwrap();
    let error = upload(UploadOptions::default(), &world.journal()).unwrap_err().to_string();
    assert!(error.contains("disk.part.01: damaged part") && error.contains("SHA-1"), "{error}");
    assert!(!world.cloud.keys("images").iter().any(|key| key.ends_with("part.01") || key.ends_with("xml")));
    std::fs::write(&part, &good[1..]).unwrap();
    world.cloud.clear_log();
    let error = upload(UploadOptions::default(), &world.journal()).unwrap_err().to_string();
    assert!(error.contains("copy them again") && world.asked("PutObject") == 0, "{error}");
    std::fs::remove_file(&part).unwrap();
    let error = upload(UploadOptions::default(), &world.journal()).unwrap_err().to_string();
    assert!(error.contains("disk.part.01: cannot read the part"), "{error}");
    std::fs::write(&part, &good).unwrap();

    let only = UploadOptions { skip_manifest: true, first_part: 5 };
    upload(only, &world.journal()).unwrap();
    let keys = world.cloud.keys("images");
    assert!(keys.iter().any(|key| key.ends_with("part.06")) && !keys.iter().any(|key| key.ends_with("xml")));
    let error = upload(UploadOptions { first_part: 8, ..only }, &world.journal()).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    world.cloud.clear_log();
    let uploaded = upload(UploadOptions::default(), &world.journal()).unwrap();
    assert!(uploaded.skipped >= 2, "{uploaded:?}");
    assert!(sent(&world).values().all(|count| *count == 1));
    let all = objects(&world);
    assert_eq!(all.len(), 8);
    for (key, bytes) in all {
        let name = key.strip_prefix("debian 12/").unwrap().to_owned();
        assert!(std::fs::read(folder.path().join(name)).unwrap() == bytes, "{key}");
    }
    let again = upload(UploadOptions::default(), &world.journal()).unwrap();
    assert_eq!((again.skipped, world.journal().standing().len()), (7, 8));
}

#[test]
fn eucalyptus_registers_what_was_sent_and_undoing_leaves_nothing() {
    let (world, disk) = (World::of(Cloud::builder().eucalyptus()), noise());
    let nothing = world.cloud.leftovers();
    let journal = world.journal();
    let uploaded = send(&world, &disk, None, &journal, &Listener::default()).unwrap();
    let request = RegisterImage {
        name: "web".to_owned(),
        architecture: "x86_64".to_owned(),
        virtualization: Some("hvm".to_owned()),
        location: Some(uploaded.location),
        ..RegisterImage::default()
    };
    let made = register(&world.client, &request, Existing::Refuse, &journal, &Silent).unwrap();
    let image = world.cloud.images().remove(0);
    assert_eq!(image.id, made.id);
    let digest = hardtack_bundle::hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(&disk));
    assert_eq!(image.sha256.as_deref(), Some(&*digest), "what is registered is the disk");

    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!(undone.removed.len(), 1 + 8 + 1, "{undone:?}");
    assert_eq!((undone.left, journal.standing().len()), (Vec::new(), 0));
    assert_eq!(world.cloud.leftovers(), nothing);
    // Again: nothing stands.
    assert_eq!(undo(&journal, Some(&world.client), &Silent).unwrap().removed.len(), 0);
    journal.remove().unwrap();
}

#[test]
fn an_untagged_image_of_a_manifest_that_another_journal_sent_is_undone_by_its_own() {
    let (world, disk) = (World::of(Cloud::builder().eucalyptus()), noise());
    let uploaded = send(&world, &disk, None, &world.journal(), &Listener::default()).unwrap();
    let request = RegisterImage {
        name: "web".to_owned(),
        architecture: "x86_64".to_owned(),
        virtualization: Some("hvm".to_owned()),
        location: Some(uploaded.location),
        ..RegisterImage::default()
    };
    // It is made, nobody says so, and nobody can look for it.
    let second = world.journal_of("second", "aa");
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::CloseAfterRequest));
    world.cloud.inject(Fault::new(Service::Ec2, "DescribeImages", FaultKind::Status(403)).after(1));
    register(&world.client, &request, Existing::Refuse, &second, &Silent).unwrap_err();
    assert_eq!((world.cloud.images().len(), second.standing()[0].id.as_deref()), (1, None));
    world.cloud.heal();
    let undone = undo(&second, Some(&world.client), &Silent).unwrap();
    assert_eq!((undone.removed.len(), world.cloud.images().len()), (1, 0), "{undone:?}");
}
