//! Images that must be refused, with words that say why.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{file, have, pattern, run, text};
use hardtack_disk::{Backing, BlockSource, Error, Qcow2Source, open_source};

fn refusal(path: &Path) -> String {
    match open_source(path) {
        Ok(_) => panic!("{} is not refused", path.display()),
        Err(error) => {
            assert!(error.is_refusal(), "no refusal: {error}");
            error.to_string()
        }
    }
}

fn create(directory: &Path, arguments: &[&str]) -> PathBuf {
    let path = directory.join("image.qcow2");
    let mut all = vec!["create", "-q", "-f", "qcow2"];
    all.extend(arguments);
    all.extend([text(&path), "8M"]);
    run("qemu-img", &all);
    path
}

fn patch(path: &Path, offset: u64, bytes: &[u8]) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

#[test]
fn features_that_change_the_bytes_are_refused_by_name() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let base = file(directory.path(), "base \x1b[31mraw", &[0; 8 << 20]);
    let data = directory.path().join("data");
    let expect = |path: &Path, words: &[&str]| {
        let message = refusal(path);
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
        assert!(!message.chars().any(char::is_control), "{message:?}");
    };

    expect(
        &create(directory.path(), &["-F", "raw", "-b", text(&base)]),
        &["backing file", "base \\u{1b}[31mraw", "--backing-dir", "qemu-img convert"],
    );
    let secret = [
        "--object",
        "secret,id=k,data=x",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=k,encrypt.iter-time=10",
    ];
    expect(&create(directory.path(), &secret), &["encrypted (LUKS)"]);
    expect(
        &create(directory.path(), &["-o", &format!("data_file={}", text(&data))]),
        &["data lies in another file"],
    );

    // (offset, bytes, words): the incompatible features are the eight bytes at 72.
    let plain = create(directory.path(), &[]);
    let sound = std::fs::read(&plain).unwrap();
    let cases: &[(u64, &[u8], &[&str])] = &[
        (79, &[1], &["marked dirty", "qemu-img check -r all"]),
        (79, &[2], &["marked corrupt"]),
        (79, &[32], &["unknown incompatible features", "bit 5"]),
        (72, &[0x80], &["bit 63"]),
        (32, &[0, 0, 0, 1], &["encrypted (AES)"]),
        (32, &[0, 0, 0, 9], &["encrypted", "9"]),
        (4, &[0, 0, 0, 1], &["version 1"]),
        (4, &[0, 0, 0, 4], &["version 4"]),
        (20, &[0, 0, 0, 8], &["cluster_bits is 8"]),
        (20, &[0, 0, 0, 22], &["cluster_bits is 22"]),
        (24, &[0x7f], &["L1"]),
        (36, &[0, 0, 0, 0], &["L1 table has 0 entries"]),
        (40, &[0x10], &["L1 table"]),
        (100, &[0, 1, 0, 8], &["header_length"]),
        (104, &[1], &["compression type 1 contradicts"]),
    ];
    for (offset, bytes, words) in cases {
        std::fs::write(&plain, &sound).unwrap();
        patch(&plain, *offset, bytes);
        expect(&plain, words);
    }
    // A feature with a name: the feature name table follows the header (at 112), its first
    // entry describes incompatible feature 0.
    std::fs::write(&plain, &sound).unwrap();
    let table = sound.windows(4).position(|bytes| bytes == [0x68, 3, 0xf8, 0x57]).unwrap() as u64;
    patch(&plain, table + 8, &[0, 40]);
    patch(&plain, table + 10, b"ti\nme\x1b[1mtravel\0");
    patch(&plain, 74, &[1]);
    expect(&plain, &["\"ti\\nme\\u{1b}[1mtravel\" (bit 40)"]);
    // An extension that is longer than its cluster is no reason to read on somewhere.
    patch(&plain, table + 4, &[0x7f, 0xff, 0xff, 0xff]);
    expect(&plain, &["header extension"]);
}

#[test]
fn a_truncated_image_is_an_error_and_never_zeros() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let raw = file(directory.path(), "raw", &pattern(4 << 20, 3));
    let image = directory.path().join("image");
    for options in [&[][..], &["-c"]] {
        let mut arguments = vec!["convert", "-q", "-f", "raw", "-O", "qcow2"];
        arguments.extend(options);
        arguments.extend([text(&raw), text(&image)]);
        run("qemu-img", &arguments);
        let whole = std::fs::read(&image).unwrap();
        for keep in [3, 71, 100, 500, 70_000, whole.len() / 2, whole.len() - 66_000] {
            std::fs::write(&image, &whole[..keep]).unwrap();
            let result = open_source(&image).and_then(|disk| disk.read_at(0, &mut vec![0; 4 << 20]));
            let error = result.err().unwrap_or_else(|| panic!("{keep} of {} bytes are read", whole.len()));
            assert!(error.is_refusal(), "{keep} bytes: {error}");
        }
    }
}

