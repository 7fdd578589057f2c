//! Operations: made up at random, and carried out on an [`Ext4`].

use std::fmt;

use hardtack_ext4::{Error, Ext4};

use crate::model::{ACCESS_LIST, Content, Model, Node, access_list, join};

/// xorshift64*: the same edits for the same seed.
pub struct Random(pub u64);

impl Random {
    /// A generator for a small number: neighbours have nothing in common.
    pub fn of(number: u64) -> Self {
        let mut random = Self(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    pub fn of_ten(&mut self, count: usize) -> bool {
        self.below(10) < count
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// One call of the API.
#[derive(Clone)]
pub enum Operation {
    Create { path: String, mode: u32, uid: u32, gid: u32 },
    Mkdir { path: String, mode: u32, uid: u32, gid: u32 },
    Symlink { path: String, target: String, uid: u32, gid: u32 },
    SetContent { path: String, bytes: Vec<u8> },
    Append { path: String, bytes: Vec<u8> },
    Remove { path: String },
    HardLink { original: String, path: String },
    Rename { from: String, to: String },
    SetMode { path: String, mode: u32 },
    SetOwner { path: String, uid: u32, gid: u32 },
    SetMtime { path: String, seconds: i64 },
    SetXattr { path: String, name: String, value: Vec<u8> },
    RemoveXattr { path: String, name: String },
}

impl Operation {
    pub fn carry_out(&self, fs: &mut Ext4) -> Result<(), Error> {
        match self {
            Self::Create { path, mode, uid, gid } => fs.create(path, *mode, *uid, *gid),
            Self::Mkdir { path, mode, uid, gid } => fs.mkdir(path, *mode, *uid, *gid),
            Self::Symlink { path, target, uid, gid } => fs.symlink(path, target, *uid, *gid),
            Self::SetContent { path, bytes } => fs.set_content(path, bytes),
            Self::Append { path, bytes } => fs.append(path, bytes),
            Self::Remove { path } => fs.remove(path),
            Self::HardLink { original, path } => fs.hard_link(original, path),
            Self::Rename { from, to } => fs.rename(from, to),
            Self::SetMode { path, mode } => fs.set_mode(path, *mode),
            Self::SetOwner { path, uid, gid } => fs.set_owner(path, *uid, *gid),
            Self::SetMtime { path, seconds } => fs.set_mtime(path, *seconds),
            Self::SetXattr { path, name, value } => fs.set_xattr(path, name, value),
            Self::RemoveXattr { path, name } => fs.remove_xattr(path, name),
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { path, mode, uid, gid } => write!(f, "create {path} {mode:o} {uid}:{gid}"),
            Self::Mkdir { path, mode, uid, gid } => write!(f, "mkdir {path} {mode:o} {uid}:{gid}"),
            Self::Symlink { path, target, .. } => write!(f, "symlink {path} to {} bytes", target.len()),
            Self::SetContent { path, bytes } => write!(f, "set content of {path}: {} bytes", bytes.len()),
            Self::Append { path, bytes } => write!(f, "append to {path}: {} bytes", bytes.len()),
            Self::Remove { path } => write!(f, "remove {path}"),
            Self::HardLink { original, path } => write!(f, "link {original} {path}"),
            Self::Rename { from, to } => write!(f, "rename {from} {to}"),
            Self::SetMode { path, mode } => write!(f, "set mode of {path}: {mode:o}"),
            Self::SetOwner { path, uid, gid } => write!(f, "set owner of {path}: {uid}:{gid}"),
            Self::SetMtime { path, seconds } => write!(f, "set time of {path}: {seconds}"),
            Self::SetXattr { path, name, value } => write!(f, "set {name} of {path}: {} bytes", value.len()),
            Self::RemoveXattr { path, name } => write!(f, "remove {name} of {path}"),
        }
    }
}

/// Makes up operations for a file system.
pub struct Generator {
    pub random: Random,
    /// Bytes of a block: sizes near its multiples are the interesting ones.
    pub block: usize,
    /// The longest content.
    pub large: usize,
    /// Several operations that belong together, in their order.
    queue: Vec<Operation>,
}

impl Generator {
    pub fn new(random: Random, block: usize, large: usize) -> Self {
        Self { random, block, large, queue: Vec::new() }
    }

    /// The next operation; its paths exist in `model` as it needs them.
    pub fn next(&mut self, model: &Model) -> Operation {
        if let Some(next) = self.queue.pop().filter(|next| stands(next, model)) {
            return next;
        }
        self.queue.clear();
        loop {
            if let Some(operation) = self.make_up(model) {
                return operation;
            }
        }
    }

    fn make_up(&mut self, model: &Model) -> Option<Operation> {
        let mode = self.random.one(&[0o644, 0o600, 0o755, 0o4755, 0o1777, 0o2750, 0]);
        let uid = self.random.one(&[0, 1000, 65_535, 65_536, 70_000, 4_294_967_294]);
        let gid = self.random.one(&[0, 27, 100_000, 4_000_000_000]);
        let is_file = |node: &Node| matches!(node.content, Content::File(_));
        let is_directory = |node: &Node| node.content == Content::Directory;
        Some(match self.random.below(40) {
            0..=4 => {
                let path = self.fresh(model);
                let bytes = self.bytes();
                self.queue.push(Operation::SetContent { path: path.clone(), bytes });
                Operation::Create { path, mode, uid, gid }
            }
            5 => {
                let parent = self.pick(model, is_directory)?;
                let (count, length) = (10 + self.random.below(80), self.random.one(&[8, 30, 120, 240]));
                for number in 0..count {
                    let path = join(&parent, &format!("{number:03}{}", "m".repeat(length)));
                    self.queue.push(match number % 9 {
                        8 => Operation::Mkdir { path, mode, uid, gid },
                        _ => Operation::Create { path, mode, uid, gid },
                    });
                }
                self.queue.pop().filter(|first| stands(first, model))?
            }
            // What a directory is emptied of, in another order than it was filled in.
            6 => {
                let parent = join(&self.pick(model, is_directory)?, "");
                let mut below: Vec<_> = model
                    .names
                    .range(parent.clone()..)
                    .take_while(|(path, _)| path.starts_with(&parent))
                    .map(|(path, _)| path.clone())
                    .filter(|path| !model.is_directory(path))
                    .collect();
                for index in (1..below.len()).rev() {
                    below.swap(index, self.random.below(index + 1));
                }
                below.truncate(60);
                self.queue.extend(below.into_iter().map(|path| Operation::Remove { path }));
                self.queue.pop()?
            }
            7 | 8 => Operation::Mkdir { path: self.fresh(model), mode, uid, gid },
            9 | 10 => {
                let limit = self.block.min(4096) - 1;
                let length = self.random.one(&[1, 30, 58, 59, 60, 61, 100, 250, limit.min(1500), limit]);
                Operation::Symlink {
                    path: self.fresh(model),
                    target: "target/".repeat(600)[..length].to_owned(),
                    uid,
                    gid,
                }
            }
            11..=14 => Operation::SetContent { path: self.pick(model, is_file)?, bytes: self.bytes() },
            15 | 16 => Operation::Append { path: self.pick(model, is_file)?, bytes: self.bytes() },
            17..=20 => Operation::Remove { path: self.pick(model, |node| !is_directory(node))? },
            21 => Operation::Remove { path: self.pick(model, is_directory).filter(|path| movable(path))? },
            22 | 23 => {
                let from = self.pick(model, |node| !is_directory(node))?;
                let to = match self.random.below(2) {
                    0 => self.fresh(model),
                    _ => self.pick(model, |node| !is_directory(node))?,
                };
                Operation::Rename { from, to }
            }
            24 => {
                let from = self.pick(model, is_directory).filter(|path| movable(path))?;
                let to = match self.random.below(3) {
                    0 => self.pick(model, |_| true).filter(|path| movable(path))?,
                    1 => self.pick(model, is_directory).filter(|path| movable(path))?,
                    _ => self.fresh(model),
                };
                let below = join(&from, "");
                let longest =
                    model.names.keys().filter(|path| path.starts_with(&below)).map(String::len).max();
                if to.len() + longest.unwrap_or(0) > 3000 {
                    return None;
                }
                Operation::Rename { from, to }
            }
            25 | 26 => {
                let original = self.pick(model, |node| !is_directory(node))?;
                Operation::HardLink { original, path: self.fresh(model) }
            }
            27 => Operation::SetMode {
                path: self.pick(model, |node| !matches!(node.content, Content::Link(_)))?,
                mode,
            },
            28 => Operation::SetOwner { path: self.pick(model, |_| true)?, uid, gid },
            29 => {
                let seconds =
                    self.random.one(&[0, 1, 1_600_000_000, 2_147_483_647, -1, -2_000_000_000, 4_500_000_000]);
                Operation::SetMtime { path: self.pick(model, |_| true)?, seconds }
            }
            30..=36 => self.attribute(model)?,
            37 => {
                let path = self.pick(model, |node| !node.xattrs.is_empty())?;
                let names: Vec<_> = model.node(&path).xattrs.keys().cloned().collect();
                Operation::RemoveXattr { path, name: self.random.one(&names) }
            }
            38 => {
                // All over one file: it shrinks, grows and shrinks.
                let path = self.pick(model, is_file)?;
                for _ in 0..4 {
                    let bytes = self.bytes();
                    self.queue.push(match self.random.below(2) {
                        0 => Operation::Append { path: path.clone(), bytes },
                        _ => Operation::SetContent { path: path.clone(), bytes },
                    });
                }
                self.queue.pop()?
            }
            _ => {
                let path = self.pick(model, is_file)?;
                let length = self.random.below(self.large * 4);
                let bytes = self.pattern(length);
                Operation::SetContent { path, bytes }
            }
        })
    }

    fn attribute(&mut self, model: &Model) -> Option<Operation> {
        let path = self.pick(model, |_| true)?;
        let node = model.node(&path);
        let name = match &node.content {
            Content::File(_) => self.random.one(&[
                "security.selinux",
                "security.capability",
                "user.a",
                "user.a-name-that-is-quite-a-bit-longer-than-others-are",
                "trusted.overlay.origin",
                ACCESS_LIST,
            ]),
            Content::Directory => self.random.one(&[
                "security.selinux",
                "user.b",
                "trusted.overlay.opaque",
                ACCESS_LIST,
                "system.posix_acl_default",
            ]),
            Content::Link(_) | Content::Special => self.random.one(&["security.selinux", "trusted.c"]),
        };
        let value = match name {
            // VFS_CAP_REVISION_2 with cap_net_raw.
            "security.capability" => b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "security.selinux" if self.random.of_ten(7) => b"system_u:object_r:etc_t:s0\0".to_vec(),
            ACCESS_LIST | "system.posix_acl_default" => {
                access_list(node.mode, self.random.one(&[33, 1000, 70_000]), self.random.below(8) as u16)
            }
            _ => {
                let length = self.random.one(&[
                    0, 1, 3, 4, 20, 40, 60, 90, 100, 120, 140, 300, 450, 600, 800, 900, 1900, 3000, 5000,
                    20_000,
                ]);
                self.pattern(length)
            }
        };
        Some(Operation::SetXattr { path, name: name.to_owned(), value })
    }

    /// A content: of a size near a border, and at times with nothing but zeros in it.
    fn bytes(&mut self) -> Vec<u8> {
        let near = |border: usize, off: usize| (border + off).saturating_sub(2);
        let off = self.random.below(4);
        let length = match self.random.below(10) {
            0 => self.random.below(60),
            1 => near(60, off),
            2 => near(self.random.one(&[92, 96, 100, 150, 156, 160, 200, 400, 900]), self.random.below(8)),
            3 => near(self.block * self.random.one(&[1, 2, 3, 11, 12, 13]), off),
            4 => near(self.block * (12 + self.block / 4), off),
            _ => self.random.below(self.large),
        };
        self.pattern(length.min(self.large))
    }

    fn pattern(&mut self, length: usize) -> Vec<u8> {
        let seed = self.random.below(251) as u8;
        let mut bytes: Vec<u8> = (0..length)
            .map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8) ^ seed)
            .collect();
        match self.random.below(8) {
            0 => bytes.fill(0),
            1 => bytes[length / 2..].fill(0),
            2 => bytes[..length / 2].fill(0),
            _ => {}
        }
        bytes
    }

    fn pick(&mut self, model: &Model, wanted: impl Fn(&Node) -> bool) -> Option<String> {
        let paths: Vec<_> = model
            .names
            .iter()
            .filter(|(_, number)| wanted(&model.nodes[number]))
            .map(|(path, _)| path)
            .collect();
        if paths.is_empty() { None } else { Some(paths[self.random.below(paths.len())].clone()) }
    }

    fn fresh(&mut self, model: &Model) -> String {
        loop {
            let parent = self.pick(model, |node| node.content == Content::Directory).unwrap();
            let number = self.random.below(100_000);
            let name = match self.random.below(12) {
                0 => format!("{number}{}", "n".repeat(255 - number.to_string().len())),
                1 => format!("{number} ümläut-{}", "ö".repeat(self.random.below(60))),
                2 => format!(".{number}"),
                3 => format!("{}", number % 10),
                _ => format!("{}{number}", "n".repeat(1 + self.random.below(40))),
            };
            let path = join(&parent, &name);
            // Deeper than what the kernel takes as one path.
            if path.len() < 1500 && !model.names.contains_key(&path) {
                return path;
            }
        }
    }
}

fn movable(path: &str) -> bool {
    path != "/" && path != "/lost+found"
}

/// The paths of an operation are still there, or still free.
fn stands(operation: &Operation, model: &Model) -> bool {
    let free = |path: &String| {
        let above = path.rsplit_once('/').unwrap().0;
        !model.names.contains_key(path) && model.is_directory(if above.is_empty() { "/" } else { above })
    };
    match operation {
        Operation::Create { path, .. } | Operation::Mkdir { path, .. } | Operation::Symlink { path, .. } => {
            free(path)
        }
        Operation::Remove { path } => model.names.contains_key(path),
        Operation::SetContent { path, .. } | Operation::Append { path, .. } => {
            model.names.contains_key(path) && matches!(model.node(path).content, Content::File(_))
        }
        _ => false,
    }
}
