//! Labels of SELinux on what was written (`cloudinit/util.py`: `SeLinuxGuard`).
//!
//! A file that replaces another keeps its label, and a new one gets what the kernel gives it. The policy may
//! want another one, which only its own program `restorecon` knows: it is asked before anything else is run,
//! and at the module's end; where SELinux is off or the program is missing, never.

use hardtack_modules::Action;

use super::Execution;
use super::run::{self, PATIENCE, Program};
use crate::host::Host;

/// Where the kernel shows SELinux, if it is on.
const ON: &str = "/sys/fs/selinux/enforce";
/// As many paths as go to the program at once.
const MOST: usize = 256;

/// Paths that wait for their labels.
pub(super) struct Labels {
    on: bool,
    paths: Vec<String>,
}

impl Labels {
    pub(super) fn new(host: &Host) -> Self {
        Self { on: host.is_live() && host.exists(ON), paths: Vec::new() }
    }

    /// What is run now may need what was written.
    pub(super) fn before(&mut self, cx: &Execution<'_>, action: &Action) {
        if matches!(action, Action::Run { .. } | Action::Live { .. }) {
            self.finish(cx);
        }
    }

    pub(super) fn behind(&mut self, action: &Action) {
        if !self.on {
            return;
        }
        match action {
            Action::Write { path, .. }
            | Action::Append { path, .. }
            | Action::Directory { path, .. }
            | Action::Link { path, .. }
            | Action::Fetch { path, .. } => self.paths.push(path.clone()),
            // Host keys, made by programs.
            Action::Run { argv, .. } if argv.first().is_some_and(|name| name == "ssh-keygen") => {
                self.paths.push("/etc/ssh".to_owned());
            }
            _ => {}
        }
        self.paths.dedup();
    }

    /// Asks for the labels of all that wait.
    pub(super) fn finish(&mut self, cx: &Execution<'_>) {
        let paths = std::mem::take(&mut self.paths);
        for some in paths.chunks(MOST) {
            restore(cx, some);
        }
    }
}

/// Asks the policy's program for the labels of `paths`, and of what is in them.
pub(super) fn restore(cx: &Execution<'_>, paths: &[String]) {
    if paths.is_empty() || !cx.host.is_live() || !cx.host.exists(ON) {
        return;
    }
    let Some(program) = cx.machine.program("restorecon") else { return };
    let mut argv = vec![program.as_str(), "-R", "--"];
    argv.extend(paths.iter().map(String::as_str));
    let program = Program { argv: &argv, patience: Some(PATIENCE), ..Program::default() };
    match run::capture(cx.host, cx.log, &program) {
        Ok(ended) if ended.status.success() => {}
        Ok(ended) => cx.log.warn(&run::failure("restorecon", &ended, None).to_string()),
        Err(error) => cx.log.warn(&error.to_string()),
    }
}