#[test]
fn other_formats_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let with = |at: usize, magic: &[u8]| {
        let mut bytes = vec![0; 128 << 10];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        bytes
    };
    let end = 128 << 10;
    let cases: &[(&str, Vec<u8>)] = &[
        ("gzip", with(0, &[0x1f, 0x8b, 8, 0])),
        ("xz -dc", with(0, b"\xfd7zXZ\0\0")),
        ("bzip2", with(0, b"BZh91AY&SY")),
        ("zstd", with(0, b"\x28\xb5\x2f\xfd")),
        ("LUKS", with(0, b"LUKS\xba\xbe\0\x02")),
        ("tar", with(257, b"ustar")),
        ("zip", with(0, b"PK\x03\x04")),
        ("ISO 9660", with(32769, b"CD001")),
        ("VHD", with(end - 512, b"conectix")),
        ("DMG", with(end - 512, b"koly")),
        ("web page", with(0, b"<!DOCTYPE html>")),
        ("empty", Vec::new()),
        ("truncated", vec![0; 1000]),
    ];
    for (word, bytes) in cases {
        let message = refusal(&file(directory.path(), "image", bytes));
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    if have(&["qemu-img"]) {
        for format in ["vmdk", "vpc", "vhdx", "vdi", "qed", "parallels", "qcow"] {
            let path = directory.path().join(format);
            run("qemu-img", &["create", "-q", "-f", format, text(&path), "8M"]);
            let message = refusal(&path);
            assert!(message.contains("qemu-img convert"), "{format}: {message}");
        }
    }
}

#[test]
fn what_the_host_lacks_is_no_refusal() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().join("missing"), directory.path().to_owned(), PathBuf::from("/dev/null")] {
        match open_source(&path) {
            Err(error @ Error::Io { .. }) => assert!(!error.is_refusal()),
            other => panic!("{}: {:?}", path.display(), other.err()),
        }
    }
}

/// qemu-io with the image open until its input ends; it has answered once, so it has its locks.
fn qemu_io(arguments: &[&str]) -> Child {
    let mut child =
        Command::new("qemu-io").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"length\n").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "qemu-io {arguments:?} says nothing");
    child
}

#[test]
fn an_image_that_qemu_writes_is_refused_and_one_that_it_reads_is_not() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let qcow2 = create(directory.path(), &[]);
    let raw = file(directory.path(), "raw", &[0; 1 << 20]);
    for (format, path) in [("qcow2", &qcow2), ("raw", &raw)] {
        for (flags, locked) in [(&["-f", format][..], true), (&["-r", "-f", format], false)] {
            let mut arguments = flags.to_vec();
            arguments.push(text(path));
            let mut child = qemu_io(&arguments);
            let result = open_source(path);
            assert_eq!(
                matches!(result, Err(Error::Locked { .. })),
                locked,
                "{arguments:?}: {:?}",
                result.err()
            );
            drop(child.stdin.take());
            child.wait().unwrap();
            assert!(open_source(path).is_ok(), "{arguments:?} has ended");
        }
    }
}

/// An image backed by a file of that name, which need not exist.
fn backed(path: &Path, format: &str, name: &str) {
    run("qemu-img", &["create", "-q", "-u", "-f", "qcow2", "-F", format, "-b", name, text(path), "1M"]);
}

/// The error of an image that may have backing files in `within`.
fn chain_error(path: &Path, within: &Path) -> Error {
    match Qcow2Source::open_with(path, &Backing::Within(within.to_owned())) {
        Ok(_) => panic!("{} is not refused", path.display()),
        Err(error) => error,
    }
}

