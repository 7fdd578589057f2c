//! Random edits against a model, checked by fsck.vfat, mtools, fatfs and the kernel's rules.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_disk::{BlockSource, Overlay, RawSource};

use super::boot::Root;
use super::view::FatView;
use super::*;

const EPOCH: i64 = 1_700_000_001;
const PLAIN: Attributes = Attributes { mode: 0o644, uid: 0, gid: 0 };
const FOLDER: Attributes = Attributes { mode: 0o755, uid: 0, gid: 0 };

fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        !["/usr/sbin", "/sbin", "/usr/bin", "/bin"].iter().any(|dir| Path::new(dir).join(program).exists())
    });
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    missing.is_none()
}

fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), told)
}

/// A file system in a file, and what is done to it in memory.
struct Bench {
    dir: tempfile::TempDir,
    disk: Arc<Overlay<RawSource>>,
    fs: FatVolume,
}

impl Bench {
    fn new(kib: u64, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fat");
        std::fs::File::create(&path).unwrap().set_len(kib * 1024).unwrap();
        let mut all = vec!["-i", "1a2b3c4d"];
        all.extend(arguments);
        all.push(path.to_str().unwrap());
        let (ok, told) = run("mkfs.vfat", &all);
        assert!(ok, "{arguments:?}: {told}");
        let disk = Arc::new(Overlay::new(RawSource::open(&path).unwrap()));
        let fs = FatVolume::open(disk.clone(), EPOCH, place(), &[]).unwrap();
        Self { dir, disk, fs }
    }

    fn save(&mut self) -> PathBuf {
        self.fs.finish().unwrap();
        let mut bytes = vec![0; self.disk.len() as usize];
        self.disk.read_at(0, &mut bytes).unwrap();
        let path = self.dir.path().join("saved");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// fsck.vfat finds nothing.
    fn check(&mut self, what: &str) -> PathBuf {
        let path = self.save();
        let (ok, told) = run("fsck.vfat", &["-n", "-v", path.to_str().unwrap()]);
        assert!(ok, "{what}: {told}");
        for word in ["Free cluster summary wrong", "Dirty", "differ", "Expected", "Orphan", "recover"] {
            assert!(!told.contains(word), "{what}: {told}");
        }
        path
    }
}

fn place() -> Place {
    Place { name: "FAT on partition 15".to_owned(), mount: at("/boot/efi") }
}

fn at(path: &str) -> GuestPath {
    GuestPath::new(path)
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn name(&mut self) -> String {
        const NAMES: &[&str] = &[
            "grub.cfg",
            "GRUB.CFG2",
            "BOOTX64.EFI",
            "shimx64.efi",
            "a long name with blanks.conf",
            "größe.txt",
            "README",
            ".hidden",
            "a.b.c.d",
            "x",
            "+comma,semi;[]=",
            "日本語の名前.efi",
            "THIRTEENUNITS",
            "name with exactly 26 units",
            "very long name that takes several slots because it has more than sixty-five characters in it.text",
        ];
        let name = NAMES[self.below(NAMES.len() as u64) as usize];
        match self.below(3) {
            0 => name.to_owned(),
            _ => format!("{}{name}", self.below(40)),
        }
    }

    fn content(&mut self, most: u64) -> Vec<u8> {
        let length = self.below(most);
        let seed = self.below(251);
        (0..length).map(|at| ((at * 7 + seed) % 251) as u8 | 1).collect()
    }
}

type Model = BTreeMap<String, Option<Vec<u8>>>;

fn random_edits(bench: &mut Bench, random: &mut Random, model: &mut Model, count: u64, most: u64) {
    for _ in 0..count {
        let directories: Vec<String> =
            model.iter().filter(|(_, content)| content.is_none()).map(|(path, _)| path.clone()).collect();
        let parent = directories[random.below(directories.len() as u64) as usize].clone();
        let name = random.name();
        let path = format!("{}/{name}", parent.trim_end_matches('/'));
        let taken = model.keys().find(|known| name::same(known, &path)).cloned();
        let files: Vec<String> =
            model.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path.clone()).collect();
        let pick = |random: &mut Random| {
            (!files.is_empty()).then(|| files[random.below(files.len() as u64) as usize].clone())
        };
        let fs = &mut bench.fs;
        match random.below(8) {
            0 | 1 => {
                let result = fs.create(&at(&path), PLAIN);
                assert_eq!(result.is_err(), taken.is_some(), "{path}: {result:?}");
                if taken.is_none() {
                    let content = random.content(most);
                    fs.set_content(&at(&path), &content).unwrap();
                    model.insert(path, Some(content));
                }
            }
            2 if directories.len() < 12 => {
                let result = fs.mkdir(&at(&path), FOLDER);
                assert_eq!(result.is_err(), taken.is_some(), "{path}: {result:?}");
                if taken.is_none() {
                    model.insert(path, None);
                }
            }
            3 => {
                if let Some(file) = pick(random) {
                    let content = random.content(most);
                    fs.set_content(&at(&file), &content).unwrap();
                    model.insert(file, Some(content));
                }
            }
            4 => {
                if let Some(file) = pick(random) {
                    let tail = random.content(most / 4 + 1);
                    fs.append(&at(&file), &tail).unwrap();
                    model.get_mut(&file).unwrap().as_mut().unwrap().extend(tail);
                }
            }
            5 => {
                if let Some(file) = pick(random) {
                    fs.remove(&at(&file)).unwrap();
                    model.remove(&file);
                }
            }
            6 => {
                // Directories: only empty ones go.
                let below = model.keys().filter(|known| known.starts_with(&format!("{parent}/"))).count();
                if parent != "/" {
                    assert_eq!(fs.remove(&at(&parent)).is_ok(), below == 0, "{parent}");
                    if below == 0 {
                        model.remove(&parent);
                    }
                }
            }
            _ => {
                let known: Vec<String> = model.keys().filter(|known| *known != "/").cloned().collect();
                if known.is_empty() {
                    continue;
                }
                let from = known[random.below(known.len() as u64) as usize].clone();
                let is_directory = model[&from].is_none();
                let inside = parent == from || parent.starts_with(&format!("{from}/"));
                let clash = taken
                    .as_ref()
                    .is_some_and(|taken| *taken != from && (is_directory || model[taken].is_none()));
                let result = fs.rename(&at(&from), &at(&path));
                assert_eq!(result.is_err(), inside || clash, "{from} -> {path}: {result:?}");
                if result.is_ok() {
                    if let Some(taken) = taken.filter(|taken| *taken != from) {
                        model.remove(&taken);
                    }
                    let moved: Vec<String> = model
                        .keys()
                        .filter(|known| **known == from || known.starts_with(&format!("{from}/")))
                        .cloned()
                        .collect();
                    for old in moved {
                        let content = model.remove(&old).unwrap();
                        model.insert(format!("{path}{}", &old[from.len()..]), content);
                    }
                }
            }
        }
    }
}

