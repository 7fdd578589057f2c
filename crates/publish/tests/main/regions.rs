//! Copies, sharing and parameters, in all regions.

use std::collections::BTreeSet;

use hardtack_cloud::ec2::Launchers;
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, MasterKey, Service};
use hardtack_publish::image::{Existing, find, register};
use hardtack_publish::journal::Resource;
use hardtack_publish::regions::{Distribution, Placed, complete, distribute};
use hardtack_publish::snapshot::{SnapshotRequest, write_snapshot};
use hardtack_publish::{Error, Silent, undo};

use crate::image::{request, snapshot};
use crate::world::{World, disk};

const OTHER: &str = "210987654321";

fn distribution() -> Distribution {
    Distribution {
        copies: vec![("eu-west-1".to_owned(), None), ("eu-central-1".to_owned(), None)],
        encrypted: false,
        share: Launchers { accounts: vec![OTHER.to_owned()], ..Launchers::default() },
        tags: vec![("team".to_owned(), "web".to_owned())],
        parameter: Some("/images/web".to_owned()),
        reuse: false,
    }
}

fn run(world: &World, distribution: &Distribution) -> Result<Vec<Placed>, Error> {
    let journal = world.journal();
    let found = journal.kept("snapshot").and_then(|kept| kept.as_str().map(str::to_owned));
    let snapshot = found.unwrap_or_else(|| snapshot(world));
    journal.keep("snapshot", &serde_json::json!(snapshot)).unwrap();
    let made = register(&world.client, &request(&snapshot), Existing::Refuse, &journal, &Silent)?;
    distribute(&world.client, &made.id, "web", distribution, &journal, &Silent)
}

#[test]
fn copies_are_shared_and_announced_everywhere() {
    let world = World::new();
    world.cloud.make_parameter("eu-west-1", "/images/web", "ami-before");
    let placed = run(&world, &distribution()).unwrap();
    let regions: Vec<&str> = placed.iter().map(|placed| placed.region.as_str()).collect();
    assert_eq!(regions, ["us-east-1", "eu-central-1", "eu-west-1"]);
    let images = world.cloud.images();
    assert_eq!(images.len(), 3);
    for image in &images {
        assert!(placed.iter().any(|placed| placed.id == image.id && placed.region == image.region));
        assert_eq!(image.launchers, BTreeSet::from([OTHER.to_owned()]));
        assert!(!image.public);
        assert_eq!(image.tags.get("team").map(String::as_str), Some("web"), "{}", image.region);
        let snapshots = world.cloud.snapshots();
        let of_image = snapshots.iter().find(|snapshot| image.snapshots.contains(&snapshot.id)).unwrap();
        assert_eq!(of_image.users, BTreeSet::from([OTHER.to_owned()]));
    }
    let leftovers = world.cloud.leftovers();
    for placed in &placed {
        assert!(
            leftovers.contains(&format!("{} parameter /images/web={}", placed.region, placed.id)),
            "{leftovers:?}"
        );
    }
    // Parameters come when all is shared, and images are shared when all are copied.
    let log = world.cloud.log();
    let first = |action: &str| log.iter().position(|entry| entry.action == action).unwrap();
    let last = |action: &str| log.iter().rposition(|entry| entry.action == action).unwrap();
    assert!(last("CopyImage") < first("ModifySnapshotAttribute"));
    assert!(last("ModifyImageAttribute") < first("PutParameter"));
    // Once more: nothing is done twice.
    assert_eq!(run(&world, &distribution()).unwrap(), placed);
    assert_eq!((world.done("CopyImage").len(), world.done("PutParameter").len()), (2, 3));
    // And back.
    let journal = world.journal();
    undo::undo(&journal, Some(&world.client), &Silent).unwrap();
    let left: Vec<String> =
        world.cloud.leftovers().into_iter().filter(|what| !what.contains("us-east-1 snapshot")).collect();
    assert_eq!(left, ["eu-west-1 parameter /images/web=ami-before"]);
}

