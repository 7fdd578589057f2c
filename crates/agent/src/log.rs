//! What the agent says while it applies user-data: `/var/log/cloud-init.log`, the console, and
//! `/var/log/cloud-init-output.log`, with the modes that cloud-init gives them.
//!
//! Warnings and errors are kept besides, for `status.json` (`recoverable_errors`).

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::host::Host;

const LOG: &str = "/var/log/cloud-init.log";
const OUTPUT: &str = "/var/log/cloud-init-output.log";

/// A text that was told, by its level: `WARNING` or `ERROR`.
pub(crate) type Told = (&'static str, String);

/// Where things are said.
#[derive(Debug, Default)]
pub(crate) struct Log {
    log: Option<RefCell<File>>,
    output: Option<RefCell<File>>,
    told: RefCell<Vec<Told>>,
}

impl Log {
    /// Opens the files of `host`. What cannot be opened is done without: a full disk must not keep anybody out.
    pub(crate) fn open(host: &Host) -> Self {
        let open = |path: &str| {
            let path = host.path(path);
            if let Some(above) = path.parent() {
                let _ = std::fs::create_dir_all(above);
            }
            OpenOptions::new().create(true).append(true).mode(0o640).open(path).ok().map(RefCell::new)
        };
        Self { log: open(LOG), output: open(OUTPUT), told: RefCell::default() }
    }

    /// What happens.
    pub(crate) fn info(&self, text: &str) {
        self.line("INFO", text);
    }

    /// What did not go as somebody wanted.
    pub(crate) fn warn(&self, text: &str) {
        self.tell("WARNING", text);
    }

    /// What failed.
    pub(crate) fn error(&self, text: &str) {
        self.tell("ERROR", text);
    }

    /// Words and output for people: on the console and in the output log.
    pub(crate) fn output(&self, bytes: &[u8]) {
        let _ = std::io::stdout().lock().write_all(bytes);
        let _ = std::io::stdout().lock().flush();
        if let Some(file) = &self.output {
            let _ = file.borrow_mut().write_all(bytes);
        }
    }

    /// On the console only: what no file may hold.
    pub(crate) fn console(&self, bytes: &[u8]) {
        let _ = std::io::stdout().lock().write_all(bytes);
        let _ = std::io::stdout().lock().flush();
    }

    /// Warnings and errors so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    fn tell(&self, level: &'static str, text: &str) {
        self.told.borrow_mut().push((level, text.to_owned()));
        self.output(format!("hardtack: {level}: {text}\n").as_bytes());
        self.line(level, text);
    }

    fn line(&self, level: &str, text: &str) {
        let Some(file) = &self.log else { return };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = hardtack_credentials::time::format_utc(since.as_secs());
        let millis = since.subsec_millis();
        let time = time.trim_end_matches('Z').replace('T', " ");
        let _ =
            file.borrow_mut().write_all(format!("{time},{millis:03} - agent[{level}]: {text}\n").as_bytes());
    }
}
