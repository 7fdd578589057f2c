//! File systems that were not unmounted: images copied while the kernel had them mounted, journals
//! written by debugfs, orphans. What the kernel and e2fsck make of a copy is the judge.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hardtack_disk::{BlockSource, BlockWrite};
use hardtack_ext4::{Error, Ext4};

use crate::disk::TestDisk;
use crate::model::EPOCH;
use crate::tools::{self, Image, assert_clean, debugfs, run, said};

/// Options of mke2fs and of mount. What is on by default depends on the version: all that matters is named.
const LAYOUTS: &[(&[&str], &str)] = &[
    (&["-t", "ext4", "-b", "4096", "-O", "64bit,metadata_csum,orphan_file"], ""),
    (&["-t", "ext4", "-b", "1024", "-O", "64bit,metadata_csum,^orphan_file"], ""),
    (&["-t", "ext4", "-b", "1024", "-O", "orphan_file,metadata_csum,inline_data,ea_inode"], ""),
    (&["-t", "ext4", "-b", "2048", "-O", "^64bit,metadata_csum,^orphan_file", "-I", "128"], ""),
    (
        &["-t", "ext4", "-b", "4096", "-O", "^64bit,^metadata_csum,uninit_bg,^orphan_file"],
        ",journal_checksum",
    ),
    (
        &["-t", "ext4", "-b", "1024", "-O", "64bit,^metadata_csum,uninit_bg,orphan_file"],
        ",journal_async_commit",
    ),
    (&["-t", "ext4", "-b", "4096", "-O", "metadata_csum,^orphan_file"], ",data=journal"),
    (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^uninit_bg,^orphan_file"], ",data=journal"),
    (&["-t", "ext4", "-b", "1024", "-O", "metadata_csum,meta_bg,^resize_inode"], ",data=writeback"),
    (&["-t", "ext3", "-b", "1024"], ""),
    (&["-t", "ext3", "-b", "4096"], ",data=journal"),
];

/// A mount that ends with its value.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Mounts a loop device; visible when that is not to be had here.
    fn new(image: &Path, options: &str) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let options = format!("loop{options}");
        let output = run("mount", &["-o", &options, image.to_str().unwrap(), point.path().to_str().unwrap()]);
        if output.status.success() {
            return Some(Self(point));
        }
        // An ordinary user cannot; the logs that are built by hand are tested all the same.
        eprintln!("SKIPPED: no kernel mount: {}", said(&output).trim());
        None
    }

    fn root(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Somebody else on the machine may be looking at every new mount for a moment.
        for _ in 0..50 {
            if run("umount", &[self.0.path().to_str().unwrap()]).status.success() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(std::thread::panicking(), "{} cannot be unmounted", self.0.path().display());
    }
}

fn copy(from: &Path, to: &Path) {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    assert!(run("cp", &["--sparse=always", from, to]).status.success());
}

/// Commits the journal, and leaves the metadata itself for later.
fn commit(file: &Path) {
    File::open(file).unwrap().sync_all().unwrap();
}

