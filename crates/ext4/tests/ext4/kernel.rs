//! The kernel's opinion, through loop mounts, where root and a loop device are to be had.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Timespec, Timestamps, XattrFlags, lgetxattr, llistxattr, lremovexattr, lsetxattr, utimensat,
};

use crate::model::{ACCESS_LIST, Model};
use crate::operation::Operation;
use crate::tools::{run, said};

/// Mounts `image` ("ro" or "rw") and calls `look` with the mount point; a visible skip, and false, when it
/// cannot.
pub fn mounted_as(image: &Path, mode: &str, what: &str, look: impl FnOnce(&Path)) -> bool {
    let point = tempfile::tempdir().unwrap();
    let target = point.path().to_str().unwrap();
    let output = run("mount", &["-o", &format!("loop,{mode}"), image.to_str().unwrap(), target]);
    if !output.status.success() {
        // An ordinary user cannot, and no kernel mounts blocks larger than its pages everywhere:
        // e2fsck and the second reader have judged already, so this is no error in CI either.
        eprintln!("SKIPPED: {what}: no kernel mount: {}", said(&output).trim());
        return false;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(point.path())));
    // Somebody else on the machine may be looking at every new mount for a moment.
    let mut output = run("umount", &[target]);
    for _ in 0..50 {
        if output.status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        output = run("umount", &[target]);
    }
    assert!(output.status.success(), "{}", said(&output));
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    true
}

/// [`mounted_as`], read-only.
pub fn mounted(image: &Path, what: &str, look: impl FnOnce(&Path)) {
    mounted_as(image, "ro", what, look);
}

/// What the kernel tells of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    mode: u32,
    owner: (u32, u32),
    links: u64,
    device: u64,
    size: u64,
    /// A hash.
    content: Option<u64>,
    target: Option<PathBuf>,
    xattrs: BTreeMap<String, Vec<u8>>,
    mtime: (i64, i64),
}

impl Told {
    /// All but the content, to be shown.
    fn brief(&self) -> String {
        format!(
            "mode {:o}, owner {:?}, {} links, device {}, {} bytes, target {:?}, attributes {:?}",
            self.mode,
            self.owner,
            self.links,
            self.device,
            self.size,
            self.target,
            self.xattrs.iter().map(|(name, value)| (name, value.len())).collect::<Vec<_>>()
        )
    }
}

/// Everything below the mount point, by path.
pub fn tree(root: &Path) -> BTreeMap<OsString, Told> {
    let mut all = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let host = root.join(&path);
        let metadata = host.symlink_metadata().unwrap();
        if metadata.is_dir() {
            open.extend(fs::read_dir(&host).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        }
        let told = Told {
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            links: metadata.nlink(),
            device: metadata.rdev(),
            // How large a directory is depends on its history.
            size: if metadata.is_dir() { 0 } else { metadata.len() },
            content: metadata.is_file().then(|| hash_of(&host)),
            target: metadata.is_symlink().then(|| fs::read_link(&host).unwrap()),
            xattrs: xattrs(&host).unwrap(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
        };
        all.insert(path.into_os_string(), told);
    }
    all
}

fn hash_of(file: &Path) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(&fs::read(file).unwrap());
    hasher.finish()
}

fn xattrs(host: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut names = vec![0_u8; 65_536];
    let length = llistxattr(host, &mut names[..])?;
    names.truncate(length);
    let mut all = BTreeMap::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        let mut value = vec![0_u8; 65_536];
        let length = lgetxattr(host, name.as_str(), &mut value[..])?;
        value.truncate(length);
        all.insert(name, value);
    }
    Ok(all)
}

/// The kernel finds in `ours` what it has itself made in `theirs`.
pub fn assert_equal(ours: &BTreeMap<OsString, Told>, theirs: &BTreeMap<OsString, Told>, what: &str) {
    for path in theirs.keys() {
        assert!(ours.contains_key(path), "{what}: {path:?} is only in the kernel's");
    }
    for (path, told) in ours {
        let Some(other) = theirs.get(path) else { panic!("{what}: {path:?} is only in ours") };
        assert_eq!(told.brief(), other.brief(), "{what}: {path:?}: ours, the kernel's");
        assert!(told.content == other.content, "{what}: {path:?}: content");
        assert!(told.xattrs == other.xattrs, "{what}: {path:?}: attributes");
    }
}

