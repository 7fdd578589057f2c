//! Reading the finished image back through second implementations, `ext4-view` and for FAT `fatfs`,
//! which share nothing with the code that wrote it: every planned change is there, or the build fails.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hardtack_disk::{BlockSource, Window};
use hardtack_ext4::{ViewError, ViewTree};
use hardtack_partition::FsKind;

use crate::stage::{Content, Edit, Op, State};
use crate::tree::{Attributes, FileType};
use crate::volume::ext4::file_type;
use crate::volume::fat::view::FatView;
use crate::{Error, GuestPath};

/// Where a path of the guest lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The bytes of the disk that its file system fills.
    pub range: Range<u64>,
    /// The file system, for people ("ext4 on partition 1").
    pub file_system: String,
    /// The path inside it.
    pub inside: GuestPath,
}

/// What the second reader could say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// Edits that were found as planned.
    pub confirmed: usize,
    /// File systems that the second reader cannot open, with its reason.
    pub unread: Vec<String>,
}

/// Looks every edit up on the finished `disk`. `epoch` is the clock of the build.
///
/// # Errors
/// [`Error::FileSystem`] when something is not as it was planned.
pub fn confirm(
    edits: &[Edit],
    epoch: i64,
    disk: &Arc<dyn BlockSource>,
    locate: &dyn Fn(&GuestPath) -> Location,
) -> Result<Confirmation, Error> {
    let mut views: BTreeMap<u64, Option<View>> = BTreeMap::new();
    let mut confirmation = Confirmation::default();
    for edit in edits {
        let Location { range, file_system, inside } = locate(&edit.path);
        let view = match views.get(&range.start) {
            Some(view) => view,
            None => {
                let opened = match View::open(Window::new(Arc::clone(disk), range.clone())?) {
                    Ok(view) => Some(view),
                    Err(Finding::NoOpinion(why)) => {
                        confirmation.unread.push(format!("{file_system}: {why}"));
                        None
                    }
                    Err(Finding::Differs(what)) => return Err(Error::FileSystem { file_system, what }),
                };
                views.entry(range.start).or_insert(opened)
            }
        };
        let Some(view) = view else { continue };
        match check(edit, epoch, view, &inside) {
            Ok(()) => confirmation.confirmed += 1,
            Err(Finding::NoOpinion(why)) => confirmation.unread.push(format!("{}: {why}", edit.path)),
            Err(Finding::Differs(what)) => {
                let what = format!("after the build, {} is not as planned: {what}", edit.path);
                return Err(Error::FileSystem { file_system, what });
            }
        }
    }
    Ok(confirmation)
}

/// Why an edit was not confirmed.
enum Finding {
    /// The second reader cannot read this path.
    NoOpinion(String),
    /// It reads something else than was planned.
    Differs(String),
}

impl From<ViewError> for Finding {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Unsupported(why) => Self::NoOpinion(why),
            other => Self::Differs(other.to_string()),
        }
    }
}

impl From<String> for Finding {
    fn from(what: String) -> Self {
        Self::Differs(what)
    }
}

/// One file system through its second reader.
enum View {
    Ext4(ViewTree),
    Fat(Box<FatView>),
}

/// What a second reader says of a path.
struct Seen {
    kind: FileType,
    /// None where the file system keeps none.
    attributes: Option<Attributes>,
    size: u64,
    mtime: i64,
}

impl View {
    fn open(disk: Window<Arc<dyn BlockSource>>) -> Result<Self, Finding> {
        let content = FsKind::detect(&disk).map_err(|error| Finding::Differs(error.to_string()))?;
        if content.kind == FsKind::Fat {
            return FatView::open(Arc::new(disk))
                .map(|view| Self::Fat(Box::new(view)))
                .map_err(Finding::NoOpinion);
        }
        Ok(Self::Ext4(ViewTree::open(disk)?))
    }