fn compare(bench: &Bench, model: &Model, what: &str) {
    let disk: Arc<dyn BlockSource> = bench.disk.clone();
    let view = FatView::open(disk);
    for (path, content) in model {
        let metadata =
            bench.fs.lstat(&at(path)).unwrap().unwrap_or_else(|| panic!("{what}: {path} is missing"));
        match content {
            None => {
                let mut names: Vec<String> =
                    bench.fs.read_dir(&at(path)).unwrap().into_iter().map(|entry| entry.name).collect();
                let wanted: Vec<String> = model
                    .keys()
                    .filter(|known| *known != "/" && at(known).parent() == Some(at(path)))
                    .map(|known| at(known).name().unwrap().to_owned())
                    .collect();
                names.sort();
                assert_eq!(names, wanted, "{what}: {path}");
            }
            Some(content) => {
                assert_eq!(
                    (metadata.size, metadata.mtime),
                    (content.len() as u64, EPOCH - 1),
                    "{what}: {path}"
                );
                assert!(bench.fs.read_file(&at(path), 1 << 30).unwrap() == *content, "{what}: {path}");
            }
        }
        if let Ok(view) = &view {
            let seen =
                view.lstat(&at(path)).unwrap().unwrap_or_else(|| panic!("{what}: fatfs misses {path}"));
            assert_eq!((seen.kind, seen.size), (metadata.kind, metadata.size), "{what}: {path}");
            if let Some(content) = content {
                assert!(
                    view.read_tail(&at(path), 0, content.len() + 1).unwrap() == *content,
                    "{what}: {path}"
                );
            }
        }
    }
}

/// Free clusters hold nothing but zeros.
fn no_residue(bench: &Bench, what: &str) {
    for range in bench.fs.residue(Residue::All).unwrap() {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        bench.disk.read_at(range.start, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0), "{what}: residue in {range:?}");
    }
}

