//! What is found wrong before a bundle is sent.

use hardtack_fake_cloud::{BucketOwnership, Cloud, Fault, FaultKind, Service};
use hardtack_publish::bundle::Destination;
use hardtack_publish::image::Existing;
use hardtack_publish::preflight::{Check, Outcome, bundle, manifest};

use crate::bundle::{destination, noise, send};
use crate::world::{Listener, World};

const ACCOUNT: &str = "1234-5678-9012";

fn checks(world: &World, destination: &Destination) -> Vec<Check> {
    bundle(&world.client, destination, Some(("web", Existing::Refuse)), ACCOUNT, 1 << 30).unwrap()
}

fn of<'a>(checks: &'a [Check], subject: &str) -> (Outcome, &'a str) {
    let found: Vec<_> = checks.iter().filter(|check| check.subject == subject).collect();
    assert_eq!(found.len(), 1, "{subject}: {checks:?}");
    (found[0].outcome, &found[0].text)
}

#[test]
fn all_is_well_and_nothing_is_made() {
    for builder in [Cloud::builder(), Cloud::builder().eucalyptus()] {
        let world = World::of(builder);
        let before = world.cloud.leftovers();
        let found = checks(&world, &destination());
        assert!(found.iter().all(|check| check.outcome == Outcome::Good), "{found:?}");
        assert!(of(&found, "bucket").1.contains("will be made"), "{found:?}");
        assert_eq!(world.cloud.leftovers(), before);
        world.cloud.make_bucket("images", BucketOwnership::Writer);
        let found = checks(&world, &destination());
        assert!(found.iter().all(|check| check.outcome == Outcome::Good), "{found:?}");
    }
}

#[test]
fn buckets_that_cannot_be_used_are_told_with_what_to_do() {
    let world = World::new();
    let found = checks(&world, &Destination::parse("Images", "private").unwrap());
    assert_eq!(of(&found, "bucket").0, Outcome::Bad);
    world.cloud.make_bucket("images", BucketOwnership::Enforced);
    let found = checks(&world, &destination());
    let (outcome, text) = of(&found, "acl");
    assert!(outcome == Outcome::Bad && text.contains("put-bucket-ownership-controls"), "{text}");
    let private = Destination { acl: "private".to_owned(), ..destination() };
    assert!(checks(&world, &private).iter().all(|check| check.outcome == Outcome::Good));
    world.cloud.make_bucket_of("theirs", BucketOwnership::Writer, 1, "us-east-1", false);
    let found = checks(&world, &Destination::parse("theirs", "aws-exec-read").unwrap());
    assert!(of(&found, "bucket").0 == Outcome::Bad && of(&found, "bucket").1.contains("somebody else's"));
    world.cloud.make_bucket_of("elsewhere", BucketOwnership::Writer, 0, "eu-west-1", false);
    let found = checks(&world, &Destination::parse("elsewhere", "aws-exec-read").unwrap());
    assert_eq!(of(&found, "bucket").0, Outcome::Bad, "{found:?}");
}

#[test]
fn keys_account_size_and_names_are_looked_at() {
    let world = World::new();
    let name = Some(("web", Existing::Refuse));
    let found = bundle(&world.client, &destination(), name, "999999999999", 11 << 30).unwrap();
    assert!(of(&found, "account").0 == Outcome::Bad && of(&found, "account").1.contains("123456789012"));
    assert!(of(&found, "size").0 == Outcome::Bad && of(&found, "size").1.contains("--ebs"));
    let other = crate::image::snapshot(&world);
    hardtack_cloud::ec2::register_image(&world.client, &crate::image::request(&other)).unwrap();
    assert_eq!(of(&checks(&world, &destination()), "name").0, Outcome::Bad);

    let refused = FaultKind::Code(403, "InvalidClientTokenId");
    world.cloud.inject(Fault::new(Service::Sts, "GetCallerIdentity", refused).always());
    world.cloud.clear_log();
    let found = checks(&world, &destination());
    assert_eq!(of(&found, "credentials").0, Outcome::Bad, "{found:?}");
    assert_eq!(world.asked("HeadBucket"), 0, "nothing more is asked with keys that are not taken");
}

#[test]
fn a_manifest_that_is_there_is_told() {
    let world = World::new();
    let check = |journal| manifest(&world.client, &destination(), "disk", journal).outcome;
    assert_eq!(check(None), Outcome::Good);
    let journal = world.journal();
    send(&world, &noise(), None, &journal, &Listener::default()).unwrap();
    assert_eq!((check(None), check(Some(&journal))), (Outcome::Bad, Outcome::Good));
}