    fn lstat(&self, path: &GuestPath) -> Result<Option<Seen>, Finding> {
        Ok(match self {
            Self::Ext4(view) => view.lstat(path.as_str())?.map(|stat| Seen {
                kind: file_type(stat.kind),
                attributes: Some(Attributes { mode: stat.mode, uid: stat.uid, gid: stat.gid }),
                size: stat.size,
                mtime: stat.mtime,
            }),
            Self::Fat(view) => view.lstat(path)?.map(|seen| Seen {
                kind: seen.kind,
                attributes: None,
                size: seen.size,
                mtime: seen.mtime,
            }),
        })
    }

    /// The time that an edit at `epoch` leaves.
    fn written(&self, epoch: i64) -> i64 {
        match self {
            Self::Ext4(_) => epoch,
            Self::Fat(_) => crate::volume::fat::kept_time(epoch),
        }
    }

    fn read_tail(&self, path: &GuestPath, start: u64, limit: usize) -> Result<Vec<u8>, Finding> {
        match self {
            Self::Ext4(view) => Ok(view.read_tail(path.as_str(), start, limit)?),
            Self::Fat(view) => Ok(view.read_tail(path, start, limit)?),
        }
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Finding> {
        match self {
            Self::Ext4(view) => Ok(view.read_link(path.as_str())?),
            Self::Fat(_) => Err(Finding::Differs("a symbolic link on FAT".to_owned())),
        }
    }
}

fn check(edit: &Edit, epoch: i64, view: &View, path: &GuestPath) -> Result<(), Finding> {
    let found = view.lstat(path)?;
    let (kind, attributes) = match &edit.state {
        State::Absent => {
            return found.map_or(Ok(()), |found| Err(format!("still {}", found.kind.describe()).into()));
        }
        State::Directory(attributes) => (FileType::Directory, attributes),
        State::File(_, attributes) => (FileType::Regular, attributes),
        State::Link(_, attributes) => (FileType::Symlink, attributes),
        State::Special(attributes) => (FileType::Special, attributes),
    };
    let found = found.ok_or_else(|| "missing".to_owned())?;
    if found.kind != kind {
        return Err(format!("{} instead of {}", found.kind.describe(), kind.describe()).into());
    }
    check_attributes(&found, *attributes)?;
    // Attributes alone leave the time of modification as it was.
    let made = edit.before.map(|before| before.kind) != Some(kind);
    let written =
        matches!(&edit.state, State::File(Content::Bytes(_) | Content::Appended(_), _) | State::Link(..));
    let wanted = view.written(epoch);
    if (made || written) && edit.op() != Op::Chown && edit.op() != Op::Xattr && found.mtime != wanted {
        return Err(format!("modified at {} instead of {wanted}", found.mtime).into());
    }
    match &edit.state {
        State::File(content, _) => check_content(edit, content, &found, view, path),
        State::Link(target, _) => {
            let stored = view.read_link(path)?;
            if stored == *target {
                Ok(())
            } else {
                Err(format!("points to {stored} instead of {target}").into())
            }
        }
        State::Absent | State::Directory(_) | State::Special(_) => Ok(()),
    }
}

fn check_attributes(found: &Seen, wanted: Attributes) -> Result<(), String> {
    let Some(kept) = found.attributes else { return Ok(()) };
    if found.kind != FileType::Symlink && kept.mode != wanted.mode {
        return Err(format!("mode {:04o} instead of {:04o}", kept.mode, wanted.mode));
    }
    if (kept.uid, kept.gid) != (wanted.uid, wanted.gid) {
        return Err(format!("owner {}:{} instead of {}:{}", kept.uid, kept.gid, wanted.uid, wanted.gid));
    }
    Ok(())
}

fn check_content(
    edit: &Edit,
    content: &Content,
    found: &Seen,
    view: &View,
    path: &GuestPath,
) -> Result<(), Finding> {
    let old_size = edit.before.map_or(0, |before| before.size);
    let (start, wanted): (u64, &[u8]) = match content {
        Content::Kept => return Ok(()),
        Content::Bytes(bytes) => (0, bytes),
        Content::Appended(tail) => (old_size, tail),
    };
    let size = start + wanted.len() as u64;
    if found.size != size {
        return Err(format!("{} bytes instead of {size}", found.size).into());
    }
    let stored = view.read_tail(path, start, wanted.len())?;
    if stored == wanted { Ok(()) } else { Err("other content".to_owned().into()) }
}
