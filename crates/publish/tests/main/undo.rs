//! Undoing: all that is ours goes, whatever the run got to know of it, and nothing else.

use hardtack_cloud::ec2::{RegisterImage, register_image};
use hardtack_cloud::s3::{PutOptions, put_object};
use hardtack_cloud::ssm::{get_parameter, put_parameter};
use hardtack_fake_cloud::{BucketOwnership, Fault, FaultKind, Service};
use hardtack_publish::journal::Resource;
use hardtack_publish::undo::undo;
use hardtack_publish::{Error, Silent};

use crate::bundle::{noise, send};
use crate::image::{request, snapshot};
use crate::world::{Listener, World};

const REGION: &str = "us-east-1";

fn image() -> Resource {
    Resource::Image { name: "web".to_owned(), location: None }
}

#[test]
fn an_image_without_an_id_is_found_by_its_tag_and_others_are_left() {
    let world = World::new();
    let mut request: RegisterImage = request(&snapshot(&world));
    let journal = world.journal();
    // The answer never came.
    journal.intend(REGION, &image()).unwrap();
    request.tags = journal.tags();
    let ours = register_image(&world.client, &request).unwrap();
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert!(undone.removed[0].contains(&ours), "{undone:?}");
    assert_eq!(world.cloud.images(), []);

    // Nor was it ever made; somebody else has taken the name since.
    journal.intend(REGION, &image()).unwrap();
    request.tags = vec![("hardtack:journal".to_owned(), "another".to_owned())];
    let theirs = register_image(&world.client, &request).unwrap();
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert!(undone.removed.is_empty() && undone.left[0].contains(&theirs), "{undone:?}");
    request.tags = Vec::new();
    assert_eq!(world.cloud.images().len(), 1);
    assert_eq!(journal.standing(), []);
}

#[test]
fn snapshots_go_after_their_image_and_are_found_by_their_tag() {
    let world = World::new();
    let journal = world.journal();
    let disk = crate::world::disk(3, 0, &[1]);
    let asked = hardtack_publish::snapshot::SnapshotRequest { parallel: 2, ..Default::default() };
    let written =
        hardtack_publish::snapshot::write_snapshot(&world.client, &disk, &[], &asked, &journal, &Silent)
            .unwrap();
    let others = snapshot(&world);
    let mut request = request(&written.id);
    request.tags = journal.tags();
    let ticket = journal.intend(REGION, &image()).unwrap();
    journal.made(ticket, &register_image(&world.client, &request).unwrap()).unwrap();
    // A second one, of which the run knows nothing but that it was begun.
    journal.intend(REGION, &Resource::Snapshot { token: "lost".to_owned() }).unwrap();
    let start = hardtack_cloud::ebs::StartSnapshot {
        size: 1,
        timeout: 60,
        token: "lost".to_owned(),
        tags: journal.tags(),
        ..Default::default()
    };
    let lost = hardtack_cloud::ebs::start_snapshot(&world.client, &start).unwrap().id;
    assert_eq!(world.cloud.snapshots().len(), 3);
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!(undone.removed.len(), 3, "{undone:?}");
    assert!(undone.removed.iter().any(|text| text.contains(&lost)), "{undone:?}");
    let left: Vec<String> = world.cloud.snapshots().into_iter().map(|snapshot| snapshot.id).collect();
    assert_eq!(left, [others]);
}

#[test]
fn a_parameter_is_what_it_was_unless_somebody_has_changed_it() {
    let world = World::new();
    let journal = world.journal();
    let set = |name: &str, value: &str| put_parameter(&world.client, name, value, false).unwrap();
    let intend = |name: &str, before: Option<&str>| {
        let (name, before) = (name.to_owned(), before.map(str::to_owned));
        journal.intend(REGION, &Resource::Parameter { name, before, after: "new".to_owned() }).unwrap();
    };
    for (name, now, before) in [
        ("/a", "new", Some("old")),
        ("/b", "new", None),
        ("/c", "other", Some("old")),
        ("/d", "old", Some("old")),
    ] {
        set(name, now);
        intend(name, before);
    }
    intend("/e", Some("old"));
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!((undone.removed.len(), undone.gone.len(), undone.left.len()), (2, 2, 1), "{undone:?}");
    assert!(undone.left[0].contains("/c") && undone.left[0].contains("other"), "{undone:?}");
    let get = |name: &str| get_parameter(&world.client, name).unwrap();
    assert_eq!((get("/a").as_deref(), get("/b"), get("/c").as_deref()), (Some("old"), None, Some("other")));
}

#[test]
fn a_bucket_of_others_or_with_their_objects_is_left() {
    let world = World::new();
    let journal = world.journal();
    send(&world, &noise(), None, &journal, &Listener::default()).unwrap();
    put_object(&world.client, "images", "theirs", b"x", &PutOptions::default()).unwrap();
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert!(undone.left[0].contains("bucket images"), "{undone:?}");
    assert_eq!(world.cloud.keys("images"), ["theirs"]);

    // One that was there before is not in the journal at all.
    let world = World::new();
    world.cloud.make_bucket("images", BucketOwnership::Writer);
    let before = world.cloud.leftovers();
    let journal = world.journal();
    send(&world, &noise(), None, &journal, &Listener::default()).unwrap();
    assert_eq!(undo(&journal, Some(&world.client), &Silent).unwrap().removed.len(), 8);
    assert_eq!(world.cloud.leftovers(), before);
}

