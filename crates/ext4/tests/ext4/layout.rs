//! File systems to edit: what mke2fs 1.42 to 1.47 and distributions make, and random mixtures of it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::operation::Random;
use crate::tools::{Image, debugfs_script, fill, run};

/// How a file system is made.
#[derive(Clone, Debug)]
pub struct Layout {
    /// For mke2fs.
    pub args: Vec<String>,
    pub mib: u64,
    pub filling: Filling,
    /// For `tune2fs -E hash_alg=`.
    pub hash: Option<&'static str>,
    /// `EXT2_FLAGS_SIGNED_HASH`, of machines whose characters are signed.
    pub signed: bool,
}

/// What it holds before the first edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// Nothing.
    Empty,
    /// A small tree, with devices, holes and blocks that were never written.
    Tree,
    /// Hundreds of files of which every second was removed.
    Shattered,
}

/// Layouts that must be among those tried, whatever is drawn.
const FIXED: &[&str] = &[
    // Debian 12, Debian 13, Ubuntu 24.04, and the first mke2fs with uninit_bg.
    "-t ext4 -O metadata_csum,64bit,^orphan_file,^metadata_csum_seed",
    "-t ext4 -O metadata_csum,64bit,orphan_file,metadata_csum_seed",
    "-t ext4 -O metadata_csum,64bit,^orphan_file,metadata_csum_seed -b 4096",
    "-t ext4 -O ^metadata_csum,^64bit,uninit_bg,^orphan_file,^metadata_csum_seed -b 4096",
    "-t ext4 -b 1024",
    "-t ext4 -b 2048",
    "-t ext4 -b 4096",
    "-t ext4 -b 65536 -O ^has_journal",
    "-t ext4 -O ^metadata_csum",
    "-t ext4 -O ^64bit",
    "-t ext4 -O ^metadata_csum,^64bit -b 1024",
    "-t ext4 -O ^has_journal",
    "-t ext4 -O ^extent,^64bit",
    "-t ext4 -O ^extent,^64bit,^metadata_csum -b 1024",
    "-t ext4 -O ^extent,^64bit,^metadata_csum,^huge_file -b 4096",
    "-t ext3",
    "-t ext3 -b 4096 -I 128",
    "-t ext2",
    "-t ext2 -b 1024 -I 128",
    "-t ext2 -b 4096 -O ^filetype",
    "-t ext4 -I 128",
    "-t ext4 -I 128 -O ^metadata_csum",
    "-t ext4 -I 512",
    "-t ext4 -I 1024 -b 1024",
    "-t ext4 -O inline_data",
    "-t ext4 -O inline_data -b 1024 -I 512",
    "-t ext4 -O inline_data,^metadata_csum -b 4096 -I 1024",
    "-t ext4 -O ea_inode",
    "-t ext4 -O ea_inode,inline_data -b 1024",
    "-t ext4 -O ea_inode -I 128 -b 4096",
    "-t ext4 -O meta_bg,^resize_inode -b 1024 -g 1024",
    "-t ext4 -O meta_bg,^resize_inode,^64bit",
    "-t ext4 -O ^flex_bg -b 1024 -g 2048",
    "-t ext4 -O ^resize_inode",
    "-t ext4 -O sparse_super2,^resize_inode -b 1024 -g 1024",
    "-t ext4 -O sparse_super2 -E num_backup_sb=1 -b 1024 -g 2048",
    "-t ext4 -O ^sparse_super,^resize_inode -b 1024 -g 1024",
    "-t ext4 -O large_dir",
    "-t ext4 -O ^dir_index",
    "-t ext4 -O ^dir_nlink,^huge_file,^extra_isize",
    "-t ext4 -O ^filetype",
    "-t ext4 -O stable_inodes,verity",
    "-t ext4 -O encrypt",
    "-t ext4 -O casefold",
    "-t ext4 -O mmp",
    "-t ext4 -O fast_commit",
];

