//! Secrets that a recipe takes away are not in the output: not in its bytes, and not in anything
//! that can be decompressed out of them.
//!
//! Secrets are planted wherever ext4 keeps what people write: blocks, inodes, directories, attributes,
//! links, the journal, blocks of files deleted long ago, and old snapshots of the qcow2 file. Compressed
//! clusters are searched for at every byte of an output, whether its tables name them or not.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_tests::image::{assert_clean, sha256};
use hardtack_tests::tools::{hardtack, run};
use tempfile::TempDir;

/// What a planted secret begins with; its place follows.
const CANARY: &str = "CANARY-5f3a9c-";
/// The largest cluster of the images here.
const CLUSTER: usize = 64 << 10;

fn secret(place: &str) -> String {
    format!("{CANARY}{place}.")
}

fn many(place: &str) -> String {
    format!("{}\n", secret(place)).repeat(700)
}

/// The places whose secrets are in `bytes`.
fn places(bytes: &[u8], found: &mut BTreeSet<String>) {
    let canary = CANARY.as_bytes();
    let mut rest = bytes;
    while let Some(at) = rest.windows(canary.len()).position(|window| window == canary) {
        rest = &rest[at + canary.len()..];
        let name: Vec<u8> = rest.iter().copied().take_while(|byte| byte.is_ascii_lowercase()).collect();
        // One that a cluster's end cuts off continues elsewhere, and is whole many times.
        if rest.get(name.len()) == Some(&b'.') {
            found.insert(String::from_utf8(name).unwrap());
        }
    }
}

/// Every secret in a file: as it is, in every deflate stream that begins anywhere in it, in every
/// zstd frame, and in the disk that qemu-img reads from it (without `disk`: not there).
fn search(file: &Path, disk: bool) -> BTreeSet<String> {
    let bytes = std::fs::read(file).unwrap();
    let mut found = BTreeSet::new();
    places(&bytes, &mut found);
    if !bytes.starts_with(b"QFI\xfb") {
        return found;
    }
    let mut buffer = vec![0; CLUSTER];
    let mut deflate = flate2::Decompress::new(false);
    for start in 0..bytes.len() {
        let rest = &bytes[start..bytes.len().min(start + 2 * CLUSTER)];
        let length = match rest {
            // No stream of either kind begins like this.
            [0, 0, ..] => continue,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => unpack_zstd(rest, &mut buffer),
            _ => inflate(&mut deflate, rest, &mut buffer),
        };
        if length > CANARY.len() {
            places(&buffer[..length], &mut found);
        }
    }
    if disk {
        let raw = file.with_extension("read-back");
        run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(file).arg(&raw));
        places(&std::fs::read(&raw).unwrap(), &mut found);
        std::fs::remove_file(raw).unwrap();
    }
    found
}

/// As much of a deflate stream as there is before its end, an error, or the end of the buffer.
fn inflate(deflate: &mut flate2::Decompress, stream: &[u8], buffer: &mut [u8]) -> usize {
    deflate.reset(false);
    // What was unpacked before an error counts as well.
    let _ = deflate.decompress(stream, buffer, flate2::FlushDecompress::Finish);
    deflate.total_out() as usize
}

fn unpack_zstd(stream: &[u8], buffer: &mut [u8]) -> usize {
    let mut frame = zstd::stream::read::Decoder::new(stream).unwrap();
    let mut length = 0;
    while length < buffer.len() {
        match frame.read(&mut buffer[length..]) {
            Ok(0) | Err(_) => break,
            Ok(count) => length += count,
        }
    }
    length
}

/// A disk without a partition table, with secrets everywhere.
struct Planted {
    directory: TempDir,
    /// Places that the file system really has.
    places: BTreeSet<String>,
}

