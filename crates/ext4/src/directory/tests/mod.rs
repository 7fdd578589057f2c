//! Directories against debugfs (hashes, listings) and e2fsck (everything that was written).

#![allow(clippy::unwrap_used)]

mod entries;
mod hashes;
mod hostile;
mod kernel;
mod small;
mod trees;

use std::path::Path;
use std::process::Command;

use crate::inode::Inode;
use crate::testing::{self, Image};
use crate::volume::Volume;

/// Names that a directory `count` entries large holds: short and long ones, some beyond ASCII.
fn names(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let mut name = match number % 5 {
                0 => format!("{number}"),
                1 => format!("file-{number:06}.conf"),
                2 => format!("später-{number}"),
                3 => format!("{number}-{}", "long".repeat(number % 13)),
                _ => format!("a.{number}.b"),
            }
            .into_bytes();
            name.truncate(255);
            name
        })
        .collect()
}

/// The same elements in an order that looks random and is always the same.
fn shuffled<T>(mut elements: Vec<T>) -> Vec<T> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for last in (1..elements.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (last as u64 + 1)).unwrap();
        elements.swap(last, other);
    }
    elements
}

/// Runs debugfs commands, one per line, in one process.
fn debugfs_script(dir: &Path, image: Option<&Path>, commands: &str) -> String {
    let script = dir.join("script");
    std::fs::write(&script, commands).unwrap();
    let mut command = Command::new("debugfs");
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(["-w", "-f"]).arg(&script);
    let output = command.args(image).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An image with a directory `/d` and empty files `/f0` and on.
struct Tree {
    image: Image,
    volume: Volume,
    directory: Inode,
    /// Inode numbers of the files.
    files: Vec<u32>,
}

/// Names that may lead to one file: the kernel's limit is 65,000 links.
const LINKS_OF_ONE: usize = 50_000;

impl Tree {
    /// With as many files as `count` names need.
    fn make(args: &[&str], mib: u64, count: usize) -> Self {
        let image = Image::make(args, mib);
        let files = count.div_ceil(LINKS_OF_ONE);
        let commands: String = (0..files).map(|file| format!("write /dev/null f{file}\n")).collect();
        let temp = tempfile::tempdir().unwrap();
        debugfs_script(temp.path(), Some(&image.path()), &format!("mkdir d\n{commands}"));
        let volume = image.volume();
        let root = volume.inode(crate::inode::ROOT).unwrap();
        let number = |name: &str| volume.find_name(&root, name.as_bytes()).unwrap().unwrap().inode;
        let directory = volume.inode(number("d")).unwrap();
        let files = (0..files).map(|file| number(&format!("f{file}"))).collect();
        Self { image, directory, files, volume }
    }

    fn file_of(&self, index: usize) -> u32 {
        self.files[index / LINKS_OF_ONE]
    }

    fn count_link(&mut self, file: u32, change: i16) {
        let mut inode = self.volume.inode(file).unwrap();
        inode.set_links(inode.links().checked_add_signed(change).unwrap());
        self.volume.write_inode(&mut inode).unwrap();
    }

    fn insert(&mut self, name: &[u8], file: u32) {
        self.volume.insert_name(&mut self.directory, name, file, 1).unwrap();
        self.volume.write_inode(&mut self.directory).unwrap();
        self.count_link(file, 1);
    }

    fn remove(&mut self, name: &[u8], file: u32) {
        self.volume.remove_name(&mut self.directory, name).unwrap();
        self.volume.write_inode(&mut self.directory).unwrap();
        self.count_link(file, -1);
    }

    fn commit_clean(&mut self, what: &str) {
        self.volume.commit().unwrap();
        self.image.assert_clean(&self.volume, what);
    }

    /// Our listing, without `.` and `..`, sorted.
    fn listed(&self) -> Vec<Vec<u8>> {
        let names = self.volume.list_names(&self.directory).unwrap();
        assert_eq!(names[0].name, b".");
        assert_eq!((names[1].name.as_slice(), names[1].inode), (b"..".as_slice(), 2));
        sorted(names.into_iter().skip(2).map(|name| name.name))
    }

    /// The listing of debugfs, likewise.
    fn listed_by_debugfs(&self) -> Vec<Vec<u8>> {
        let path = self.image.save(&self.volume);
        let mut names: Vec<Vec<u8>> = testing::debugfs(&path, "ls -p /d")
            .lines()
            .filter_map(|line| line.split('/').nth(5))
            .map(|name| name.as_bytes().to_vec())
            .collect();
        // Nodes of the index are listed as unused entries.
        names.retain(|name| !name.is_empty() && name != b"." && name != b"..");
        sorted(names)
    }

    /// `dump_inode`'s text for the directory's tree.
    fn htree_dump(&self) -> String {
        testing::debugfs(&self.image.save(&self.volume), "htree_dump /d")
    }
}

fn sorted(names: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort();
    names
}