impl Layout {
    /// The layout of a number: always the same, the fixed ones first.
    pub fn of(number: usize) -> Self {
        let mut random = Random::of(number as u64 ^ 0x1a90_0700);
        let fixed =
            if number < FIXED.len() { Some(number) } else { number.is_multiple_of(5).then_some(number / 5) };
        let args = match fixed {
            Some(index) => FIXED[index % FIXED.len()].split(' ').map(str::to_owned).collect(),
            None => drawn(&mut random),
        };
        let block = args.iter().position(|arg| arg == "-b").map(|at| args[at + 1].as_str());
        let mib = match block {
            Some("65536") => 96,
            _ => random.one(&[8, 12, 16, 16, 24]),
        };
        Self {
            args,
            mib,
            filling: random.one(&[Filling::Tree, Filling::Tree, Filling::Shattered, Filling::Empty]),
            hash: random.one(&[None, None, Some("legacy"), Some("tea"), Some("half_md4")]),
            signed: random.of_ten(3),
        }
    }

    /// A fixed layout on a larger disk, for tests of one thing.
    pub fn plain(args: &str, mib: u64, filling: Filling) -> Self {
        let args = args.split(' ').map(str::to_owned).collect();
        Self { args, mib, filling, hash: None, signed: false }
    }

    /// What tells it from others.
    pub fn name(&self) -> String {
        let hash = self.hash.map(|hash| format!(", {hash} hash")).unwrap_or_default();
        let sign = if self.signed { ", signed" } else { "" };
        format!("{} {} MiB, {:?}{hash}{sign}", self.args.join(" "), self.mib, self.filling)
    }

    /// The file system; `None` when mke2fs does not make such a one, or not a clean one.
    pub fn make(&self) -> Option<Image> {
        let image = Image { dir: tempfile::tempdir().unwrap() };
        let mut args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let tree = match self.filling {
            Filling::Empty => None,
            Filling::Tree => Some(trees().0.to_str().unwrap().to_owned()),
            Filling::Shattered => Some(trees().1.to_str().unwrap().to_owned()),
        };
        if let Some(tree) = &tree {
            args.extend(["-d", tree]);
        }
        let output = image.try_format(&args, self.mib);
        if !output.status.success() {
            return None;
        }
        let path = image.path();
        if let Some(hash) = self.hash {
            // It asks for no answer: the file system is new.
            run("tune2fs", &["-E", &format!("hash_alg={hash}"), path.to_str().unwrap()]);
        }
        let mut script = String::new();
        if self.signed {
            script += "ssv flags 1\n";
        }
        match self.filling {
            Filling::Empty => {}
            Filling::Tree => script += TREE_EXTRAS,
            Filling::Shattered => {
                for number in (0..SHARDS).step_by(2) {
                    script += &format!("rm /shards/{number}\n");
                }
            }
        }
        // What mke2fs does not know may be what debugfs does not know either: the tree is enough then.
        let kept = std::fs::read(&path).unwrap();
        debugfs_script(&path, &script);
        let judged = run("e2fsck", &["-fn", path.to_str().unwrap()]);
        if !judged.status.success() {
            std::fs::write(&path, kept).unwrap();
            // Some mixtures are too much for mke2fs itself (packed_meta_blocks in small groups).
            if !run("e2fsck", &["-fn", path.to_str().unwrap()]).status.success() {
                return None;
            }
        }
        Some(image)
    }
}

/// Devices, a FIFO, attributes, a hole, blocks that were never written.
const TREE_EXTRAS: &str = "cd /usr
mknod fifo p
mknod null c 1 3
mknod disk b 259 70000
cd /
punch /usr/lib/deep/er/big 10 20
fallocate /etc/motd 3 9
fallocate /etc/empty 0 5
ea_set /etc/shadow security.selinux system_u:object_r:shadow_t:s0
ea_set /etc/os-release security.selinux system_u:object_r:etc_t:s0
ea_set /usr user.made.by debugfs
";

/// Files that shatter the free space.
const SHARDS: usize = 260;

/// The trees that mke2fs copies: made once.
fn trees() -> &'static (PathBuf, PathBuf) {
    static TREES: OnceLock<(TempDir, (PathBuf, PathBuf))> = OnceLock::new();
    let (_, paths) = TREES.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (tree, shards) = (dir.path().join("tree"), dir.path().join("shattered"));
        fill(&tree);
        shatter(&shards);
        (dir, (tree, shards))
    });
    paths
}

fn shatter(root: &Path) {
    std::fs::create_dir_all(root.join("shards")).unwrap();
    for number in 0..SHARDS {
        let bytes = vec![number as u8 | 1; 1024 * (1 + number * 7 % 23)];
        std::fs::write(root.join(format!("shards/{number}")), bytes).unwrap();
    }
}