/// Files come, change and go, in several transactions; two stay open without a name. What must be there
/// is decided by the kernel.
fn work(root: &Path) -> Vec<File> {
    let magic = 0xc03b_3998_u32.to_be_bytes();
    for round in 0..4_u8 {
        let dir = root.join(format!("dir-{round}"));
        std::fs::create_dir(&dir).unwrap();
        for index in 0..40 {
            let content = vec![round.wrapping_mul(40).wrapping_add(index); usize::from(index) * 97];
            std::fs::write(dir.join(format!("a-file-with-a-name-{index:03}")), content).unwrap();
        }
        // A block that looks like one of the journal's own is escaped in it.
        std::fs::write(dir.join("magic"), magic.repeat(3000)).unwrap();
        std::os::unix::fs::symlink("x/".repeat(100), dir.join("link")).unwrap();
        commit(&dir);
    }
    // Freed directory blocks are revoked, and reused by files.
    std::fs::remove_dir_all(root.join("dir-1")).unwrap();
    commit(root);
    std::fs::write(root.join("reuser"), vec![0x77; 200_000]).unwrap();
    commit(&root.join("reuser"));
    std::fs::set_permissions(root.join("etc/motd"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(root.join("dir-2/magic"), root.join("dir-3/moved")).unwrap();
    std::fs::hard_link(root.join("etc/empty"), root.join("dir-2/linked")).unwrap();
    let mut open = Vec::new();
    for name in ["gone-1", "gone-2"] {
        let mut file = File::create_new(root.join(name)).unwrap();
        file.write_all(&[0x99; 50_000]).unwrap();
        file.sync_all().unwrap();
        std::fs::remove_file(root.join(name)).unwrap();
        open.push(file);
    }
    File::options().append(true).open(root.join("reuser")).unwrap().write_all(b"end\n").unwrap();
    commit(&root.join("reuser"));
    open
}

/// What the kernel finds in an image: a line for everything.
fn manifest(image: &Path) -> Vec<String> {
    fn walk(path: &Path, name: &str, lines: &mut Vec<String>) {
        let meta = path.symlink_metadata().unwrap();
        let content = if meta.is_file() {
            let bytes = std::fs::read(path).unwrap();
            bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(0x100_0000_01b3) ^ u64::from(*byte))
        } else {
            0
        };
        let target = std::fs::read_link(path).unwrap_or_default();
        let (mode, links) = (meta.mode(), meta.nlink());
        let (size, blocks) = if meta.is_dir() { (0, 0) } else { (meta.len(), meta.blocks()) };
        lines.push(format!(
            "{name} {mode:o} {}:{} {links} {size} {blocks} {}.{:09} {content:x} {}",
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            target.display()
        ));
        if meta.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                walk(&entry.path(), &format!("{name}/{}", entry.file_name().to_str().unwrap()), lines);
            }
        }
    }
    let mounted = Mounted::new(image, ",ro").unwrap();
    let mut lines = Vec::new();
    walk(mounted.root(), "", &mut lines);
    lines.sort();
    lines
}

/// The superblock's free blocks and inodes, and its features.
fn counters(image: &Path) -> Vec<String> {
    let output = run("dumpe2fs", &["-h", image.to_str().unwrap()]);
    said(&output)
        .lines()
        .filter(|line| {
            ["Free blocks", "Free inodes", "Filesystem features"].iter().any(|start| line.starts_with(start))
        })
        .map(str::to_owned)
        .collect()
}

/// Opens the image, which recovers it, and saves what comes out.
fn recovered(image: &Path, to: &Path) -> Result<(), Error> {
    let disk = TestDisk::open(image);
    let mut fs = Ext4::open(disk.clone(), EPOCH)?;
    assert_eq!(fs.read_only_reason(), None);
    fs.finish()?;
    disk.save(to);
    Ok(())
}

/// Nothing but zeros behind the journal's superblock.
fn log_is_empty(image: &Image, path: &Path) -> bool {
    let dump = image.beside("journal");
    debugfs(path, &format!("dump <8> {}", dump.display()));
    let bytes = std::fs::read(dump).unwrap();
    bytes.len() > 1 << 20 && bytes[1024..].iter().all(|byte| *byte == 0)
}

fn journal_words(image: &Path) -> String {
    debugfs(image, "logdump -S")
}

/// Ours, the kernel's and e2fsck's recovery of the same image agree; then it is edited.
fn judge(image: &Image, crashed: &Path, what: &str) {
    let [ours, kernels, checked, edited] =
        ["ours", "kernels", "checked", "edited"].map(|name| image.beside(name));
    recovered(crashed, &ours).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_clean(&ours, what);
    let words = journal_words(&ours);
    assert!(words.contains("Journal start:            0"), "{what}: {words}");
    assert!(log_is_empty(image, &ours), "{what}: the journal still holds something");

    copy(crashed, &kernels);
    drop(Mounted::new(&kernels, "").unwrap());
    assert_clean(&kernels, what);
    let wanted = manifest(&kernels);
    assert!(wanted.len() > 100, "{what}: {wanted:?}");
    let found = manifest(&ours);
    let differing: Vec<_> = wanted.iter().zip(&found).filter(|(left, right)| left != right).collect();
    assert!(wanted == found, "{what}: {differing:?}");

    copy(crashed, &checked);
    assert_eq!(counters(&ours), counters(&kernels), "{what}");
    // It also packs directories, which may take blocks: what is in them is compared.
    run("e2fsck", &["-fy", checked.to_str().unwrap()]);
    assert!(wanted == manifest(&checked), "{what}: e2fsck sees something else");

    let disk = TestDisk::open(crashed);
    let mut fs = Ext4::open(disk.clone(), EPOCH).unwrap();
    fs.create("/new", 0o644, 0, 0).unwrap();
    fs.set_content("/new", &[7; 100_000]).unwrap();
    fs.append("/reuser", b"more").unwrap();
    fs.remove("/dir-3/moved").unwrap();
    fs.finish().unwrap();
    disk.save(&edited);
    assert_clean(&edited, what);
    let mounted = Mounted::new(&edited, "").unwrap();
    assert!(std::fs::read(mounted.root().join("reuser")).unwrap().ends_with(b"end\nmore"), "{what}");
    std::fs::write(mounted.root().join("kernel"), b"goes on").unwrap();
    drop(mounted);
    assert_clean(&edited, what);
}

