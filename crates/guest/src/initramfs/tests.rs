#![allow(clippy::unwrap_used, clippy::print_stderr)]
//! Against the real `cpio`, `gzip`, `xz`, `lz4` and `zstd`, and against damaged archives.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
}

fn pipe(program: &str, arguments: &[&str], directory: &Path, input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn scan_all(bytes: &[u8]) -> Result<View, InitramfsError> {
    scan(bytes, Limits::default(), &|_| true)
}

fn file(text: &str) -> Entry {
    Entry::File { mode: 0o644, content: text.as_bytes().to_vec() }
}

fn small(name: &str, text: &str) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add(name, &file(text));
    archive.finish()
}

fn merged() -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add("usr", &Entry::Directory);
    archive.add("usr/lib", &Entry::Directory);
    archive.add("lib", &Entry::Symlink("usr/lib".to_owned()));
    archive.add("usr/lib/a", &file("one"));
    archive.add("usr/lib/absolute", &Entry::Symlink("/lib/a".to_owned()));
    archive.add("loop", &Entry::Symlink("loop".to_owned()));
    archive.finish()
}

#[test]
fn what_we_write_the_real_cpio_reads() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_) = pipe("cpio", &["-idm", "--quiet"], directory.path(), &merged()) else {
        return skip("cpio is not installed");
    };
    assert_eq!(std::fs::read(directory.path().join("lib/a")).unwrap(), b"one");
    assert_eq!(std::fs::read_link(directory.path().join("lib")).unwrap(), Path::new("usr/lib"));
}

#[test]
fn what_the_real_cpio_writes_we_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::write(root.join("bin/busybox"), "\x7fno elf").unwrap();
    std::fs::hard_link(root.join("bin/busybox"), root.join("bin/mke2fs")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    let names = b".\nbin\nbin/busybox\nbin/mke2fs\nbin/sh\n";
    let Some(bytes) = pipe("cpio", &["-o", "-H", "newc", "--quiet"], root, names) else {
        return skip("cpio is not installed");
    };
    let view = scan_all(&bytes).unwrap();
    assert_eq!(view.lstat("bin/busybox").unwrap().kind, view.lstat("bin/mke2fs").unwrap().kind);
    assert_eq!(view.file("bin/sh").unwrap().content.as_deref(), Some(&b"\x7fno elf"[..]));
    assert_eq!(view.file("bin/mke2fs").unwrap().names, 2);
    assert_eq!(view.segments()[0].members, 5);
}

#[test]
fn every_compression_with_microcode_in_front_and_our_archive_behind() {
    let here = Path::new(".");
    let programs: [(&str, &[&str], Compression); 5] = [
        ("gzip", &["-c"], Compression::Gzip),
        ("xz", &["-c", "--check=crc32"], Compression::Xz),
        ("xz", &["-c", "--format=lzma"], Compression::Lzma),
        ("lz4", &["-c", "-l", "-9"], Compression::Lz4),
        ("zstd", &["-c", "-q"], Compression::Zstd),
    ];
    for (program, arguments, method) in programs {
        let Some(packed) = pipe(program, arguments, here, &merged()) else {
            skip(&format!("{program} is not installed"));
            continue;
        };
        let mut early = Archive::default();
        early.add("kernel", &Entry::Directory);
        early.add("kernel/x86", &file("microcode"));
        let mut initrd = early.finish();
        initrd.resize(initrd.len().next_multiple_of(512), 0);
        initrd.extend_from_slice(&packed);
        let view = scan_all(&initrd).unwrap();
        assert_eq!(view.last_compression(), method);
        assert_eq!(view.text("lib/a"), Some("one"), "{program}");
        let ours = small("lib/a", "two, and longer");
        let tail = tail(initrd.len() as u64, method, &ours);
        initrd.extend_from_slice(&tail);
        let view = scan_all(&initrd).unwrap();
        assert_eq!(view.text("usr/lib/absolute"), Some("two, and longer"), "{program}");
        assert_eq!(view.text("kernel/x86"), Some("microcode"), "{program}");
        assert_eq!(view.lstat("lib").unwrap().kind, Kind::Symlink);
        // What LZ4 was told of is one stream for the kernel, the others are a new archive.
        assert_eq!(view.segments().len(), if method == Compression::Lz4 { 2 } else { 3 });
    }
}

