//! The record of a build, beside its output: what went in, what came out.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{io, thread};

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Package;
use hardtack_recipe::model::PackagesStep;
use hardtack_recipe::supply::{Supplied, Supply};
use hardtack_recipe::{HostFiles, RealFiles, StepError};
use hardtack_sbom::{Digest, Input, Provenance, hex};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::document;
use crate::error::{CliError, LOCAL_IO};

/// What is behind an output's name in the name of its record.
const SUFFIX: &str = ".provenance.json";

/// Gathers what goes into a build while it runs.
pub(crate) struct Record {
    verb: &'static str,
    sources: Vec<Reading>,
    inputs: Vec<Input>,
    parameters: Vec<(&'static str, Value)>,
}

impl Record {
    /// Begins with the source; it is read by a thread of its own, beside the build, which reads the same bytes.
    pub(crate) fn begin(verb: &'static str, source: &Path) -> Result<Self, CliError> {
        let sources = vec![Reading::start("source", source)?];
        Ok(Self { verb, sources, inputs: Vec::new(), parameters: Vec::new() })
    }

    /// The source stands on these files, which hold a part of it.
    pub(crate) fn backing(&mut self, files: &[&Path]) -> Result<(), CliError> {
        for path in files {
            self.sources.push(Reading::start("backing file", path)?);
        }
        Ok(())
    }

    /// Something of the command line. Never a secret.
    pub(crate) fn parameter(&mut self, name: &'static str, value: impl Into<Value>) {
        self.parameters.push((name, value.into()));
    }

    /// Bytes that went in.
    pub(crate) fn bytes(&mut self, role: &'static str, name: &str, bytes: &[u8]) {
        let digest = Digest(hex(&Sha256::digest(bytes)));
        self.inputs.push(Input { role, name: name.to_owned(), digest });
    }

    /// A file that went in.
    pub(crate) fn file(&mut self, role: &'static str, path: &Path) -> Result<(), CliError> {
        let digest = digest_of(path).map_err(|error| CliError::io(path, "read it for the record", error))?;
        self.inputs.push(Input { role, name: last_part(path), digest: Digest(digest) });
        Ok(())
    }

    /// What the recipe named and was read.
    pub(crate) fn files_of(&mut self, files: &Recorder) {
        let files = files.read.lock().map(|all| all.clone()).unwrap_or_default();
        self.inputs.extend(files.into_iter().map(|(path, digest)| Input {
            role: "file",
            name: last_part(&path),
            digest: Digest(digest),
        }));
    }

    /// Writes the record of `output`, which is there, and returns the record's path and the output's digest.
    pub(crate) fn write_beside(self, output: &Path, epoch: i64) -> Result<(PathBuf, String), CliError> {
        let fail = |path: &Path, error| CliError::io(path, "read it for the record", error);
        let digest = digest_of(output).map_err(|error| fail(output, error))?;
        let mut inputs = self.sources.into_iter().map(Reading::finish).collect::<Result<Vec<_>, _>>()?;
        inputs.extend(self.inputs);
        inputs.dedup();
        let statement = Provenance {
            output: last_part(output),
            digest: Digest(digest.clone()),
            verb: self.verb,
            parameters: self.parameters,
            inputs,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch,
        }
        .statement();
        let path = beside(output);
        // The output is new: an older record of its name speaks of another one.
        document::write(&format!("{statement:#}\n"), Some(&path), true, &[])?;
        Ok((path, digest))
    }
}

/// A file that is read for its digest while the build reads it, too.
struct Reading {
    role: &'static str,
    path: PathBuf,
    state: State,
    digest: JoinHandle<io::Result<String>>,
}

/// What tells one state of a file from another: device, inode, length, time of the last change.
type State = (u64, u64, u64, i64, i64);

impl Reading {
    fn start(role: &'static str, path: &Path) -> Result<Self, CliError> {
        let open = || {
            let file = File::open(path)?;
            let state = state_of(&file.metadata()?);
            Ok((file, state))
        };
        let (file, state) = open().map_err(|error| CliError::io(path, "read it for the record", error))?;
        let digest = thread::spawn(move || digest_in(file));
        Ok(Self { role, path: path.to_owned(), state, digest })
    }

    /// Its digest; a file that is another one now was perhaps not what was built from.
    fn finish(self) -> Result<Input, CliError> {
        let read = self.digest.join();
        let read = read.unwrap_or_else(|_| Err(io::Error::other("the thread that read it has ended")));
        let fail = |error| CliError::io(&self.path, "read it for the record", error);
        let digest = Digest(read.map_err(fail)?);
        let now = state_of(&std::fs::metadata(&self.path).map_err(fail)?);
        if now != self.state {
            let text = format!("{}: has changed while it was read; there is no record", self.path.display());
            return Err(CliError::new(LOCAL_IO, text));
        }
        Ok(Input { role: self.role, name: last_part(&self.path), digest })
    }
}

fn state_of(found: &Metadata) -> State {
    (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec())
}

/// Where the record of `output` is.
pub(crate) fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// The host's files, and the digests of those that were read. Files with secrets are not among them: a digest of a
/// short secret tells it to whoever tries all of them.
#[derive(Default)]
pub(crate) struct Recorder {
    read: Mutex<Vec<(PathBuf, String)>>,
}

impl HostFiles for Recorder {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = RealFiles.read(path, limit)?;
        let entry = (path.to_owned(), hex(&Sha256::digest(&content)));
        if let Ok(mut all) = self.read.lock()
            && !all.contains(&entry)
        {
            all.push(entry);
        }
        Ok(content)
    }

    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        RealFiles.read(path, limit)
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        RealFiles.is_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFiles.list(path)
    }
}

/// A supply, and what was taken of it.
#[derive(Debug)]
pub(crate) struct Taken {
    supply: Arc<dyn Supply>,
    paths: Mutex<Vec<PathBuf>>,
}

impl Taken {
    pub(crate) fn new(supply: Arc<dyn Supply>) -> Self {
        Self { supply, paths: Mutex::default() }
    }

    /// The files that were taken, each once.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.paths.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

impl Supply for Taken {
    fn supply(
        &self,
        step: &PackagesStep,
        given: &[Package],
        stage: &Stage<'_>,
    ) -> Result<Supplied, StepError> {
        let supplied = self.supply.supply(step, given, stage)?;
        if let Ok(mut all) = self.paths.lock() {
            for deb in supplied.debs() {
                if !all.contains(&deb.path) {
                    all.push(deb.path.clone());
                }
            }
        }
        Ok(supplied)
    }
}

/// SHA-256 of a file.
fn digest_of(path: &Path) -> io::Result<String> {
    digest_in(File::open(path)?)
}

/// The same of an open one, read once from its beginning to its end.
fn digest_in(mut file: File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Paths of this machine are nobody else's business.
fn last_part(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
