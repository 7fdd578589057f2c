//! Containers made by the programs that people use, read back and compared byte by byte; and the
//! same ones truncated, damaged, nested and ambiguous.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Random, assert_ranges, assert_same, file, have, pattern, read_all, run, text};
use hardtack_disk::{BlockSource, Error, Opened, Source, SourceOptions, open_source_with};

/// The program, how it compresses to standard output, and the format's name.
const CODECS: &[(&str, &[&str])] =
    &[("gzip", &["-c"]), ("xz", &["-c", "-0"]), ("zstd", &["-c", "-q"]), ("bzip2", &["-c"])];

/// A directory to work in, and an empty one to unpack into.
struct Bench {
    directory: tempfile::TempDir,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), scratch: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        file(self.directory.path(), name, bytes)
    }

    fn options(&self) -> SourceOptions<'static> {
        SourceOptions { scratch: Some(self.scratch.path().to_owned()), ..SourceOptions::default() }
    }

    fn open(&self, path: &Path) -> Result<Opened, Error> {
        open_source_with(path, &self.options())
    }

    fn member(&self, path: &Path, name: &str) -> Result<Opened, Error> {
        open_source_with(path, &SourceOptions { member: Some(name.to_owned()), ..self.options() })
    }

    /// Opens `path` and compares the disk with `expected`.
    fn expect(&self, path: &Path, formats: &str, expected: &[u8]) -> Opened {
        let opened = self.open(path).unwrap_or_else(|error| panic!("{formats}: {error}"));
        self.compare(&opened, formats, expected);
        opened
    }

    fn compare(&self, opened: &Opened, formats: &str, expected: &[u8]) {
        assert_eq!(opened.describe(), formats);
        assert_same(&read_all(&opened.source), expected, formats);
        assert_ranges(&opened.source, expected, formats);
        assert_eq!(std::fs::read_dir(self.scratch.path()).unwrap().count(), 0, "{formats}: a file is left");
    }

    /// The words of the refusal.
    fn refusal(&self, path: &Path) -> String {
        refusal(self.open(path), &path.display().to_string())
    }

    fn tar(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        let mut all = vec!["-C", text(self.directory.path()), "-cf", text(&path)];
        all.extend(arguments);
        run("tar", &all);
        path
    }

    fn qcow2(&self, name: &str, raw: &Path) -> PathBuf {
        let path = self.path(name);
        run("qemu-img", &["convert", "-q", "-c", "-f", "raw", "-O", "qcow2", text(raw), text(&path)]);
        path
    }
}

fn refusal(result: Result<Opened, Error>, what: &str) -> String {
    match result {
        Ok(opened) => panic!("{what} is not refused, but {}", opened.describe()),
        Err(error) => {
            assert!(error.is_refusal(), "{what}: no refusal: {error}");
            let message = error.to_string();
            assert!(!message.chars().any(char::is_control), "{message:?}");
            message
        }
    }
}

fn pack(program: &str, arguments: &[&str], input: &Path) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(input).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A disk with a partition table, so that it can be told from other files.
fn disk(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = pattern(size, seed);
    bytes[..512].fill(0);
    bytes[446..462].copy_from_slice(&[0x80, 0, 33, 0, 0x83, 9, 9, 9, 0, 8, 0, 0, 0, 0x10, 0, 0]);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes
}

