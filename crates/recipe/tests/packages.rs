//! The `packages` step against dpkg itself: the same packages go into two copies of a real Debian
//! root, once through the step and once with dpkg in a chroot. Both trees must be equal, and dpkg
//! and apt content with ours.
//!
//! Needs root (chroot), and the roots and packages that `tests/` keeps in the cache folder.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hardtack_credentials::AgentConfig;
use hardtack_guest::{Content, HostTree, Stage, State, Tree};
use hardtack_recipe::model::{DebFile, PackagesStep};
use hardtack_recipe::steps::packages;
use hardtack_recipe::supply::Supplied;
use hardtack_recipe::{Context, Facts, Options, StepError};

#[path = "packages/named.rs"]
mod named;
#[path = "packages/removals.rs"]
mod removals;
#[path = "packages/starting.rs"]
mod starting;
#[path = "packages/upgrades.rs"]
mod upgrades;

struct Suite {
    folder: tempfile::TempDir,
    base: PathBuf,
    debs: PathBuf,
}

fn cache() -> PathBuf {
    std::env::var_os("HARDTACK_CACHE").map_or_else(|| PathBuf::from("/var/cache/hardtack"), PathBuf::from)
}

/// The suite's root and packages, or a visible word and nothing.
fn suite(name: &str) -> Option<Suite> {
    let base = cache().join(format!("{name}.tar"));
    let debs = cache().join(format!("debs-{name}"));
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !root || !base.exists() || !debs.exists() {
        eprintln!("SKIPPED: comparison with dpkg on {name}: needs root and {}", base.display());
        return None;
    }
    Some(Suite { folder: tempfile::tempdir().unwrap(), base, debs })
}

fn run(command: &mut Command) -> String {
    let done = command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}: {text}");
    text
}

impl Suite {
    fn copy(&self, name: &str) -> PathBuf {
        let target = self.folder.path().join(name);
        if self.base.is_dir() {
            run(Command::new("cp").arg("-a").arg(&self.base).arg(&target));
        } else {
            std::fs::create_dir(&target).unwrap();
            run(Command::new("tar").arg("-C").arg(&target).arg("-xf").arg(&self.base));
        }
        target
    }

    fn real_debs(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&self.debs).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "deb"));
        files.sort();
        assert!(!files.is_empty(), "{} is empty", self.debs.display());
        files
    }
}

fn chroot(root: &Path, script: &str) -> String {
    run(Command::new("chroot").arg(root).args(["sh", "-ec", script]))
}

/// dpkg's own run over the same files.
fn with_dpkg(root: &Path, debs: &[PathBuf], action: &str) {
    let inside = root.join("debs");
    std::fs::create_dir(&inside).unwrap();
    for deb in debs {
        std::fs::copy(deb, inside.join(deb.file_name().unwrap())).unwrap();
    }
    chroot(root, &format!("dpkg --force-confold --force-unsafe-io {action} /debs/*.deb </dev/null"));
    std::fs::remove_dir_all(inside).unwrap();
}

struct Result {
    agent: AgentConfig,
    notes: String,
    changes: usize,
}

fn context<'a, 't>(stage: &'a mut Stage<'t>, no_deferred: bool) -> Context<'a, 't> {
    Context {
        stage,
        facts: Facts::default(),
        epoch: 0,
        agent_binary: None,
        agent: AgentConfig::default(),
        notes: Vec::new(),
        passed_over: None,
        options: Options { no_deferred },
        supplied: None,
        ways_in: None,
    }
}

/// The step over `root`, its result written back to `root`.
fn with_step(root: &Path, debs: &[PathBuf], no_deferred: bool) -> std::result::Result<Result, StepError> {
    let step = PackagesStep { debs: files(debs), ..PackagesStep::default() };
    with(root, &step, None, no_deferred)
}

/// The same with any settings, and what repositories have given for them.
fn with_settings(
    root: &Path,
    step: &PackagesStep,
    supplied: Option<Supplied>,
) -> std::result::Result<Result, StepError> {
    with(root, step, supplied, false)
}

fn files(debs: &[PathBuf]) -> Vec<DebFile> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    debs.iter().map(|path| DebFile { name: name(path), path: path.clone() }).collect()
}

