//! The record of a build, beside its output: what went in, what came out.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{io, thread};

use hardtack_guest::Stage;
use hardtack_guest::dpkg::Package;
use hardtack_recipe::model::PackagesStep;
use hardtack_recipe::supply::{Supplied, Supply};
use hardtack_recipe::{HostFiles, HostType, RealFiles, StepError};
use hardtack_repository::Upgrade;
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

    /// The same with sources whose digests are known already.
    pub(crate) fn known(verb: &'static str, sources: &[Known]) -> Self {
        let sources = sources.iter().enumerate().map(|(index, known)| Reading {
            role: if index == 0 { "source" } else { "backing file" },
            path: known.path.clone(),
            state: known.state,
            digest: Reader::Done(known.digest.clone()),
        });
        Self { verb, sources: sources.collect(), inputs: Vec::new(), parameters: Vec::new() }
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
        let digest = digest_of(path).map_err(|error| CliError::io(path, "read it", error))?;
        self.inputs.push(Input { role, name: last_part(path), digest: Digest(digest) });
        Ok(())
    }

    /// The recipe, and what it named and was read: as they were then, whatever lies there by now.
    pub(crate) fn files_of(&mut self, files: &Recorder) {
        let recipe = files.recipe.lock().ok().and_then(|recipe| recipe.clone());
        self.inputs.extend(recipe.map(|(path, digest)| Input {
            role: "recipe",
            name: last_part(&path),
            digest: Digest(digest),
        }));
        let files = files.read.lock().map(|all| all.clone()).unwrap_or_default();
        self.inputs.extend(files.into_iter().map(|(path, digest)| Input {
            role: "file",
            name: last_part(&path),
            digest: Digest(digest),
        }));
    }

    /// Writes the record of `output`, which is there, and returns the record's path and the output's digest.
    pub(crate) fn write_beside(self, output: &Path, epoch: i64) -> Result<(PathBuf, String), CliError> {
        let Told { text, digest } = self.finish(output, epoch)?;
        Ok((write_beside(output, &text)?, digest))
    }

    /// The record of `output`, which is there.
    pub(crate) fn finish(self, output: &Path, epoch: i64) -> Result<Told, CliError> {
        let fail = |path: &Path, error| CliError::io(path, "read it", error);
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
        Ok(Told { text: format!("{statement:#}\n"), digest })
    }
}

/// A record, and the digest of the output that it speaks of.
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) digest: String,
}

/// Writes the record of `output`, and returns its path.
pub(crate) fn write_beside(output: &Path, text: &str) -> Result<PathBuf, CliError> {
    let path = beside(output);
    // The output is new: an older record of its name speaks of another one.
    document::write(text, Some(&path), true, &[])?;
    Ok(path)
}

/// The record of an output with the same content, of sources with other names. `None` where it is no record.
pub(crate) fn renamed(text: &str, output: &Path, sources: &[Known], recipe: &Path) -> Option<String> {
    let mut statement: Value = serde_json::from_str(text).ok()?;
    let name = |path: &Path| Value::from(last_part(path));
    *statement.pointer_mut("/subject/0/name")? = name(output);
    let inputs = statement.pointer_mut("/predicate/buildDefinition/resolvedDependencies")?.as_array_mut()?;
    let mut backing = sources.iter().skip(1);
    for input in inputs {
        let of = match input.pointer("/annotations/role")?.as_str()? {
            "source" => Some(&*sources.first()?.path),
            "backing file" => Some(&*backing.next()?.path),
            "recipe" => Some(recipe),
            _ => None,
        };
        if let Some(path) = of {
            *input.get_mut("name")? = name(path);
        }
    }
    Some(format!("{statement:#}\n"))
}

/// A source whose digest is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// The file, or the name that it goes by.
    pub(crate) path: PathBuf,
    /// Its digest.
    pub(crate) digest: String,
    /// What it was like; `None` where it is no file of this machine.
    pub(crate) state: Option<State>,
}

/// A file that is read for its digest while the build reads it, too.
struct Reading {
    role: &'static str,
    path: PathBuf,
    state: Option<State>,
    digest: Reader,
}

/// Where a digest comes from.
enum Reader {
    /// It is being made.
    Running(JoinHandle<io::Result<String>>),
    /// It was known.
    Done(String),
}

/// What tells one state of a file from another: device, inode, length, time of the last change.
pub(crate) type State = (u64, u64, u64, i64, i64);

impl Reading {
    fn start(role: &'static str, path: &Path) -> Result<Self, CliError> {
        let open = || {
            let file = File::open(path)?;
            let state = state_of(&file.metadata()?);
            Ok((file, state))
        };
        let (file, state) = open().map_err(|error| CliError::io(path, "read it", error))?;
        let digest = Reader::Running(thread::spawn(move || digest_in(file)));
        Ok(Self { role, path: path.to_owned(), state: Some(state), digest })
    }

