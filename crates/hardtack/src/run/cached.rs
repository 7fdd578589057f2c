//! A build with a cache: its key, what the cache has for it, and what it has afterwards.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use hardtack_cache::{
    Content, Digest, Entry, Error, Inputs, Name, New, Noted, Sparse, State, Store, digest_of,
};
use hardtack_disk::{AtomicFile, Backing, Qcow2Source, SourceFormat, detect_format};
use hardtack_recipe::Recipe;
use serde_json::{Map, Value, json};

use super::build::{self, Report};
use super::written::Written;
use crate::args::BuildArgs;
use crate::cache_place::{self, Closed, now};
use crate::error::{CliError, LOCAL_IO, REFUSED};
use crate::progress::Progress;
use crate::provenance::{self, Known, Recorder, Taken};
use crate::source::Input;
use crate::{agent_file, talk, target};

/// What stands before a digest where a source's name is expected.
pub(super) const BY_DIGEST: &str = "sha256:";
/// There is nothing to tell of.
const NONE_NAMED: &str = "no cache is named";
/// The image, the record of its build, and what was said.
const PARTS: [&str; 3] = ["image", "provenance", "report"];
/// This program: of two with the same version one may have been changed since.
const PROGRAM: &str = "/proc/self/exe";
/// Records and reports are text; this is a thousand times a large one.
const TEXT_LIMIT: u64 = 64 << 20;
/// Lock files and keyrings.
const FILE_LIMIT: u64 = 16 << 20;

/// The digest that stands in the place of a source's name.
pub(super) fn by_digest(source: &Path) -> Result<Option<Digest>, CliError> {
    let Some(text) = source.to_str().and_then(|text| text.strip_prefix(BY_DIGEST)) else { return Ok(None) };
    if source.exists() {
        return Ok(None);
    }
    Digest::parse(text)
        .map(Some)
        .ok_or_else(|| CliError::usage(format!("{}: a digest has 64 hexadecimal digits", source.display())))
}

/// The cache of one build.
pub(super) struct Cache {
    store: Option<Store>,
    why: Option<String>,
    key: Option<Digest>,
    damaged: bool,
    result: &'static str,
    /// The source and its backing files.
    sources: Vec<Known>,
    /// The `.deb` files that the recipe names.
    debs: Vec<(PathBuf, Digest)>,
    locked: bool,
}

impl Cache {
    /// Opens the cache that is asked for. One that cannot be used now is told, and done without.
    pub(super) fn open(arguments: &BuildArgs, building: bool, by_digest: bool) -> Result<Self, CliError> {
        let mut this = Self {
            store: None,
            why: None,
            key: None,
            damaged: false,
            result: "off",
            sources: Vec::new(),
            debs: Vec::new(),
            locked: false,
        };
        let named = (!arguments.no_cache).then(|| cache_place::named(&arguments.cache)).flatten();
        let Some(text) = named.filter(|_| building || by_digest) else {
            this.why = Some(NONE_NAMED.to_owned());
            return Ok(this);
        };
        match cache_place::open(&text) {
            Ok(store) => this.store = Some(store),
            Err(Closed::Wrong(error)) => return Err(error),
            Err(Closed::Away(error)) => this.off(&one_line(&error)),
        }
        if this.store.is_none() || !building {
            return Ok(this);
        }
        let refused = [
            (arguments.settle, "--settle boots the image, and no two boots leave the same"),
            (arguments.target.overlay, "--overlay names the source's file in the output"),
            (arguments.supply.update_packages_lock, "--update-packages-lock asks repositories anew"),
        ];
        if let Some((_, why)) = refused.iter().find(|(asked, _)| *asked) {
            this.refuse(why);
        }
        Ok(this)
    }

    /// Whether there is one for this build.
    pub(super) fn is_on(&self) -> bool {
        self.store.is_some() && self.why.is_none()
    }

    /// The source and its backing files, where their digests are known.
    pub(super) fn sources(&self) -> Option<&[Known]> {
        (!self.sources.is_empty()).then_some(&self.sources)
    }

    /// The cache itself cannot be used.
    fn off(&mut self, why: &str) {
        talk::note(&format!("built without the cache: {why}"));
        self.why = Some(why.to_owned());
        self.result = "off";
    }

