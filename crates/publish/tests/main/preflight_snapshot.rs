//! What is found wrong before a snapshot's first byte.

use hardtack_cloud::ec2::Launchers;
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, MasterKey, Service};
use hardtack_publish::image::Existing;
use hardtack_publish::preflight::{self, Check, Outcome};
use hardtack_publish::regions::Distribution;

use crate::world::World;

const OTHER: &str = "210987654321";

struct Question<'a> {
    encrypted: bool,
    key: Option<&'a str>,
    copies: &'a [(&'a str, Option<&'a str>)],
    accounts: &'a [&'a str],
    all: bool,
}

const PLAIN: Question<'static> =
    Question { encrypted: false, key: None, copies: &[], accounts: &[], all: false };

fn ask(world: &World, question: &Question<'_>) -> Vec<Check> {
    let copies = question.copies.iter().map(|(region, key)| ((*region).to_owned(), key.map(str::to_owned)));
    let accounts = question.accounts.iter().map(|account| (*account).to_owned()).collect();
    let distribution = Distribution {
        copies: copies.collect(),
        share: Launchers { all: question.all, accounts, ..Launchers::default() },
        ..Distribution::default()
    };
    let name = Some(("web", Existing::Refuse));
    let (encrypted, key) = (question.encrypted, question.key);
    let checks = preflight::snapshot(&world.client, name, 3 << 30, encrypted, key, &distribution).unwrap();
    let writes = ["StartSnapshot", "RegisterImage", "CopyImage", "PutParameter"];
    assert!(writes.iter().all(|action| world.asked(action) == 0), "preflight only asks");
    checks
}

/// The worst of what was found about a subject, with its text.
fn worst(checks: &[Check], subject: &str) -> (Outcome, String) {
    let rank = |outcome: Outcome| match outcome {
        Outcome::Good => 0,
        Outcome::Doubtful => 1,
        Outcome::Bad => 2,
    };
    let found =
        checks.iter().filter(|check| check.subject == subject).max_by_key(|check| rank(check.outcome));
    found.map(|check| (check.outcome, check.text.clone())).unwrap_or((Outcome::Good, String::new()))
}

fn key(region: &str, state: &str, principals: &[&str]) -> MasterKey {
    MasterKey {
        arn: format!("arn:aws:kms:{region}:123456789012:key/3333"),
        alias: "alias/images".to_owned(),
        state: state.to_owned(),
        principals: principals.iter().map(|one| (*one).to_owned()).collect(),
        ..MasterKey::default()
    }
}

#[test]
fn all_is_well() {
    let world = World::new();
    let checks = ask(&world, &Question { copies: &[("eu-west-1", None)], accounts: &[OTHER], ..PLAIN });
    assert!(checks.iter().all(|check| check.outcome == Outcome::Good), "{checks:?}");
    let subjects: Vec<&str> = checks.iter().map(|check| check.subject).collect();
    for subject in ["credentials", "size", "name", "regions", "encryption"] {
        assert!(subjects.contains(&subject), "{subjects:?}");
    }
    assert!(worst(&checks, "credentials").1.contains("123456789012"));
}

#[test]
fn what_is_encrypted_with_the_accounts_own_key_is_not_shared() {
    let world = World::of(Cloud::builder().with(|options| options.encryption_by_default = true));
    let (outcome, text) = worst(&ask(&world, &Question { accounts: &[OTHER], ..PLAIN }), "sharing");
    assert!(outcome == Outcome::Bad && text.contains("--kms-key"), "{text}");
    assert_eq!(worst(&ask(&world, &PLAIN), "sharing").0, Outcome::Good);

    let world = World::new();
    let question = Question { encrypted: true, accounts: &[OTHER], ..PLAIN };
    assert_eq!(worst(&ask(&world, &question), "sharing").0, Outcome::Bad);
    assert_eq!(worst(&ask(&world, &Question { encrypted: false, ..question }), "sharing").0, Outcome::Good);
    // A copy of what is not encrypted, in a region that encrypts.
    world.cloud.encrypt_by_default("eu-west-1", true, None);
    let question = Question { accounts: &[OTHER], copies: &[("eu-west-1", None)], ..PLAIN };
    let (outcome, text) = worst(&ask(&world, &question), "sharing");
    assert!(outcome == Outcome::Bad && text.contains("eu-west-1"), "{text}");
}