fn with(
    root: &Path,
    step: &PackagesStep,
    supplied: Option<Supplied>,
    no_deferred: bool,
) -> std::result::Result<Result, StepError> {
    let tree = HostTree::new(root);
    let mut stage = Stage::new(&tree);
    let mut cx = context(&mut stage, no_deferred);
    cx.supplied = supplied.map(Arc::new);
    packages::apply(step, &mut cx)?;
    let agent = cx.agent.clone();
    let notes: Vec<String> = cx.notes.iter().map(|note| note.text.clone()).collect();
    let changes = stage.changes().unwrap().len();
    write_out(&stage, &tree, root);
    Ok(Result { agent, notes: notes.join("\n"), changes })
}

fn write_out(stage: &Stage<'_>, tree: &HostTree, root: &Path) {
    let mut edits = stage.edits().unwrap();
    edits.sort_by_key(|edit| !matches!(edit.state, State::Absent));
    for edit in &edits {
        let path = root.join(&edit.path.as_str()[1..]);
        let attributes = match &edit.state {
            State::Absent => {
                let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
                continue;
            }
            State::Directory(attributes) => {
                if !path.is_dir() {
                    std::fs::create_dir(&path).unwrap();
                }
                attributes
            }
            State::File(content, attributes) => {
                let bytes = match content {
                    Content::Kept => tree.read_file(&edit.path, 1 << 30).unwrap(),
                    Content::Bytes(bytes) => bytes.to_vec(),
                    Content::Appended(tail) => {
                        [tree.read_file(&edit.path, 1 << 30).unwrap(), tail.to_vec()].concat()
                    }
                };
                let _ = std::fs::remove_file(&path);
                std::fs::write(&path, bytes).unwrap();
                attributes
            }
            State::Link(target, _) => {
                let _ = std::fs::remove_file(&path);
                symlink(target, &path).unwrap();
                continue;
            }
            State::Special(_) => panic!("{}: a special file", edit.path),
        };
        std::os::unix::fs::chown(&path, Some(attributes.uid), Some(attributes.gid)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(attributes.mode)).unwrap();
    }
}

/// Type, mode, owner and content of everything, but what differs by its nature: logs, locks,
/// backups, ldconfig's notes about inodes.
fn census(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("/{}", path.strip_prefix(root).unwrap().display());
            let by_nature = [
                "/var/log/",
                "/var/lib/dpkg/lock",
                "/var/lib/dpkg/triggers/Lock",
                "/var/cache/ldconfig/aux-cache",
                "/var/cache/apt/",
            ];
            if by_nature.iter().any(|start| name.starts_with(start))
                || name.starts_with("/var/lib/dpkg/") && name.ends_with("-old")
            {
                continue;
            }
            let stat = std::fs::symlink_metadata(&path).unwrap();
            let kind = if stat.is_dir() {
                pending.push(path.clone());
                "directory".to_owned()
            } else if stat.is_symlink() {
                format!("link to {}", std::fs::read_link(&path).unwrap().display())
            } else if stat.is_file() {
                format!("file of {} bytes", stat.len())
            } else {
                "special".to_owned()
            };
            let mode = if stat.is_symlink() { 0 } else { stat.mode() & 0o7777 };
            found.insert(name, format!("{mode:o} {}:{} {kind}", stat.uid(), stat.gid()));
        }
    }
    found
}

/// Files that neither side has touched since they were copied are equal; the rest is read.
fn same_content(ours: &Path, theirs: &Path, name: &str) -> bool {
    let (a, b) = (ours.join(&name[1..]), theirs.join(&name[1..]));
    let time = |path: &Path| std::fs::symlink_metadata(path).unwrap().modified().unwrap();
    time(&a) == time(&b) || std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}