#[test]
fn our_lz4_is_what_the_real_lz4_reads() {
    let bytes: Vec<u8> = (0..9 << 20).map(|index: u32| (index / 7) as u8).collect();
    let packed = compression::lz4_legacy(&bytes);
    let Some(unpacked) = pipe("lz4", &["-d", "-c"], Path::new("."), &packed) else {
        return skip("lz4 is not installed");
    };
    assert!(unpacked == bytes, "{} bytes came back", unpacked.len());
}

#[test]
fn a_file_that_is_overwritten_changes_under_all_its_names() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("busybox"), "busybox").unwrap();
    std::fs::hard_link(directory.path().join("busybox"), directory.path().join("sh")).unwrap();
    let Some(mut bytes) = pipe("cpio", &["-o", "-H", "newc", "--quiet"], directory.path(), b"busybox\nsh\n")
    else {
        return skip("cpio is not installed");
    };
    bytes.extend_from_slice(&small("sh", "dash"));
    let view = scan_all(&bytes).unwrap();
    assert_eq!(view.text("busybox"), Some("dash"));
}

#[test]
fn paths_stay_inside() {
    let view = scan_all(&merged()).unwrap();
    assert_eq!(view.resolve("loop"), None);
    assert_eq!(view.resolve("lib/absolute").as_deref(), Some("usr/lib/a"));
    assert_eq!(view.resolve("../../usr/lib/a").as_deref(), Some("usr/lib/a"));
    assert_eq!(view.resolve("usr/lib/a/b"), None);
    assert_eq!(view.place("lib/new").as_deref(), Some("usr/lib/new"));
    assert_eq!(view.place("nothing/new"), None);
    let names: Vec<&str> = view.below("lib").map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "absolute"]);
}

#[test]
fn refusals_say_where_and_what() {
    let cases: [(&[u8], u64, &str); 6] = [
        (b"", 0, "empty"),
        (b"\0\0\0\0", 0, "empty"),
        (b"\0\0garbage", 2, "neither a cpio archive"),
        (b"\x00070701", 1, "multiple of four"),
        (b"0707", 0, "none archive"),
        (b"BZh9", 0, "bzip2"),
    ];
    for (bytes, offset, what) in cases {
        let error = scan_all(bytes).unwrap_err();
        assert_eq!(error.offset, offset, "{error}");
        assert!(error.what.contains(what), "{error}");
    }
}

#[test]
fn limits_hold() {
    let archive = small("zeros", &"\0".repeat(1 << 20));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&archive).unwrap();
    let packed = encoder.finish().unwrap();
    let limits = Limits { unpacked: 100_000, ..Limits::default() };
    assert!(scan(&packed, limits, &|_| true).unwrap_err().what.contains("unpacks to more"));
    let limits = Limits { content: 1000, ..Limits::default() };
    let view = scan(&packed, limits, &|_| true).unwrap();
    assert_eq!(view.file("zeros").unwrap().size, 1 << 20);
    assert_eq!(view.text("zeros"), Some(""));
    let limits = Limits { names: 4, ..Limits::default() };
    assert!(scan(&packed, limits, &|_| true).unwrap_err().what.contains("bytes of names"));
    let many = small("a", "").repeat(65);
    assert!(scan_all(&many).unwrap_err().what.contains("more than 64 archives"));
    let mut claims = small("a", "");
    claims[54..62].copy_from_slice(b"FFFFFFFF");
    assert!(scan_all(&claims).is_err());
}

#[test]
fn damaged_archives_never_panic() {
    let mut initrd = merged();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&small("x", "y")).unwrap();
    initrd.extend_from_slice(&encoder.finish().unwrap());
    initrd.resize(initrd.len().next_multiple_of(4), 0);
    initrd.extend_from_slice(&compression::lz4_legacy(&small("z", "lz4")));
    let mut state = 1_u64;
    let mut refused = 0;
    for _ in 0..5000 {
        let mut bytes = initrd.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 20) as u8;
        }
        if state.is_multiple_of(7) {
            bytes.truncate((state >> 40) as usize % bytes.len());
        }
        refused += usize::from(scan_all(&bytes).is_err());
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn expand_unpacks_modules() {
    for bytes in [&b"\x7fELF module"[..], b"", b"070701 looks plain"] {
        assert_eq!(expand(bytes, 100).unwrap(), bytes);
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"module").unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(expand(&packed, 6).unwrap(), b"module");
    assert!(expand(&packed, 5).is_err());
}