/// An image that was copied while it was mounted and worked on.
fn crashed(image: &Image, options: &str) -> Option<PathBuf> {
    let copied = image.beside("crashed");
    let mounted = Mounted::new(&image.path(), options)?;
    let open = work(mounted.root());
    copy(&image.path(), &copied);
    drop(open);
    Some(copied)
}

#[test]
fn images_of_running_machines() {
    if !tools::have("mke2fs") || !tools::have("e2fsck") || !tools::have("dumpe2fs") {
        return;
    }
    for (args, options) in LAYOUTS {
        let what = format!("{args:?}{options}");
        let image = Image::make(args, 64);
        let Some(crashed) = crashed(&image, options) else { return };
        let words = journal_words(&crashed);
        assert!(!words.contains("Journal start:            0"), "{what}: nothing to replay: {words}");
        judge(&image, &crashed, &what);
    }
}

/// Several debugfs commands in one go, on an image opened for writing.
fn script(image: &Image, commands: &[String]) {
    let file = image.beside("commands");
    std::fs::write(&file, commands.join("\n") + "\n").unwrap();
    let output = run("debugfs", &["-w", "-f", file.to_str().unwrap(), image.path().to_str().unwrap()]);
    assert!(output.status.success(), "{commands:?}: {}", said(&output));
}

