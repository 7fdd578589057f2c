//! What a file system should hold: random edits are made on it and on an [`Ext4`], then compared.

use std::collections::BTreeMap;

use hardtack_ext4::view::ViewError;
use hardtack_ext4::{Error, Ext4, Kind, ViewTree};

/// The time every edit writes.
pub const EPOCH: i64 = 1_700_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    File(usize),
    Directory,
    Link(String),
}

#[derive(Clone, Debug)]
pub struct Meta {
    pub node: Node,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// Paths to nodes; files with the same number share content, mode and owner (hard links).
#[derive(Default)]
pub struct Model {
    pub nodes: BTreeMap<String, Meta>,
    contents: Vec<Vec<u8>>,
}

/// xorshift64*: the same edits for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let length = match self.below(6) {
            0 => self.below(60),
            1 => self.below(200),
            2 => 4096 * (1 + self.below(3)),
            _ => self.below(limit),
        };
        let seed = self.below(251) as u8;
        (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add(seed)).collect()
    }
}

impl Model {
    /// What the file system holds now.
    pub fn read(fs: &Ext4) -> Self {
        let mut model = Self::default();
        let mut inodes = BTreeMap::new();
        model.walk(fs, "/", &mut inodes);
        model
    }

    fn walk(&mut self, fs: &Ext4, path: &str, inodes: &mut BTreeMap<u32, usize>) {
        let stat = fs.lstat(path).unwrap().unwrap();
        let node = match stat.kind {
            Kind::Directory => {
                for entry in fs.read_dir(path).unwrap() {
                    let child = join(path, &entry.name);
                    assert_eq!(fs.lstat(&child).unwrap().unwrap().kind, entry.kind, "{child}");
                    self.walk(fs, &child, inodes);
                }
                Node::Directory
            }
            Kind::Symlink => Node::Link(fs.read_link(path).unwrap()),
            Kind::Regular => Node::File(*inodes.entry(stat.inode).or_insert_with(|| {
                self.contents.push(content(fs, path));
                self.contents.len() - 1
            })),
            Kind::Special => panic!("{path}: no special files here"),
        };
        self.nodes.insert(path.to_owned(), Meta { node, mode: stat.mode, uid: stat.uid, gid: stat.gid });
    }

    pub fn content(&self, node: &Node) -> &[u8] {
        match node {
            Node::File(index) => &self.contents[*index],
            other => panic!("{other:?} is no file"),
        }
    }

    /// One random edit of both. `large` is the longest content.
    pub fn step(
        &mut self,
        fs: &mut Ext4,
        random: &mut Random,
        large: usize,
        appends: bool,
    ) -> Result<(), Error> {
        let (mode, uid, gid) = (
            [0o644, 0o600, 0o4755, 0o1777, 0o2750][random.below(5)],
            [0, 1000, 70_000][random.below(3)],
            [0, 27, 100_000][random.below(3)],
        );
        match random.below(14) {
            0..=2 => {
                let path = self.fresh(random);
                let bytes = random.bytes(large);
                fs.create(&path, mode, uid, gid)?;
                fs.set_content(&path, &bytes)?;
                self.contents.push(bytes);
                let node = Node::File(self.contents.len() - 1);
                self.nodes.insert(path, Meta { node, mode, uid, gid });
            }
            3 => {
                let path = self.fresh(random);
                fs.mkdir(&path, mode, uid, gid)?;
                self.nodes.insert(path, Meta { node: Node::Directory, mode, uid, gid });
            }
            4 => {
                let path = self.fresh(random);
                let target = "t".repeat(1 + [0, 58, 59, 60, 151][random.below(5)]);
                fs.symlink(&path, &target, uid, gid)?;
                self.nodes.insert(path, Meta { node: Node::Link(target), mode: 0o777, uid, gid });
            }
            5 | 6 => {
                let Some(path) = self.pick(random, |meta| matches!(meta.node, Node::File(_))) else {
                    return Ok(());
                };
                let bytes = random.bytes(large);
                fs.set_content(&path, &bytes)?;
                let Node::File(index) = self.nodes[&path].node else { unreachable!() };
                self.contents[index] = bytes;
            }
            7 => {
                let Some(path) = self.pick(random, |meta| matches!(meta.node, Node::File(_))) else {
                    return Ok(());
                };
                if !appends {
                    return Ok(());
                }
                let bytes = random.bytes(5000);
                fs.append(&path, &bytes)?;
                let Node::File(index) = self.nodes[&path].node else { unreachable!() };
                self.contents[index].extend(bytes);
            }
            8 => {
                let Some(path) = self.pick(random, |meta| meta.node != Node::Directory) else {
                    return Ok(());
                };
                fs.remove(&path)?;
                self.nodes.remove(&path);
            }
            9 => {
                let Some(path) = self.pick(random, |meta| meta.node == Node::Directory) else {
                    return Ok(());
                };
                let full = self.nodes.keys().any(|other| *other != path && below(other, &path));
                if path == "/" || path == "/lost+found" {
                    return Ok(());
                }
                match fs.remove(&path) {
                    Err(Error::NotEmpty { .. }) if full => {}
                    done => {
                        done?;
                        assert!(!full, "{path} had entries");
                        self.nodes.remove(&path);
                    }
                }
            }
            10 => {
                let Some(from) = self.pick(random, |meta| meta.node != Node::Directory) else {
                    return Ok(());
                };
                let to = match random.below(2) {
                    0 => self.fresh(random),
                    _ => self.pick(random, |meta| meta.node != Node::Directory).unwrap(),
                };
                fs.rename(&from, &to)?;
                if from != to {
                    let meta = self.nodes.remove(&from).unwrap();
                    self.nodes.insert(to, meta);
                }
            }
            11 => {
                let Some(original) = self.pick(random, |meta| matches!(meta.node, Node::File(_))) else {
                    return Ok(());
                };
                let path = self.fresh(random);
                fs.hard_link(&original, &path)?;
                let meta = self.nodes[&original].clone();
                self.nodes.insert(path, meta);
            }
            12 => {
                let Some(path) = self.pick(random, |meta| !matches!(meta.node, Node::Link(_))) else {
                    return Ok(());
                };
                fs.set_mode(&path, mode)?;
                self.same_file(&path, |meta| meta.mode = mode);
            }
            _ => {
                let Some(path) = self.pick(random, |_| true) else { return Ok(()) };
                fs.set_owner(&path, uid, gid)?;
                self.same_file(&path, |meta| (meta.uid, meta.gid) = (uid, gid));
            }
        }
        Ok(())
    }