#[test]
fn compressed_images_of_all_kinds() {
    if !have(&["gzip", "xz", "zstd", "bzip2", "qemu-img"]) {
        return;
    }
    let bench = Bench::new();
    let bytes = pattern(1 << 20, 5);
    let raw = bench.file("raw", &bytes);
    let qcow2 = bench.qcow2("qcow2", &raw);
    for (program, arguments) in CODECS {
        let packed = pack(program, arguments, &raw);
        bench.expect(&bench.file("packed", &packed), &format!("raw in {program}"), &bytes);
        let opened = bench.expect(
            &bench.file("packed", &pack(program, arguments, &qcow2)),
            &format!("qcow2 in {program}"),
            &bytes,
        );
        assert!(opened.source.as_qcow2().is_some());

        // Several members in one file, and the zeros that fill a tape's last block.
        let (front, back) = bytes.split_at(300 << 10);
        let mut joined = pack(program, arguments, &bench.file("front", front));
        joined.extend(pack(program, arguments, &bench.file("back", back)));
        joined.extend([0; 1024]);
        bench.expect(&bench.file("packed", &joined), &format!("raw in {program}"), &bytes);

        for garbage in [&b"garbage"[..], b"\0\0\0\0x", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0"] {
            let mut longer = packed.clone();
            longer.extend(garbage);
            let message = bench.refusal(&bench.file("packed", &longer));
            assert!(message.contains(&format!("damaged {program} image")), "{message}");
        }
        for keep in [3, 20, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
            let message = bench.refusal(&bench.file("packed", &packed[..keep]));
            assert!(message.contains("truncated"), "{program}, {keep} of {}: {message}", packed.len());
        }
    }
    // What several threads make begins differently.
    let packed = pack("xz", &["-c", "-0", "-T2", "--block-size=262144"], &raw);
    bench.expect(&bench.file("packed", &packed), "raw in xz", &bytes);
    let mut skippable = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
    skippable.extend(pack("zstd", &["-c", "-q", "-T2", "--long=27"], &raw));
    bench.expect(&bench.file("packed", &skippable), "raw in zstd", &bytes);
    let message = bench.refusal(&bench.file("packed", &pack("xz", &["-c", "--lzma2=dict=256MiB"], &raw)));
    assert!(message.contains("160 MiB"), "{message}");
    // Of a file zstd knows the length, and takes no longer window.
    let long = ["-c", "zstd -c -q --long=30 < $0", text(&raw)];
    let packed = Command::new("sh").args(long).output().unwrap().stdout;
    let message = bench.refusal(&bench.file("packed", &packed));
    assert!(message.contains("128 MiB"), "{message}");
    // One in the other may have less.
    let inner = bench.file("inner", &pack("xz", &["-c", "-9"], &raw));
    bench.expect(&inner, "raw in xz", &bytes);
    let message = bench.refusal(&bench.file("packed", &pack("zstd", &["-c", "-q"], &inner)));
    assert!(message.contains("20 MiB"), "{message}");
    let inner = bench.file("inner", &pack("xz", &["-c", "-6"], &raw));
    bench.expect(&bench.file("packed", &pack("zstd", &["-c", "-q"], &inner)), "raw in xz in zstd", &bytes);
    let message = bench.refusal(&bench.file("packed", &pack("gzip", &["-c"], &bench.file("empty", b""))));
    assert!(message.contains("empty"), "{message}");
}

#[test]
fn without_a_directory_only_what_can_be_read_in_place_is_opened() {
    if !have(&["gzip", "tar"]) {
        return;
    }
    let bench = Bench::new();
    let bytes = disk(1 << 20, 3);
    let raw = bench.file("disk.raw", &bytes);
    let options = SourceOptions { limit: Some(1), ..SourceOptions::default() };
    let opened = open_source_with(&bench.tar("tar", &["disk.raw"]), &options).unwrap();
    bench.compare(&opened, "raw in tar", &bytes);
    assert!(matches!(opened.source, Source::Part(_)));
    let packed = bench.file("packed", &pack("gzip", &["-c"], &raw));
    let message = refusal(open_source_with(&packed, &SourceOptions::default()), "gzip");
    assert!(message.contains("no directory"), "{message}");
}