impl Planted {
    fn make(options: &[&str], block: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let tree = directory.path().join("tree");
        let write = |path: &str, text: &str, mode: u32| {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        write("etc/os-release", "ID=debian\n", 0o644);
        write("etc/file", &many("file"), 0o600);
        write("etc/inline", &secret("inline"), 0o600);
        write("etc/replaced", &many("replaced"), 0o600);
        write("etc/shortened", &many("shortened"), 0o600);
        write("etc/appended", &format!("{}\nstays\n", secret("changed")), 0o600);
        write("etc/attribute", "x\n", 0o644);
        write("etc/attributes", "x\n", 0o644);
        write("etc/deleted", &many("deleted"), 0o644);
        write("etc/snapshot", &many("snapshot"), 0o644);
        write(&format!("opt/kept/{}", secret("name")), "x\n", 0o644);
        write("opt/kept/other", "x\n", 0o644);
        for number in 0..300 {
            write(&format!("opt/tree/{}{number}", secret("entry")), &secret("below"), 0o644);
        }
        symlink(secret("shortlink"), tree.join("etc/shortlink")).unwrap();
        symlink(format!("/{}/{}", secret("longlink"), "a".repeat(120)), tree.join("etc/longlink")).unwrap();

        let disk = directory.path().join("disk.raw");
        run(Command::new("mke2fs").arg("-q").args(options).arg("-d").arg(&tree).arg(&disk).arg("48M"));
        let mut script = "rm /etc/deleted\n".to_owned();
        writeln!(script, "ea_set /etc/attribute user.secret {}", secret("attribute")).unwrap();
        // Longer than an inode has room for: a block of its own.
        let long = directory.path().join("long");
        std::fs::write(&long, secret("attributeblock").repeat(20)).unwrap();
        writeln!(script, "ea_set -f {} /etc/attributes user.secret", long.display()).unwrap();
        debugfs(&disk, &script);
        if options.iter().all(|option| *option != "ext2") {
            // A transaction that was carried out: its copy stays in the journal.
            let free = run(Command::new("debugfs").args(["-R", "ffb 1 9000"]).arg(&disk));
            let free = free.split_whitespace().last().unwrap().to_owned();
            let mut journalled = many("journal").into_bytes();
            journalled.truncate(block);
            let copied = directory.path().join("block");
            std::fs::write(&copied, journalled).unwrap();
            debugfs(&disk, &format!("jo\njw -b {free} {}\njc\njr\n", copied.display()));
        }
        assert_clean(&disk);
        let places = search(&disk, false);
        for place in
            ["file", "replaced", "deleted", "attribute", "attributeblock", "name", "entry", "shortlink"]
        {
            assert!(places.contains(place), "{place} was not planted: {places:?}");
        }
        Self { directory, places }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The same disk in another format; with `snapshot` its secret is in an old snapshot only.
    fn source(&self, name: &str, options: &[&str], snapshot: bool) -> PathBuf {
        let (raw, path) = (self.path("disk.raw"), self.path(name));
        run(Command::new("qemu-img").args(["convert", "-O", "qcow2"]).args(options).arg(&raw).arg(&path));
        if snapshot {
            run(Command::new("qemu-img").args(["snapshot", "-c", "old"]).arg(&path));
            let mut bytes = std::fs::read(&raw).unwrap();
            let old = secret("snapshot").into_bytes();
            while let Some(at) = bytes.windows(old.len()).position(|window| window == old) {
                bytes[at..at + old.len()].fill(b'-');
            }
            let later = self.path("later.raw");
            std::fs::write(&later, bytes).unwrap();
            run(Command::new("qemu-img").args(["convert", "-n", "-O", "qcow2"]).arg(&later).arg(&path));
        }
        path
    }

    fn recipe(&self) -> PathBuf {
        let mut text = "recipe: 1\nsteps:\n  - files:\n".to_owned();
        let named = format!("/opt/kept/{}", secret("name"));
        let gone = ["file", "inline", "attribute", "attributes", "shortlink", "longlink", "snapshot"];
        for path in gone.map(|name| format!("/etc/{name}")).iter().chain([&named, &"/opt/tree".to_owned()]) {
            writeln!(text, "      - {{remove: {path:?}}}").unwrap();
        }
        text.push_str("      - {write: /etc/replaced, content: \"harmless\\n\"}\n");
        writeln!(text, "      - {{write: /etc/shortened, content: {:?}}}", "harmless\n".repeat(900)).unwrap();
        text.push_str("      - {replace: /etc/appended, match: \"^CANARY.*$\", with: \"harmless\"}\n");
        let recipe = self.path("recipe.yaml");
        std::fs::write(&recipe, text).unwrap();
        recipe
    }
}

fn debugfs(disk: &Path, script: &str) {
    let file = disk.with_extension("debugfs");
    std::fs::write(&file, script).unwrap();
    run(Command::new("debugfs").arg("-w").arg("-f").arg(file).arg(disk));
}

/// Builds `source` in every way, and finds no secret in any output.
fn nothing_is_left(planted: &Planted, source: &Path, ways: &[(&str, &[&str])]) {
    let recipe = planted.recipe();
    let before = sha256(source);
    for (output, options) in ways {
        let path = planted.path(output);
        let what = format!("{} to {output} {options:?}", source.file_name().unwrap().display());
        let mut build = Command::new(hardtack());
        build.arg("build").arg(&recipe).arg("--source").arg(source).arg("--output").arg(&path).args(*options);
        run(&mut build);
        let overlay = options.contains(&"--overlay");
        let left = search(&path, !overlay);
        assert_eq!(left, BTreeSet::new(), "{what}");
        let raw = planted.path("whole.raw");
        run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(&path).arg(&raw));
        assert_clean(&raw);
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(sha256(source), before, "the source was changed");
}

/// File systems of all generations, and the size of their blocks.
const FILE_SYSTEMS: &[(&str, &[&str], usize)] = &[
    ("ext4", &["-t", "ext4", "-b", "4096", "-J", "size=4"], 4096),
    ("inline", &["-t", "ext4", "-O", "inline_data", "-I", "256", "-b", "1024", "-J", "size=4"], 1024),
    ("ext3", &["-t", "ext3", "-b", "1024", "-I", "128", "-J", "size=4"], 1024),
    ("ext2", &["-t", "ext2", "-b", "2048"], 2048),
];

const TO_RAW: (&str, &[&str]) = ("out.raw", &[]);
const TO_QCOW2: (&str, &[&str]) = ("out.qcow2", &[]);
const TO_ZSTD: (&str, &[&str]) = ("out.qcow2", &["--compression", "zstd"]);
const TO_PLAIN: (&str, &[&str]) = ("out.qcow2", &["--compression", "none"]);
const TO_OVERLAY: (&str, &[&str]) = ("over.qcow2", &["--overlay"]);

#[test]
fn from_raw() {
    for (name, options, block) in FILE_SYSTEMS {
        let planted = Planted::make(options, *block);
        if *name == "inline" {
            assert!(planted.places.contains("inline"));
        }
        if *name != "ext2" {
            assert!(planted.places.contains("journal"), "{name}: {:?}", planted.places);
        }
        let ways = [TO_RAW, TO_QCOW2, TO_ZSTD, TO_PLAIN, TO_OVERLAY];
        nothing_is_left(&planted, &planted.path("disk.raw"), &ways);
    }
}

#[test]
fn from_qcow2() {
    const SOURCES: &[(&str, &[&str])] = &[
        ("zlib.qcow2", &["-c"]),
        ("plain.qcow2", &[]),
        ("zstd.qcow2", &["-c", "-o", "compression_type=zstd"]),
        ("small.qcow2", &["-c", "-o", "cluster_size=4k"]),
    ];
    for (index, (_, options, block)) in FILE_SYSTEMS.iter().enumerate() {
        let planted = Planted::make(options, *block);
        // All kinds of sources with the first file system, one with each of the others.
        for (name, options) in SOURCES.iter().skip(index).take(if index == 0 { SOURCES.len() } else { 1 }) {
            let source = planted.source(name, options, false);
            // The search finds what is there.
            assert_eq!(search(&source, true), planted.places, "{name}");
            nothing_is_left(&planted, &source, &[TO_RAW, TO_QCOW2, TO_ZSTD, TO_OVERLAY]);
        }
    }
}

#[test]
fn from_an_old_snapshot() {
    let (_, options, block) = FILE_SYSTEMS[0];
    let planted = Planted::make(options, block);
    for (name, options) in [("zlib.qcow2", &["-c"][..]), ("plain.qcow2", &[])] {
        let source = planted.source(name, options, true);
        assert!(search(&source, false).contains("snapshot"), "{name}");
        nothing_is_left(&planted, &source, &[TO_RAW, TO_QCOW2, TO_ZSTD, TO_OVERLAY]);
    }
}