    /// This build is none for a cache.
    fn refuse(&mut self, why: &str) {
        talk::note(&format!("not cached: {why}"));
        self.why = Some(why.to_owned());
        self.result = "off";
    }

    /// What a cache says in JSON.
    fn json(&self) -> Value {
        json!({
            "result": self.result,
            "key": self.key.map(|key| key.to_string()),
            "why": self.why,
        })
    }

    /// Makes the key. What is no input for a cache is refused by the build itself, or is none to the build.
    pub(super) fn identify(
        &mut self,
        arguments: &BuildArgs,
        written: Written<'_>,
        early: &Recipe,
        source: &Path,
        output: &Path,
    ) {
        if let Err(error) = self.make_key(arguments, written, early, source, output) {
            self.off(&one_line(&error));
        }
    }

    fn make_key(
        &mut self,
        arguments: &BuildArgs,
        written: Written<'_>,
        early: &Recipe,
        source: &Path,
        output: &Path,
    ) -> Result<(), CliError> {
        let Some(store) = self.store.as_ref().filter(|_| self.why.is_none()) else { return Ok(()) };
        let mut inputs = Inputs::default();
        inputs.add("version", env!("CARGO_PKG_VERSION").as_bytes());
        inputs.add("program", noted(store, Path::new(PROGRAM))?.digest.as_bytes());
        let sources = match by_digest(source)? {
            Some(digest) => {
                vec![Known { path: source.to_owned(), digest: digest.to_string(), state: None }]
            }
            None => sources(store, source, arguments.open.backing_dir.as_deref())?,
        };
        for known in &sources {
            inputs.add("source", known.digest.as_bytes());
        }
        let format = target::format(output, &arguments.target)?;
        let archive = target::is_archive(output).then(|| provenance::last_part(output));
        let options = [
            ("member", arguments.open.member.clone()),
            ("grow", arguments.grow.map(|size| size.to_string())),
            ("format", Some(format.name().to_owned())),
            ("archive", archive),
            ("compression", arguments.target.compression.map(|name| format!("{name:?}"))),
            ("sparsify", Some(format!("{} {}", arguments.target.sparsify, arguments.target.no_sparsify))),
            ("no-deferred", Some(arguments.no_deferred.to_string())),
            ("epoch", build::epoch_from_environment()?.map(|epoch| epoch.to_string())),
            ("row", written.row.map(|row| row.to_string())),
        ];
        for (name, value) in options {
            inputs.add(name, format!("{value:?}").as_bytes());
        }
        for (name, value) in written.set {
            inputs.add("set", name.as_bytes()).add("to", value.as_bytes());
        }
        inputs.add("recipe", &written.recorder.map(Recorder::answers).unwrap_or_default());
        inputs.add("name", early.name.as_bytes());
        let mut debs = Vec::new();
        for deb in early.packages().map(|step| step.debs.as_slice()).unwrap_or_default() {
            let digest = digest(&deb.path)?;
            inputs.add("package", deb.name.as_bytes()).add("content", digest.to_string().as_bytes());
            debs.push((deb.path.clone(), digest));
        }
        let lock = arguments.supply.packages_lock.as_deref();
        let lock = lock.or_else(|| early.packages().and_then(|step| step.lock.as_deref()));
        let lock = lock.filter(|path| path.exists()).map(bytes).transpose()?;
        inputs.add("lock", lock.as_deref().unwrap_or_default());
        for keyring in &arguments.supply.keyring {
            inputs.add("keyring", &bytes(keyring)?);
        }
        inputs.add("agent", &agent_file::find(arguments.agent.as_deref())?.unwrap_or_default());
        self.key = Some(store.key(&inputs));
        (self.sources, self.debs, self.locked) = (sources, debs, lock.is_some());
        Ok(())
    }