#[test]
fn a_region_that_fails_hides_no_other_and_nothing_is_announced() {
    let world = World::new();
    let fault = Fault::new(Service::Ec2, "CopyImage", FaultKind::Status(403));
    world.cloud.inject(fault);
    let error = run(&world, &distribution()).unwrap_err().to_string();
    assert!(
        error.contains("UnauthorizedOperation")
            && error.contains("eu-west-1: ")
            && error.contains("eu-central-1: "),
        "{error}"
    );
    assert!(error.contains(": ami-") && error.contains("hardtack undo"), "{error}");
    assert_eq!((world.asked("ModifyImageAttribute"), world.asked("PutParameter")), (0, 0));
    // The next run makes what is missing.
    run(&world, &distribution()).unwrap();
    assert_eq!((world.cloud.images().len(), world.done("CopyImage").len()), (3, 2));
}

#[test]
fn a_copy_whose_answer_is_lost_is_the_same_copy() {
    let world = World::new();
    world.cloud.inject(Fault::new(Service::Ec2, "CopyImage", FaultKind::CloseAfterRequest).times(5));
    let _ = run(&world, &distribution());
    run(&world, &distribution()).unwrap();
    assert_eq!(world.cloud.images().len(), 3);
}

/// A whole run: snapshot, image, copies, sharing, parameters.
fn whole(world: &World, disk: &Vec<u8>) -> Result<Vec<Placed>, Error> {
    let journal = world.journal();
    let wanted = SnapshotRequest { parallel: 4, ..SnapshotRequest::default() };
    let written = write_snapshot(&world.client, disk, &[], &wanted, &journal, &Silent)?;
    let made = register(&world.client, &request(&written.id), Existing::Refuse, &journal, &Silent)?;
    distribute(&world.client, &made.id, "web", &distribution(), &journal, &Silent)
}

#[test]
fn a_run_that_ends_anywhere_goes_on_or_leaves_nothing() {
    let disk = disk(8, 3, &[0, 1, 2, 5, 7]);
    let world = World::new();
    whole(&world, &disk).unwrap();
    let calls = world.cloud.log().len();
    assert!(calls > 30, "{calls}");
    for at in 0..calls {
        // Refused, or done without an answer, however often it is tried.
        let (answered, goes_on) = (at % 2 == 0, at / 2 % 2 == 0);
        let fault = match answered {
            true => Fault::any(FaultKind::Code(403, "AccessDenied")),
            false => Fault::any(FaultKind::CloseAfterRequest).times(4),
        };
        let world = World::new();
        world.cloud.inject(fault.after(at));
        let first = whole(&world, &disk);
        world.cloud.heal();
        if goes_on || first.is_ok() {
            let placed = whole(&world, &disk).unwrap();
            let counts = (placed.len(), world.cloud.images().len(), world.cloud.snapshots().len());
            assert_eq!(counts, (3, 3, 3), "call {at}");
            let puts = world.done("PutSnapshotBlock");
            let blocks: BTreeSet<&str> = puts.iter().map(|entry| entry.key.as_str()).collect();
            assert_eq!(blocks.len(), 5);
            assert!(!answered || puts.len() == 5, "call {at}: a block went twice");
        }
        undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap();
        assert_eq!(world.cloud.leftovers(), BTreeSet::new(), "call {at}");
    }
}

#[test]
fn a_copy_that_fails_says_why() {
    let reason = "the key cannot be used".to_owned();
    let world = World::of(Cloud::builder().with(|options| options.copies_fail = Some(reason)));
    let error = run(&world, &distribution()).unwrap_err().to_string();
    assert!(error.contains("the key cannot be used"), "{error}");
}

#[test]
fn each_region_has_its_key() {
    let world = World::new();
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/2222".to_owned();
    let key = MasterKey { arn: arn.clone(), state: "Enabled".to_owned(), ..MasterKey::default() };
    world.cloud.make_key("eu-west-1", key);
    let distribution = Distribution {
        copies: vec![("eu-west-1".to_owned(), Some(arn.clone())), ("eu-central-1".to_owned(), None)],
        ..Distribution::default()
    };
    run(&world, &distribution).unwrap();
    for snapshot in world.cloud.snapshots() {
        let expected = (snapshot.region == "eu-west-1").then(|| arn.clone());
        assert_eq!(snapshot.key, expected, "{}", snapshot.region);
    }
}

