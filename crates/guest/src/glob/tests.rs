//! Patterns, also against the C library's own glob(3).
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::Command;

use super::*;
use crate::{HostTree, MemoryTree};

const NAMES: [&str; 14] = [
    "a",
    "b",
    ".h",
    "{}",
    "{a}",
    "x]",
    "[x",
    "a1",
    "a-b",
    "é",
    "d/one.log",
    "d/.two.log",
    "d/s/three",
    "back\\slash",
];

const PATTERNS: [&str; 44] = [
    "{}",
    "{a}",
    "{a,b}",
    "{a,b",
    "{b,a}",
    "{b,a*}",
    "[x",
    "[x*",
    "x]",
    "*",
    "[!a]",
    "[^a]",
    "[.]h",
    "?h",
    ".h",
    ".?",
    "a{,1}",
    "\\{a\\}",
    "{a,{b,a1}}",
    "[a-b]",
    "[]x]*",
    "[[]*",
    "{a,b}}",
    "[{a,b}]",
    "a}",
    "*/",
    "[!.]*",
    "[a\\-b]",
    "[[:alpha:]]",
    "[[:digit:]]",
    "*/*",
    "d/*.log",
    "d/.*.log",
    "*/s/*",
    "link/*",
    "link",
    "dangling",
    "loop/*",
    "d/",
    "a/",
    "missing",
    "*[0-9]",
    "{d,link}/*.log",
    "back\\\\slash",
];

/// One line for each match, as glob(3) with GLOB_BRACE has them.
const PYTHON: &str = r"
import ctypes, os, sys
libc = ctypes.CDLL(None)
class Found(ctypes.Structure):
    _fields_ = [('count', ctypes.c_size_t), ('paths', ctypes.POINTER(ctypes.c_char_p)), ('offs', ctypes.c_size_t),
                ('flags', ctypes.c_int), ('rest', ctypes.c_void_p * 5)]
for pattern in sys.argv[1:]:
    found = Found()
    answer = libc.glob(os.fsencode(pattern), 1 << 10, None, ctypes.byref(found))
    paths = [os.fsdecode(found.paths[i]) for i in range(found.count)] if answer == 0 else []
    print('|'.join(paths))
";

#[test]
fn answers_are_those_of_the_c_library() {
    let directory = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    for (link, target) in [("link", "d"), ("dangling", "nowhere"), ("loop", "loop")] {
        std::os::unix::fs::symlink(target, directory.path().join(link)).unwrap();
    }
    let answer = Command::new("python3")
        .args(["-c", PYTHON])
        .args(PATTERNS)
        .current_dir(directory.path())
        .env("PYTHONUTF8", "1")
        .output();
    let Ok(answer) = answer.map(|output| String::from_utf8(output.stdout).unwrap()) else {
        eprintln!("SKIPPED: python3 is not here");
        return;
    };
    let tree = HostTree::new(directory.path());
    let stage = Stage::new(&tree);
    assert_eq!(answer.lines().count(), PATTERNS.len(), "python3 answered for every pattern");
    for (pattern, line) in PATTERNS.iter().zip(answer.lines()) {
        let mut theirs: Vec<&str> =
            line.split('|').filter(|path| !path.is_empty()).map(|path| path.trim_end_matches('/')).collect();
        // Never a directory itself or the one above: they are taken away from theirs.
        theirs.retain(|path| !matches!(*path, "." | ".."));
        theirs.sort_unstable();
        let ours = glob(&stage, &format!("/{pattern}")).unwrap();
        let mut ours: Vec<&str> = ours.iter().map(|path| path.trim_start_matches('/')).collect();
        ours.sort_unstable();
        // `{}` is the empty pattern: nothing for the C library, the root itself under a slash.
        ours.retain(|path| !path.is_empty());
        assert_eq!(ours, theirs, "{pattern}");
    }
}

#[test]
fn links_lead_nowhere_outside() {
    let tree = MemoryTree::new()
        .file("/run/lock/x", "")
        .link("/var/run", "/run")
        .link("/out", "../../../../run")
        .file("/run/.hidden", "");
    let stage = Stage::new(&tree);
    assert_eq!(glob(&stage, "/var/run/*").unwrap(), ["/var/run/lock"]);
    assert_eq!(glob(&stage, "/out/l*/x").unwrap(), ["/out/lock/x"]);
    assert_eq!(glob(&stage, "/run/.*").unwrap(), ["/run/.hidden"], "neither . nor ..");
    assert_eq!(glob(&stage, "/").unwrap(), ["/"]);
    assert_eq!(glob(&stage, "relative").unwrap(), Vec::<String>::new());
}

#[test]
fn alternatives_keep_their_order_and_come_once() {
    let tree = MemoryTree::new().file("/b", "").file("/a", "").file("/a1", "");
    let stage = Stage::new(&tree);
    assert_eq!(glob(&stage, "/{b,a*,a1}").unwrap(), ["/b", "/a", "/a1"]);
    assert_eq!(braces("{a,{b,c}}d{,e}").unwrap(), ["ad", "ade", "bd", "bde", "cd", "cde"]);
}

#[test]
fn hostile_patterns_end() {
    let many = "{a,b}".repeat(40);
    assert!(braces(&many).unwrap_err().to_string().contains("more than 4096 alternatives"));
    assert!(braces(&"{".repeat(4096)).unwrap().len() == 1);
    assert!(braces(&"x".repeat(5000)).is_err());
    assert!(!matches(&"*a".repeat(2000), &"a".repeat(255)));
    assert!(matches(&"*".repeat(4000), "x"));
}
