//! The real images, and looking into what was made of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::run;

/// What `tests/images/make.sh` made.
pub struct Images {
    cache: PathBuf,
}

impl Images {
    /// The real images; `None`, said aloud, where they were not made.
    pub fn find() -> Option<Self> {
        let cache =
            std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
        if cache.join("images").is_dir() {
            return Some(Self { cache });
        }
        assert!(std::env::var_os("CI").is_none(), "{}: no images; use `cargo xtask test`", cache.display());
        eprintln!("SKIPPED: no images in {} (`cargo xtask images` makes them)", cache.display());
        None
    }

    /// The image `name`.
    pub fn disk(&self, name: &str) -> PathBuf {
        self.cache.join("images").join(format!("{name}.qcow2"))
    }

    /// The root that the plain image of a Debian suite was made of, a tar archive.
    pub fn root(&self, suite: &str) -> PathBuf {
        self.cache.join(format!("{suite}.tar"))
    }

    /// The folder with the packages of a Debian suite.
    pub fn debs(&self, suite: &str) -> PathBuf {
        self.cache.join(format!("debs-{suite}"))
    }
}

/// A partition of a raw disk.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// First sector of 512 bytes.
    pub start: u64,
    /// Length in sectors.
    pub sectors: u64,
}

/// The partition `number` of the raw `disk`, as sfdisk sees it.
pub fn partition(disk: &Path, number: u32) -> Partition {
    let json = run(Command::new("sfdisk").arg("--json").arg(disk));
    let table: serde_json::Value = serde_json::from_str(&json).unwrap();
    let wanted = format!("{}{number}", disk.display());
    let found = table["partitiontable"]["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["node"] == *wanted)
        .unwrap_or_else(|| panic!("no partition {number} in {json}"))
        .clone();
    Partition { start: found["start"].as_u64().unwrap(), sectors: found["size"].as_u64().unwrap() }
}

/// Copies a partition out of a raw disk, sparse.
pub fn extract(disk: &Path, number: u32, to: &Path) {
    let Partition { start, sectors } = partition(disk, number);
    run(Command::new("dd")
        .arg(format!("if={}", disk.display()))
        .arg(format!("of={}", to.display()))
        .args(["bs=1M", "iflag=skip_bytes,count_bytes", "conv=sparse", "status=none"])
        .arg(format!("skip={}", start * 512))
        .arg(format!("count={}", sectors * 512)));
}

/// `e2fsck -fn` finds nothing.
pub fn assert_clean(file_system: &Path) {
    run(Command::new("e2fsck").args(["-fn"]).arg(file_system));
}

/// What `debugfs` reads: another implementation than ours.
pub fn debugfs_cat(file_system: &Path, path: &str) -> String {
    run(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(file_system))
}

/// The `stat` of debugfs.
pub fn debugfs_stat(file_system: &Path, path: &str) -> String {
    run(Command::new("debugfs").args(["-R", &format!("stat {path}")]).arg(file_system))
}

/// The bytes' SHA-256, by sha256sum.
pub fn sha256(file: &Path) -> String {
    run(Command::new("sha256sum").arg(file)).split(' ').next().unwrap().to_owned()
}
