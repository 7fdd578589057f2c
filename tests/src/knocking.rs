//! Somebody who tries to get in from the moment the machine is switched on, with less than all factors.
//!
//! Eight workers start 100 ms apart and try with the real client every 800 ms: together every 100 ms while nothing
//! listens, and as fast as the machine lets them when something does. (From ten unanswered connections on, sshd's
//! `MaxStartups` would close some unasked.) They take turns in what they bring along, so that no moment is left to
//! one kind alone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hardtack_credentials::totp;

use crate::ssh::{Client, Login};

const WORKERS: u32 = 8;
/// Between two tries of all together.
const CADENCE: Duration = Duration::from_millis(100);

/// What a try brings along. The last one is tried where there is such a secret.
pub const KINDS: [&str; 5] =
    ["the key", "key and password", "the password", "nothing", "key, password and another secret's code"];

/// Who knocks, and what for.
#[derive(Clone, Debug)]
pub struct Knocker {
    /// The user.
    pub user: String,
    /// That user's private key.
    pub key: PathBuf,
    /// That user's password.
    pub password: String,
    /// A secret, as bytes, that must not count.
    pub secret: Option<Vec<u8>>,
}

/// Workers that knock until they are told to stop.
pub struct Knocking {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    kinds: usize,
    workers: Vec<JoinHandle<()>>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often it was tried.
    pub tries: u32,
    /// How often SSH refused each of [`KINDS`].
    pub refused: [u32; 5],
    /// Who got in: with what, seconds after the start, and what the client said.
    pub entered: Vec<String>,
    /// How else a login failed, each once.
    pub other: Vec<String>,
}

impl Knocking {
    /// Starts to knock at `port`; notes go into `directory`.
    pub fn start(directory: &Path, port: u16, knocker: &Knocker) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tally = Arc::new(Mutex::new(Tally::default()));
        let kinds = if knocker.secret.is_some() { KINDS.len() } else { KINDS.len() - 1 };
        let started = Instant::now();
        let workers = (0..WORKERS)
            .map(|number| {
                let worker = Worker {
                    number,
                    kinds,
                    directory: directory.join(format!("knocking-{port}-{number}")),
                    port,
                    knocker: knocker.clone(),
                    started,
                    stop: Arc::clone(&stop),
                    tally: Arc::clone(&tally),
                };
                std::thread::spawn(move || worker.work())
            })
            .collect();
        Self { stop, tally, kinds, workers }
    }

    /// Goes on until SSH has refused each kind, and stops. SSH answers: it is asked for two minutes at most.
    pub fn finish_refused(self) -> Tally {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            let refused = self.tally.lock().unwrap().refused;
            if refused.iter().take(self.kinds).all(|count| *count > 0) {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let kinds = self.kinds;
        let tally = self.finish();
        tally.assert_nobody_entered();
        assert!(
            tally.refused.iter().take(kinds).all(|count| *count > 0),
            "not everything was tried: {tally:?}"
        );
        tally
    }

    /// Stops.
    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.join().unwrap();
        }
        self.tally.lock().unwrap().clone()
    }
}

impl Tally {
    /// Nobody got in.
    #[track_caller]
    pub fn assert_nobody_entered(&self) {
        assert!(self.entered.is_empty(), "got in: {:#?}", self.entered);
        assert!(self.tries > 0, "nobody tried");
    }
}

struct Worker {
    number: u32,
    kinds: usize,
    directory: PathBuf,
    port: u16,
    knocker: Knocker,
    started: Instant,
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
}

impl Worker {
    fn work(&self) {
        std::fs::create_dir_all(&self.directory).unwrap();
        let client = Client::stranger(&self.directory, self.port);
        let mut next = self.started + CADENCE * self.number;
        let mut turn = self.number as usize;
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next = Instant::now() + CADENCE * WORKERS;
            self.try_login(&client, turn % self.kinds);
            turn += 1;
        }
    }

    fn try_login(&self, client: &Client, kind: usize) {
        let code = self.knocker.secret.as_ref().filter(|_| kind == 4).map(|secret| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            totp::code(secret, now.as_secs())
        });
        let login = Login {
            user: &self.knocker.user,
            key: [0, 1, 4].contains(&kind).then_some(self.knocker.key.as_path()),
            password: [1, 2, 4].contains(&kind).then_some(self.knocker.password.as_str()),
            code: code.as_deref(),
        };
        let outcome = client.login(login, "id -un");
        let mut tally = self.tally.lock().unwrap();
        tally.tries += 1;
        if outcome.entered {
            let after = self.started.elapsed().as_secs();
            tally.entered.push(format!("{}, after {after} s: {}", KINDS[kind], outcome.stderr));
        } else if outcome.stderr.contains("Permission denied") {
            tally.refused[kind] += 1;
        } else {
            let how = outcome.stderr.lines().last().unwrap_or_default().to_owned();
            if !tally.other.contains(&how) {
                tally.other.push(how);
            }
        }
    }
}
