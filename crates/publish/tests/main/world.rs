//! A client of a fake cloud, a journal, somebody who listens, and disks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hardtack_cloud::credentials::Provider;
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};
use hardtack_fake_cloud::{Builder, Cloud, Entry};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Header, Journal};

pub(crate) const BLOCK: usize = 512 * 1024;

/// A cloud with a client of it, and a place for journals.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
    pub(crate) client: Client,
    environment: Environment,
    directory: tempfile::TempDir,
}

/// Bytes that differ from call to call.
fn random(bytes: &mut [u8]) {
    static SEED: AtomicU64 = AtomicU64::new(7);
    for byte in bytes {
        let mut seed = SEED.fetch_add(1, Ordering::Relaxed);
        *byte = Cloud::random(&mut seed).to_le_bytes()[0];
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Cloud::builder())
    }

    pub(crate) fn of(builder: Builder) -> Self {
        let cloud = builder.start();
        let environment = Environment {
            variables: cloud.environment(),
            home: None,
            now: SystemTime::now,
            sleep: |_| {},
            random,
            trace: None,
        };
        let kind = match cloud.options().dialect {
            hardtack_fake_cloud::Dialect::Aws => Kind::Aws,
            hardtack_fake_cloud::Dialect::Euca => Kind::Euca,
        };
        let options = PlaceOptions::default();
        let place = Place::find(kind, &options, &environment).unwrap();
        let shared = Arc::new(environment.clone());
        let provider = Provider::find(kind, &options, shared.clone(), false);
        let patience = Patience {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(20),
            tries: 4,
            pause: Duration::from_millis(1),
        };
        let client = Client::new(place, provider, shared, patience);
        Self { cloud, client, environment, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    /// The journal, begun or gone on with.
    pub(crate) fn journal(&self) -> Journal {
        self.journal_of("journal", "aa")
    }

    pub(crate) fn journal_of(&self, file: &str, inputs: &str) -> Journal {
        let header = Header {
            place: "aws".to_owned(),
            region: self.client.place().region.clone(),
            ec2_url: None,
            s3_url: None,
            name: "web".to_owned(),
            inputs: inputs.to_owned(),
        };
        Journal::open(&self.directory.path().join(file), &header, &self.environment).unwrap()
    }

    /// Requests with this action that were carried out.
    pub(crate) fn done(&self, action: &str) -> Vec<Entry> {
        self.cloud.log().into_iter().filter(|entry| entry.action == action && entry.done).collect()
    }

    /// Requests with this action.
    pub(crate) fn asked(&self, action: &str) -> usize {
        self.cloud.log().iter().filter(|entry| entry.action == action).count()
    }
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) notes: Mutex<Vec<String>>,
    pub(crate) waits: Mutex<Vec<String>>,
}

impl Listener {
    pub(crate) fn heard(&self) -> Vec<String> {
        [self.notes.lock().unwrap().clone(), self.waits.lock().unwrap().clone()].concat()
    }
}

impl Teller for Listener {
    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
    fn progress(&self, _: &str, done: u64, total: u64) {
        assert!(done <= total);
    }
    fn waiting(&self, text: &str) {
        self.waits.lock().unwrap().push(text.to_owned());
    }
}

/// A disk of so many whole blocks and `tail` bytes: those of `data` are filled, each otherwise.
pub(crate) fn disk(blocks: usize, tail: usize, data: &[usize]) -> Vec<u8> {
    let mut disk = vec![0; blocks * BLOCK + tail];
    for index in data {
        let end = disk.len().min((index + 1) * BLOCK);
        for (at, byte) in disk[index * BLOCK..end].iter_mut().enumerate() {
            *byte = (at / 3 + index * 7) as u8;
        }
    }
    disk
}
