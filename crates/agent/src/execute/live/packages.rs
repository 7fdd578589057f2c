//! What comes with packages: apt's locks, packages that apt does not know, snaps, the reboot
//! (`cloudinit/distros/package_management/apt.py`, `snap.py`; `cloudinit/distros/__init__.py`:
//! `install_packages`; `config/cc_package_update_upgrade_install.py`).

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::{Details, program};
use crate::error::AgentError;
use crate::execute::Execution;
use crate::execute::run::{self, Program};
use crate::host::Host;
use crate::log::Log;

/// In apt's own order; each one only counts where it exists.
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/apt/lists/lock",
];
/// No package has a longer name.
const LONGEST_NAME: usize = 4096;
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_PAUSE: Duration = Duration::from_secs(1);
/// `snap install` and `snap refresh` fetch what they install.
const SNAP_PATIENCE: Duration = Duration::from_secs(1800);

/// What runs a program.
type Runner<'a> = &'a mut dyn FnMut(&mut Execution<'_>, &[String]) -> Result<(), AgentError>;

/// Carries out `argv` where it is a call of apt-get, through `run`; `None` where it is not.
///
/// Another apt that is at work is waited for. Packages that apt does not know are left out of an install, which has
/// failed for them once the others are there; on Ubuntu, snap is asked for them.
pub(in crate::execute) fn apt(
    cx: &mut Execution<'_>,
    argv: &[String],
    run: Runner<'_>,
) -> Option<Result<(), AgentError>> {
    let call = Call::of(argv).filter(|_| cx.host.is_live())?;
    if !call.installs() {
        return Some(under_locks(cx, argv, run));
    }
    let unknown = unknown(&call.packages);
    if unknown.is_empty() {
        return Some(under_locks(cx, argv, run));
    }
    cx.log.info(&format!(
        "apt does not know these packages, and is not asked for them: {}",
        unknown.join(", ")
    ));
    let known: Vec<String> = call.packages.iter().filter(|name| !unknown.contains(*name)).cloned().collect();
    if !known.is_empty() {
        let argv: Vec<String> = call.words.iter().chain(&known).cloned().collect();
        if let Err(error) = under_locks(cx, &argv, run) {
            return Some(Err(error));
        }
    }
    let mut missing = unknown;
    if cx.distro.variant == "ubuntu" && cx.machine.program("snap").is_some() {
        missing.retain(|name| !snap_install(cx, name));
    }
    Some(if missing.is_empty() {
        Ok(())
    } else {
        Err(AgentError::text(format!(
            "these packages could not be installed: {}; apt does not know them. Look for their names, and for \
             package_update: true",
            missing.join(", ")
        )))
    })
}

/// A call of apt-get, taken apart.
struct Call {
    /// Up to the command, and with it.
    words: Vec<String>,
    command: String,
    packages: Vec<String>,
}

impl Call {
    fn of(argv: &[String]) -> Option<Self> {
        // Something like eatmydata may stand before it.
        let program = argv.iter().position(|word| word.rsplit('/').next() == Some("apt-get"))?;
        let behind = argv.get(program + 1..)?;
        let command = program + 1 + behind.iter().position(|word| !word.starts_with('-'))?;
        Some(Self {
            words: argv.get(..=command)?.to_vec(),
            command: argv.get(command)?.clone(),
            packages: argv.get(command + 1..).unwrap_or_default().to_vec(),
        })
    }

    fn installs(&self) -> bool {
        self.command == "install" && !self.packages.is_empty()
    }
}

/// The name that apt's list has: without a version, a release, or the marks for leaving out and for tasks.
fn plain(package: &str) -> &str {
    package.split(['/', '=']).next().unwrap_or_default().trim_end_matches(['-', '^'])
}

/// Those packages that apt does not know. All are known when it cannot be asked: it will say so itself.
fn unknown(packages: &[String]) -> Vec<String> {
    let mut wanted: HashSet<&str> = packages.iter().map(|package| plain(package)).collect();
    let mut names = 0_usize;
    // A hundred thousand names, of which few are looked for: none is kept.
    let mut line: Vec<u8> = Vec::new();
    let mut look = |bytes: &[u8]| {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.pop_if(|byte| *byte == b'\n').is_some() {
                wanted.remove(String::from_utf8_lossy(&line).trim_end());
                names += 1;
                line.clear();
            } else if line.len() > LONGEST_NAME {
                line.clear();
            }
        }
    };
    let program =
        Program { argv: &["apt-cache", "pkgnames"], patience: Some(program::PATIENCE), ..Program::default() };
    let asked =
        run::start(&program).and_then(|started| started.finish_seen(&Log::default(), &program, &mut look));
    if asked.is_ok_and(|ended| ended.status.success()) && names > 0 {
        packages.iter().filter(|package| wanted.contains(plain(package))).cloned().collect()
    } else {
        Vec::new()
    }
}

