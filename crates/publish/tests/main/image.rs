//! Registering: one image of a name, whatever gets lost.

use hardtack_cloud::ec2::{Mapping, RegisterImage};
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use hardtack_publish::Silent;
use hardtack_publish::image::{Existing, find, register};
use hardtack_publish::snapshot::{SnapshotRequest, write_snapshot};

use crate::world::World;

pub(crate) fn request(snapshot: &str) -> RegisterImage {
    RegisterImage {
        name: "web".to_owned(),
        architecture: "x86_64".to_owned(),
        virtualization: Some("hvm".to_owned()),
        root_device: Some("/dev/xvda".to_owned()),
        mappings: vec![Mapping {
            device: "/dev/xvda".to_owned(),
            snapshot: Some(snapshot.to_owned()),
            ..Mapping::default()
        }],
        ena: true,
        tags: vec![("team".to_owned(), "web".to_owned())],
        ..RegisterImage::default()
    }
}

pub(crate) fn snapshot(world: &World) -> String {
    world.cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[])
}

#[test]
fn an_image_is_registered_once_and_found_again() {
    let world = World::of(Cloud::builder().with(|options| options.image_polls = 5));
    let request = request(&snapshot(&world));
    assert_eq!(find(&world.client, "web").unwrap(), None);
    let made = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap();
    assert!(!made.found);
    let image = world.cloud.images().remove(0);
    assert_eq!(image.id, made.id);
    assert_eq!(image.tags.get("hardtack:inputs").map(String::as_str), Some("aa"));
    assert_eq!(image.tags.get("team").map(String::as_str), Some("web"));
    assert_eq!(find(&world.client, "web").unwrap().unwrap().id, made.id);
    // The same journal: the same image.
    let again = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap();
    assert_eq!(again, made);
    // Another one: refused, or reused if it is of the same inputs.
    let other = world.journal_of("other", "aa");
    let error = register(&world.client, &request, Existing::Refuse, &other, &Silent).unwrap_err().to_string();
    assert!(error.contains("web") && error.contains(&made.id) && error.contains("another name"), "{error}");
    let reused = register(&world.client, &request, Existing::Reuse, &other, &Silent).unwrap();
    assert_eq!((reused.id.as_str(), reused.found), (made.id.as_str(), true));
    assert_eq!(other.standing(), [], "undoing takes away nothing that was there before");
    let third = world.journal_of("third", "bb");
    let error = register(&world.client, &request, Existing::Reuse, &third, &Silent).unwrap_err().to_string();
    assert!(error.contains("other inputs"), "{error}");
    assert_eq!(world.done("RegisterImage").len(), 1);
}

#[test]
fn an_answer_that_is_lost_makes_no_second_image() {
    for kind in [
        FaultKind::CloseAfterRequest,
        FaultKind::Truncated,
        FaultKind::Nonsense,
        FaultKind::Reset,
        FaultKind::Status(503),
    ] {
        let world = World::new();
        world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", kind.clone()));
        let request = request(&snapshot(&world));
        let made = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap();
        assert_eq!((world.cloud.images().len(), made.found), (1, false), "{kind:?}");
        assert_eq!(world.journal().standing()[0].id.as_deref(), Some(made.id.as_str()));
    }
}

#[test]
fn a_run_that_ended_in_the_middle_finds_its_image() {
    let world = World::new();
    let request = request(&snapshot(&world));
    // The image is made, and nobody can look for it.
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::CloseAfterRequest));
    world.cloud.inject(Fault::new(Service::Ec2, "DescribeImages", FaultKind::Status(403)).after(1));
    register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap_err();
    assert_eq!(world.journal().standing()[0].id, None);
    let made = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap();
    assert_eq!((world.cloud.images().len(), world.done("RegisterImage").len()), (1, 1));
    assert_eq!(world.cloud.images()[0].id, made.id);
}

#[test]
fn a_refusal_is_the_services() {
    let world = World::new();
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(403)));
    let request = request(&snapshot(&world));
    let error = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap_err();
    assert!(error.to_string().contains("UnauthorizedOperation"), "{error}");
    assert_eq!(world.asked("RegisterImage"), 1);
    assert_eq!(world.journal().standing(), [], "nothing was made, and nothing is to be looked for");
    // After a call that got lost a refusal says nothing.
    world.cloud.heal();
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(500)));
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(403)));
    register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap_err();
    assert_eq!(world.journal().standing().len(), 1);
    // And so after that run.
    world.cloud.heal();
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(403)));
    register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap_err();
    assert_eq!(world.journal().standing().len(), 1);
}

#[test]
fn a_name_that_is_taken_is_looked_for_until_it_is_seen() {
    let world = World::of(Cloud::builder().with(|options| options.describe_misses = 3));
    let request = request(&snapshot(&world));
    // It is done, and nobody says so; then it is not seen everywhere.
    world.cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::CloseAfterRequest));
    let made = register(&world.client, &request, Existing::Refuse, &world.journal(), &Silent).unwrap();
    assert_eq!(world.cloud.images().iter().map(|image| &image.id).collect::<Vec<_>>(), [&made.id]);
    assert_eq!(world.done("RegisterImage").len(), 1);
}

#[test]
fn a_completed_snapshot_needs_its_parent_no_more() {
    let world = World::new();
    let copies = [snapshot(&world), snapshot(&world)];
    let disk = crate::world::disk(3, 0, &[1]);
    let write = |parent: &str| {
        let parent = Some((parent.to_owned(), vec![0..1 << 20]));
        let asked = SnapshotRequest { parent, parallel: 1, ..SnapshotRequest::default() };
        write_snapshot(&world.client, &disk, &[], &asked, &world.journal(), &Silent).unwrap()
    };
    let written = write(&copies[0]);
    let made = register(&world.client, &request(&written.id), Existing::Refuse, &world.journal(), &Silent);
    // The copy that was read is deleted, and the run ends before it writes down that it is over: the next one copies
    // the source again.
    assert_eq!((write(&copies[1]).id, world.cloud.snapshots().len()), (written.id, 3));
    assert_eq!(world.cloud.images()[0].id, made.unwrap().id);
}