#[test]
fn tar_in_all_its_formats() {
    if !have(&["tar", "gzip", "xz", "zstd", "bzip2", "qemu-img"]) {
        return;
    }
    let bench = Bench::new();
    // Holes between data, so that tar -S finds some; many enough that the map needs more blocks.
    let mut bytes = vec![0; 24 << 20];
    for (index, part) in disk(1 << 20, 9).chunks(8192).enumerate() {
        let at = index * 180 * 1024 / 4096 * 4096;
        bytes[at..at + part.len()].copy_from_slice(part);
    }
    let raw = bench.file("disk.raw", &[]);
    let sparse = std::fs::OpenOptions::new().write(true).open(&raw).unwrap();
    sparse.set_len(bytes.len() as u64).unwrap();
    for (index, part) in bytes.chunks(4096).enumerate() {
        if part.iter().any(|byte| *byte != 0) {
            std::os::unix::fs::FileExt::write_all_at(&sparse, part, index as u64 * 4096).unwrap();
        }
    }
    let long = format!("{}/{}", "d".repeat(90), "n".repeat(120));
    std::fs::create_dir(bench.path(&"d".repeat(90))).unwrap();
    std::fs::copy(&raw, bench.path(&long)).unwrap();
    bench.file("README", b"text\n");

    let formats: &[(&str, &[&str])] = &[
        ("v7", &["--format=v7"]),
        ("oldgnu", &["--format=oldgnu"]),
        ("gnu", &["--format=gnu"]),
        ("ustar", &["--format=ustar"]),
        ("pax", &["--format=pax"]),
        ("oldgnu -S", &["--format=oldgnu", "-S"]),
        ("gnu -S", &["--format=gnu", "-S"]),
        ("pax -S 0.0", &["--format=pax", "-S", "--sparse-version=0.0"]),
        ("pax -S 0.1", &["--format=pax", "-S", "--sparse-version=0.1"]),
        ("pax -S 1.0", &["--format=pax", "-S", "--sparse-version=1.0"]),
    ];
    for (name, options) in formats {
        let mut arguments = options.to_vec();
        arguments.extend(["README", "disk.raw"]);
        let plain = bench.tar("plain.tar", &arguments);
        let opened = bench.expect(&plain, "raw in tar", &bytes);
        assert_eq!(opened.members, ["disk.raw"], "{name}");
        for (program, arguments) in CODECS.iter().take(if *name == "gnu -S" { 4 } else { 1 }) {
            let packed = bench.file("packed", &pack(program, arguments, &plain));
            bench.expect(&packed, &format!("raw in tar in {program}"), &bytes);
        }
        if !["v7", "ustar"].contains(name) {
            let mut arguments = options.to_vec();
            arguments.extend(["README", &long]);
            let opened = bench.expect(&bench.tar("long.tar", &arguments), "raw in tar", &bytes);
            assert_eq!(opened.members, [long.as_str()], "{name}");
        }
        // Truncated in the member, and in the middle of a header or map.
        let whole = std::fs::read(&plain).unwrap();
        for keep in [700, 1024 + 100, 1600, whole.len() / 2] {
            let message = bench.refusal(&bench.file("cut.tar", &whole[..keep]));
            assert!(message.contains("truncated"), "{name}, {keep} bytes: {message}");
        }
        let mut flipped = whole.clone();
        flipped[1024 + 7] ^= 1;
        let message = bench.refusal(&bench.file("cut.tar", &flipped));
        assert!(message.contains("checksum"), "{name}: {message}");
    }
    // A qcow2 image in an archive, and archives in each other.
    bench.qcow2("disk.qcow2", &raw);
    let inner = bench.tar("inner.tar", &["README", "disk.qcow2"]);
    bench.expect(&inner, "qcow2 in tar", &bytes);
    let packed = pack("xz", &["-c", "-0"], &inner);
    bench.file("inner.txz", &packed);
    let outer = bench.tar("outer.tgz", &["-z", "README", "inner.txz"]);
    let opened = bench.expect(&outer, "qcow2 in tar in xz in tar in gzip", &bytes);
    assert_eq!(opened.members, ["inner.txz", "disk.qcow2"]);
}

