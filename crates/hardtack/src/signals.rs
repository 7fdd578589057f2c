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
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::talk;

/// What a shell reports for a process that a signal ended.
const SIGNALLED: i32 = 128;

/// The journal of the run, if it has one, and how the run goes on.
static JOURNAL: OnceLock<(PathBuf, String)> = OnceLock::new();

/// The run's directory of temporary files, if it has one.
static SCRATCH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Processes of this run.
static CHILDREN: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// A process that was told to stop has so long to take its files away.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Starts a process that is told to stop when this one is.
pub(crate) fn start(command: &mut Command) -> std::io::Result<Child> {
    {
        let mut children = CHILDREN.lock().map_err(|_| std::io::Error::other("a thread has panicked"))?;
        // Whoever stops them sees all that there are, or this sees that they are to be stopped.
        if !STOPPING.load(Ordering::SeqCst) {
            let child = command.spawn()?;
            children.push(Pid::from_child(&child));
            return Ok(child);
        }
    }
    hold();
    Err(std::io::ErrorKind::Interrupted.into())
}

/// Waits for such a process.
pub(crate) fn wait(child: &mut Child) -> std::io::Result<ExitStatus> {
    let pid = Pid::from_child(child);
    // Until it is forgotten here its number is nobody else's.
    let ended = || rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    while matches!(ended(), Err(rustix::io::Errno::INTR)) {}
    let status = {
        let mut children = CHILDREN.lock().map_err(|_| std::io::Error::other("a thread has panicked"))?;
        children.retain(|known| *known != pid);
        child.wait()
    };
    hold();
    status
}

/// This process is told to stop when the thread of `parent` that started it ends.
pub(crate) fn end_with_parent(parent: u32) {
    // Where the kernel has no such thing the parent's own handler is what there is.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if now.and_then(|pid| u32::try_from(pid).ok()) != Some(parent) {
        // It ended before it could be asked for.
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::TERM);
    }
}

/// Stops all processes of this run; those that do not listen are killed.
fn stop_children() {
    let tell = |signal| match CHILDREN.lock() {
        Ok(children) => {
            for child in children.iter() {
                let _ = rustix::process::kill_process(*child, signal);
            }
            children.is_empty()
        }
        Err(_) => true,
    };
    let began = Instant::now();
    if tell(Signal::TERM) {
        return;
    }
    crate::talk::line("hardtack: stopping");
    while began.elapsed() < PATIENCE {
        if CHILDREN.lock().map_or(true, |children| children.is_empty()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    tell(Signal::KILL);
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
            stop_children();
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