    fn same_file(&mut self, path: &str, change: impl Fn(&mut Meta)) {
        let node = self.nodes[path].node.clone();
        let shared = matches!(node, Node::File(_));
        for (other, meta) in &mut self.nodes {
            if other == path || (shared && meta.node == node) {
                change(meta);
            }
        }
    }

    fn pick(&self, random: &mut Random, wanted: impl Fn(&Meta) -> bool) -> Option<String> {
        let paths: Vec<_> =
            self.nodes.iter().filter(|(_, meta)| wanted(meta)).map(|(path, _)| path).collect();
        if paths.is_empty() { None } else { Some(paths[random.below(paths.len())].clone()) }
    }

    fn fresh(&self, random: &mut Random) -> String {
        loop {
            let parent = self.pick(random, |meta| meta.node == Node::Directory).unwrap();
            let name = format!("{}{}", "n".repeat(1 + random.below(40)), random.below(100_000));
            let path = join(&parent, &name);
            if !self.nodes.contains_key(&path) {
                return path;
            }
        }
    }

    /// The file system holds exactly this.
    pub fn assert_same(&self, fs: &Ext4, what: &str) {
        let found = Self::read(fs);
        let paths = |model: &Self| model.nodes.keys().cloned().collect::<Vec<_>>();
        assert_eq!(paths(&found), paths(self), "{what}");
        for (path, meta) in &self.nodes {
            let other = &found.nodes[path];
            assert_eq!((meta.mode, meta.uid, meta.gid), (other.mode, other.uid, other.gid), "{what}: {path}");
            match (&meta.node, &other.node) {
                (Node::File(_), Node::File(_)) => {
                    assert!(
                        self.content(&meta.node) == found.content(&other.node),
                        "{what}: {path}: content"
                    );
                }
                (left, right) => assert_eq!(left, right, "{what}: {path}"),
            }
        }
    }

    /// The second reader finds exactly this.
    pub fn assert_view(&self, view: &ViewTree, what: &str) {
        for (path, meta) in &self.nodes {
            let stat = view.lstat(path).unwrap_or_else(|error| panic!("{what}: {path}: {error}")).unwrap();
            assert_eq!((stat.mode, stat.uid, stat.gid), (meta.mode, meta.uid, meta.gid), "{what}: {path}");
            match &meta.node {
                Node::Directory => assert_eq!(stat.kind, Kind::Directory, "{what}: {path}"),
                Node::Link(target) => assert_eq!(view.read_link(path).unwrap(), *target, "{what}: {path}"),
                file => {
                    let mut found = Vec::new();
                    view.read(path, |piece| {
                        found.extend_from_slice(piece);
                        true
                    })
                    .unwrap_or_else(|error: ViewError| panic!("{what}: {path}: {error}"));
                    assert!(found == self.content(file), "{what}: {path}: content");
                }
            }
        }
    }
}

pub fn content(fs: &Ext4, path: &str) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut buf = vec![0; 100_000];
    loop {
        let count = fs.read_at(path, whole.len() as u64, &mut buf).unwrap();
        if count == 0 {
            return whole;
        }
        whole.extend_from_slice(&buf[..count]);
    }
}

pub fn join(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

fn below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}