#[test]
fn an_archive_of_several_files_has_one_disk_or_is_refused() {
    if !have(&["tar", "gzip", "cpio"]) {
        return;
    }
    let bench = Bench::new();
    let bytes = disk(1 << 20, 7);
    bench.file("centos.img", &bytes);
    bench.file("other.img", &disk(1 << 20, 8));
    bench.file("notes.txt", &b"all is well\n".repeat(128));
    // A kernel has a boot sector's signature, and an initial RAM disk a name like a disk's.
    let mut kernel = disk(64 << 10, 4);
    kernel[514..518].copy_from_slice(b"HdrS");
    bench.file("vmlinuz-2.6", &kernel);
    bench.file("init.img", &pattern(4096, 6));
    let directory = text(bench.directory.path()).to_owned();
    run(
        "sh",
        &["-c", &format!("cd {directory} && echo init.img | cpio -o -H newc 2>/dev/null | gzip > initrd")],
    );
    std::fs::rename(bench.path("initrd"), bench.path("initrd.img-2.6.28-11")).unwrap();
    let path =
        bench.tar("emi.tgz", &["-zS", "notes.txt", "vmlinuz-2.6", "initrd.img-2.6.28-11", "./centos.img"]);
    let opened = bench.expect(&path, "raw in tar in gzip", &bytes);
    assert_eq!(opened.members, ["./centos.img"]);

    for options in ["-c", "-zc"] {
        let path = bench.path("two");
        run("tar", &["-C", &directory, options, "-f", text(&path), "centos.img", "notes.txt", "other.img"]);
        let message = bench.refusal(&path);
        assert!(message.contains("several disks: centos.img, other.img"), "{message}");
        for name in ["centos.img", "./centos.img"] {
            assert_same(&read_all(&bench.member(&path, name).unwrap().source), &bytes, name);
        }
        let message = refusal(bench.member(&path, "centos"), "centos");
        assert!(message.contains("\"centos\"") && message.contains("notes.txt"), "{message}");
        // Whoever names a file gets it, also when it does not look like a disk.
        assert_eq!(bench.member(&path, "notes.txt").unwrap().source.len(), 1536);
    }
    // The only file of some size is it, without a magic and with any name.
    let blank = pattern(1 << 20, 11);
    bench.file("blank", &blank);
    bench.expect(&bench.tar("blank.tar", &["notes.txt", "blank"]), "raw in tar", &blank);

    let none = bench.tar("none.tar", &["notes.txt", "initrd.img-2.6.28-11"]);
    let message = bench.refusal(&none);
    assert!(message.contains("no disk is in it; it holds: notes.txt, initrd.img-2.6.28-11"), "{message}");
    let message = refusal(bench.member(&bench.path("centos.img"), "x"), "no archive");
    assert!(message.contains("no archive"), "{message}");
    // A name is nothing that a terminal should obey.
    bench.file("a\x1b[31m\n.img", &bytes);
    bench.refusal(&bench.tar("evil.tar", &["a\x1b[31m\n.img", "other.img"]));
}

#[test]
fn packages_of_images() {
    if !have(&["rpmbuild", "tar", "gzip"]) {
        return;
    }
    let bench = Bench::new();
    let bytes = disk(2 << 20, 21);
    bench.file("balancer.img", &bytes);
    bench.tar("balancer-1.1.tgz", &["-zS", "balancer.img"]);
    let spec = "Name: balancer-image\nVersion: 1.1\nRelease: 1\nSummary: s\nLicense: BSD\nBuildArch: noarch\n\
                %description\nd\n%install\nmkdir -p %{buildroot}/usr/share/balancer-image %{buildroot}/etc\n\
                cp BALANCER %{buildroot}/usr/share/balancer-image/\necho 1.1 > %{buildroot}/etc/balancer\n\
                %files\n/usr/share/balancer-image\n/etc/balancer\n";
    let build = |payload: &str, packed: &str| {
        let source = bench.path(packed);
        let spec = bench.file("spec", spec.replace("BALANCER", text(&source)).as_bytes());
        let top = bench.path("rpm");
        let define = [format!("_topdir {}", top.display()), format!("_binary_payload {payload}")];
        let output = Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--define", &define[0], "--define", &define[1], text(&spec)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{payload}: {}", String::from_utf8_lossy(&output.stderr));
        top.join("RPMS/noarch/balancer-image-1.1-1.noarch.rpm")
    };
    for payload in ["w6.gzdio", "w2.xzdio", "w3.zstdio", "w9.bzdio", "w2.lzdio", "w.ufdio"] {
        let path = build(payload, "balancer-1.1.tgz");
        let opened = bench.expect(&path, "raw in tar in gzip in rpm", &bytes);
        assert_eq!(
            opened.members,
            ["./usr/share/balancer-image/balancer-1.1.tgz", "balancer.img"],
            "{payload}"
        );
        let whole = std::fs::read(&path).unwrap();
        // The last bytes of an archive that is not compressed are padding.
        let end = if payload == "w.ufdio" { 200 } else { 3 };
        for keep in [97, 300, whole.len() / 2, whole.len() - end] {
            let message = bench.refusal(&bench.file("cut.rpm", &whole[..keep]));
            assert!(message.contains("truncated"), "{payload}, {keep}: {message}");
        }
    }
    let path = build("w.ufdio", "balancer.img");
    bench.expect(&path, "raw in rpm", &bytes);
    assert_same(&read_all(&bench.member(&path, "balancer.img").unwrap().source), &bytes, "by its name");
}