fn assert_same(ours: &Path, theirs: &Path) {
    let (left, right) = (census(ours), census(theirs));
    let mut differences = Vec::new();
    for name in left.keys().chain(right.keys()) {
        let (a, b) = (left.get(name), right.get(name));
        let same =
            a == b && (a.is_none_or(|text| !text.contains(" file ")) || same_content(ours, theirs, name));
        if !same {
            let content = |root: &Path| {
                let bytes = std::fs::read(root.join(&name[1..])).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let (mine, real) = (content(ours), content(theirs));
            let only = |one: &str, other: &str| {
                let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line)).take(20);
                lines.collect::<Vec<_>>().join("\n    ")
            };
            differences.push(format!(
                "{name}\n  ours: {a:?} {}\n  dpkg: {b:?} {}",
                only(&mine, &real),
                only(&real, &mine)
            ));
        }
    }
    differences.sort();
    differences.dedup();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn assert_content(root: &Path) {
    assert_eq!(chroot(root, "dpkg --audit"), "");
    let verified = chroot(root, "dpkg -V 2>&1 || true");
    // Configuration files that somebody has edited are all that may differ.
    let ours = |line: &&str| ["google", "qrencode", "probe"].iter().any(|name| line.contains(name));
    assert!(verified.lines().filter(ours).all(|line| line.contains(" c /etc/")), "{verified}");
    chroot(root, "apt-get check 2>&1");
    let fixed = chroot(root, "apt-get -f install --no-download -y 2>&1");
    assert!(fixed.contains("0 upgraded, 0 newly installed, 0 to remove"), "{fixed}");
}

fn real_packages(name: &str) {
    let Some(suite) = suite(name) else { return };
    let debs = suite.real_debs();
    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    let done = with_step(&ours, &debs, true).unwrap();
    assert_eq!(done.agent.packages, None, "{}", done.notes);
    assert_eq!(done.changes, 2, "one entry for each package");
    with_dpkg(&theirs, &debs, "--install");
    assert_same(&ours, &theirs);
    let listed = chroot(&ours, "dpkg -l libpam-google-authenticator libqrencode4 | tail -2");
    assert!(listed.lines().all(|line| line.starts_with("ii ")), "{listed}");
    let cached = chroot(&ours, "ldconfig -p");
    assert!(cached.contains("libqrencode.so.4"), "{cached}");
    assert_content(&ours);
    // A second build finds nothing to do.
    assert_eq!(with_step(&ours, &debs, true).unwrap().changes, 0);
    // dpkg can take out again what we have put in.
    chroot(&ours, "dpkg --purge libpam-google-authenticator libqrencode4 && dpkg --audit");
}

#[test]
fn real_packages_as_dpkg_installs_them_on_bookworm() {
    real_packages("bookworm");
}

#[test]
fn real_packages_as_dpkg_installs_them_on_trixie() {
    real_packages("trixie");
}

/// A package made for the purpose.
struct Probe {
    folder: tempfile::TempDir,
    control: String,
}

impl Probe {
    fn new(name: &str, version: &str, fields: &str) -> Self {
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: T <t@example.org>\n{fields}Description: {name}\n more\n"
        );
        let probe = Self { folder: tempfile::tempdir().unwrap(), control };
        std::fs::set_permissions(probe.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        probe
    }

    fn file(self, path: &str, content: &str, mode: u32) -> Self {
        let place = self.folder.path().join(&path[1..]);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, content).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        let place = self.folder.path().join(&path[1..]);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(target, place).unwrap();
        self
    }

    fn build(self, folder: &Path, file: &str) -> PathBuf {
        let control = self.control.clone();
        let probe = self.file("/DEBIAN/control", &control, 0o644);
        let path = folder.join(file);
        run(Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(probe.folder.path()).arg(&path));
        path
    }
}