#[test]
fn what_cannot_be_removed_still_stands_and_all_else_goes() {
    let world = World::new();
    let nothing = world.cloud.leftovers();
    let journal = world.journal();
    send(&world, &noise(), None, &journal, &Listener::default()).unwrap();
    let denied = Fault::new(Service::S3, "DeleteObject", FaultKind::Status(403));
    world.cloud.inject(denied.key("disk.part.03").always());
    let error = undo(&journal, Some(&world.client), &Silent).unwrap_err().to_string();
    assert!(error.contains("disk.part.03: cannot delete it"), "{error}");
    let standing: Vec<Resource> = journal.standing().into_iter().map(|standing| standing.resource).collect();
    assert_eq!(standing.len(), 2, "the object, and its bucket: {standing:?}");
    assert_eq!(world.cloud.keys("images").len(), 1);
    world.cloud.heal();
    undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!(world.cloud.leftovers(), nothing);
    journal.intend(REGION, &image()).unwrap();
    let error = undo(&journal, None, &Silent).unwrap_err();
    assert!(matches!(&error, Error::Usage(text) if text.contains(REGION)), "{error}");
    assert_eq!(journal.standing().len(), 1);
}

/// Somebody has edited the journal, or written over what it names.
#[test]
fn what_is_not_of_this_journal_is_left_whatever_the_journal_says() {
    let world = World::new();
    let theirs = snapshot(&world);
    let image_of_theirs = register_image(&world.client, &request(&theirs)).unwrap();
    world.cloud.make_bucket("images", BucketOwnership::Writer);
    let options = PutOptions {
        metadata: vec![("hardtack-journal".to_owned(), "00".repeat(16))],
        ..PutOptions::default()
    };
    put_object(&world.client, "images", "disk.part.00", b"x", &PutOptions::default()).unwrap();
    put_object(&world.client, "images", "disk.part.01", b"x", &options).unwrap();
    let before = world.cloud.leftovers();
    let journal = world.journal();
    let says = |resource: Resource, id: &str| {
        let ticket = journal.intend(REGION, &resource).unwrap();
        journal.made(ticket, id).unwrap();
    };
    says(image(), &image_of_theirs);
    says(Resource::ImageCopy { name: "web".to_owned(), token: "t".to_owned() }, &image_of_theirs);
    says(Resource::Snapshot { token: "t".to_owned() }, &theirs);
    says(Resource::SnapshotCopy { of: "snap-1".to_owned() }, &theirs);
    for key in ["disk.part.00", "disk.part.01"] {
        says(Resource::Object { bucket: "images".to_owned(), key: key.to_owned() }, "");
    }
    // Intended, and never sent: what is there is somebody else's.
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert_eq!((undone.left.len(), undone.removed.len()), (6, 0), "{undone:?}");
    assert_eq!(world.cloud.leftovers(), before);
}

#[test]
fn an_image_of_the_catalog_that_another_journal_made_is_left() {
    use hardtack_publish::catalog::{Catalog, Entry};
    let world = World::new();
    let journal = world.journal();
    let folder = tempfile::tempdir().unwrap();
    let catalog = Catalog::new(folder.path());
    let add = |id: &str, of: &str| {
        let tags = [("hardtack:journal".to_owned(), of.to_owned())].into();
        let (id, name) = (id.to_owned(), id.replace('-', " "));
        let entry = Entry { id, name, architecture: "x86_64".to_owned(), tags, ..Entry::default() };
        catalog
            .add(&entry, |path| {
                std::fs::write(path, "disk").map_err(|error| Error::file(path, "write", error))
            })
            .unwrap();
        let catalog = folder.path().display().to_string();
        journal.intend("", &Resource::Local { catalog, id: entry.id }).unwrap();
    };
    add("ami-00000000000000001", "another");
    add("ami-00000000000000002", &journal.id());
    let undone = undo(&journal, None, &Silent).unwrap();
    assert!(undone.left[0].contains("ami-00000000000000001") && undone.removed.len() == 1, "{undone:?}");
    assert_eq!(catalog.images().unwrap().len(), 1);
}

/// The journal was edited to name somebody's instance.
#[test]
fn an_instance_without_the_journals_tag_goes_on() {
    use hardtack_cloud::ec2::{RunInstance, run_instance};
    let world = World::new();
    let image_of_it = register_image(&world.client, &request(&snapshot(&world))).unwrap();
    hardtack_publish::image::wait(&world.client, &image_of_it, &Silent).unwrap();
    let start = |token: &str, tags| {
        let request =
            RunInstance { image: image_of_it.clone(), token: token.to_owned(), tags, ..Default::default() };
        run_instance(&world.client, &request).unwrap().id
    };
    let journal = world.journal();
    let (theirs, ours) = (start("a", Vec::new()), start("b", journal.tags()));
    for (token, id) in [("x", &theirs), ("b", &ours)] {
        let ticket = journal.intend(REGION, &Resource::Instance { token: token.to_owned() }).unwrap();
        journal.made(ticket, id).unwrap();
    }
    let undone = undo(&journal, Some(&world.client), &Silent).unwrap();
    assert!(undone.left[0].contains(&theirs) && undone.removed[0].contains(&ours), "{undone:?}");
    let state = |id: &str| world.cloud.instances().into_iter().find(|found| found.id == id).unwrap().state;
    assert_eq!((state(&ours).as_str(), state(&theirs) == "terminated"), ("terminated", false));
}
