//! The directory of instances.

use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hardtack_cloud::Environment;

use super::files::{Lock, read_value};
use super::{Instance, Report, Spec, State};
use crate::Error;

/// The program whose hidden verbs are the supervisor, the relay and the switch: hardtack's own.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
}

/// All instances of a catalog.
#[derive(Clone, Debug)]
pub struct Instances {
    catalog: PathBuf,
}

impl Instances {
    /// Those beside the images of the catalog in `catalog`.
    pub fn new(catalog: &Path) -> Self {
        Self { catalog: catalog.to_owned() }
    }

    /// The catalog's directory.
    pub fn catalog(&self) -> &Path {
        &self.catalog
    }

    /// An id that no instance has.
    pub fn new_id(random: fn(&mut [u8])) -> String {
        crate::catalog::Catalog::new_id(random).replacen("ami-", "i-", 1)
    }

    /// Refuses what can be known to fail of instances that are like `spec`, whose id does not count: nothing is made but
    /// a capture's file. `what` begins the messages.
    ///
    /// # Errors
    /// As of [`begin`](Self::begin).
    pub fn check(&self, spec: &Spec, what: &str, environment: &Environment) -> Result<(), Error> {
        super::begin::request(spec, what, environment)
    }

    /// Makes the instance's directory and disks, and starts its supervisor, which outlives this process. Returns when QEMU
    /// runs, or with what kept it from that.
    ///
    /// # Errors
    /// No QEMU, no memory, a port in use, an image that is gone. Nothing is left then.
    pub fn begin(
        &self,
        spec: &Spec,
        user_data: &[u8],
        program: &Program,
        environment: &Environment,
    ) -> Result<Instance, Error> {
        super::begin::begin(self, spec, user_data, program, environment)
    }

    /// All of them, oldest first. One whose files are damaged is there with what its directory tells.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn all(&self) -> Result<Vec<Instance>, Error> {
        let directory = self.directory();
        let fail = |error| Error::file(&directory, "list it", error);
        let listed = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fail)?,
        };
        let mut all = Vec::new();
        for found in listed {
            let name = found.map_err(fail)?.file_name();
            if let Some(id) = name.to_str().filter(|name| is_id(name)) {
                all.extend(self.find(id)?);
            }
        }
        all.sort_by(|one: &Instance, other| {
            let key = |instance: &Instance| {
                let spec = &instance.spec;
                (spec.launched, spec.reservation.clone(), spec.launch_index, spec.id.clone())
            };
            key(one).cmp(&key(other))
        });
        Ok(all)
    }

    /// One of them.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn find(&self, id: &str) -> Result<Option<Instance>, Error> {
        if !is_id(id) {
            return Ok(None);
        }
        let path = self.path(id);
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file(&path, "look at it", error)),
            Ok(_) => {}
        }
        // Before the files: whoever ends meanwhile has written them before.
        let runs = Lock::is_held(&path);
        let spec: Spec = match read_value(&path.join("instance.json")) {
            Ok(Some(spec)) => spec,
            // It is being removed.
            Ok(None) if path.symlink_metadata().is_err() => return Ok(None),
            other => {
                let reason = match other {
                    Err(error) => error.to_string(),
                    _ => format!("{}: it has no instance.json; terminate the instance", path.display()),
                };
                let name = if runs { "running" } else { "stopped" };
                return Ok(Some(damaged(id, name, reason)));
            }
        };
        if spec.id != id {
            let reason = format!("{}: it says that it is {:?}; terminate it", path.display(), spec.id);
            return Ok(Some(damaged(id, if runs { "running" } else { "stopped" }, reason)));
        }
        let report: Option<Report> = read_value(&path.join("state.json")).unwrap_or(None);
        let mut report = report.unwrap_or_else(Report::pending);
        if !runs && report.state.name != "stopped" {
            let reason = match report.process {
                Some(_) => "its supervisor was killed",
                None => "it was never started: what began it was killed",
            };
            report.state = State { name: "stopped".to_owned(), reason: Some(reason.to_owned()) };
        }
        Ok(Some(report.instance(spec)))
    }

    /// The last `most` bytes that the console has said, and how many it has said in all. `None`: there is no such
    /// instance.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn console(&self, id: &str, most: u64) -> Result<Option<(Vec<u8>, u64)>, Error> {
        if !is_id(id) || self.path(id).symlink_metadata().is_err() {
            return Ok(None);
        }
        let path = self.path(id).join("console.log");
        let fail = |error| Error::file(&path, "read the console's text", error);
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let mut file = match std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some((Vec::new(), 0))),
            other => other.map_err(fail)?,
        };
        let all = file.metadata().map_err(fail)?.len();
        file.seek(SeekFrom::Start(all.saturating_sub(most))).map_err(fail)?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(fail)?;
        Ok(Some((bytes, all)))
    }

    /// Ends the instance and removes all of it; false where there is none. It is at its end when this returns.
    ///
    /// # Errors
    /// Its process does not end, or its files cannot be removed.
    pub fn terminate(&self, id: &str, environment: &Environment) -> Result<bool, Error> {
        super::terminate::terminate(self, id, environment)
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.catalog.join("instances")
    }

    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.directory().join(id)
    }

    /// Where it is while it is made or removed.
    pub(super) fn half(&self, id: &str) -> PathBuf {
        self.directory().join(format!(".{id}"))
    }
}

fn damaged(id: &str, name: &str, reason: String) -> Instance {
    let spec = Spec { id: id.to_owned(), ..Spec::default() };
    let state = State { name: name.to_owned(), reason: Some(reason) };
    Report { state, ..Report::default() }.instance(spec)
}

/// Whether this is an id of an instance here.
pub(crate) fn is_id(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|digits| {
        (8..=32).contains(&digits.len())
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
