//! Reading the finished image back through second implementations, `ext4-view` and for FAT `fatfs`,
//! which share nothing with the code that wrote it: every planned change is there, or the build fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;

use hardtack_disk::{BlockSource, Window};
use hardtack_ext4::{Stat, ViewError, ViewTree};
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

/// Edits that are worth a thread of their own: opening a file system costs about as much as these.
const SHARE: usize = 40;

/// Looks every edit up on the finished `disk`, on all cores. `epoch` is the clock of the build.
///
/// # Errors
/// [`Error::FileSystem`] when something is not as it was planned.
pub fn confirm(
    edits: &[Edit],
    epoch: i64,
    disk: &Arc<dyn BlockSource>,
    locate: &dyn Fn(&GuestPath) -> Location,
) -> Result<Confirmation, Error> {
    let located: Vec<(&Edit, Location)> = edits.iter().map(|edit| (edit, locate(&edit.path))).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = located.len().div_ceil(cores).max(SHARE);
    let answers: Vec<Result<Confirmation, Error>> = std::thread::scope(|scope| {
        let workers: Vec<_> = located
            .chunks(share)
            .map(|share| scope.spawn(move || confirm_share(share, epoch, disk)))
            .collect();
        // A panic of a worker goes on here.
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut confirmation = Confirmation::default();
    for answer in answers {
        let Confirmation { confirmed, unread } = answer?;
        confirmation.confirmed += confirmed;
        for why in unread {
            if !confirmation.unread.contains(&why) {
                confirmation.unread.push(why);
            }
        }
    }
    Ok(confirmation)
}

/// One thread's part: the second readers cannot be shared, so it opens its own.
fn confirm_share(
    edits: &[(&Edit, Location)],
    epoch: i64,
    disk: &Arc<dyn BlockSource>,
) -> Result<Confirmation, Error> {
    let mut views: BTreeMap<u64, Option<View>> = BTreeMap::new();
    let mut confirmation = Confirmation::default();
    let mut neighbours = Neighbours::new(edits);
    for (edit, location) in edits {
        let Location { range, file_system, inside } = location;
        let file_system = || file_system.clone();
        let view = match views.get(&range.start) {
            Some(view) => view,
            None => {
                let opened = match View::open(Window::new(Arc::clone(disk), range.clone())?) {
                    Ok(view) => Some(view),
                    Err(Finding::NoOpinion(why)) => {
                        confirmation.unread.push(format!("{}: {why}", file_system()));
                        None
                    }
                    Err(Finding::Differs(what)) => {
                        return Err(Error::FileSystem { file_system: file_system(), what });
                    }
                };
                views.entry(range.start).or_insert(opened)
            }
        };
        let Some(view) = view else { continue };
        let found = neighbours.look(view, location);
        match found.and_then(|found| check(edit, epoch, view, inside, found)) {
            Ok(()) => confirmation.confirmed += 1,
            Err(Finding::NoOpinion(why)) => confirmation.unread.push(format!("{}: {why}", edit.path)),
            Err(Finding::Differs(what)) => {
                let what = format!("after the build, {} is not as planned: {what}", edit.path);
                return Err(Error::FileSystem { file_system: file_system(), what });
            }
        }
    }
    Ok(confirmation)
}

/// Edits in one directory from which on looking through it once is less than looking each up.
const MANY: usize = 8;

/// Edits by directory: where the file system begins, the directory, and the names in it.
struct Neighbours<'a> {
    names: BTreeMap<(u64, GuestPath), BTreeSet<&'a str>>,
    /// Of the directories that were looked through: what was found.
    found: BTreeMap<(u64, GuestPath), BTreeMap<String, Seen>>,
}

impl<'a> Neighbours<'a> {
    fn new(edits: &'a [(&Edit, Location)]) -> Self {
        let mut names: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for (_, location) in edits {
            if let (Some(parent), Some(name)) = (location.inside.parent(), location.inside.name()) {
                names.entry((location.range.start, parent)).or_default().insert(name);
            }
        }
        Self { names, found: BTreeMap::new() }
    }

    /// What stands at the path.
    fn look(&mut self, view: &View, location: &Location) -> Result<Option<Seen>, Finding> {
        let (View::Ext4(tree), Some(parent), Some(name)) =
            (view, location.inside.parent(), location.inside.name())
        else {
            return view.lstat(&location.inside);
        };
        let directory = (location.range.start, parent);
        let Some(names) = self.names.get(&directory).filter(|names| names.len() >= MANY) else {
            return view.lstat(&location.inside);
        };
        if !self.found.contains_key(&directory) {
            let found = tree.lstat_many(directory.1.as_str(), names)?;
            let found = found.into_iter().map(|(name, stat)| (name, Seen::from(stat))).collect();
            self.found.insert(directory.clone(), found);
        }
        Ok(self.found.get(&directory).and_then(|found| found.get(name)).copied())
    }
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
#[derive(Clone, Copy)]
struct Seen {
    kind: FileType,
    /// None where the file system keeps none.
    attributes: Option<Attributes>,
    size: u64,
    mtime: i64,
}

impl From<Stat> for Seen {
    fn from(stat: Stat) -> Self {
        Self {
            kind: file_type(stat.kind),
            attributes: Some(Attributes { mode: stat.mode, uid: stat.uid, gid: stat.gid }),
            size: stat.size,
            mtime: stat.mtime,
        }
    }
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
            Self::Ext4(view) => view.lstat(path.as_str())?.map(Seen::from),
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

    /// Whether the file holds `wanted` at byte `start`.
    fn holds(&self, path: &GuestPath, start: u64, wanted: &[u8]) -> Result<bool, Finding> {
        match self {
            Self::Ext4(view) => {
                // Compared piece by piece: a large file is not held once more.
                let (mut at, mut same) = (0_u64, true);
                let end = start + wanted.len() as u64;
                view.read(path.as_str(), |piece| {
                    let next = at + piece.len() as u64;
                    let (from, to) = (start.clamp(at, next), end.clamp(at, next));
                    let index = |byte: u64, base: u64| usize::try_from(byte - base).unwrap_or(usize::MAX);
                    same = from == to
                        || piece.get(index(from, at)..index(to, at))
                            == wanted.get(index(from, start)..index(to, start));
                    at = next;
                    same && at < end
                })?;
                Ok(same && at >= end)
            }
            Self::Fat(view) => Ok(view.read_tail(path, start, wanted.len())? == wanted),
        }
    }

    fn read_link(&self, path: &GuestPath) -> Result<String, Finding> {
        match self {
            Self::Ext4(view) => Ok(view.read_link(path.as_str())?),
            Self::Fat(_) => Err(Finding::Differs("a symbolic link on FAT".to_owned())),
        }
    }
}

fn check(edit: &Edit, epoch: i64, view: &View, path: &GuestPath, found: Option<Seen>) -> Result<(), Finding> {
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
    if view.holds(path, start, wanted)? { Ok(()) } else { Err("other content".to_owned().into()) }
}
