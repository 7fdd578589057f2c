//! Somebody who tries to get in from the moment the machine is switched on, with less than all factors.
//!
//! Each worker knocks once a second, and they start 100 ms apart: the port is tried every 100 ms. When it answers
//! as SSH does, the real client tries at once, as fast as the machine lets it. The workers take turns in what
//! they bring along, so that no moment is left to one of them alone.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hardtack_credentials::totp;

use crate::ssh::{Client, Login};

const WORKERS: usize = 10;
/// Between two knocks of one worker.
const PERIOD: Duration = Duration::from_secs(1);

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
    workers: Vec<JoinHandle<Tally>>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often the port was tried.
    pub knocks: u32,
    /// How often SSH refused each of [`KINDS`].
    pub refused: [u32; 5],
    /// Who got in: with what, seconds after the start, and what the client said.
    pub entered: Vec<String>,
}

impl Knocking {
    /// Starts to knock at `port`; notes go into `directory`.
    pub fn start(directory: &Path, port: u16, knocker: &Knocker) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let started = Instant::now();
        let workers = (0..WORKERS)
            .map(|number| {
                let worker = Worker {
                    number,
                    directory: directory.join(format!("knocking-{port}-{number}")),
                    port,
                    knocker: knocker.clone(),
                    started,
                    stop: Arc::clone(&stop),
                };
                std::thread::spawn(move || worker.work())
            })
            .collect();
        Self { stop, workers }
    }

    /// Stops, and adds up.
    pub fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Tally::default();
        for worker in self.workers {
            let tally = worker.join().unwrap();
            sum.knocks += tally.knocks;
            for (all, one) in sum.refused.iter_mut().zip(tally.refused) {
                *all += one;
            }
            sum.entered.extend(tally.entered);
        }
        sum
    }
}

impl Tally {
    /// Nobody got in.
    #[track_caller]
    pub fn assert_nobody_entered(&self) {
        assert!(self.entered.is_empty(), "got in: {:#?}", self.entered);
        assert!(self.knocks > 0, "nobody knocked");
    }

    /// Nobody got in, and SSH refused each of the first four kinds: the machine was up, and was asked.
    #[track_caller]
    pub fn assert_all_refused(&self) {
        self.assert_nobody_entered();
        assert!(self.refused.iter().take(4).all(|count| *count > 0), "not everything was tried: {self:?}");
    }
}

struct Worker {
    number: usize,
    directory: PathBuf,
    port: u16,
    knocker: Knocker,
    started: Instant,
    stop: Arc<AtomicBool>,
}

impl Worker {
    fn work(&self) -> Tally {
        std::fs::create_dir_all(&self.directory).unwrap();
        let client = Client::stranger(&self.directory, self.port);
        let mut tally = Tally::default();
        let mut next = self.started + PERIOD * u32::try_from(self.number).unwrap() / 10;
        let kinds = if self.knocker.secret.is_some() { KINDS.len() } else { KINDS.len() - 1 };
        let mut turn = self.number;
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next = Instant::now() + PERIOD;
            tally.knocks += 1;
            if self.ssh_answers() {
                self.try_login(&client, turn % kinds, &mut tally);
                turn += 1;
            }
        }
        tally
    }

    /// Whether what listens there, if anything does, begins as an SSH server.
    fn ssh_answers(&self) -> bool {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, PERIOD) else { return false };
        stream.set_read_timeout(Some(PERIOD)).unwrap();
        let mut start = [0; 4];
        stream.read_exact(&mut start).is_ok() && start == *b"SSH-"
    }

    fn try_login(&self, client: &Client, kind: usize, tally: &mut Tally) {
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
        if outcome.entered {
            let after = self.started.elapsed().as_secs();
            tally.entered.push(format!("{}, after {after} s: {}", KINDS[kind], outcome.stderr));
        } else if outcome.stderr.contains("Permission denied") {
            tally.refused[kind] += 1;
        }
    }
}