#[test]
fn a_key_of_ones_own_must_be_there_and_let_others_use_it() {
    let world = World::new();
    world.cloud.make_key("us-east-1", key("us-east-1", "Enabled", &[]));
    let question = Question { key: Some("alias/images"), accounts: &[OTHER], ..PLAIN };
    let checks = ask(&world, &question);
    assert_eq!(worst(&checks, "key").0, Outcome::Good);
    let (outcome, text) = worst(&checks, "sharing");
    assert!(
        outcome == Outcome::Doubtful && text.contains(OTHER) && text.contains("kms:CreateGrant"),
        "{text}"
    );
    // Keys belong to one region.
    let with_copy = Question { copies: &[("eu-west-1", Some("alias/images"))], ..question };
    let (outcome, text) = worst(&ask(&world, &with_copy), "key");
    assert!(outcome == Outcome::Bad && text.contains("eu-west-1"), "{text}");

    let world = World::new();
    world.cloud.make_key("us-east-1", key("us-east-1", "Enabled", &["arn:aws:iam::210987654321:root"]));
    assert_eq!(worst(&ask(&world, &question), "sharing").0, Outcome::Good);
    let world = World::new();
    world.cloud.make_key("us-east-1", key("us-east-1", "PendingDeletion", &[]));
    let (outcome, text) = worst(&ask(&world, &question), "key");
    assert!(outcome == Outcome::Bad && text.contains("PendingDeletion"), "{text}");
    // The account's own choice counts, encrypted by default or because it was asked for.
    let world = World::new();
    world.cloud.make_key("us-east-1", key("us-east-1", "Enabled", &["arn:aws:iam::210987654321:root"]));
    world.cloud.encrypt_by_default("us-east-1", false, Some("arn:aws:kms:us-east-1:123456789012:key/3333"));
    let question = Question { encrypted: true, accounts: &[OTHER], ..PLAIN };
    assert_eq!(worst(&ask(&world, &question), "sharing").0, Outcome::Good);
}

#[test]
fn public_images_may_be_blocked_and_are_not_encrypted() {
    let world = World::new();
    let question = Question { all: true, copies: &[("eu-west-1", None)], ..PLAIN };
    assert_eq!(worst(&ask(&world, &question), "public access").0, Outcome::Good);
    world.cloud.block_public_access("eu-west-1", true, false);
    let (outcome, text) = worst(&ask(&world, &question), "public access");
    assert!(outcome == Outcome::Bad && text.contains("eu-west-1"), "{text}");
    world.cloud.encrypt_by_default("us-east-1", true, None);
    let (outcome, text) = worst(&ask(&world, &question), "sharing");
    assert!(outcome == Outcome::Bad && text.contains("public"), "{text}");
}

#[test]
fn names_and_regions_that_cannot_be() {
    let world = World::new();
    let snapshot = world.cloud.make_snapshot("eu-west-1", "123456789012", 1, None, false, &[]);
    world.cloud.make_image("eu-west-1", "web", &snapshot, "x86_64", false);
    assert_eq!(worst(&ask(&world, &PLAIN), "name").0, Outcome::Good);
    let (outcome, text) = worst(&ask(&world, &Question { copies: &[("eu-west-1", None)], ..PLAIN }), "name");
    assert!(outcome == Outcome::Bad && text.contains("eu-west-1"), "{text}");
    let (outcome, text) = worst(&ask(&world, &Question { copies: &[("mars-1", None)], ..PLAIN }), "regions");
    assert!(outcome == Outcome::Bad && text.contains("mars-1"), "{text}");
}

#[test]
fn what_may_not_be_asked_is_doubtful() {
    let world = World::new();
    for (service, action) in [
        (Service::Ec2, "GetEbsEncryptionByDefault"),
        (Service::Ec2, "DescribeRegions"),
        (Service::Ec2, "DescribeImages"),
        (Service::Ec2, "GetImageBlockPublicAccessState"),
    ] {
        world.cloud.inject(Fault::new(service, action, FaultKind::Status(403)).always());
    }
    let checks = ask(&world, &Question { all: true, ..PLAIN });
    assert!(checks.iter().all(|check| check.outcome != Outcome::Bad), "{checks:?}");
    for subject in ["encryption", "regions", "name", "public access"] {
        assert_eq!(worst(&checks, subject).0, Outcome::Doubtful, "{subject}: {checks:?}");
    }
}

/// Nothing need be sent to find out that nobody registers it.
#[test]
fn an_ec2_that_does_not_answer_is_bad() {
    let world = World::new();
    world.cloud.inject(Fault::new(Service::Ec2, "DescribeImages", FaultKind::Reset).always());
    let (outcome, text) = worst(&ask(&world, &PLAIN), "name");
    assert!(outcome == Outcome::Bad && text.contains("none can be registered"), "{text}");
}

#[test]
fn keys_that_are_not_taken_end_it() {
    let world = World::new();
    world.cloud.inject(Fault::new(
        Service::Sts,
        "GetCallerIdentity",
        FaultKind::Code(403, "InvalidClientTokenId"),
    ));
    let checks = ask(&world, &PLAIN);
    let (outcome, text) = worst(&checks, "credentials");
    assert!(outcome == Outcome::Bad && text.contains("InvalidClientTokenId"), "{text}");
    assert_eq!(world.asked("DescribeImages"), 0);
}
