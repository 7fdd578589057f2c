//! Ctrl-C and SIGTERM leave no temporary file behind.
//!
//! Where the file system has unnamed temporary files nothing can be left anyway; elsewhere
//! [`hardtack_disk::temporary_files`] knows the names.
//!
//! What a run has made in a cloud or in the catalog stays, and its journal is named. An image that is half written in
//! the catalog goes.
//!
//! A limit on the size of files (`ulimit -f`) is told by a signal that ends programs. It is caught,
//! so that the write fails instead and its error is told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::talk;

/// What a shell reports for a process that a signal ended.
const SIGNALLED: i32 = 128;

/// The journal of the run, if it has one, and how the run goes on.
static JOURNAL: OnceLock<(PathBuf, String)> = OnceLock::new();

/// The run's directory of temporary files, if it has one.
static SCRATCH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The program was told to stop.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Waits for the end of a program that was told to stop: what fails now fails because its files were removed, and
/// nobody is to hear of that, nor is the journal to go.
pub(crate) fn hold() {
    while STOPPING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// A run that is told to stop says which journal has what it made.
pub(crate) fn name_journal(path: &Path, again: &str) {
    // A process makes one run; a second journal would have nobody to be named by.
    let _ = JOURNAL.set((path.to_owned(), again.to_owned()));
}

/// A run that is told to stop takes this directory with it.
pub(crate) fn name_scratch(path: &Path) {
    if let Ok(mut scratch) = SCRATCH.lock() {
        *scratch = Some(path.to_owned());
    }
}

/// Removes temporary files when the program is told to stop, and stops it.
pub(crate) fn clean_up_when_interrupted() {
    // A flag that nobody reads: the write's own error says it all.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    // Without the handler the signals still end the program, only less tidily.
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            STOPPING.store(true, Ordering::SeqCst);
            // Parts of a bundle have their names before its manifest is there.
            let parts = hardtack_bundle::unfinished_files();
            for file in hardtack_disk::temporary_files().into_iter().chain(parts) {
                // It may be gone already; there is nobody left to tell.
                let _ = std::fs::remove_file(file);
            }
            if let Some(scratch) = SCRATCH.lock().ok().and_then(|scratch| scratch.clone()) {
                let _ = std::fs::remove_dir_all(&scratch).or_else(|_| std::fs::remove_dir_all(&scratch));
            }
            for image in hardtack_publish::catalog::unfinished_images() {
                // Once more where a file was made in it meanwhile.
                let _ = std::fs::remove_dir_all(&image).or_else(|_| std::fs::remove_dir_all(&image));
            }
            if let Some((journal, again)) = JOURNAL.get() {
                let journal = journal.display();
                talk::line("hardtack: stopped");
                talk::line(&format!("hint: {again}"));
                talk::line(&format!("hint: or take away what was made: hardtack undo {journal}"));
            }
            std::process::exit(SIGNALLED + signal);
        }
    });
}