#[test]
fn an_image_that_is_made_anew_is_copied_anew_and_what_undo_was_ended_at_goes() {
    let world = World::of(Cloud::builder().with(|options| options.describe_misses = 3));
    run(&world, &distribution()).unwrap();
    let snapshots = world.cloud.snapshots().len();
    // Undoing ends between the image and its snapshot, and what has the tag is not seen yet.
    let fault = Fault::new(Service::Ec2, "DeleteSnapshot", FaultKind::Code(403, "UnauthorizedOperation"));
    world.cloud.inject(fault.always());
    undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap_err();
    assert_eq!((world.cloud.images().len(), world.cloud.snapshots().len()), (0, snapshots));
    world.cloud.heal();
    undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap();
    // That of the image itself was there before.
    assert_eq!(world.cloud.snapshots().len(), 1);
    let placed = run(&world, &distribution()).unwrap();
    assert_eq!((placed.len(), world.cloud.images().len()), (3, 3));
}

#[test]
fn a_run_that_is_being_undone_is_not_finished() {
    let world = World::new();
    run(&world, &distribution()).unwrap();
    let journal = world.journal();
    journal.finish(&serde_json::json!({"image": "ami-1"})).unwrap();
    assert!(journal.result().is_some());
    drop(journal);
    let fault = Fault::new(Service::Ec2, "DeregisterImage", FaultKind::Code(403, "UnauthorizedOperation"));
    world.cloud.inject(fault.always());
    undo::undo(&world.journal(), Some(&world.client), &Silent).unwrap_err();
    assert_eq!(world.journal().result(), None);
}

#[test]
fn an_image_that_was_found_gets_what_is_missing_of_it_and_nothing_twice() {
    let world = World::new();
    let made =
        register(&world.client, &request(&snapshot(&world)), Existing::Refuse, &world.journal(), &Silent);
    let id = made.unwrap().id;
    let wanted = Distribution { reuse: true, ..distribution() };
    let image = || find(&world.client, "web").unwrap().unwrap();
    let there = |wanted: &Distribution| complete(&world.client, &image(), wanted, "aa").unwrap();
    let none = Distribution::default();
    assert_eq!(there(&none).map(|placed| placed.len()), Some(1), "nothing is asked for");
    // One region has a copy, another has an image of the same inputs and of another name.
    let some = Distribution { copies: wanted.copies[..1].to_vec(), ..Distribution::default() };
    distribute(&world.client, &id, "web", &some, &world.journal_of("second", "aa"), &Silent).unwrap();
    let other = Distribution { copies: wanted.copies[1..].to_vec(), ..Distribution::default() };
    distribute(&world.client, &id, "other", &other, &world.journal_of("third", "aa"), &Silent).unwrap();
    assert_eq!(there(&wanted), None, "it is not shared yet");
    let journal = world.journal_of("fourth", "aa");
    let placed = distribute(&world.client, &id, "web", &wanted, &journal, &Silent).unwrap();
    assert_eq!((placed.len(), world.done("CopyImage").len()), (3, 2));
    assert!(journal.standing().iter().all(|known| matches!(known.resource, Resource::Parameter { .. })));
    let before = world.cloud.log().len();
    let mut found = there(&wanted).unwrap();
    found.sort_by_key(|one| one.id.clone());
    let mut placed = placed;
    placed.sort_by_key(|one| one.id.clone());
    assert_eq!(found, placed);
    let log = world.cloud.log();
    assert!(
        log[before..]
            .iter()
            .all(|entry| entry.action.starts_with("Describe") || entry.action == "GetParameter")
    );
    // Of other inputs, or for more people, it is not what is wanted.
    assert_eq!(complete(&world.client, &image(), &wanted, "bb").unwrap(), None);
    let mut more = wanted.clone();
    more.share.accounts.push("111111111111".to_owned());
    assert_eq!(there(&more), None);
}

#[test]
fn a_copy_that_is_refused_is_not_looked_for_later() {
    let world = World::new();
    world.cloud.inject(Fault::new(Service::Ec2, "CopyImage", FaultKind::Status(403)).always());
    run(&world, &distribution()).unwrap_err();
    let standing = world.journal().standing();
    assert!(standing.iter().all(|known| matches!(known.resource, Resource::Image { .. })), "{standing:?}");
    world.cloud.heal();
    // After an answer that was lost it is.
    world.cloud.inject(Fault::new(Service::Ec2, "CopyImage", FaultKind::CloseAfterRequest).always());
    run(&world, &distribution()).unwrap_err();
    assert_eq!(world.journal().standing().len(), 3);
}
