//! A cloud that runs: what threads share, and its life.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::Key;
use crate::builder::{Builder, Dialect, Options};
use crate::fault::Faults;
use crate::log::Entry;
use crate::s3::Store;
use crate::world::{MasterKey, World};
use crate::{Fault, RandomFaults, holdings, server, time};

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    /// Where blocks are.
    pub(crate) files: TempDir,
    world: Mutex<World>,
    log: Mutex<Vec<Entry>>,
    logged: Condvar,
    faults: Mutex<Faults>,
    pub(crate) stop: AtomicBool,
    pub(crate) connections: Mutex<BTreeMap<u64, TcpStream>>,
    pub(crate) counter: AtomicU64,
}

impl Shared {
    /// Everything that there is.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock.
    pub(crate) fn now(&self) -> i64 {
        time::now() + self.options.clock_offset
    }

    pub(crate) fn euca(&self) -> bool {
        self.options.dialect == Dialect::Euca
    }

    /// Notes a request.
    pub(crate) fn note(&self, entry: Entry) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        self.logged.notify_all();
    }
}

/// A cloud, until it is dropped.
pub struct Cloud {
    pub(crate) shared: Arc<Shared>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Cloud({})", self.url())
    }
}

impl Cloud {
    /// One as AWS's, with two accounts and four regions.
    ///
    /// # Panics
    /// When there is no port or no room for its files.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Another one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    #[allow(clippy::expect_used)]
    pub(crate) fn with_options(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("no port on 127.0.0.1");
        let address = listener.local_addr().expect("a listener without an address");
        let files = tempfile::tempdir().expect("no room for files");
        let store = Store::new(files.path()).expect("no room for buckets");
        let world = Mutex::new(first_world(&options));
        let shared = Arc::new(Shared {
            options,
            address,
            store,
            files,
            world,
            log: Mutex::default(),
            logged: Condvar::new(),
            faults: Mutex::default(),
            stop: AtomicBool::new(false),
            connections: Mutex::default(),
            counter: AtomicU64::new(0),
        });
        let listener = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || server::listen(&shared, &listener))
        };
        Self { shared, listener: Some(listener) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// What it is like.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Variables of the environment of the first account's user.
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.environment_of(0)
    }

    /// Those of the account with this index.
    ///
    /// # Panics
    /// When there is no such account.
    #[allow(clippy::expect_used)]
    pub fn environment_of(&self, account: usize) -> BTreeMap<String, String> {
        let options = &self.shared.options;
        let account = options.accounts.get(account).expect("no such account");
        let url = self.url();
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        set("AWS_ACCESS_KEY_ID", &account.key);
        set("AWS_SECRET_ACCESS_KEY", &account.secret);
        set("AWS_EC2_METADATA_DISABLED", "true");
        match options.dialect {
            Dialect::Aws => {
                set("AWS_ENDPOINT_URL", &url);
                set("AWS_REGION", &options.region);
            }
            Dialect::Euca => {
                set("EC2_URL", &format!("{url}/services/compute"));
                set("S3_URL", &format!("{url}/services/objectstorage"));
                set("TOKEN_URL", &format!("{url}/services/Tokens"));
                set("EUCA_BOOTSTRAP_URL", &format!("{url}/services/Empyrean"));
                set("AWS_CLOUDFORMATION_URL", &format!("{url}/services/CloudFormation"));
                set("AWS_AUTO_SCALING_URL", &format!("{url}/services/AutoScaling"));
                set("EUCA_PROPERTIES_URL", &format!("{url}/services/Properties"));
            }
        }
        variables
    }

    /// Lets requests fail.
    pub fn inject(&self, fault: Fault) {
        self.shared.faults().planned.push(fault);
    }

    /// Lets requests fail at random; `None`: no more.
    pub fn random_faults(&self, faults: Option<RandomFaults>) {
        self.shared.faults().random = faults;
    }

    /// No more faults of any kind.
    pub fn heal(&self) {
        *self.shared.faults() = Faults::default();
    }

    /// All requests that arrived.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the requests.
    pub fn clear_log(&self) {
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until all that programs which were killed have sent is answered; false after `patience`.
    pub fn settle(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut quiet = 0;
        while quiet < 3 {
            if Instant::now() > end {
                return false;
            }
            // The kernel may have a connection that the listener has not seen yet.
            std::thread::sleep(Duration::from_millis(1));
            let open = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).len();
            quiet = if open == 0 { quiet + 1 } else { 0 };
        }
        true
    }

    /// Waits until the log is as wanted; false after `patience`.
    pub fn wait_until(&self, patience: Duration, mut wanted: impl FnMut(&[Entry]) -> bool) -> bool {
        let end = Instant::now() + patience;
        let mut log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if wanted(&log) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.logged.wait_timeout(log, left);
            log = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // A connection wakes the listener; then all others are cut.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in connections.values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// A world with accounts and AWS's own keys, and nothing else.
fn first_world(options: &Options) -> World {
    let mut world = World::default();
    world.properties.extend(options.properties.iter().cloned());
    for account in &options.accounts {
        let arn = format!("arn:aws:iam::{}:user/builder", account.number);
        let key = Key {
            account: account.number.clone(),
            arn,
            secret: account.secret.clone(),
            token: None,
            expires: None,
        };
        world.keys.insert(account.key.clone(), key);
    }
    for name in &options.regions {
        let keys = options.accounts.iter().map(|account| MasterKey {
            arn: aws_key(name, &account.number),
            alias: "alias/aws/ebs".to_owned(),
            managed_by_aws: true,
            state: "Enabled".to_owned(),
            ..MasterKey::default()
        });
        let region = world.region(name);
        region.keys = keys.collect();
        region.encryption_by_default = options.encryption_by_default;
        region.default_key.clone_from(&options.default_key);
        region.image_block_public_access = options.block_public_access;
        region.snapshot_block_public_access = options.block_public_access;
        holdings::preset(&mut world, options, name);
    }
    world
}

/// The ARN of AWS's own key of an account.
pub(crate) fn aws_key(region: &str, account: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/0a0a0a0a-{account}-aws-ebs")
}