#[test]
fn disks_of_other_programs() {
    if !have(&["qemu-img", "tar", "gzip"]) {
        return;
    }
    let bench = Bench::new();
    // More than the 32 MiB of one grain table, and no whole number of cylinders.
    let mut bytes = disk(1 << 20, 31);
    bytes.resize(32 << 20, 0);
    bytes.extend(pattern(1 << 20, 32));
    bytes.resize((34 << 20) + 512 * 7, 0);
    let raw = bench.file("raw", &bytes);
    let cases: &[(&str, &str, &str)] = &[
        ("vmdk", "subformat=streamOptimized", "vmdk"),
        ("vmdk", "subformat=monolithicSparse", "vmdk"),
        ("vpc", "subformat=fixed,force_size=on", "vhd"),
        ("vpc", "subformat=dynamic,force_size=on", "vhd"),
        ("vpc", "subformat=fixed", "vhd"),
        ("vpc", "subformat=dynamic", "vhd"),
    ];
    for (format, options, name) in cases {
        let image = bench.path("disk.image");
        run("qemu-img", &["convert", "-f", "raw", "-O", format, "-o", options, text(&raw), text(&image)]);
        // Without force_size the disk grows to whole cylinders.
        let back = bench.path("back");
        run("qemu-img", &["convert", "-f", format, "-O", "raw", text(&image), text(&back)]);
        let expected = std::fs::read(&back).unwrap();
        assert!(expected.starts_with(&bytes), "{options}");
        bench.expect(&image, name, &expected);
        bench.file("disk.ovf", b"<?xml version='1.0'?>\n<Envelope/>\n");
        bench.expect(
            &bench.tar("disk.ova", &["disk.ovf", "disk.image"]),
            &format!("{name} in tar"),
            &expected,
        );
        let packed = bench.file("packed", &pack("gzip", &["-c", "-1"], &image));
        bench.expect(&packed, &format!("{name} in gzip"), &expected);

        // Whatever is missing at the end is found when it is opened, or read.
        let whole = std::fs::read(&image).unwrap();
        for keep in [512, whole.len() / 3, whole.len() - 512] {
            let keep = keep - keep % 512;
            // What qemu-img writes last into a VMDK is padding.
            if *format == "vmdk" && keep > whole.len() / 2 {
                continue;
            }
            let read = |disk: Opened| disk.source.read_at(0, &mut vec![0; disk.source.len() as usize]);
            let error = match bench.open(&bench.file("cut", &whole[..keep])).and_then(read) {
                Err(error) => error,
                // Without its last sector a fixed VHD is a raw disk, and a dynamic one has a copy of it.
                Ok(()) if *format == "vpc" && (options.contains("fixed") || keep + 512 == whole.len()) => {
                    continue;
                }
                Ok(()) => panic!("{options}: {keep} of {} bytes are read", whole.len()),
            };
            assert!(error.is_refusal(), "{options}, {keep}: {error}");
        }
    }
    // A stream has its directory behind the grains: in the header stands -1, and the header that
    // knows is the last sector but one.
    let image = bench.path("disk.vmdk");
    let options = "subformat=streamOptimized";
    run("qemu-img", &["convert", "-f", "raw", "-O", "vmdk", "-o", options, text(&raw), text(&image)]);
    let mut stream = std::fs::read(&image).unwrap();
    stream.resize(stream.len().next_multiple_of(512), 0);
    let footer = stream[..512].to_vec();
    stream[56..64].fill(0xff);
    let mut marker = vec![0; 512];
    (marker[0], marker[12]) = (1, 3);
    stream.extend([marker, footer, vec![0; 512]].concat());
    bench.expect(&bench.file("stream", &stream), "vmdk", &bytes);
    run("qemu-img", &["compare", "-f", "vmdk", "-F", "raw", text(&bench.path("stream")), text(&raw)]);
    let message = bench.refusal(&bench.file("stream", &stream[..stream.len() - 512]));
    assert!(message.contains("truncated"), "{message}");
    for options in ["subformat=monolithicFlat", "subformat=twoGbMaxExtentSparse"] {
        let image = bench.path("split.vmdk");
        run("qemu-img", &["create", "-q", "-f", "vmdk", "-o", options, text(&image), "8M"]);
        assert!(bench.refusal(&image).contains("VMDK"));
        let extent = bench.path("split-s001.vmdk");
        if extent.exists() {
            assert!(bench.refusal(&extent).contains("several files"));
        }
    }
    let child = bench.path("child.vmdk");
    let base = bench.path("base.vmdk");
    run("qemu-img", &["create", "-q", "-f", "vmdk", text(&base), "8M"]);
    run("qemu-img", &["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b", text(&base), text(&child)]);
    assert!(bench.refusal(&child).contains("snapshot"));
}