/// Runs when nobody holds one of apt's locks, and again when somebody came first.
fn under_locks(cx: &mut Execution<'_>, argv: &[String], run: Runner<'_>) -> Result<(), AgentError> {
    let began = Instant::now();
    let mut said = false;
    while began.elapsed() < LOCK_PATIENCE {
        if are_free(cx.host) {
            match run(cx, argv) {
                Err(error) if are_free(cx.host) => return Err(error),
                Err(_) => {}
                done => return done,
            }
        }
        if !said {
            cx.log.info("another program holds apt's locks: waiting for it");
            said = true;
        }
        thread::sleep(LOCK_PAUSE);
    }
    Err(AgentError::text(format!(
        "another program held apt's locks for {} s: apt-get was not run",
        LOCK_PATIENCE.as_secs()
    )))
}

fn are_free(host: &Host) -> bool {
    LOCKS.iter().all(|path| {
        let Ok(file) = OpenOptions::new().write(true).open(host.path(path)) else { return true };
        // fcntl's kind, as apt takes it; closing the file gives it back.
        rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    })
}

/// `snap install` of one; whether it worked.
fn snap_install(cx: &Execution<'_>, package: &str) -> bool {
    let mut argv = vec!["snap", "install"];
    match package.split_once('=') {
        Some((name, rest)) => argv.extend([name, rest]),
        None => argv.push(package),
    }
    match program::must(&argv, None, SNAP_PATIENCE) {
        Ok(_) => true,
        Err(error) => {
            cx.log.info(&error.to_string());
            false
        }
    }
}

/// `snap-refresh`.
pub(super) fn snap_refresh(cx: &mut Execution<'_>, _details: &Details<'_>) -> Result<(), AgentError> {
    program::only_live(cx.host, "snap refresh")?;
    let asked = program::ask(&["snap", "get", "system", "-d"], &[], None, program::PATIENCE);
    let held = asked.ok().filter(|done| done.code == Some(0)).is_some_and(|done| is_held(&done.out));
    if held {
        cx.log.info("snaps are not refreshed: refresh.hold is `forever`");
        return Ok(());
    }
    program::must(&["snap", "refresh"], None, SNAP_PATIENCE).map(|_| ())
}

fn is_held(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| value.pointer("/refresh/hold").is_some_and(|hold| hold == "forever"))
}

/// `reboot-if-required`.
pub(super) fn reboot_if_required(cx: &mut Execution<'_>, details: &Details<'_>) -> Result<(), AgentError> {
    program::only_live(cx.host, "the reboot that packages may ask for")?;
    let files = details.need("if-any")?;
    let Some(file) = files.split_whitespace().find(|file| cx.host.path(file).is_file()) else {
        return Ok(());
    };
    let command: Vec<&str> = details.need("run")?.split_whitespace().collect();
    cx.log.info(&format!("rebooting after upgrade or install, because {file} is there"));
    let _ = cx.record.save(cx.host);
    program::must(&command, None, program::PATIENCE)?;
    // Nothing of the run comes behind it.
    let began = Instant::now();
    for seconds in [1, 2, 4, 8, 16, 32] {
        thread::sleep(Duration::from_secs(seconds));
    }
    Err(AgentError::text(format!(
        "{} was run, and {} s later the machine has not rebooted",
        command.join(" "),
        began.elapsed().as_secs()
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::testing::{Tree, has};

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn calls_of_apt_are_seen() {
        let call = Call::of(&words("eatmydata apt-get --option=a=b --quiet install vim git=1.2")).unwrap();
        assert!(call.installs());
        assert_eq!(call.packages, ["vim", "git=1.2"]);
        assert_eq!(call.words.last().unwrap(), "install");
        assert!(!Call::of(&words("apt-get --quiet update")).unwrap().installs());
        assert!(Call::of(&words("dnf -y install vim")).is_none());
        assert!(Call::of(&words("apt-get --version")).is_none());
    }

    #[test]
    fn names_without_what_apt_reads_into_them() {
        for (package, name) in
            [("vim", "vim"), ("vim=2:8", "vim"), ("vim/sid", "vim"), ("vim-", "vim"), ("kde^", "kde")]
        {
            assert_eq!(plain(package), name);
        }
        if !has("apt-cache") {
            return;
        }
        let asked = words("dpkg dpkg=1.0 no-such-package-here=2 dpkg- nothing-like-it^");
        assert_eq!(unknown(&asked), ["no-such-package-here=2", "nothing-like-it^"]);
    }

    #[test]
    fn a_lock_of_another_process_is_seen() {
        let tree = Tree::new().file("var/lib/dpkg/lock", "").file("var/lib/apt/lists/lock", "");
        let host = tree.host();
        assert!(are_free(&host));
        if !has("python3") {
            return;
        }
        let script = "import fcntl,sys\nf=open(sys.argv[1],'w')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()";
        let mut other = Command::new("python3")
            .args(["-c", script])
            .arg(host.path("/var/lib/dpkg/lock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        assert!(!are_free(&host));
        drop(other.stdin.take());
        other.wait().unwrap();
        assert!(are_free(&host));
    }

    #[test]
    fn a_hold_for_ever_is_seen() {
        assert!(is_held(r#"{"refresh": {"hold": "forever"}}"#));
        assert!(!is_held(r#"{"refresh": {"hold": "2030-01-01"}}"#) && !is_held("{}") && !is_held("error"));
    }
}
