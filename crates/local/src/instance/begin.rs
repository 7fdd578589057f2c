//! Beginning an instance: its directory, its disks, its supervisor.
//!
//! The directory has a name with a dot until all of it is there, and its lock is held from its first moment on: it is the
//! supervisor's standard input, and so passes to it without anybody being able to take it between.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hardtack_cloud::Environment;

use super::files::{Lock, is_private, make_directory, read_value, write_private, write_value};
use super::store::is_id;
use super::{Instance, Instances, Program, Report, Spec, disks};
use crate::{Error, network, qemu};

/// Until QEMU runs; a busy host takes its time.
const START: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);

pub(super) fn begin(
    instances: &Instances,
    spec: &Spec,
    user_data: &[u8],
    program: &Program,
    environment: &Environment,
) -> Result<Instance, Error> {
    let catalog = std::path::absolute(instances.catalog())
        .map_err(|error| Error::file(instances.catalog(), "find the catalog", error))?;
    let instances = &Instances::new(&catalog);
    check(spec, environment)?;
    let (half, path) = (instances.half(&spec.id), instances.path(&spec.id));
    make_directory(&instances.directory())?;
    is_private(&instances.directory())?;
    if path.symlink_metadata().is_ok() {
        return Err(Error::Refused(format!("{}: there is an instance of this id already", path.display())));
    }
    let lock = claim(&half)?;
    let filled = fill(spec, user_data, &half)
        .and_then(|()| rename(&half, &path))
        .and_then(|()| start(&path, program, lock, environment));
    let begun = filled.and_then(|child| wait(instances, &spec.id, child, environment));
    if begun.is_err() {
        // What went wrong is told; this is only tidied up.
        if path.symlink_metadata().is_ok() || half.symlink_metadata().is_ok() {
            let _ = instances.terminate(&spec.id, environment);
        }
    }
    begun
}

/// Refuses what can be known to fail.
fn check(spec: &Spec, environment: &Environment) -> Result<(), Error> {
    let id = &spec.id;
    if !is_id(id) {
        return Err(Error::Usage(format!("{id:?} is no id of an instance, as i-0123456789abcdef0")));
    }
    request(spec, id, environment)
}

/// Refuses a request that can be known to fail; `what` begins the messages.
pub(super) fn request(spec: &Spec, what: &str, environment: &Environment) -> Result<(), Error> {
    qemu::check(&spec.architecture, spec.uefi, what, environment)?;
    if let Some(name) = &spec.network {
        network::check_name(name)?;
    }
    if let Some(disk) = &spec.disk
        && !disk.is_file()
    {
        return Err(Error::Refused(format!("{}: the disk of {} is not there", disk.display(), spec.image)));
    }
    if spec.netboot && spec.network.is_none() {
        return Err(Error::Usage(format!(
            "{what}: a machine boots from a private network, and has none: --network"
        )));
    }
    disks::check(spec)?;
    for port in &spec.ports {
        if let Some(host) = port.host {
            qemu::can_listen(host, port.guest)?;
        }
    }
    match &spec.capture {
        Some(capture) if !capture.is_absolute() => {
            Err(Error::Usage(format!("{}: the capture's path is not absolute", capture.display())))
        }
        // The supervisor opens it, when nobody looks any more.
        Some(capture) => network::can_capture(capture),
        None => Ok(()),
    }
}

/// Makes the directory, with its lock held. What a killed run left is begun anew.
fn claim(half: &Path) -> Result<Lock, Error> {
    let busy = || Error::Refused(format!("{}: another process makes or removes it now", half.display()));
    if half.symlink_metadata().is_ok() {
        let Some(_lock) = Lock::take(half)? else { return Err(busy()) };
        std::fs::remove_dir_all(half).map_err(|error| Error::file(half, "remove it", error))?;
    }
    DirBuilder::new().mode(0o700).create(half).map_err(|error| Error::file(half, "make it", error))?;
    Lock::take(half)?.ok_or_else(busy)
}

fn fill(spec: &Spec, user_data: &[u8], directory: &Path) -> Result<(), Error> {
    disks::make(spec, directory)?;
    if spec.uefi {
        let (_, variables) = qemu::firmware(&spec.id)?;
        let bytes = std::fs::read(&variables).map_err(|error| Error::file(&variables, "read it", error))?;
        write_private(&directory.join("variables.fd"), &bytes)?;
    }
    write_private(&directory.join("user-data"), user_data)?;
    write_private(&directory.join("console.log"), b"")?;
    write_value(&directory.join("instance.json"), spec)
}

fn rename(half: &Path, path: &Path) -> Result<(), Error> {
    std::fs::rename(half, path).map_err(|error| Error::file(path, "give the instance its name", error))
}

fn start(directory: &Path, program: &Program, lock: Lock, environment: &Environment) -> Result<Child, Error> {
    let log = directory.join("supervisor.log");
    let fail = |error| Error::file(&log, "write it", error);
    let output: File =
        OpenOptions::new().create_new(true).append(true).mode(0o600).open(&log).map_err(fail)?;
    let errors = output.try_clone().map_err(fail)?;
    let mut command = Command::new(&program.path);
    for name in environment.variables.keys().filter(|name| qemu::is_secret(name)) {
        command.env_remove(name);
    }
    command
        .arg("supervise")
        .arg(directory)
        .current_dir(directory)
        // The supervisor looks after real processes, which are not hasty.
        .env_remove("HARDTACK_TEST_HASTE")
        .stdin(Stdio::from(lock.0))
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| Error::file(&program.path, "start the supervisor", error))
}

/// Waits until QEMU runs.
fn wait(
    instances: &Instances,
    id: &str,
    mut child: Child,
    environment: &Environment,
) -> Result<Instance, Error> {
    let path = instances.path(id);
    let deadline = (environment.now)().checked_add(START);
    loop {
        let ended = child.try_wait().map_err(|error| Error::file(&path, "watch its supervisor", error))?;
        let report: Option<Report> = read_value(&path.join("state.json"))?;
        if let Some(report) = &report {
            if report.failed {
                let reason = report.state.reason.clone().unwrap_or_else(|| "no reason is known".to_owned());
                return Err(Error::Refused(format!("{id} could not be started: {reason}")));
            }
            if matches!(report.state.name.as_str(), "running" | "stopped")
                && let Some(instance) = instances.find(id)?
            {
                return Ok(instance);
            }
        }
        if path.symlink_metadata().is_err() {
            return Err(Error::Refused(format!("{id} was terminated while it was being started")));
        }
        if let Some(status) = ended {
            let said = last_line(&path.join("supervisor.log"));
            return Err(Error::Refused(format!(
                "{id} could not be started: its supervisor ended ({status}){said}"
            )));
        }
        if deadline.is_none_or(|deadline| (environment.now)() >= deadline) {
            return Err(Error::Refused(format!(
                "{id} could not be started: QEMU did not run after {} s",
                START.as_secs()
            )));
        }
        (environment.sleep)(PAUSE);
    }
}

/// What was said last, as the end of a sentence.
pub(crate) fn last_line(log: &Path) -> String {
    let bytes = super::files::read_end(log);
    let text = String::from_utf8_lossy(&bytes);
    match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => {
            format!(": {}", line.chars().filter(|char| !char.is_control()).take(400).collect::<String>())
        }
        None => String::new(),
    }
}