    /// Its digest; a file that is another one now was perhaps not what was built from.
    fn finish(self) -> Result<Input, CliError> {
        let read = match self.digest {
            Reader::Done(digest) => Ok(digest),
            Reader::Running(thread) => {
                let read = thread.join();
                read.unwrap_or_else(|_| Err(io::Error::other("the thread that read it has ended")))
            }
        };
        let fail = |error| CliError::io(&self.path, "read it", error);
        let digest = Digest(read.map_err(fail)?);
        if let Some(state) = self.state
            && state_of(&std::fs::metadata(&self.path).map_err(fail)?) != state
        {
            let text = format!("{}: has changed while it was read; there is no record", self.path.display());
            return Err(CliError::new(LOCAL_IO, text));
        }
        Ok(Input { role: self.role, name: last_part(&self.path), digest })
    }
}

pub(crate) fn state_of(found: &Metadata) -> State {
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
    /// The recipe itself, as it was read last: what is built follows from that.
    recipe: Mutex<Option<(PathBuf, String)>>,
    read: Mutex<Vec<(PathBuf, String)>>,
    seen: Mutex<Seen>,
}

/// Everything that a recipe has asked for, secrets too, as digests that nobody is shown.
#[derive(Default)]
struct Seen {
    /// Answers, in the order of the questions: each question follows from the recipe and the answers before it, so
    /// that they need not be kept, and with them the places where files are on this machine.
    answers: Sha256,
    first: BTreeMap<(&'static str, PathBuf), [u8; 32]>,
    altered: Option<PathBuf>,
}

impl Recorder {
    /// Sees an answer.
    pub(crate) fn see(&self, question: &'static str, of: &Path, answer: &[u8]) {
        let Ok(mut seen) = self.seen.lock() else { return };
        let mut hasher = Sha256::new();
        hasher.update(question.as_bytes());
        hasher.update([0]);
        hasher.update(answer);
        let digest: [u8; 32] = hasher.finalize().into();
        match seen.first.insert((question, of.to_owned()), digest) {
            None => seen.answers.update(digest),
            Some(before) if before != digest => seen.altered = Some(of.to_owned()),
            Some(_) => {}
        }
    }

    fn see_result<T>(
        &self,
        question: &'static str,
        of: &Path,
        answer: &io::Result<T>,
        text: impl FnOnce(&T) -> Vec<u8>,
    ) {
        match answer {
            Ok(answer) => self.see(question, of, &[b"+", &text(answer)[..]].concat()),
            Err(error) => self.see(question, of, format!("-{:?}", error.kind()).as_bytes()),
        }
    }

    /// The text of the recipe itself.
    pub(crate) fn recipe(&self, path: &Path, text: &[u8]) {
        self.see("recipe", path, text);
        if let Ok(mut recipe) = self.recipe.lock() {
            *recipe = Some((path.to_owned(), hex(&Sha256::digest(text))));
        }
    }

    /// A variable of the environment.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = std::env::var(name).ok();
        let text = value.as_ref().map_or("-".to_owned(), |value| format!("+{value}"));
        self.see("variable", Path::new(name), text.as_bytes());
        value
    }

    /// The digest of all answers so far, which depends on secrets.
    pub(crate) fn answers(&self) -> [u8; 32] {
        self.seen.lock().map(|seen| seen.answers.clone().finalize().into()).unwrap_or_default()
    }

    /// What gave another answer when it was asked again.
    pub(crate) fn altered(&self) -> Option<PathBuf> {
        self.seen.lock().ok()?.altered.clone()
    }
}

impl HostFiles for Recorder {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = RealFiles.read(path, limit);
        self.see_result("file", path, &content, Vec::clone);
        let content = content?;
        let entry = (path.to_owned(), hex(&Sha256::digest(&content)));
        if let Ok(mut all) = self.read.lock()
            && !all.contains(&entry)
        {
            all.push(entry);
        }
        Ok(content)
    }

    fn read_secret(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let content = RealFiles.read_secret(path, limit);
        self.see_result("secret", path, &content, Vec::clone);
        content
    }

    fn is_directory(&self, path: &Path) -> io::Result<bool> {
        let answer = RealFiles.is_directory(path);
        self.see_result("is a directory", path, &answer, |answer| vec![u8::from(*answer)]);
        answer
    }

    fn kind(&self, path: &Path, follow: bool) -> io::Result<(HostType, u32)> {
        let answer = RealFiles.kind(path, follow);
        self.see_result("kind", path, &answer, |answer| format!("{answer:?}").into_bytes());
        answer
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let answer = RealFiles.list(path);
        self.see_result("list", path, &answer, |all| {
            let names =
                all.iter().map(|one| one.strip_prefix(path).unwrap_or(one).as_os_str().as_encoded_bytes());
            names.collect::<Vec<_>>().join(&0)
        });
        answer
    }
}

/// A supply, and what was taken of it.
#[derive(Debug)]
pub(crate) struct Taken {
    supply: Arc<dyn Supply>,
    paths: Mutex<Vec<PathBuf>>,
    /// What came depends on what repositories have today.
    asked: AtomicBool,
}

impl Taken {
    pub(crate) fn new(supply: Arc<dyn Supply>) -> Self {
        Self { supply, paths: Mutex::default(), asked: AtomicBool::default() }
    }

    /// Whether repositories were asked, or the image had all already.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
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
        if supplied != Supplied::default() || step.upgrade != Upgrade::None {
            self.asked.store(true, Ordering::Relaxed);
        }
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
pub(crate) fn last_part(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
