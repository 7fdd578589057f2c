//! Stacks of a fake cloud: made, failed, gone on with, undone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hardtack_cloud::credentials::Provider;
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};
use hardtack_fake_cloud::Cloud;
use hardtack_publish::Teller;
use hardtack_publish::journal::{Header, Journal};
use hardtack_publish::undo::undo;

use super::*;
use crate::Error;

const HOUR: Duration = Duration::from_secs(3600);
const GOOD: &str = r#"{"Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup",
    "Properties": {"GroupDescription": "a group"}}}}"#;
const BAD: &str =
    r#"{"Resources": {"One": {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": "ami-0bad"}}}}"#;

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Teller for Heard {
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn waiting(&self, _: &str) {}
}

fn random(bytes: &mut [u8]) {
    static SEED: AtomicU64 = AtomicU64::new(11);
    for byte in bytes {
        let mut seed = SEED.fetch_add(1, Ordering::Relaxed);
        *byte = Cloud::random(&mut seed).to_le_bytes()[0];
    }
}

struct World {
    _cloud: Cloud,
    client: Client,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let cloud = Cloud::builder().start();
        let environment = Arc::new(Environment {
            variables: cloud.environment(),
            home: None,
            now: SystemTime::now,
            sleep: |_| {},
            random,
            trace: None,
        });
        let options = PlaceOptions::default();
        let place = Place::find(Kind::Aws, &options, &environment).unwrap();
        let provider = Provider::find(Kind::Aws, &options, environment.clone(), false);
        let client = Client::new(place, provider, environment, Patience::default());
        Self { _cloud: cloud, client, directory: tempfile::tempdir().unwrap() }
    }

    fn journal(&self, file: &str) -> Journal {
        let header = Header {
            place: "aws".to_owned(),
            region: self.client.place().region.clone(),
            ec2_url: None,
            s3_url: None,
            name: "s".to_owned(),
            inputs: "aa".to_owned(),
        };
        let environment = self.client.environment();
        Journal::open(&self.directory.path().join(file), &header, environment).unwrap()
    }

    fn create(&self, template: &str, journal: &Journal, heard: &Heard) -> Result<Made, Error> {
        let order = Order { name: "s".to_owned(), template: template.to_owned(), ..Order::default() };
        create(&self.client, &order, HOUR, journal, heard)
    }
}

#[test]
fn a_stack_is_made_once_told_once_and_undone() {
    let world = World::new();
    let journal = world.journal("journal");
    let heard = Heard::default();
    let made = world.create(GOOD, &journal, &heard).unwrap();
    assert_eq!(made.stack.status, "CREATE_COMPLETE");
    let first = heard.0.lock().unwrap().clone();
    assert!(
        first.iter().any(|line| line.contains("CREATE_COMPLETE Group AWS::EC2::SecurityGroup")),
        "{first:?}"
    );
    // A run that goes on makes nothing more, and tells nothing twice.
    let again = world.create(GOOD, &journal, &heard).unwrap();
    assert_eq!(again.stack.id, made.stack.id);
    assert_eq!(*heard.0.lock().unwrap(), first);
    // Another journal's stack is nobody's but its own.
    let other = world.journal("other");
    let error = world.create(GOOD, &other, &heard).unwrap_err().to_string();
    assert!(error.contains("already") && other.standing().is_empty(), "{error}");
    let undone = undo(&journal, Some(&world.client), &heard).unwrap();
    assert_eq!(undone.removed.len(), 1, "{undone:?}");
    assert!(undone.left.is_empty() && journal.standing().is_empty());
}

#[test]
fn a_stack_that_fails_gives_its_first_reason() {
    let world = World::new();
    let journal = world.journal("journal");
    let error = world.create(BAD, &journal, &Heard::default()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::No(_)), "{text}");
    assert!(text.contains("One (AWS::EC2::Instance): ") && text.contains("ROLLBACK_COMPLETE"), "{text}");
    assert_eq!(undo(&journal, Some(&world.client), &Heard::default()).unwrap().removed.len(), 1);
}