#[test]
fn a_disk_tells_what_nobody_owns_on_it() {
    if !have(&["mkfs.vfat"]) {
        return;
    }
    let bench = Bench::new(20_000, &["-F", "16", "-s", "4"]);
    let free = bench.fs.residue(Residue::All).unwrap();
    assert!(!free.is_empty());
    let [found] = &crate::disk_residue(bench.disk.clone()).unwrap()[..] else { panic!("one file system") };
    assert_eq!(found.ranges.as_ref().unwrap(), &free, "{}", found.name);
    assert!(bench.disk.changed_ranges(0..bench.disk.len()).is_empty(), "it was only read");
}

const LAYOUTS: &[(&str, u64, &[&str], u64)] = &[
    ("FAT12", 4096, &["-F", "12"], 30_000),
    ("FAT12, one sector", 1440, &["-F", "12", "-s", "1"], 9000),
    ("FAT16", 20_000, &["-F", "16", "-s", "4"], 60_000),
    ("FAT16, one sector", 9000, &["-F", "16", "-s", "1"], 20_000),
    ("FAT32, one sector", 40_000, &["-F", "32", "-s", "1"], 20_000),
    ("FAT32, few clusters", 20_000, &["-F", "32", "-s", "8"], 60_000),
    ("FAT32, 4 KiB sectors", 40_000, &["-F", "32", "-S", "4096", "-s", "1"], 90_000),
    ("FAT16, 4 KiB sectors", 40_000, &["-F", "16", "-S", "4096", "-s", "1"], 90_000),
    ("one table", 4096, &["-F", "12", "-f", "1"], 30_000),
];

fn sequences(seeds: std::ops::Range<u64>, edits: u64) {
    if !have(&["mkfs.vfat", "fsck.vfat"]) {
        return;
    }
    for (name, kib, arguments, most) in LAYOUTS {
        for seed in seeds.clone() {
            let what = format!("{name}, seed {seed}");
            let mut bench = Bench::new(*kib, arguments);
            let mut model = Model::from([("/".to_owned(), None)]);
            let mut random = Random(seed * 2 + 1);
            random.below(2);
            random_edits(&mut bench, &mut random, &mut model, edits, *most);
            compare(&bench, &model, &what);
            no_residue(&bench, &what);
            bench.check(&what);
            // Everything goes, and with it every trace.
            let mut paths: Vec<String> = model.keys().filter(|path| *path != "/").cloned().collect();
            paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
            paths.iter().for_each(|path| bench.fs.remove(&at(path)).unwrap());
            no_residue(&bench, &what);
            bench.check(&what);
        }
    }
}

#[test]
fn random_edits_leave_nothing_for_fsck() {
    sequences(0..2, 80);
}

#[test]
#[ignore = "takes minutes"]
fn many_random_edits_leave_nothing_for_fsck() {
    sequences(100..110, 200);
}

#[test]
fn mtools_reads_what_was_written() {
    if !have(&["mkfs.vfat", "fsck.vfat", "mcopy", "mdir"]) {
        return;
    }
    for arguments in [&["-F", "12"][..], &["-F", "16", "-s", "1"], &["-F", "32", "-s", "1"]] {
        let mut bench = Bench::new(
            match arguments[1] {
                "12" => 5000,
                "16" => 16_000,
                _ => 40_000,
            },
            arguments,
        );
        let content: Vec<u8> = (0..70_000_u32).map(|at| (at % 253) as u8).collect();
        for directory in ["/EFI", "/EFI/BOOT", "/EFI/debian long"] {
            bench.fs.mkdir(&at(directory), FOLDER).unwrap();
        }
        for file in ["/EFI/BOOT/BOOTX64.EFI", "/EFI/debian long/größe of a thing.cfg"] {
            bench.fs.create(&at(file), PLAIN).unwrap();
            bench.fs.set_content(&at(file), &content).unwrap();
            let path = bench.check(file);
            let out = bench.dir.path().join("out");
            let (ok, told) = run(
                "mcopy",
                &["-n", "-o", "-i", path.to_str().unwrap(), &format!("::{file}"), out.to_str().unwrap()],
            );
            assert!(ok, "{file}: {told}");
            assert!(std::fs::read(&out).unwrap() == content, "{file}");
        }
        let path = bench.save();
        let (_, told) = run("mdir", &["-/", "-a", "-i", path.to_str().unwrap(), "::"]);
        assert!(told.contains("2023-11-14  22:13"), "times are the epoch's: {told}");
    }
}

