//! One-time codes for somebody who has read the console, and reading it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hardtack_credentials::{base32, totp};
use hardtack_tests::tools::run;

use crate::workshop::Workshop;

/// Seconds that a code belongs to.
pub(crate) const STEP: u64 = 30;

/// Codes for a secret, each given out once, none before its time.
pub(crate) struct Codes {
    secret: Vec<u8>,
    /// The step of the last code given out.
    pub(crate) used: u64,
}

impl Codes {
    /// Codes of the secret in base32.
    pub(crate) fn new(secret: &str) -> Self {
        Self { secret: base32::decode(secret).unwrap(), used: 0 }
    }

    /// The secret.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The code of a step since 1970.
    pub(crate) fn of(&self, step: u64) -> String {
        totp::hotp(&self.secret, step)
    }

    /// A code that was never given out and is valid now; waits for it. The module counts attempts
    /// (three in 30 seconds), so waiting also keeps clear of its limit.
    pub(crate) fn fresh(&mut self) -> String {
        while now() / STEP <= self.used {
            std::thread::sleep(Duration::from_millis(500));
        }
        self.used = now() / STEP;
        self.of(self.used)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Waits until the rate limit has forgotten all attempts so far.
pub(crate) fn calm_down() {
    std::thread::sleep(Duration::from_secs(STEP + 2));
}

/// The object of the newest block in a console log, as `hardtack console --json` prints it with these private keys
/// of the workshop; the log stays there as `console.txt`.
pub(crate) fn block(workshop: &Workshop, console: &Path, identities: &[&str]) -> serde_json::Value {
    // The log belongs to QEMU's user; the reader is an ordinary one.
    let copy = workshop.path().join("console.txt");
    std::fs::copy(console, &copy).unwrap();
    run(Command::new("chmod").arg("644").arg(&copy));
    let mut command = workshop.command();
    command.args(["console", "--json"]);
    for identity in identities {
        command.args(["--identity", identity]);
    }
    serde_json::from_str(&run(command.arg(&copy))).unwrap()
}

/// Trusts the host keys of `console.txt` for the machine behind `port`, and no others.
pub(crate) fn trust(workshop: &Workshop, port: u16) {
    let known = workshop.path().join("known_hosts");
    if known.exists() {
        std::fs::remove_file(&known).unwrap();
    }
    run(workshop
        .command()
        .args(["console", "console.txt", "--known-hosts", "known_hosts", "--host"])
        .arg(format!("127.0.0.1:{port}")));
}