    /// Writes the output out of the cache, if it is there: the exit code then.
    pub(super) fn serve(
        &mut self,
        arguments: &BuildArgs,
        written: Written<'_>,
        output: &Path,
    ) -> Result<Option<u8>, CliError> {
        let (Some(store), Some(key)) = (&self.store, self.key) else { return Ok(None) };
        let found = match store.find(Name::build(key)) {
            Ok(None) => return Ok(None),
            Ok(Some(entry)) => self.take(store, &entry, arguments, written, output),
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(Served { report, recorded, said }) => {
                said.iter().for_each(|line| talk::line(line));
                self.result = "hit";
                report.tell(output, recorded.as_ref(), self.json(), arguments.json, true)?;
                Ok(Some(0))
            }
            Err(Missed::Damaged(what)) => {
                talk::note(&format!("{what}: built again"));
                self.damaged = true;
                Ok(None)
            }
            Err(Missed::Away(what)) => {
                self.off(&what);
                Ok(None)
            }
            Err(Missed::Output(error)) => Err(error),
        }
    }

    fn take(
        &self,
        store: &Store,
        entry: &Entry,
        arguments: &BuildArgs,
        written: Written<'_>,
        output: &Path,
    ) -> Result<Served, Missed> {
        let damaged =
            |what: &str| Missed::Damaged(format!("the entry {} is damaged: its {what}", entry.name));
        let report = store.read_small(entry, "report", TEXT_LIMIT)?;
        let (report, said) = parse_report(&report, &arguments_source(arguments, &self.sources))
            .ok_or_else(|| damaged("report is none"))?;
        let record = store.read_small(entry, "provenance", TEXT_LIMIT)?;
        let record = String::from_utf8(record)
            .ok()
            .and_then(|text| provenance::renamed(&text, output, &self.sources, written.path))
            .ok_or_else(|| damaged("provenance is none"))?;
        let image = entry.part("image").ok_or_else(|| damaged("image is missing"))?;
        let mut file = AtomicFile::create(output).map_err(|error| Missed::Output(error.into()))?;
        file.set_durable(!arguments.target.no_sync);
        let progress = Progress::start(format!("writing {} from the cache", output.display()));
        let mut sparse = Sparse::new(file.file());
        let mut done = 0;
        let fail = |error| Missed::Output(CliError::io(output, "write it", error));
        store
            .read(entry, image, &mut |bytes| {
                done += bytes.len() as u64;
                progress.at(done, image.size);
                sparse.write(bytes)
            })
            .map_err(|error| match error {
                Error::Taker(error) => fail(error),
                error => error.into(),
            })?;
        sparse.finish().map_err(fail)?;
        progress.finish(done);
        file.commit(arguments.target.force).map_err(|error| Missed::Output(error.into()))?;
        store.used(entry);
        let recorded = if arguments.no_provenance {
            None
        } else {
            let path = provenance::write_beside(output, &record).map_err(Missed::Output)?;
            Some((path, image.digest.to_string()))
        };
        Ok(Served { report, recorded, said })
    }