#[test]
fn mtools_sees_the_same_tree() {
    if !have(&["mkfs.vfat", "mcopy"]) {
        return;
    }
    for (seed, (name, kib, arguments, most)) in (200..).zip(LAYOUTS) {
        let mut bench = Bench::new(*kib, arguments);
        let mut model = Model::from([("/".to_owned(), None)]);
        random_edits(&mut bench, &mut Random(seed), &mut model, 100, *most);
        let path = bench.save();
        let view = FatView::open(bench.disk.clone());
        if view.is_err() {
            // A FAT32 of few clusters is one to the kernel and fsck.vfat, but not to these two.
            assert!(name.contains("FAT32"), "{name}");
            continue;
        }
        let out = bench.dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let (ok, told) =
            run("mcopy", &["-s", "-n", "-i", path.to_str().unwrap(), "::/", out.to_str().unwrap()]);
        assert!(ok, "{name}: {told}");
        for (path, content) in &model {
            let there = out.join(path.trim_start_matches('/'));
            match content {
                Some(content) => assert!(std::fs::read(&there).unwrap() == *content, "{name}: {path}"),
                None => {
                    let names = std::fs::read_dir(&there).unwrap().count();
                    assert_eq!(names, bench.fs.read_dir(&at(path)).unwrap().len(), "{name}: {path}");
                }
            }
        }
    }
}

#[test]
fn the_kernel_sees_the_same_tree() {
    if !have(&["mkfs.vfat", "mount", "umount"]) {
        return;
    }
    for arguments in [&["-F", "12"][..], &["-F", "16", "-s", "1"], &["-F", "32", "-s", "1"]] {
        let kib = match arguments[1] {
            "12" => 5000,
            "16" => 16_000,
            _ => 40_000,
        };
        let mut bench = Bench::new(kib, arguments);
        let mut model = Model::from([("/".to_owned(), None)]);
        random_edits(&mut bench, &mut Random(77), &mut model, 120, 9000);
        let path = bench.save();
        let point = bench.dir.path().join("mnt");
        std::fs::create_dir(&point).unwrap();
        let (ok, told) = run(
            "mount",
            &["-o", "loop,ro,utf8,tz=UTC", "-t", "vfat", path.to_str().unwrap(), point.to_str().unwrap()],
        );
        if !ok {
            eprintln!("SKIPPED: no loop mounts here: {told}");
            return;
        }
        let seen: Vec<Result<(), String>> =
            model.iter().map(|(path, content)| same_there(&bench, &point, path, content)).collect();
        let (ok, told) = run("umount", &[point.to_str().unwrap()]);
        assert!(ok, "{told}");
        let wrong: Vec<_> = seen.into_iter().filter_map(Result::err).collect();
        assert!(wrong.is_empty(), "{arguments:?}: {wrong:#?}");
    }
}

fn same_there(bench: &Bench, point: &Path, path: &str, content: &Option<Vec<u8>>) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let there = point.join(path.trim_start_matches('/'));
    let found = std::fs::metadata(&there).map_err(|error| format!("{path}: {error}"))?;
    let ours = bench.fs.lstat(&at(path)).unwrap().unwrap();
    if path != "/" && (found.mode() & 0o7777, found.mtime()) != (ours.mode, ours.mtime) {
        return Err(format!("{path}: {:o} {} and {ours:?}", found.mode(), found.mtime()));
    }
    let same = match content {
        Some(content) => std::fs::read(&there).is_ok_and(|there| there == *content),
        None => {
            let names = std::fs::read_dir(&there).map_err(|error| error.to_string())?.flatten();
            let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
            names.sort();
            names
                == bench
                    .fs
                    .read_dir(&at(path))
                    .unwrap()
                    .into_iter()
                    .map(|entry| entry.name)
                    .collect::<Vec<_>>()
        }
    };
    if same { Ok(()) } else { Err(format!("{path}: other content")) }
}

