//! Whoever is ended while storing leaves no entry, and nothing for long.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{get, name, next, open, put};

const VARIABLE: &str = "HARDTACK_TEST_CACHE_WRITER";

/// What is started by the test below; alone it does nothing.
#[test]
fn writer() {
    let Some(root) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return };
    let store = open(&root);
    let image: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    for round in 0..1000 {
        put(&store, name(&format!("{}", round % 3)), &image);
    }
}

#[test]
fn one_that_is_killed_leaves_whole_entries_only() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("cache");
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut found, mut left) = (0, 0);
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::writer", "--exact"])
            .env(VARIABLE, &root)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + next(&mut state) % 300));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(&root);
        for one in ["0", "1", "2"] {
            found += usize::from(get(&store, name(one)).unwrap().is_some());
        }
        left += std::fs::read_dir(root.join("tmp")).unwrap().count();
        put(&store, name("mine"), b"image");
        assert_eq!(std::fs::read_dir(root.join("tmp")).unwrap().count(), 0, "what was left is cleared");
        assert!(get(&store, name("mine")).unwrap().is_some());
    }
    eprintln!("{found} whole entries found, {left} begun ones cleared");
}