    /// The source that is known by its digest alone, open.
    pub(super) fn source(
        &mut self,
        digest: Digest,
        arguments: &BuildArgs,
        output: Option<&Path>,
    ) -> Result<Input, CliError> {
        let name = PathBuf::from(format!("{BY_DIGEST}{digest}"));
        let Some(store) = &self.store else {
            let error = match &self.why {
                Some(why) if why != NONE_NAMED => {
                    CliError::new(LOCAL_IO, format!("{}: {why}", name.display()))
                }
                _ => CliError::usage(format!("{}: {NONE_NAMED}", name.display())),
            };
            return Err(error.hint("a source is found by its digest in the cache that --cache names"));
        };
        let missing = || {
            CliError::new(LOCAL_IO, format!("{}: is not in the cache", name.display()))
                .hint("`hardtack cache add IMAGE` puts it there")
        };
        let again = |error: Error| {
            let damaged = error.is_damage();
            let error = CliError::from(error);
            if damaged { error.hint("`hardtack cache add IMAGE` replaces it") } else { error }
        };
        let entry = store.find(Name::source(digest)).map_err(again)?.ok_or_else(missing)?;
        let image = entry.part("image").filter(|part| part.digest == digest);
        let image = image.ok_or_else(|| {
            CliError::new(REFUSED, format!("{}: what the cache has is another one", name.display()))
        })?;
        let progress = Progress::start(format!("reading {BY_DIGEST}{digest} from the cache"));
        let mut done = 0;
        let file = match store.file(&entry, image) {
            // Read once to its end, and then where it lies.
            Some(path) => {
                let fail = |error| CliError::io(&path, "open the source", error);
                let file = hardtack_disk::open_regular(&path).map_err(fail)?;
                store
                    .read(&entry, image, &mut |bytes| {
                        done += bytes.len() as u64;
                        progress.at(done, image.size);
                        Ok(())
                    })
                    .map_err(again)?;
                file
            }
            None => {
                let beside = output.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
                let folder = arguments.open.scratch.as_deref().or(beside).unwrap_or(Path::new("."));
                // A name that it never gets: the file goes with its last handle.
                let file = AtomicFile::create(&folder.join(".hardtack-source"))?;
                let mut sparse = Sparse::new(file.file());
                let fail = |error| {
                    CliError::io(folder, "keep the source there while it is read", error)
                        .hint("--scratch DIR names a directory with more room")
                };
                store
                    .read(&entry, image, &mut |bytes| {
                        done += bytes.len() as u64;
                        progress.at(done, image.size);
                        sparse.write(bytes)
                    })
                    .map_err(|error| match error {
                        Error::Taker(error) => fail(error),
                        error => again(error),
                    })?;
                sparse.finish().map_err(fail)?;
                file.file().as_fd().try_clone_to_owned().map(File::from).map_err(fail)?
            }
        };
        progress.finish(done);
        store.used(&entry);
        if self.sources.is_empty() {
            self.sources = vec![Known { path: name.clone(), digest: digest.to_string(), state: None }];
        }
        Input::open_spooled((file, image.size), &name, &arguments.open, output)
    }

    /// Stores what was built.
    pub(super) fn keep(
        &mut self,
        report: &Report,
        record: Option<&provenance::Told>,
        arguments: &BuildArgs,
        written: Written<'_>,
        taken: &Taken,
        output: &Path,
    ) {
        let said = talk::end_to_keep();
        let (Some(store), Some(key), Some(record), None) = (&self.store, self.key, record, &self.why) else {
            return;
        };
        if taken.asked() && !self.locked {
            return self.refuse("packages came from a repository, and no lock file pinned them");
        }
        let altered = written.recorder.and_then(Recorder::altered).or_else(|| {
            let differs = |(path, before): &&(PathBuf, Digest)| digest(path).ok() != Some(*before);
            self.debs.iter().find(differs).map(|(path, _)| path.clone())
        });
        if let Some(path) = altered {
            return self.refuse(&format!("{} has changed while it was read", path.display()));
        }
        let source = arguments_source(arguments, &self.sources);
        let report = report_text(report, &said, &source);
        let about = BTreeMap::from([
            ("recipe".to_owned(), provenance::last_part(written.path)),
            ("source".to_owned(), self.sources.first().map(|one| one.digest.clone()).unwrap_or_default()),
            (
                "file".to_owned(),
                self.sources.first().map(|one| provenance::last_part(&one.path)).unwrap_or_default(),
            ),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        let [image, provenance, text] = PARTS;
        let new = New {
            name: Name::build(key),
            stored: now(),
            about,
            parts: vec![
                (image, Content::File(output, Digest::parse(&record.digest))),
                (provenance, Content::Bytes(record.text.as_bytes())),
                (text, Content::Bytes(report.as_bytes())),
            ],
        };
        match store.put(&new) {
            Ok(_) => self.result = if self.damaged { "damaged-rebuilt" } else { "built" },
            Err(error) => {
                let why = one_line(&error.into());
                talk::note(&format!("not stored in the cache: {why}"));
                self.why = Some(why);
            }
        }
    }

    /// Tells of what was built.
    pub(super) fn tell(
        &self,
        report: &Report,
        output: &Path,
        recorded: Option<&(PathBuf, String)>,
        json: bool,
    ) -> Result<(), CliError> {
        report.tell(output, recorded, self.json(), json, false)
    }
}

/// What came out of the cache.
struct Served {
    report: Report,
    recorded: Option<(PathBuf, String)>,
    said: Vec<String>,
}

/// Why nothing came.
enum Missed {
    Damaged(String),
    Away(String),
    Output(CliError),
}

impl From<Error> for Missed {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged { .. } => Self::Damaged(error.to_string()),
            error => Self::Away(one_line(&error.into())),
        }
    }
}