#[test]
fn a_full_file_system_says_how_much_is_missing_and_stays_as_it_is() {
    if !have(&["mkfs.vfat", "fsck.vfat"]) {
        return;
    }
    let mut bench = Bench::new(1440, &["-F", "12", "-s", "1"]);
    bench.fs.create(&at("/file"), PLAIN).unwrap();
    bench.fs.set_content(&at("/file"), &vec![1; 1_000_000]).unwrap();
    bench.fs.create(&at("/other"), PLAIN).unwrap();
    bench.fs.set_content(&at("/other"), b"short").unwrap();
    let before = std::fs::read(bench.save()).unwrap();
    for append in [false, true] {
        let more = vec![2; 900_000];
        let result = if append {
            bench.fs.append(&at("/other"), &more)
        } else {
            bench.fs.set_content(&at("/other"), &more)
        };
        let told = result.unwrap_err().to_string();
        assert!(told.contains("/boot/efi/other: no room") && told.contains("are missing"), "{told}");
    }
    assert!(std::fs::read(bench.save()).unwrap() == before);
    // A root directory of 224 entries.
    let mut bench = Bench::new(1440, &["-F", "12", "-r", "224"]);
    let told = (0..300)
        .find_map(|number| bench.fs.create(&at(&format!("/FILE{number}")), PLAIN).err())
        .unwrap()
        .to_string();
    assert!(told.contains("the root directory has 224 entries"), "{told}");
    bench.check("full root");
}

