//! `hardtack convert` as people and programs run it, compared with `qemu-img`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// False, said aloud, when one of the programs is missing; an error where CI promises them all.
fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with `disk.raw`: 24 MiB, of which 3 MiB in pieces are text and noise.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let mut bytes = vec![0_u8; 24 << 20];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for start in (0..bytes.len()).step_by(2 << 20) {
            for (index, byte) in bytes[start..start + (256 << 10)].iter_mut().enumerate() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = if index % 4096 < 2048 { b'a' + (index % 19) as u8 } else { (state >> 56) as u8 };
            }
        }
        bytes[446..462].copy_from_slice(&[0x80, 0, 33, 0, 0x83, 9, 9, 9, 0, 8, 0, 0, 0, 0x10, 0, 0]);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        std::fs::write(folder.path("disk.raw"), bytes).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn qemu_img(&self, arguments: &[&str]) -> String {
        let output = Command::new("qemu-img").args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn convert(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .arg("convert")
            .args(arguments)
            .current_dir(self.0.path())
            .env("CI", "true")
            .output()
            .unwrap()
    }

    /// Converts, and compares the output with `disk.raw`.
    fn expect(&self, arguments: &[&str], output: &str, format: &str) -> Output {
        let result = self.convert(arguments);
        assert_eq!(
            result.status.code(),
            Some(0),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&result.stderr)
        );
        self.qemu_img(&["compare", "-f", "raw", "-F", format, "disk.raw", output]);
        if format == "qcow2" {
            self.qemu_img(&["check", "-q", output]);
        }
        result
    }

    /// The code and the words of a failure, which leaves no new file behind.
    fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let before = self.names();
        let result = self.convert(arguments);
        assert_eq!(self.names(), before, "{arguments:?}");
        assert!(result.stdout.is_empty(), "{arguments:?}");
        (result.status.code().unwrap(), String::from_utf8(result.stderr).unwrap())
    }

    fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<_> =
            std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_format_to_every_format() {
    if !have(&["qemu-img"]) {
        return;
    }
    let folder = Folder::new();
    for (name, options) in [
        ("zlib.qcow2", &["-O", "qcow2", "-c"][..]),
        ("plain.qcow2", &["-O", "qcow2"]),
        ("zstd.qcow2", &["-O", "qcow2", "-c", "-o", "compression_type=zstd"]),
        ("stream.vmdk", &["-O", "vmdk", "-o", "subformat=streamOptimized"]),
        ("fixed.vhd", &["-O", "vpc", "-o", "subformat=fixed,force_size=on"]),
        ("dynamic.vhd", &["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]),
    ] {
        let mut arguments = vec!["convert", "-f", "raw"];
        arguments.extend(options);
        arguments.extend(["disk.raw", name]);
        folder.qemu_img(&arguments);
    }
    let sources =
        ["disk.raw", "zlib.qcow2", "plain.qcow2", "zstd.qcow2", "stream.vmdk", "fixed.vhd", "dynamic.vhd"];
    for source in sources {
        folder.expect(&["--force", source, "out.img"], "out.img", "raw");
        let result = folder.expect(&["--force", source, "out.qcow2"], "out.qcow2", "qcow2");
        let words = String::from_utf8(result.stdout).unwrap();
        assert!(words.starts_with("out.qcow2: qcow2, a disk of 24 MiB with"), "{words}");
        assert!(!String::from_utf8_lossy(&result.stderr).contains('\r'), "a moving line where nobody looks");
        for compression in ["zlib", "zstd", "none"] {
            let arguments =
                ["--force", "--compression", compression, source, "out", "--format", "qcow2", "--json"];
            let result = folder.expect(&arguments, "out", "qcow2");
            let told: Value = serde_json::from_slice(&result.stdout).unwrap();
            assert_eq!(told["format"], "qcow2");
            assert_eq!(told["virtual_size"], 24 << 20);
            assert!(told["clusters_kept"].is_null(), "{source}: {told}");
            let info = folder.qemu_img(&["info", "--output=json", "out"]);
            let info: Value = serde_json::from_str(&info).unwrap();
            let expected = if compression == "zstd" { "zstd" } else { "zlib" };
            assert_eq!(info["format-specific"]["data"]["compression-type"], expected);
        }
    }
    // Nothing is compressed again: the clusters are as many, and zstd stays zstd.
    let result = folder.expect(&["--force", "--json", "zstd.qcow2", "out.qcow2"], "out.qcow2", "qcow2");
    let told: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(told["clusters_kept"], 48, "{told}");
    let info = folder.qemu_img(&["info", "--output=json", "out.qcow2"]);
    assert!(info.contains("\"zstd\""), "{info}");
}

#[test]
fn images_in_containers() {
    if !have(&["qemu-img", "tar", "xz", "gzip"]) {
        return;
    }
    let folder = Folder::new();
    folder.qemu_img(&["convert", "-f", "raw", "-O", "qcow2", "-c", "disk.raw", "disk.qcow2"]);
    std::fs::write(folder.path("README"), "text\n").unwrap();
    let directory = text(folder.0.path());
    run("tar", &["-C", directory, "-cSzf", text(&folder.path("raw.tgz")), "README", "disk.raw"]);
    run("tar", &["-C", directory, "-cJf", text(&folder.path("both.txz")), "disk.raw", "disk.qcow2"]);
    run("gzip", &["-k", text(&folder.path("disk.qcow2"))]);

    let result = folder.expect(&["raw.tgz", "1.qcow2", "--json"], "1.qcow2", "qcow2");
    let told: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(told["source_formats"], serde_json::json!(["raw", "tar", "gzip"]));
    assert_eq!(told["members"], serde_json::json!(["disk.raw"]));
    let words = String::from_utf8(result.stderr).unwrap();
    assert!(words.contains("unpacking raw.tgz: 24 MiB in"), "{words}");
    assert!(words.contains("raw in tar in gzip, member disk.raw"), "{words}");
    let result = folder.expect(&["disk.qcow2.gz", "2.qcow2", "--json"], "2.qcow2", "qcow2");
    let told: Value = serde_json::from_slice(&result.stdout).unwrap();
    assert_eq!(told["clusters_kept"], 48, "{told}");

    // A name is not to look like a line of ours.
    let name = "a\nnote: b.raw";
    std::fs::copy(folder.path("disk.raw"), folder.path(name)).unwrap();
    run("tar", &["-C", directory, "-cSf", text(&folder.path("name.tar")), name]);
    let result = folder.expect(&["name.tar", "5.raw"], "5.raw", "raw");
    let words = String::from_utf8(result.stderr).unwrap();
    assert!(words.contains(r"raw in tar, member a\nnote: b.raw"), "{words}");

    let (code, words) = folder.fail(&["both.txz", "3.raw"]);
    assert_eq!(code, 3, "{words}");
    assert!(words.contains("disk.raw, disk.qcow2") && words.contains("--member"), "{words}");
    folder.expect(&["both.txz", "3.raw", "--member", "disk.qcow2"], "3.raw", "raw");
    let (code, words) = folder.fail(&["raw.tgz", "4.raw", "--unpack-limit", "10M"]);
    assert_eq!(code, 3, "{words}");
    assert!(words.contains("10485760 bytes, the limit"), "{words}");
    let whole = std::fs::read(folder.path("raw.tgz")).unwrap();
    std::fs::write(folder.path("cut.tgz"), &whole[..whole.len() / 2]).unwrap();
    let (code, words) = folder.fail(&["cut.tgz", "4.raw"]);
    assert!(code == 3 && words.contains("truncated"), "{code}: {words}");
}

#[test]
fn backing_files_and_overlays() {
    if !have(&["qemu-img", "qemu-io"]) {
        return;
    }
    let folder = Folder::new();
    folder.qemu_img(&["convert", "-f", "raw", "-O", "qcow2", "disk.raw", "base.qcow2"]);
    for source in ["base.qcow2", "disk.raw"] {
        folder.expect(&["--force", source, "--overlay", "over.qcow2"], "over.qcow2", "qcow2");
        let info: Value =
            serde_json::from_str(&folder.qemu_img(&["info", "--output=json", "over.qcow2"])).unwrap();
        assert_eq!(info["backing-filename"], source);
        let (code, words) = folder.fail(&["over.qcow2", "whole.qcow2"]);
        assert!(code == 3 && words.contains(source) && words.contains("backing"), "{words}");
        folder.expect(&["--force", "--backing-dir", ".", "over.qcow2", "w.qcow2"], "w.qcow2", "qcow2");
    }
    let (code, words) = folder.fail(&["disk.raw", "x.raw", "--overlay", "--format", "raw"]);
    assert!(code == 2 && words.contains("--overlay"), "{words}");
    let (code, words) = folder.fail(&["disk.raw", "x.raw", "--overlay"]);
    assert!(code == 2 && words.contains("x.raw: --overlay writes qcow2"), "{words}");

    // What is in the file now counts, not what a snapshot keeps.
    folder.qemu_img(&["snapshot", "-c", "before", "base.qcow2"]);
    run("qemu-io", &["-f", "qcow2", "-c", "write -P 7 1M 64k", text(&folder.path("base.qcow2"))]);
    for output in ["now.qcow2", "now.raw"] {
        let result = folder.convert(&["base.qcow2", output, "--json"]);
        let words = String::from_utf8(result.stderr).unwrap();
        assert!(words.contains("1 internal snapshot dropped"), "{words}");
        let told: Value = serde_json::from_slice(&result.stdout).unwrap();
        assert_eq!(told["snapshots_dropped"], 1);
        folder.qemu_img(&["compare", "base.qcow2", output]);
    }
    assert!(!folder.qemu_img(&["snapshot", "-l", "now.qcow2"]).contains("before"));
}

#[test]
fn wrong_usage_and_names_are_told_before_any_work() {
    let folder = Folder::new();
    std::fs::write(folder.path("there.raw"), "mine").unwrap();
    std::fs::write(folder.path("notes"), "text").unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["disk.raw", "disk.raw"], 2, "the output is the source"),
        (&["disk.raw", "./disk.raw", "--force"], 2, "the output is the source"),
        (&["disk.raw", "there.raw"], 4, "--force"),
        (&["missing", "x.raw"], 4, "missing"),
        (&["disk.raw", "no/such/x.raw"], 4, "no/such"),
        (&["notes", "x.raw"], 3, "512-byte sectors"),
        (&["disk.raw", "x.raw", "--compression", "zstd"], 2, "--compression"),
        (&["disk.raw", "x.raw", "--member", "a"], 3, "no archive"),
        (&["disk.raw", "x.qcow2", "--overlay", "--compression", "zstd"], 2, "cannot be used with"),
        (&["disk.raw", "x.raw", "--unpack-limit", "ten"], 2, "10G"),
        (&["disk.raw"], 2, "<OUTPUT>"),
    ];
    for (arguments, expected, words) in cases {
        let (code, told) = folder.fail(arguments);
        assert_eq!(code, *expected, "{arguments:?}: {told}");
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read(folder.path("there.raw")).unwrap(), b"mine");
    folder.expect(&["disk.raw", "there.raw", "--force"], "there.raw", "raw");
}

