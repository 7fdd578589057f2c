//! The opinion of debugfs: needs no root, and knows blocks that are larger than the kernel's pages.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hardtack_ext4::Ext4;

use crate::model::{Content, Model};
use crate::tools::{debugfs_script, run};

/// debugfs finds in `image` what the model says; `fs` tells the numbers of inodes.
pub fn assert_same(image: &Path, fs: &Ext4, model: &Model, what: &str) {
    let mut numbers = BTreeMap::new();
    let mut script = String::new();
    for path in model.names.keys() {
        let stat = fs.lstat(path).unwrap().unwrap();
        numbers.insert(path, stat);
        script += &format!("stat <{}>\n", stat.inode);
    }
    let said = debugfs_script(image, &script);
    let told: BTreeMap<u32, &str> = said
        .split("Inode: ")
        .skip(1)
        .map(|part| (part.split_whitespace().next().unwrap().parse().unwrap(), part))
        .collect();
    for (path, stat) in &numbers {
        let part = told.get(&stat.inode).unwrap_or_else(|| panic!("{what}: {path}: debugfs: {said}"));
        let number = |label: &str| {
            let (_, rest) =
                part.split_once(label).unwrap_or_else(|| panic!("{what}: {path}: {label}: {part}"));
            let word = rest.split_whitespace().next().unwrap();
            word.parse::<i64>().unwrap_or_else(|_| panic!("{what}: {path}: {label}: {word}"))
        };
        let node = model.node(path);
        let mode = i64::from_str_radix(&format!("{}", number("Mode:")), 8).unwrap();
        assert_eq!(mode, i64::from(node.mode), "{what}: {path}: mode: {part}");
        let owner = [number("User:") as u32, number("Group:") as u32];
        assert_eq!(owner, [node.uid, node.gid], "{what}: {path}: owner: {part}");
        assert_eq!(number("Links:"), i64::from(stat.links), "{what}: {path}: links: {part}");
        for name in node.xattrs.keys() {
            assert!(part.contains(&format!("{name} (")), "{what}: {path}: {name}: {part}");
        }
    }
    contents(image, model, what);
}

fn contents(image: &Path, model: &Model, what: &str) {
    let dir = tempfile::tempdir().unwrap();
    run("debugfs", &["-R", &format!("rdump / {}", dir.path().display()), image.to_str().unwrap()]);
    for path in model.names.keys() {
        let host = dir.path().join(&path[1..]);
        match &model.node(path).content {
            Content::Directory => {
                assert!(host.is_dir(), "{what}: {path}: debugfs finds no directory");
                // Whoever we are, what lies in it is to be read.
                let _ = std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o700));
            }
            Content::File(content) => {
                let _ = std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o600));
                let mut found =
                    std::fs::read(&host).unwrap_or_else(|error| panic!("{what}: {path}: {error}"));
                // What is shorter than i_block comes padded.
                if found.len() <= 60 {
                    found.truncate(content.len());
                }
                assert!(found == *content, "{what}: {path}: content: debugfs");
            }
            Content::Link(target) => {
                let found =
                    std::fs::read_link(&host).unwrap_or_else(|error| panic!("{what}: {path}: {error}"));
                assert_eq!(found, Path::new(target), "{what}: {path}: debugfs");
            }
            Content::Special => {}
        }
    }
}