/// Everything in which dpkg has its own habits: conffiles of all kinds, upgrades, Replaces,
/// diversions, overridden owners, links and directories, missing md5sums, filters.
#[test]
fn dpkgs_habits() {
    let Some(suite) = suite("bookworm") else { return };
    let folder = suite.folder.path();
    let conffiles =
        "/etc/probe/same\n/etc/probe/edited\n/etc/probe/fresh\n/etc/probe/gone\n/etc/probe/changed\n";
    let first = Probe::new(
        "probe",
        "1:1.0-1",
        "Section: misc\nPriority: Optional\nProvides: probe-api(=1)\nHomepage: http://x/\n",
    )
    .file("/etc/probe/same", "same\n", 0o640)
    .file("/etc/probe/edited", "one\n", 0o644)
    .file("/etc/probe/fresh", "fresh\n", 0o600)
    .file("/etc/probe/gone", "gone\n", 0o644)
    .file("/etc/probe/changed", "one\n", 0o644)
    .file("/DEBIAN/conffiles", conffiles, 0o644)
    .file("/usr/bin/probe", "#!/bin/sh\n", 0o4755)
    .file("/usr/share/probe/old/data", "1", 0o644)
    .file("/usr/share/probe/both", "1", 0o644)
    .file("/usr/share/doc/probe/changelog", "1", 0o644)
    .file("/usr/share/doc/probe/copyright", "1", 0o644)
    .file("/usr/bin/diverted", "probe's\n", 0o755)
    .file("/usr/share/probe/private", "p", 0o644)
    .link("/lib/probe-link", "somewhere")
    .link("/usr/share/probe/dir-as-link", "old")
    .build(folder, "probe1.deb");
    let conffiles = "/etc/probe/same\n/etc/probe/edited\n/etc/probe/fresh\n/etc/probe/changed\n";
    let second = Probe::new(
        "probe",
        "1:1.0-2",
        "Section: misc\nReplaces: probe-owner (<= 1)\nBreaks: probe-owner (<< 1)\n",
    )
    .file("/etc/probe/same", "same\n", 0o600)
    .file("/etc/probe/edited", "two\n", 0o644)
    .file("/etc/probe/fresh", "fresh\n", 0o600)
    .file("/etc/probe/changed", "two\n", 0o600)
    .file("/DEBIAN/conffiles", conffiles, 0o644)
    .file("/usr/bin/probe", "#!/bin/sh\necho\n", 0o755)
    .file("/usr/share/probe/both", "2", 0o644)
    .file("/usr/share/probe/new/data", "2", 0o644)
    .file("/usr/share/probe/taken", "now mine", 0o644)
    .build(folder, "probe2.deb");
    let owner = Probe::new("probe-owner", "1", "Depends: probe (>= 1:0) | nothing , libc6(>=2.3)\n")
        .file("/usr/share/probe/taken", "mine", 0o644)
        .file("/usr/share/probe/kept", "mine", 0o644)
        .build(folder, "owner.deb");

    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    for root in [&ours, &theirs] {
        let write = |path: &str, content: &str| {
            let place = root.join(&path[1..]);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, content).unwrap();
        };
        write("/etc/probe/same", "same\n");
        write("/etc/probe/edited", "mine\n");
        write("/etc/probe/edited.dpkg-old", "older\n");
        write(
            "/etc/dpkg/dpkg.cfg.d/excludes",
            "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n",
        );
        chroot(
            root,
            "dpkg-divert --quiet --local --no-rename --divert /usr/bin/diverted.real --add /usr/bin/diverted",
        );
        chroot(root, "dpkg-statoverride --add root mail 0640 /usr/share/probe/private");
        chroot(root, "mkdir -p /usr/share/probe/dir-as-link");
    }
    let both = [first.clone(), owner];
    let done = with_step(&ours, &both, true).unwrap();
    assert!(done.notes.contains("/etc/probe/edited of the image is kept"), "{}", done.notes);
    with_dpkg(&theirs, &both, "--install");
    assert_same(&ours, &theirs);

    for root in [&ours, &theirs] {
        std::fs::remove_file(root.join("etc/probe/fresh")).unwrap();
        std::fs::write(root.join("etc/probe/edited"), "mine again\n").unwrap();
    }
    with_step(&ours, std::slice::from_ref(&second), true).unwrap();
    with_dpkg(&theirs, std::slice::from_ref(&second), "--install");
    assert_same(&ours, &theirs);
    assert_content(&ours);

    let error = with_step(&ours, &[first], true).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("later version probe 1:1.0-2"), "{error}");
}