#[test]
fn bombs_and_deep_nests_stop() {
    if !have(&["gzip", "zstd", "tar"]) {
        return;
    }
    let bench = Bench::new();
    let zeros = bench.path("zeros.raw");
    std::fs::File::create(&zeros).unwrap().set_len(64 << 20).unwrap();
    let limited = |limit| SourceOptions { limit: Some(limit), ..bench.options() };
    for program in ["gzip", "zstd"] {
        let path = bench.file("bomb", &pack(program, &["-c"], &zeros));
        let message = refusal(open_source_with(&path, &limited((64 << 20) - 1)), program);
        assert!(message.contains("67108863 bytes, the limit"), "{message}");
        assert_eq!(open_source_with(&path, &limited(64 << 20)).unwrap().source.len(), 64 << 20);
    }
    // The same in a sparse member, whose header alone claims it.
    let path = bench.tar("sparse.tar", &["-S", "zeros.raw"]);
    refusal(open_source_with(&path, &limited(1 << 20)), "sparse");
    // Of a terabyte of holes nothing is read, and nothing is written.
    std::fs::File::create(bench.path("huge.raw")).unwrap().set_len(1 << 40).unwrap();
    let path = bench.tar("huge.tar", &["-S", "huge.raw"]);
    assert_eq!(bench.open(&path).unwrap().source.len(), 1 << 40);
    // Zeros take no room.
    let packed = bench.file("zeros.gz", &pack("gzip", &["-c"], &zeros));
    let opened = bench.open(&packed).unwrap();
    assert!(opened.source.data_ranges(0..64 << 20).unwrap().is_empty());

    let bytes = disk(1 << 20, 2);
    let mut path = bench.file("0", &bytes);
    for depth in 1..=5 {
        let mut name = depth.to_string();
        let packed = pack("gzip", &["-c"], &path);
        path = bench.file(&name, &packed);
        if depth == 4 {
            bench.expect(&path, "raw in gzip in gzip in gzip in gzip", &bytes);
        }
        name.push('x');
    }
    assert!(bench.refusal(&path).contains("more than 4 containers"));
}

#[test]
fn damaged_containers_never_give_other_bytes() {
    damage(150, 0x00d1_5ea5_e5ee_d001);
}