/// A small file system, unmounted on drop.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn sparsify_says_what_it_cannot_do() {
    let folder = Folder::new();
    let mut bytes = std::fs::read(folder.path("disk.raw")).unwrap();
    bytes[462..510].fill(0);
    bytes[1 << 20..(1 << 20) + 4].copy_from_slice(b"XFSB");
    std::fs::write(folder.path("xfs.raw"), bytes).unwrap();
    let result = folder.convert(&["xfs.raw", "out.raw", "--sparsify"]);
    let words = String::from_utf8(result.stderr).unwrap();
    assert_eq!(result.status.code(), Some(0), "{words}");
    assert!(words.contains("XFS on partition 1 is taken over as it is"), "{words}");
}

#[test]
fn a_full_disk_leaves_nothing() {
    if !have(&["gzip", "mount"]) {
        return;
    }
    let folder = Folder::new();
    run("gzip", &["-k", "-1", text(&folder.path("disk.raw"))]);
    std::fs::create_dir(folder.path("small")).unwrap();
    let small = Small(folder.path("small"));
    let mount = ["-t", "tmpfs", "-o", "size=2m", "tmpfs", text(&small.0)];
    if !Command::new("mount").args(mount).output().unwrap().status.success() {
        // Only root may mount.
        eprintln!("SKIPPED: no file system can be mounted");
        return;
    }
    for (arguments, words) in [
        (&["disk.raw", "small/out.raw"][..], "No space left"),
        (&["disk.raw", "small/out.qcow2", "--compression", "none"], "No space left"),
        (&["disk.raw.gz", "small/out.raw"], "--scratch"),
        (&["disk.raw.gz", "small/out.raw", "--unpack-limit", "1G"], "--scratch"),
        (&["disk.raw.gz", "small/out.raw", "--scratch", "."], "No space left"),
    ] {
        let (code, told) = folder.fail(arguments);
        assert!(code == 4 && told.contains(words), "{arguments:?}: {code}: {told}");
        assert_eq!(std::fs::read_dir(&small.0).unwrap().count(), 0, "{arguments:?}");
    }
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    if !have(&["gzip"]) {
        return;
    }
    let folder = Folder::new();
    run("gzip", &["-k", "-1", text(&folder.path("disk.raw"))]);
    let before = folder.names();
    let start = |output: &str| {
        Command::new(env!("CARGO_BIN_EXE_hardtack"))
            .args(["convert", "disk.raw.gz", output])
            .current_dir(folder.0.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let begun = Instant::now();
    assert!(start("whole.qcow2").wait().unwrap().success());
    let whole = begun.elapsed();
    let expected = std::fs::read(folder.path("whole.qcow2")).unwrap();
    std::fs::remove_file(folder.path("whole.qcow2")).unwrap();
    let mut killed = 0;
    for moment in 0..24_u32 {
        let mut child = start("out.qcow2");
        std::thread::sleep(Duration::from_micros(whole.as_micros() as u64 * u64::from(moment) / 24));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        match std::fs::read(folder.path("out.qcow2")) {
            Ok(bytes) => {
                assert!(bytes == expected, "an output that is not whole");
                std::fs::remove_file(folder.path("out.qcow2")).unwrap();
            }
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
        assert_eq!(folder.names(), before, "moment {moment}");
    }
    assert!(killed > 5, "only {killed} were killed before their end");
}