/// The blocks of a file.
fn blocks(image: &Path, path: &str) -> Vec<u64> {
    debugfs(image, &format!("blocks {path}"))
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn content(path: &Path, name: &str) -> Vec<u8> {
    let disk = TestDisk::open(path);
    let fs = Ext4::open(disk, EPOCH).unwrap();
    let mut bytes = vec![0; 1 << 20];
    let count = fs.read_at(name, 0, &mut bytes).unwrap();
    bytes.truncate(count);
    bytes
}

#[test]
fn journals_written_by_debugfs() {
    if !tools::have("mke2fs") || !tools::have("debugfs") || !tools::have("e2fsck") {
        return;
    }
    for size in [1024_usize, 4096] {
        for features in
            ["64bit,metadata_csum", "^64bit,metadata_csum", "^64bit,^metadata_csum", "64bit,^metadata_csum"]
        {
            for open in ["jo", "jo -c -v 2", "jo -c -v 3"] {
                let what = format!("{size} {features} {open}");
                let image = Image::make(&["-t", "ext4", "-b", &size.to_string(), "-O", features], 64);
                let own = blocks(&image.path(), "/usr/lib/deep/er/big");
                let write = |name: &str, bytes: Vec<u8>| {
                    std::fs::write(image.beside(name), bytes).unwrap();
                    image.beside(name).display().to_string()
                };
                let magic = 0xc03b_3998_u32.to_be_bytes().repeat(size / 4);
                let first = write("first", [vec![1; size], magic.clone(), vec![3; size]].concat());
                let second = write("second", vec![4; size]);
                let third = write("third", vec![5; size]);
                // The checksum that debugfs gives to a transaction that only revokes is refused by the
                // kernel too, when it is of the oldest kind.
                let revokes = open == "jo" || !features.contains("^metadata_csum");
                let mut commands = vec![
                    open.to_owned(),
                    format!("jw -b {},{},{} {first}", own[0], own[1], own[2]),
                    format!("jw -b {} {second}", own[2]),
                    format!("jw -b {} {third}", own[3]),
                    // A transaction without its end.
                    format!("jw -c -b {} {second}", own[4]),
                    "jc".to_owned(),
                ];
                if revokes {
                    commands.insert(3, format!("jw -r {}", own[0]));
                }
                script(&image, &commands);
                let ours = image.beside("ours");
                recovered(&image.path(), &ours).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_clean(&ours, &what);
                assert!(log_is_empty(&image, &ours), "{what}");
                let mut wanted = vec![0x5a; 300_000];
                wanted[..size].fill(if revokes { 0x5a } else { 1 });
                for (index, fill) in [(1, magic), (2, vec![4; size]), (3, vec![5; size])] {
                    wanted[index * size..(index + 1) * size].copy_from_slice(&fill);
                }
                let found = content(&ours, "/usr/lib/deep/er/big");
                let differing = (0..own.len())
                    .find(|index| found.chunks(size).nth(*index) != wanted.chunks(size).nth(*index));
                assert!(found == wanted, "{what}: block {differing:?}");
                let output = run("e2fsck", &["-fy", image.path().to_str().unwrap()]);
                assert!(
                    content(&image.path(), "/usr/lib/deep/er/big") == wanted,
                    "{what}: {}",
                    said(&output)
                );
            }
        }
    }
}

#[test]
fn orphans_with_a_name_are_cut() {
    if !tools::have("mke2fs") || !tools::have("debugfs") || !tools::have("e2fsck") {
        return;
    }
    for args in [
        &["-t", "ext4", "-b", "4096", "-O", "metadata_csum"][..],
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum"],
        &["-t", "ext3", "-b", "1024"],
        &["-t", "ext2", "-b", "1024"],
    ] {
        let image = Image::make(args, 64);
        let path = image.path();
        let number: u32 = debugfs(&path, "stat /usr/lib/deep/er/big")
            .split_once("Inode: ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .and_then(|word| word.parse().ok())
            .unwrap();
        // Cut to 5,000 bytes, and then to nothing; the list has one more, which is removed.
        let gone: u32 = debugfs(&path, "stat /etc/slow-link")
            .split_once("Inode: ")
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .and_then(|word| word.parse().ok())
            .unwrap();
        script(
            &image,
            &[
                format!("sif <{number}> size 5000"),
                format!("sif <{number}> dtime {gone}"),
                "unlink /etc/slow-link".to_owned(),
                format!("sif <{gone}> links_count 0"),
                format!("sif <{gone}> dtime 0"),
                format!("ssv last_orphan {number}"),
            ],
        );
        let what = format!("{args:?}");
        let ours = image.beside("ours");
        recovered(&path, &ours).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_clean(&ours, &what);
        assert!(content(&ours, "/usr/lib/deep/er/big") == vec![0x5a; 5000], "{what}");
        let last = *blocks(&ours, "/usr/lib/deep/er/big").last().unwrap();
        let size = if args.contains(&"4096") { 4096 } else { 1024 };
        let mut tail = vec![0; size - 5000 % size];
        TestDisk::open(&ours).read_at(last * size as u64 + 5000 % size as u64, &mut tail).unwrap();
        let indirect = tail.contains(&0x5a);
        assert!(!indirect, "{what}: what stood behind the end is still there");
        let checked = image.beside("checked");
        copy(&path, &checked);
        run("e2fsck", &["-p", checked.to_str().unwrap()]);
        assert_eq!(counters(&ours), counters(&checked), "{what}");
    }
}

#[test]
fn orphans_that_are_none_refuse_the_file_system() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for (last, why) in [
        ("8", "files of users"),
        ("2", "files of users"),
        ("99999999", "files of users"),
        ("9000", "it is free"),
    ] {
        let image = Image::make(&["-t", "ext4"], 64);
        debugfs(&image.path(), &format!("ssv last_orphan {last}"));
        let error = recovered(&image.path(), &image.beside("ours")).unwrap_err().to_string();
        assert!(error.contains(why), "{last}: {error}");
    }
    let image = Image::make(&["-t", "ext4", "-O", "orphan_file"], 64);
    let path = image.path();
    debugfs(&path, "feature orphan_present");
    recovered(&path, &image.beside("ours")).unwrap();
    assert_clean(&image.beside("ours"), "an empty orphan file");
    let file = blocks(&path, "<12>")[0] * u64::from(u32::from_le_bytes([0, 4, 0, 0]) << image_log(&path));
    let disk = TestDisk::open(&path);
    disk.write_at(file, &[13]).unwrap();
    let error = Ext4::open(disk, EPOCH).err().unwrap().to_string();
    assert!(error.contains("orphan file") && error.contains("checksum"), "{error}");
}

/// `s_log_block_size`.
fn image_log(path: &Path) -> u32 {
    let mut bytes = [0; 4];
    TestDisk::open(path).read_at(1024 + 0x18, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

#[test]
fn fast_commits_are_refused_and_not_lost() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    let image = Image::make(&["-t", "ext4", "-O", "fast_commit"], 64);
    let Some(mounted) = Mounted::new(&image.path(), "") else { return };
    for name in ["one", "two"] {
        std::fs::write(mounted.root().join(name), name).unwrap();
        commit(&mounted.root().join(name));
    }
    let crashed = image.beside("crashed");
    copy(&image.path(), &crashed);
    drop(mounted);
    let disk = TestDisk::open(&crashed);
    match Ext4::open(disk.clone(), EPOCH) {
        Err(Error::Unsupported(what)) => {
            assert!(what.contains("fast commits") && disk.edits().is_empty(), "{what}");
        }
        // A kernel without them commits whole transactions.
        Ok(fs) => assert!(fs.lstat("/two").unwrap().is_some()),
        Err(error) => panic!("{error}"),
    }
    // Unmounted, there are none to replay.
    recovered(&image.path(), &image.beside("ours")).unwrap();
    assert_clean(&image.beside("ours"), "fast_commit");
}

#[test]
fn journals_that_refuse_the_file_system() {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    let image = Image::make(&["-t", "ext4", "-b", "4096"], 64);
    let journal = blocks(&image.path(), "<8>")[0] * 4096;
    for (at, bytes, why) in [
        (0_u64, &[0_u8; 4][..], "magic number"),
        (0x20, &[0xff, 0xff, 0xff, 0xfb], "error -5 in its journal"),
        (0x10, &[0xff, 0xff, 0xff, 0xff], "4294967295 blocks"),
        (0x28, &[0, 0, 1, 0], "unknown features"),
        (0x0c, &[0, 0, 4, 0], "its blocks have 1024 bytes"),
    ] {
        let disk = TestDisk::open(&image.path());
        disk.write_at(journal + at, bytes).unwrap();
        let before = disk.edits();
        let error =
            Ext4::open(disk.clone(), EPOCH).err().unwrap_or_else(|| panic!("{why}: opens")).to_string();
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(disk.edits(), before, "{why}: nothing is written");
    }
    // Nothing to replay after all.
    debugfs(&image.path(), "feature needs_recovery");
    recovered(&image.path(), &image.beside("ours")).unwrap();
    assert_clean(&image.beside("ours"), "needs_recovery with an empty log");
    assert!(!counters(&image.beside("ours"))[0].contains("needs_recovery"));
    debugfs(&image.path(), "feature ^needs_recovery");
    // A log that no feature asks to replay is thrown away.
    let disk = TestDisk::open(&image.path());
    disk.write_at(journal + 0x1c, &[0, 0, 0, 1]).unwrap();
    Ext4::open(disk.clone(), EPOCH).unwrap().finish().unwrap();
    disk.save(&image.beside("ours"));
    assert_clean(&image.beside("ours"), "a log without needs_recovery");
    assert!(log_is_empty(&image, &image.beside("ours")));
}

#[test]
fn mutated_journals_never_panic() {
    mutate_journals(100);
}

#[test]
#[ignore = "takes minutes"]
fn many_mutated_journals_never_panic() {
    mutate_journals(3_000);
}

fn mutate_journals(rounds: usize) {
    if !tools::have("mke2fs") || !tools::have("debugfs") {
        return;
    }
    for (args, options) in [
        (&["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,orphan_file"][..], ""),
        (&["-t", "ext4", "-b", "4096", "-O", "metadata_csum"], ",data=journal"),
    ] {
        let image = Image::make(args, 32);
        let Some(crashed) = crashed(&image, options) else { return };
        let journal = blocks(&crashed, "<8>");
        let size = 1024 << image_log(&crashed);
        let mut state = 0xfeed_beef_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) as usize % limit
        };
        let mut opened = 0;
        for _ in 0..rounds {
            let disk = TestDisk::open(&crashed);
            for _ in 0..1 + below(3) {
                let block = journal[if below(3) == 0 { 0 } else { below(60) }];
                let within = if below(2) == 0 { below(128) } else { below(1024) };
                let value = [0, 0xff, 0x80, 1, below(256) as u8][below(5)];
                disk.write_at(block * size + within as u64, &[value]).unwrap();
            }
            let Ok(mut fs) = Ext4::open(disk, EPOCH) else { continue };
            opened += 1;
            let _ = fs.create("/new", 0o644, 0, 0);
            let _ = fs.set_content("/new", &[1; 5000]);
            let _ = fs.finish();
        }
        assert!(opened > 0, "{args:?}: {opened} were opened");
    }
}