/// Packages with scripts: what `dpkg --unpack` leaves, and what the first boot then makes of it.
#[test]
fn packages_with_scripts_are_left_for_the_first_boot() {
    let Some(suite) = suite("trixie") else { return };
    let folder = suite.folder.path();
    let post = Probe::new("probe-post", "1", "Depends: libc6\n")
        .file("/etc/probe-post", "x\n", 0o644)
        .file("/DEBIAN/conffiles", "/etc/probe-post\n", 0o644)
        .file("/DEBIAN/postinst", "#!/bin/sh\nset -e\necho \"$@\" > /var/tmp/post\n", 0o755)
        .file("/DEBIAN/triggers", "interest-noawait /usr/share/probe-post\ninterest probe-shout\n", 0o644)
        .build(folder, "post.deb");
    let on_post = Probe::new("probe-on-post", "1", "Depends: probe-post\n")
        .file("/usr/share/probe-post/x", "x", 0o644)
        .build(folder, "on-post.deb");
    let hook = Probe::new("probe-hook", "1", "")
        .file("/usr/share/probe-hook", "x", 0o644)
        .file("/DEBIAN/triggers", "activate-noawait update-initramfs\n", 0o644)
        .build(folder, "hook.deb");
    let pre = Probe::new("probe-pre", "2:1", "Depends: probe-post\n")
        .file("/usr/share/probe-pre", "x", 0o644)
        .file("/DEBIAN/preinst", "#!/bin/sh\nset -e\ntest ! -e /usr/share/probe-pre\n", 0o755)
        .build(folder, "pre.deb");

    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    let unpacked = [post.clone(), on_post.clone()];
    with_step(&ours, &unpacked, false).unwrap();
    with_dpkg(&theirs, &unpacked, "--unpack");
    assert_same(&ours, &theirs);

    let all = [post, on_post, hook, pre];
    let error = with_step(&ours, &all, true).map(|_| ()).unwrap_err().to_string();
    for name in ["4 packages are", "probe-post 1", "probe-on-post 1", "probe-pre 2:1", "initramfs-tools"] {
        assert!(error.contains(name), "{name}: {error}");
    }
    let done = with_step(&ours, &all, false).unwrap();
    let config = done.agent.packages.clone().unwrap();
    assert_eq!(config.install, ["probe-pre_2%3a1_amd64.deb"]);
    assert_eq!(config.configure, ["initramfs-tools", "probe-on-post", "probe-post"]);
    let again = with_step(&ours, &all, false).unwrap();
    assert_eq!((again.changes, again.agent.packages), (0, done.agent.packages));
    // The first boot, without its boot: update-initramfs would take minutes.
    chroot(&ours, "printf '#!/bin/sh\\ntouch /var/tmp/initramfs\\n' > /usr/sbin/update-initramfs");
    chroot(
        &ours,
        "dpkg --unpack --force-confold /var/lib/hardtack/packages/*.deb && dpkg --configure -a --force-confold",
    );
    assert_eq!(std::fs::read_to_string(ours.join("var/tmp/post")).unwrap(), "configure \n");
    assert!(ours.join("var/tmp/initramfs").exists());
    assert_eq!(std::fs::read_to_string(ours.join("etc/probe-post")).unwrap(), "x\n");
    assert_content(&ours);
}

#[test]
fn what_is_missing_is_named_with_its_file() {
    let Some(suite) = suite("bookworm") else { return };
    let root = suite.copy("ours");
    let debs: Vec<PathBuf> =
        suite.real_debs().into_iter().filter(|path| path.to_string_lossy().contains("libpam")).collect();
    let hint = |root: &Path| match with_step(root, &debs, false).map(|_| ()).unwrap_err() {
        StepError::Refused { hint, .. } => hint.unwrap(),
        other => panic!("{other}"),
    };
    let without = hint(&root);
    assert!(without.contains("`apt-get download libqrencode4`"), "{without}");
    assert!(without.contains("`packages: {install: [libqrencode4]}`"), "{without}");
    let list = "Package: libqrencode4\nVersion: 4.1.1-1\nArchitecture: amd64\nDepends: libc6 (>= 2.14)\n\
        Filename: pool/main/q/qrencode/libqrencode4_4.1.1-1_amd64.deb\n";
    std::fs::write(root.join("var/lib/apt/lists/deb_dists_bookworm_main_binary-amd64_Packages"), list)
        .unwrap();
    match with_step(&root, &debs, false).map(|_| ()).unwrap_err() {
        StepError::Refused { what, hint, .. } => {
            assert!(what.contains("libpam-google-authenticator 20191231-2 needs libqrencode4;"), "{what}");
            assert!(
                hint.unwrap()
                    .contains("libqrencode4 4.1.1-1: pool/main/q/qrencode/libqrencode4_4.1.1-1_amd64.deb")
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn images_without_dpkg_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("var/lib/rpm")).unwrap();
    let error = with_step(folder.path(), &[], false).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("its packages are rpm"), "{error}");
}