/// Both have the times that were set, and as many files as there should be.
pub fn assert_times(
    ours: &BTreeMap<OsString, Told>,
    theirs: &BTreeMap<OsString, Told>,
    model: &Model,
    what: &str,
) {
    for (path, told) in ours {
        let known = format!("/{}", path.to_str().unwrap());
        assert!(model.names.contains_key(&known), "{what}: {known} should not be there");
        if model.node(&known).time_is_set {
            assert_eq!(told.mtime, theirs[path].mtime, "{what}: {known}: time");
        }
    }
    assert_eq!(ours.len(), model.names.len(), "{what}: number of files");
}

/// Makes one operation below the mount point, as our API means it: modes, owners and attributes are those
/// asked for, and nothing is inherited.
pub fn carry_out(operation: &Operation, root: &Path) -> io::Result<()> {
    let host = |path: &str| root.join(path.trim_start_matches('/'));
    match operation {
        Operation::Create { path, mode, uid, gid } => {
            let path = host(path);
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            settle(&path, *mode, *uid, *gid)
        }
        Operation::Mkdir { path, mode, uid, gid } => {
            let path = host(path);
            fs::create_dir(&path)?;
            settle(&path, *mode, *uid, *gid)
        }
        Operation::Symlink { path, target, uid, gid } => {
            let path = host(path);
            std::os::unix::fs::symlink(target, &path)?;
            std::os::unix::fs::lchown(&path, Some(*uid), Some(*gid))
        }
        Operation::SetContent { path, bytes } => {
            let path = host(path);
            keeping_rights(&path, || {
                OpenOptions::new().write(true).truncate(true).open(&path)?.write_all(bytes)
            })
        }
        Operation::Append { path, bytes } => {
            let path = host(path);
            keeping_rights(&path, || OpenOptions::new().append(true).open(&path)?.write_all(bytes))
        }
        Operation::Remove { path } => {
            let path = host(path);
            if path.symlink_metadata()?.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
        }
        Operation::HardLink { original, path } => fs::hard_link(host(original), host(path)),
        Operation::Rename { from, to } => {
            let (from, to) = (host(from), host(to));
            let inode = |path: &Path| path.symlink_metadata().map(|metadata| metadata.ino());
            // rename(2) leaves two names of one file as they are.
            if from != to && !from.symlink_metadata()?.is_dir() && inode(&to).ok() == Some(inode(&from)?) {
                return fs::remove_file(from);
            }
            fs::rename(from, to)
        }
        Operation::SetMode { path, mode } => {
            fs::set_permissions(host(path), fs::Permissions::from_mode(*mode))
        }
        Operation::SetOwner { path, uid, gid } => {
            let path = host(path);
            keeping_rights(&path, || std::os::unix::fs::lchown(&path, Some(*uid), Some(*gid)))
        }
        Operation::SetMtime { path, seconds } => {
            let time = Timespec { tv_sec: *seconds, tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            Ok(utimensat(CWD, host(path), &times, AtFlags::SYMLINK_NOFOLLOW)?)
        }
        Operation::SetXattr { path, name, value } => {
            Ok(lsetxattr(host(path), name.as_str(), value, XattrFlags::empty())?)
        }
        Operation::RemoveXattr { path, name } => Ok(lremovexattr(host(path), name.as_str())?),
    }
}

/// Takes away what a new file got from its directory.
fn settle(path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    for name in [ACCESS_LIST, "system.posix_acl_default"] {
        let _ = lremovexattr(path, name);
    }
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Writing and chown take set-id bits and capabilities away; our API leaves them alone.
fn keeping_rights(path: &Path, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let before = path.symlink_metadata()?;
    let capability = xattrs(path)?.remove("security.capability");
    act()?;
    if !before.is_symlink() {
        fs::set_permissions(path, fs::Permissions::from_mode(before.mode() & 0o7777))?;
    }
    if let Some(value) = capability {
        lsetxattr(path, "security.capability", &value, XattrFlags::empty())?;
    }
    Ok(())
}

/// Everything reaches the image's file.
pub fn sync(root: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(root)?)?)
}
