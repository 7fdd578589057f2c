//! An image that is read: opened out of whatever it is packed in, or fetched from a cloud.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use hardtack_disk::{
    Backing, BlockSource, ImageFormat, Opened, Qcow2Source, Source, SourceOptions, open_source_with,
    open_spooled_with,
};

use crate::args::SourceArgs;
use crate::error::CliError;
use crate::progress::Progress;
use crate::talk::note;

/// An open source.
pub(crate) struct Input {
    /// The file; of a cloud's image the name that it was given by.
    pub(crate) path: PathBuf,
    /// The disk in it.
    pub(crate) disk: Arc<dyn BlockSource>,
    /// The same as what it is stored as, where it is a file.
    stored: Option<Arc<Source>>,
    /// The disk's format, then those around it from the inside out.
    pub(crate) formats: Vec<&'static str>,
    /// The names of archives' members on the way to the disk, from the outside in.
    pub(crate) members: Vec<String>,
    /// Internal snapshots of a qcow2 image, which no output has.
    pub(crate) snapshots: u32,
    /// "qcow2 in tar in gzip".
    pub(crate) described: String,
    /// Where its backing files may lie.
    backing_dir: Option<PathBuf>,
}

impl Input {
    /// Opens `path`; what has to be unpacked is unpacked now, beside `output` unless told otherwise.
    /// What people should know about it is said on standard error.
    pub(crate) fn open(path: &Path, options: &SourceArgs, output: Option<&Path>) -> Result<Self, CliError> {
        Self::open_by(path, options, output, |options| open_source_with(path, options))
    }

    /// The same of a file that is open, `length` bytes long; `name` is what messages call it.
    pub(crate) fn open_spooled(
        (file, length): (File, u64),
        name: &Path,
        options: &SourceArgs,
        output: Option<&Path>,
    ) -> Result<Self, CliError> {
        Self::open_by(name, options, output, |options| open_spooled_with(file, length, name, options))
    }

    fn open_by(
        path: &Path,
        options: &SourceArgs,
        output: Option<&Path>,
        open: impl FnOnce(&SourceOptions<'_>) -> Result<Opened, hardtack_disk::Error>,
    ) -> Result<Self, CliError> {
        let unpacking: OnceLock<Progress> = OnceLock::new();
        let progress = |done, total| {
            unpacking
                .get_or_init(|| Progress::start(format!("unpacking {}", path.display())))
                .at(done, total);
        };
        let beside = || match output.and_then(Path::parent) {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let opened = open(&SourceOptions {
            backing: options.backing_dir.clone().map_or(Backing::Refuse, Backing::Within),
            scratch: Some(options.scratch.clone().unwrap_or_else(beside)),
            member: options.member.clone(),
            limit: options.unpack_limit,
            progress: Some(&progress),
        })?;
        if let Some(progress) = unpacking.into_inner() {
            progress.finish(opened.source.len());
        }
        if !opened.is_direct() {
            // On one line, as in errors: a name with a line's end is not to look like a note of ours.
            let names = opened.members.iter().map(|name| name.escape_debug().to_string());
            let members = names.collect::<Vec<_>>().join(", in it ");
            let member = if members.is_empty() { String::new() } else { format!(", member {members}") };
            note(&format!("{}: {}{member}", path.display(), opened.describe()));
        }
        Self::new(path, opened, options.backing_dir.clone())
    }

    fn new(path: &Path, opened: Opened, backing_dir: Option<PathBuf>) -> Result<Self, CliError> {
        let described = opened.describe();
        let Opened { source, formats, members } = opened;
        let source = Arc::new(source);
        Ok(Self {
            path: path.to_owned(),
            snapshots: source.snapshots()?,
            disk: source.clone(),
            stored: Some(source),
            formats,
            members,
            described,
            backing_dir,
        })
    }

    /// A disk that is no file: `given` is what it was called by, `described` what it is ("snap-1 of ami-1").
    pub(crate) fn of_cloud(given: &str, described: &str, disk: Arc<dyn BlockSource>) -> Self {
        Self {
            path: PathBuf::from(given),
            disk,
            stored: None,
            formats: vec!["snapshot"],
            members: Vec::new(),
            snapshots: 0,
            described: described.to_owned(),
            backing_dir: None,
        }
    }

    /// The file as qcow2, if it is one.
    pub(crate) fn as_qcow2(&self) -> Option<&Qcow2Source> {
        self.stored.as_ref()?.as_qcow2()
    }

    /// Opens an image that is to be replaced by a changed one: nothing is unpacked for that.
    pub(crate) fn open_in_place(path: &Path) -> Result<Self, CliError> {
        let opened = open_source_with(path, &SourceOptions::default())?;
        match &opened.source {
            Source::Raw(_) | Source::Qcow2(_) if opened.is_direct() => Self::new(path, opened, None),
            _ => {
                let text =
                    format!("{}: {} is not written, only raw and qcow2", path.display(), opened.describe());
                Err(CliError::refused(text).hint("`hardtack convert` makes a qcow2 image of it"))
            }
        }
    }

    /// Says that snapshots are left behind, where they are.
    pub(crate) fn note_snapshots(&self) {
        if self.snapshots > 0 {
            let plural = if self.snapshots == 1 { "" } else { "s" };
            note(&format!(
                "{}: {} internal snapshot{plural} dropped: the output holds the present state only",
                self.path.display(),
                self.snapshots
            ));
        }
    }

    /// The format in which the file itself can lie below an overlay.
    pub(crate) fn base_format(&self) -> Result<ImageFormat, CliError> {
        match self.stored.as_deref() {
            Some(Source::Raw(_)) if self.formats.len() == 1 => Ok(ImageFormat::Raw),
            Some(Source::Qcow2(_)) if self.formats.len() == 1 => Ok(ImageFormat::Qcow2),
            _ => {
                let text = format!(
                    "{}: {} cannot lie below an overlay, only raw and qcow2",
                    self.path.display(),
                    self.described
                );
                Err(CliError::refused(text).hint("convert it to qcow2, and make the overlay above that"))
            }
        }
    }

    /// Where the backing files of an overlay above this source lie.
    pub(crate) fn backing_of_overlay(&self) -> Backing {
        let own = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        Backing::Within(self.backing_dir.clone().or(own.map(Path::to_owned)).unwrap_or_else(|| ".".into()))
    }
}