/// Minutes: for changes of the readers.
#[test]
#[ignore = "takes minutes"]
fn many_damaged_containers_never_give_other_bytes() {
    damage(5_000, 0x5eed_0002_c0ff_ee01);
}

fn damage(rounds: usize, seed: u64) {
    if !have(&["gzip", "xz", "zstd", "bzip2", "tar", "cpio", "qemu-img"]) {
        return;
    }
    let bench = Bench::new();
    let bytes = disk(96 << 10, 77);
    let raw = bench.file("disk.raw", &bytes);
    let mut cases: Vec<(&str, Vec<u8>, bool)> = Vec::new();
    for (program, arguments) in CODECS {
        cases.push((program, pack(program, arguments, &raw), true));
    }
    for format in ["gnu", "pax"] {
        let tar = bench.tar("tar", &["-S", &format!("--format={format}"), "disk.raw"]);
        cases.push((format, std::fs::read(&tar).unwrap(), false));
        cases.push((format, pack("gzip", &["-c"], &tar), true));
    }
    let cpio = "cd $0 && echo disk.raw | cpio -o -H newc 2>/dev/null >cpio";
    run("sh", &["-c", cpio, text(bench.directory.path())]);
    let cpio = std::fs::read(bench.path("cpio")).unwrap();
    // A package with empty headers.
    let mut rpm = b"\xed\xab\xee\xdb".to_vec();
    rpm.resize(96, 0);
    for _ in 0..2 {
        rpm.extend([0x8e, 0xad, 0xe8, 1]);
        rpm.resize(rpm.len() + 12, 0);
    }
    rpm.extend(&cpio);
    bench.expect(&bench.file("rpm", &rpm), "raw in rpm", &bytes);
    cases.push(("cpio", cpio, false));
    cases.push(("rpm", rpm, false));
    for (format, options) in [
        ("vmdk", "subformat=streamOptimized"),
        ("vmdk", "subformat=monolithicSparse"),
        ("vpc", "subformat=dynamic,force_size=on"),
        ("vpc", "subformat=fixed,force_size=on"),
    ] {
        let image = bench.path("image");
        run("qemu-img", &["convert", "-f", "raw", "-O", format, "-o", options, text(&raw), text(&image)]);
        cases.push((format, std::fs::read(&image).unwrap(), false));
    }
    let mut random = Random(seed);
    let (mut refused, mut same) = (0, 0);
    for (what, whole, is_checked) in &cases {
        for _ in 0..rounds {
            let mut mutant = whole.clone();
            for _ in 0..=random.below(3) {
                // Headers are where the structure is.
                let end = if random.below(2) == 0 { whole.len().min(1024) } else { whole.len() };
                let at = random.below(end as u64) as usize;
                mutant[at] = match random.below(3) {
                    0 => mutant[at] ^ 1 << random.below(8),
                    1 => 0xff,
                    _ => random.next() as u8,
                };
            }
            if random.below(8) == 0 {
                mutant.truncate(random.below(whole.len() as u64) as usize);
            }
            let path = bench.file("mutant", &mutant);
            let options = SourceOptions { limit: Some(8 << 20), ..bench.options() };
            let read = |opened: Opened| {
                let mut got = vec![0; opened.source.len().min(8 << 20) as usize];
                opened.source.data_ranges(0..opened.source.len().min(1 << 40))?;
                opened.source.read_at(0, &mut got).map(|()| (opened.describe(), got))
            };
            match open_source_with(&path, &options).and_then(read) {
                Err(error) => {
                    assert!(error.is_refusal(), "{what}: {error}");
                    refused += 1;
                }
                // A file whose magic is gone is a raw one.
                Ok((formats, got)) => {
                    let is_same = got == bytes;
                    assert!(is_same || !is_checked || formats == "raw", "{what}: other bytes, {formats}");
                    same += usize::from(is_same);
                }
            }
        }
    }
    assert!(refused > 500 && same > 10, "{refused} refused, {same} the same");
    assert_eq!(std::fs::read_dir(bench.scratch.path()).unwrap().count(), 0);
}