#[test]
fn backing_files_outside_of_the_directory_are_refused() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path().join("within");
    std::fs::create_dir(&within).unwrap();
    let secret = file(directory.path(), "secret", &[1; 1 << 20]);
    std::os::unix::fs::symlink("../secret", within.join("link")).unwrap();
    std::os::unix::fs::symlink("..", within.join("up")).unwrap();
    std::os::unix::fs::symlink("loop", within.join("loop")).unwrap();
    // A name that begins like the directory's is not in it.
    std::fs::create_dir(directory.path().join("within2")).unwrap();
    file(&directory.path().join("within2"), "base", &[1; 1 << 20]);
    let image = within.join("image");
    let absolute = |name: &str| format!("{}/{name}", text(directory.path()));
    let cases: &[(&str, String, &str)] = &[
        ("raw", text(&secret).to_owned(), "outside"),
        ("raw", "../secret".to_owned(), "outside"),
        ("raw", "link".to_owned(), "outside"),
        ("raw", "up/secret".to_owned(), "outside"),
        ("raw", absolute("within/../secret"), "outside"),
        ("raw", absolute("within2/base"), "outside"),
        ("raw", "/etc/passwd".to_owned(), "outside"),
        ("raw", "/proc/self/mem".to_owned(), "outside"),
        ("raw", "nbd:localhost:10809".to_owned(), "protocol"),
        ("raw", "nbd://localhost/disk".to_owned(), "protocol"),
        ("raw", "https://example.org/disk".to_owned(), "protocol"),
        ("raw", "json:{\"driver\":\"file\",\"filename\":\"base\"}".to_owned(), "protocol"),
        ("raw", "file:link".to_owned(), "protocol"),
        ("vmdk", "base.vmdk".to_owned(), "vmdk"),
    ];
    file(&within, "base.vmdk", b"KDMV");
    for (format, name, word) in cases {
        backed(&image, format, name);
        let error = chain_error(&image, &within);
        assert!(error.is_refusal() && error.to_string().contains(word), "{name}: {error}");
        let error = Qcow2Source::open(&image).err().unwrap();
        assert!(error.is_refusal() && error.to_string().contains("--backing-dir"), "{name}: {error}");
    }
    for name in ["missing", "loop", "link/x"] {
        backed(&image, "raw", name);
        let error = chain_error(&image, &within);
        assert!(!error.is_refusal() && error.to_string().contains(name), "{name}: {error}");
    }
    backed(&image, "raw", "link");
    assert!(!chain_error(&image, &within.join("missing")).is_refusal());
    // With a larger directory it is allowed.
    assert!(Qcow2Source::open_with(&image, &Backing::Within(directory.path().to_owned())).is_ok());
    backed(&image, "raw", "fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        within.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(chain_error(&image, &within).to_string().contains("fifo"));
}

#[test]
fn chains_without_an_end_or_with_a_damaged_file_are_refused() {
    if !have(&["qemu-img"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path();
    let at = |name: &str| within.join(name);
    backed(&at("self"), "qcow2", "./self");
    assert!(chain_error(&at("self"), within).to_string().contains("no end"));
    for (name, below) in [("a", "b"), ("b", "c"), ("c", "link"), ("top", "a")] {
        backed(&at(name), "qcow2", below);
    }
    std::os::unix::fs::symlink("a", at("link")).unwrap();
    for name in ["a", "top"] {
        let error = chain_error(&at(name), within);
        assert!(error.is_refusal() && error.to_string().contains("no end"), "{error}");
    }
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&at("1")), "1M"]);
    for number in 2..40 {
        backed(&at(&number.to_string()), "qcow2", &(number - 1).to_string());
    }
    assert!(Qcow2Source::open_with(&at("32"), &Backing::Within(within.to_owned())).is_ok());
    let error = chain_error(&at("33"), within);
    assert!(error.is_refusal() && error.to_string().contains("more than 32 files"), "{error}");

    // What is wrong further down is told of the file where it is wrong.
    let base = file(within, "base", &[0; 4096]);
    backed(&at("top"), "qcow2", "base");
    let error = chain_error(&at("top"), within);
    let message = error.to_string();
    assert!(
        error.is_refusal() && message.contains("no qcow2 header") && message.contains(text(&base)),
        "{message}"
    );
    let base = create(within, &["-o", "compat=1.1"]);
    patch(&base, 79, &[1]);
    backed(&at("top"), "qcow2", text(&base));
    assert!(chain_error(&at("top"), within).to_string().contains("marked dirty"));
    // A name longer than its place, and one that is cut off by the file's end.
    let image = at("top");
    patch(&image, 16, &[0, 0, 4, 1]);
    assert!(chain_error(&image, within).to_string().contains("name of its backing file"));
    backed(&image, "qcow2", "base");
    patch(&image, 8, &[0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    assert!(chain_error(&image, within).to_string().contains("name of its backing file"));
}

#[test]
fn a_backing_file_that_qemu_writes_is_refused() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let within = directory.path();
    let base = create(within, &[]);
    let image = within.join("top");
    backed(&image, "qcow2", text(&base));
    let mut child = qemu_io(&["-f", "qcow2", text(&base)]);
    let error = chain_error(&image, within);
    assert!(matches!(&error, Error::Locked { path } if *path == base), "{error}");
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(Qcow2Source::open_with(&image, &Backing::Within(within.to_owned())).is_ok());
}