/// The first line of an error, without the program's name.
fn one_line(error: &CliError) -> String {
    let report = error.report();
    let line = report.lines().next().unwrap_or_default();
    line.strip_prefix("hardtack: ").unwrap_or(line).to_owned()
}

/// What stands before notes about the source, whose name may be another one the next time.
fn arguments_source(arguments: &BuildArgs, sources: &[Known]) -> String {
    let path = sources.first().map(|known| &known.path).or(arguments.source.as_ref());
    format!("note: {}: ", path.map(|path| path.display().to_string()).unwrap_or_default())
}

const OF_SOURCE: &str = "\u{1}";

fn report_text(report: &Report, said: &[String], source: &str) -> String {
    let line = |line: &String| match line.strip_prefix(source) {
        Some(rest) => format!("{OF_SOURCE}{rest}"),
        None => line.clone(),
    };
    let said: Vec<String> = said.iter().map(line).collect();
    json!({"said": said, "text": report.text, "result": report.result}).to_string()
}

fn parse_report(bytes: &[u8], source: &str) -> Option<(Report, Vec<String>)> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let result: Map<String, Value> = value.get("result")?.as_object()?.clone();
    let text = value.get("text")?.as_str()?.to_owned();
    let said = value.get("said")?.as_array()?.iter().map(|line| {
        let line = line.as_str()?;
        Some(match line.strip_prefix(OF_SOURCE) {
            Some(rest) => format!("{source}{rest}"),
            None => line.to_owned(),
        })
    });
    Some((Report { result, text }, said.collect::<Option<Vec<_>>>()?))
}

/// A file's digest, from the notes of the cache where nothing about it has changed since.
pub(super) fn noted(store: &Store, path: &Path) -> Result<Known, CliError> {
    let fail = |error| CliError::io(path, "read it", error);
    // A pipe would be waited for, and a device may have no end.
    let mut file = hardtack_disk::open_regular(path).map_err(fail)?;
    let begun = i64::try_from(now()).unwrap_or(i64::MAX);
    let state = State::of(&file).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let known = |digest: Digest| Known {
        path: path.to_owned(),
        digest: digest.to_string(),
        state: Some(provenance::state_of(&metadata)),
    };
    let notes = store.notes();
    match notes.as_ref().zip(state.as_ref()).map(|(notes, state)| notes.look(state)) {
        Some(Noted::Known(digest)) => return Ok(known(digest)),
        Some(Noted::Stale) if path != Path::new(PROGRAM) => {
            talk::note(&format!("{}: is not what its digest was noted for; read again", path.display()));
        }
        _ => {}
    }
    let (digest, _) = digest_of(&mut file).map_err(fail)?;
    let after = State::of(&file).map_err(fail)?;
    if let (Some(notes), Some(state), Some(after)) = (notes, state, after)
        && state == after
    {
        notes.keep(&state, digest, begun);
    }
    Ok(known(digest))
}

/// The source and its backing files.
fn sources(store: &Store, source: &Path, backing: Option<&Path>) -> Result<Vec<Known>, CliError> {
    let mut all = vec![noted(store, source)?];
    if let Some(directory) = backing
        && detect_format(source)? == SourceFormat::Qcow2
    {
        let image = Qcow2Source::open_with(source, &Backing::Within(directory.to_owned()))?;
        for path in image.backing_files() {
            all.push(noted(store, path)?);
        }
    }
    Ok(all)
}

fn digest(path: &Path) -> Result<Digest, CliError> {
    let fail = |error| CliError::io(path, "read it", error);
    let mut file = hardtack_disk::open_regular(path).map_err(fail)?;
    Ok(digest_of(&mut file).map_err(fail)?.0)
}

fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let fail = |error| CliError::io(path, "read it", error);
    let mut content = Vec::new();
    let file = hardtack_disk::open_regular(path).map_err(fail)?;
    file.take(FILE_LIMIT).read_to_end(&mut content).map_err(fail)?;
    Ok(content)
}