#[test]
fn what_fat_does_not_know_is_refused_by_name() {
    if !have(&["mkfs.vfat", "fsck.vfat"]) {
        return;
    }
    let mut bench = Bench::new(4096, &["-F", "12"]);
    let fs = &mut bench.fs;
    fs.create(&at("/file"), PLAIN).unwrap();
    let mode = |mode| Attributes { mode, uid: 0, gid: 0 };
    for (result, told) in [
        (fs.symlink(&at("/link"), "file", PLAIN), "no symbolic links"),
        (fs.hard_link(&at("/file"), &at("/link")), "no hard links"),
        (fs.set_xattr(&at("/file"), "user.x", b"1"), "no extended attributes"),
        (fs.create(&at("/secret"), mode(0o600)), "it would be 0755 and not 0600"),
        (fs.create(&at("/suid"), mode(0o4755)), "FAT keeps no modes"),
        (fs.mkdir(&at("/private"), mode(0o700)), "it would be 0755 and not 0700"),
        (
            fs.create(&at("/mine"), Attributes { mode: 0o644, uid: 1000, gid: 0 }),
            "belongs to 0:0, so not to 1000:0",
        ),
        (fs.set_mode(&at("/file"), 0o600), "0600"),
        (fs.set_owner(&at("/file"), 1, 1), "FAT keeps no owners"),
        (fs.create(&at("/FILE"), PLAIN), "exists already"),
        (fs.create(&at("/a:b"), PLAIN), "cannot contain ':'"),
        (fs.create(&at("/none/x"), PLAIN), "/boot/efi/none: no such file"),
        (fs.mkdir(&at("/file/x"), FOLDER), "is a file, not a directory"),
        (fs.set_content(&at("/"), b"x"), "is a directory, not a file"),
        (fs.remove(&at("/")), "the root directory"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    fs.set_xattr(&at("/file"), "security.selinux", b"x\0").unwrap();
    fs.set_mode(&at("/file"), 0o555).unwrap();
    assert_eq!(fs.lstat(&at("/file")).unwrap().unwrap().mode, 0o555);
    fs.set_mode(&at("/file"), 0o755).unwrap();
    fs.create(&at("/read-only"), mode(0o444)).unwrap();
    assert_eq!(fs.lstat(&at("/read-only")).unwrap().unwrap().mode, 0o555);
    bench.check("refusals");
}

#[test]
fn names_change_their_case_and_places() {
    if !have(&["mkfs.vfat", "fsck.vfat"]) {
        return;
    }
    for arguments in [&["-F", "12"][..], &["-F", "32", "-s", "1"]] {
        let mut bench = Bench::new(if arguments[1] == "12" { 4096 } else { 40_000 }, arguments);
        let fs = &mut bench.fs;
        fs.mkdir(&at("/efi"), FOLDER).unwrap();
        fs.mkdir(&at("/efi/boot"), FOLDER).unwrap();
        fs.create(&at("/efi/boot/readme"), PLAIN).unwrap();
        fs.set_content(&at("/efi/boot/readme"), b"text").unwrap();
        fs.rename(&at("/efi/boot/readme"), &at("/efi/boot/README")).unwrap();
        fs.rename(&at("/efi"), &at("/EFI")).unwrap();
        fs.rename(&at("/efi/BOOT"), &at("/boot")).unwrap();
        assert!(fs.rename(&at("/boot"), &at("/BOOT/inside")).is_err(), "not into itself by another spelling");
        fs.rename(&at("/boot"), &at("/EFI/boot")).unwrap();
        let names = |path: &str| -> Vec<String> {
            fs.read_dir(&at(path)).unwrap().into_iter().map(|entry| entry.name).collect()
        };
        assert_eq!(
            (names("/"), names("/efi"), names("/efi/boot")),
            (vec!["EFI".to_owned()], vec!["boot".to_owned()], vec!["README".to_owned()])
        );
        assert_eq!(fs.read_file(&at("/EFI/BOOT/Readme"), 10).unwrap(), b"text");
        bench.check("case");
    }
}

#[test]
fn the_mounts_options_say_what_is_shown() {
    let shown = |text: &str| Shown::new(&text.split(',').map(str::to_owned).collect::<Vec<_>>());
    for (options, wanted) in [
        ("defaults", (0, 0, 0o755, 0o755)),
        ("umask=0077", (0, 0, 0o700, 0o700)),
        ("umask=077,fmask=0133,uid=1000,gid=4", (1000, 4, 0o644, 0o700)),
        ("dmask=022,fmask=x", (0, 0, 0o755, 0o755)),
    ] {
        let found = shown(options);
        assert_eq!((found.uid, found.gid, found.file, found.directory), wanted, "{options}");
    }
}

#[test]
fn the_same_edits_give_the_same_bytes() {
    if !have(&["mkfs.vfat"]) {
        return;
    }
    let once = || {
        let mut bench = Bench::new(4096, &["-F", "12", "--invariant"]);
        let mut model = Model::from([("/".to_owned(), None)]);
        random_edits(&mut bench, &mut Random(99), &mut model, 60, 5000);
        std::fs::read(bench.save()).unwrap()
    };
    assert!(once() == once());
}

#[test]
fn mutants_neither_panic_nor_run_in_circles() {
    if !have(&["mkfs.vfat"]) {
        return;
    }
    let mut worked = 0;
    for (kib, arguments) in [
        (1440, &["-F", "12", "-s", "1"][..]),
        (9000, &["-F", "16", "-s", "1"]),
        (4000, &["-F", "32", "-s", "1"]),
    ] {
        let mut bench = Bench::new(kib, arguments);
        let mut model = Model::from([("/".to_owned(), None)]);
        random_edits(&mut bench, &mut Random(5), &mut model, 60, 5000);
        let sound = std::fs::read(bench.save()).unwrap();
        let geometry = Geometry::read(&sound).unwrap();
        let places = [
            0,
            geometry.table,
            geometry.data,
            match &geometry.root {
                Root::Fixed(range) => range.start,
                Root::Cluster(_) => geometry.data,
            },
        ];
        for number in 0..120_u64 {
            let mut random = Random(number * 2 + 1);
            random.below(2);
            let mut bytes = sound.clone();
            for _ in 0..1 + random.below(6) {
                let start = places[random.below(4) as usize];
                let spot = (start + random.below(if start == 0 { 64 } else { 2000 })) as usize;
                bytes[spot] = random.below(256) as u8;
            }
            let disk = Arc::new(Overlay::new(bytes));
            let Ok(mut fs) = FatVolume::open(disk, EPOCH, place(), &[]) else { continue };
            let mut pending = vec![GuestPath::root()];
            let mut steps = 0;
            while let (Some(path), 0..200) = (pending.pop(), steps) {
                steps += 1;
                for entry in fs.read_dir(&path).unwrap_or_default() {
                    let child = path.join(&entry.name);
                    if entry.kind == FileType::Directory {
                        pending.push(child);
                    } else {
                        let _ = fs.read_file(&child, 1 << 20);
                        let _ = match random.below(3) {
                            0 => fs.remove(&child),
                            1 => fs.set_content(&child, &[7; 3000]),
                            _ => fs.append(&child, b"more"),
                        };
                    }
                }
                let _ = fs.create(&path.join("new file.txt"), PLAIN);
                let _ = fs.mkdir(&path.join("new"), FOLDER);
            }
            worked += u32::from(fs.finish().is_ok());
        }
    }
    assert!(worked > 150, "only {worked} mutants opened: the test misses it");
}