/// Random arguments for mke2fs; not all of them make sense together.
fn drawn(random: &mut Random) -> Vec<String> {
    let block = random.one(&[1024, 1024, 1024, 2048, 2048, 4096, 4096, 4096, 4096, 65_536]);
    let kind = random.one(&["ext4", "ext4", "ext4", "ext4", "ext3", "ext2"]);
    let mut features: Vec<String> = Vec::new();
    let mut draw = |random: &mut Random, name: &str, with: usize, without: usize| match random.below(10) {
        roll if roll < with => features.push(name.to_owned()),
        roll if roll < with + without => features.push(format!("^{name}")),
        _ => {}
    };
    for (name, with, without) in [
        ("has_journal", 1, 3),
        ("extent", 1, 3),
        ("64bit", 2, 4),
        ("metadata_csum", 4, 3),
        ("uninit_bg", 2, 1),
        ("flex_bg", 2, 3),
        ("resize_inode", 1, 3),
        ("sparse_super", 0, 1),
        ("dir_index", 1, 2),
        ("filetype", 0, 1),
        ("large_dir", 3, 0),
        ("dir_nlink", 1, 2),
        ("huge_file", 1, 3),
        ("large_file", 2, 1),
        ("extra_isize", 1, 2),
        ("inline_data", 3, 0),
        ("ea_inode", 3, 0),
        ("orphan_file", 2, 2),
        ("metadata_csum_seed", 3, 2),
        ("sparse_super2", 2, 0),
        ("meta_bg", 2, 0),
        ("stable_inodes", 1, 0),
        ("ext_attr", 1, 1),
        ("mmp", 1, 0),
    ] {
        draw(random, name, with, without);
    }
    let mut args: Vec<String> = vec!["-t".to_owned(), kind.to_owned(), "-b".to_owned(), block.to_string()];
    let inode = random.one(&["128", "256", "256", "256", "512", "1024"]);
    make_agree(&mut features, kind, block, inode);
    args.extend(["-O".to_owned(), features.join(","), "-I".to_owned(), inode.to_owned()]);
    if random.of_ten(5) && block < 65_536 {
        args.extend(["-g".to_owned(), (random.one(&[512, 1024, 2048, 4096, 8192])).to_string()]);
    }
    if random.of_ten(5) {
        args.extend(["-N".to_owned(), random.one(&["700", "1000", "2000", "4000"]).to_owned()]);
    }
    if random.of_ten(2) && !args[5].contains("^flex_bg") && kind == "ext4" {
        args.extend(["-G".to_owned(), random.one(&["1", "2", "8", "64"]).to_owned()]);
    }
    args.extend(["-m".to_owned(), random.one(&["0", "5", "10"]).to_owned()]);
    let mut extended = vec![format!("lazy_itable_init={}", random.below(2))];
    if random.of_ten(2) {
        extended.push(format!("num_backup_sb={}", random.below(3)));
    }
    if random.of_ten(2) {
        extended.push("packed_meta_blocks=1".to_owned());
    }
    if random.of_ten(2) {
        extended.push("resize=4000000".to_owned());
    }
    args.extend(["-E".to_owned(), extended.join(",")]);
    args
}

/// What excludes each other: mke2fs would refuse most mixtures.
fn make_agree(features: &mut Vec<String>, kind: &str, block: usize, inode: &str) {
    let has = |features: &[String], name: &str| features.iter().any(|feature| feature == name);
    let without = |features: &mut Vec<String>, when: bool, name: &str| {
        if when {
            features.retain(|feature| feature != name);
            features.push(format!("^{name}"));
        }
    };
    let no_extents = has(features, "^extent") || (kind != "ext4" && !has(features, "extent"));
    without(features, no_extents, "64bit");
    let meta_bg = has(features, "meta_bg") || has(features, "^sparse_super");
    without(features, meta_bg, "resize_inode");
    without(features, block == 65_536, "has_journal");
    let no_journal = has(features, "^has_journal") || (kind == "ext2" && !has(features, "has_journal"));
    without(features, no_journal, "orphan_file");
    let no_sums = has(features, "^metadata_csum") || (kind != "ext4" && !has(features, "metadata_csum"));
    without(features, no_sums, "metadata_csum_seed");
    without(features, inode == "128", "inline_data");
}
