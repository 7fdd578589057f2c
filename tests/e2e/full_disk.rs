//! A disk that becomes full: exit code 4, a message that names the file and what is missing, and
//! nothing left behind, with a name or without.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_tests::image::{Images, sha256};
use hardtack_tests::tools::{as_ordinary_user, hand_over, hardtack, run};

use crate::workshop::Workshop;

/// A small file system, unmounted on drop.
struct Small(PathBuf);

impl Small {
    /// Mounts one with `options`; `None`, said aloud, where that is not allowed.
    fn mount(at: PathBuf, options: &[&str]) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(options).arg(&at).output().unwrap();
        if !mounted.status.success() {
            eprintln!("SKIPPED: no file system can be mounted: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        hand_over(&at);
        Some(Self(at))
    }

    /// Bytes that are free once everything is on the disk.
    fn free(&self) -> u64 {
        run(Command::new("sync").arg("-f").arg(&self.0));
        let found = rustix::fs::statvfs(&self.0).unwrap();
        found.f_bfree * found.f_frsize
    }

    fn names(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| !path.ends_with("lost+found")).collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// (what, arguments before the output, the output's name).
fn works<'a>(
    zlib: &'a str,
    raw: &'a str,
    packed: &'a str,
) -> Vec<(&'static str, Vec<&'a str>, &'static str)> {
    let build = |source, more: &[&'static str]| {
        let mut words = vec!["build", "debian-3fa.yaml", "--source", source];
        words.extend(more);
        words.push("--output");
        words
    };
    vec![
        ("build qcow2 to raw", build(zlib, &[]), "out.raw"),
        ("build qcow2 to qcow2", build(zlib, &[]), "out.qcow2"),
        ("build raw to qcow2", build(raw, &["--compression", "zstd"]), "out.qcow2"),
        ("convert to raw", vec!["convert", zlib], "out.raw"),
        ("convert to qcow2", vec!["convert", zlib], "out.qcow2"),
        ("convert a packed image", vec!["convert", packed], "out.raw"),
    ]
}

/// The failure of a work, which names its output.
fn fails(what: &str, output: &Output, named: &Path) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{what}: {words}");
    assert!(output.stdout.is_empty(), "{what}");
    let error = words.lines().find(|line| line.starts_with("hardtack: ")).unwrap_or_default();
    // What has to be unpacked has no name of its own and is told by the source's.
    let source = what.contains("packed") && error.contains("source.qcow2.zst");
    assert!(source || error.contains(named.to_str().unwrap()), "{what}: {words}");
    words
}

struct Sources {
    workshop: Workshop,
    zlib: PathBuf,
    raw: PathBuf,
    packed: PathBuf,
}

impl Sources {
    fn make() -> Option<Self> {
        let images = Images::find()?;
        let workshop = Workshop::new(&images, "bookworm");
        let zlib = images.disk("debian12");
        let (raw, packed) = (workshop.path().join("source.raw"), workshop.path().join("source.qcow2.zst"));
        run(Command::new("qemu-img").args(["convert", "-O", "raw"]).arg(&zlib).arg(&raw));
        run(Command::new("zstd").args(["-q", "-1"]).arg(&zlib).arg("-o").arg(&packed));
        Some(Self { workshop, zlib, raw, packed })
    }

    fn each(&self, mut one: impl FnMut(&str, &[&str], &str)) {
        let paths = [&self.zlib, &self.raw, &self.packed];
        let digests = paths.map(|path| sha256(path));
        let [zlib, raw, packed] = paths.map(|path| path.to_str().unwrap());
        for (what, arguments, output) in works(zlib, raw, packed) {
            one(what, &arguments, output);
        }
        assert_eq!(paths.map(|path| sha256(path)), digests, "a source was changed");
    }
}

#[test]
fn a_full_file_system() {
    let Some(sources) = Sources::make() else { return };
    let workshop = &sources.workshop;
    let disk = workshop.path().join("small.ext4");
    run(Command::new("truncate").args(["-s", "96M"]).arg(&disk));
    run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-m", "0"]).arg(&disk));
    let tmpfs = ["-t", "tmpfs", "-o", "size=64m", "tmpfs"];
    let looped = ["-o", "loop", disk.to_str().unwrap()];
    for (name, options) in [("tmpfs", &tmpfs[..]), ("ext4", &looped)] {
        let Some(small) = Small::mount(workshop.path().join(name), options) else { continue };
        let free = small.free();
        sources.each(|what, arguments, output| {
            for replaced in [false, true] {
                let output = small.0.join(output);
                let mut command = workshop.command();
                command.args(arguments).arg(&output).env("CI", "true");
                if replaced {
                    std::fs::write(&output, "an old output").unwrap();
                    command.arg("--force");
                }
                let words = fails(what, &command.output().unwrap(), &output);
                // Either the system's words and our numbers, or, where it was known before, only these.
                assert!(
                    words.contains("No space left on device") || words.contains("free"),
                    "{what}: {words}"
                );
                assert!(words.contains("hint: ") || words.contains("--scratch"), "{what}: {words}");
                if replaced {
                    assert_eq!(small.names(), std::slice::from_ref(&output), "{name}: {what}");
                    assert_eq!(std::fs::read_to_string(&output).unwrap(), "an old output", "{name}: {what}");
                    std::fs::remove_file(&output).unwrap();
                }
                assert_eq!(small.names(), [] as [PathBuf; 0], "{name}: {what}");
            }
        });
        // No file without a name is held by anybody either.
        assert_eq!(small.free(), free, "{name}: something is left behind");
    }
}

/// Everybody can have this one: no file may become larger than a limit.
#[test]
fn a_limit_on_the_size_of_files() {
    let Some(sources) = Sources::make() else { return };
    let workshop = &sources.workshop;
    let outputs = workshop.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    hand_over(&outputs);
    sources.each(|what, arguments, output| {
        let output = outputs.join(output);
        let mut command = as_ordinary_user("prlimit");
        command.args(["--fsize=20000000", "--"]).arg(hardtack()).args(arguments).arg(&output);
        command
            .current_dir(workshop.path())
            .env("DEBIAN_PASSWORD", crate::workshop::PASSWORD)
            .env("CI", "true");
        let words = fails(what, &command.output().unwrap(), &output);
        assert!(words.contains("File too large"), "{what}: {words}");
        assert_eq!(std::fs::read_dir(&outputs).unwrap().count(), 0, "{what}");
    });
}
