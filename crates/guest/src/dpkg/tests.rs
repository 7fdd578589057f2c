//! Installing into small trees made here. The comparison with dpkg itself on real Debian roots is
//! `tests/dpkg.rs` of this crate.

#![allow(clippy::unwrap_used)]

use super::fixture::{Built, Package as BuiltPackage, dpkg_deb};
use super::resolve::{Class, Complaint, Planned, resolve};
use super::status::STATUS_FILE;
use super::{Deb, World};
use crate::{FileType, HostTree, MemoryTree, Op, Stage};

const STATUS: &str = "\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21
Description: d

Package: libc-bin
Status: install ok installed
Architecture: amd64
Version: 2.36
Description: d

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9
Description: d

Package: other
Status: install ok installed
Architecture: all
Version: 1.0
Conffiles:
 /etc/other.conf d41d8cd98f00b204e9800998ecf8427e
Description: d

";

fn image() -> MemoryTree {
    MemoryTree::new()
        .file(STATUS_FILE, STATUS)
        .file("/var/lib/dpkg/arch", "amd64\n")
        .file("/var/lib/dpkg/info/format", "1\n")
        .file(
            "/var/lib/dpkg/info/other.list",
            "/.\n/usr\n/usr/bin\n/usr/bin/other\n/usr/bin/second\n/etc\n/etc/other.conf\n",
        )
        .file("/var/lib/dpkg/triggers/File", "/usr/share/man man-db/noawait\n/usr/share/other other\n")
        .file("/var/lib/dpkg/triggers/ldconfig", "libc-bin\n")
        .file("/usr/bin/other", "o")
        .file("/usr/bin/second", "s")
        .file("/etc/other.conf", "")
        .file("/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        .file("/etc/group", "root:x:0:\n")
        .dir("/usr/lib")
        .link("/lib", "usr/lib")
        .link("/bin", "usr/bin")
}

fn open(package: &BuiltPackage, name: &str) -> Deb {
    Deb::open(&format!("{name}.deb"), &package.path).unwrap()
}

fn install(
    stage: &mut Stage<'_>,
    deb: &Deb,
    configure: bool,
) -> Result<super::install::Outcome, crate::Error> {
    let mut world = World::read(stage).unwrap().unwrap();
    let outcome = world.unpack(stage, deb, configure)?;
    world.write(stage).unwrap();
    Ok(outcome)
}

fn classes(stage: &Stage<'_>, debs: Vec<Deb>) -> Result<Vec<(String, Class)>, Vec<Complaint>> {
    let world = World::read(stage).unwrap().unwrap();
    let named = |one: Planned| (one.deb.package.name.clone(), one.class);
    resolve(stage, &world, debs, &[], &[]).unwrap().map(|all| all.coming.into_iter().map(named).collect())
}

#[test]
fn unpacks_through_a_merged_usr_and_writes_the_databases() {
    let Some(built) = dpkg_deb(
        Built::new("thing", "1.0-1")
            .field("Depends: libc6")
            .file("/bin/thing", "#!/bin/sh\n", 0o4755)
            .file("/usr/share/other/data", "x", 0o644)
            .link("/lib/thing.so", "thing.so.1")
            .dir("/var/lib/thing", 0o750),
        "xz",
    ) else {
        return;
    };
    let tree = image();
    let mut stage = Stage::new(&tree);
    let outcome = install(&mut stage, &open(&built, "thing"), true).unwrap();
    assert_eq!(stage.resolve("/bin/thing").unwrap().as_str(), "/usr/bin/thing");
    assert_eq!(stage.stat("/usr/bin/thing").unwrap().unwrap().mode, 0o4755);
    assert_eq!(stage.lstat("/usr/lib/thing.so").unwrap().unwrap().kind, FileType::Symlink);
    assert_eq!(stage.lstat("/lib").unwrap().unwrap().kind, FileType::Symlink);
    assert_eq!(stage.stat("/var/lib/thing").unwrap().unwrap().mode, 0o750);
    let list = stage.read_text("/var/lib/dpkg/info/thing.list").unwrap().unwrap();
    // dpkg-deb puts links last.
    assert!(list.starts_with("/.\n/bin\n/bin/thing\n/lib\n/usr\n"), "{list}");
    assert!(list.ends_with("\n/lib/thing.so\n"), "{list}");
    let sums = stage.read_text("/var/lib/dpkg/info/thing.md5sums").unwrap().unwrap();
    assert!(sums.contains("9dd4e461268c8034f5c8564e155c67a6  usr/share/other/data\n"), "{sums}");
    let status = stage.read_text(STATUS_FILE).unwrap().unwrap();
    assert!(status.contains("Package: thing\nStatus: install ok installed\n"), "{status}");
    assert!(outcome.triggers.contains(&("other".to_owned(), "/usr/share/other".to_owned())), "{outcome:?}");
    // The same once more is no change.
    let before = stage.edits().unwrap().len();
    install(&mut stage, &open(&built, "thing"), true).unwrap();
    assert_eq!(stage.edits().unwrap().len(), before);
}

#[test]
fn files_of_others_are_not_overwritten_without_replaces() {
    let make = |field: &str, path: &str| {
        dpkg_deb(Built::new("thing", "1").field(field).file(path, "mine", 0o755), "none")
            .map(|built| open_kept(built, "thing"))
    };
    let Some((plain, _keep1)) = make("Section: x", "/usr/bin/other") else { return };
    let (alias, _keep2) = make("Section: x", "/bin/other").unwrap();
    let (replacing, _keep3) = make("Replaces: other (<< 2)", "/usr/bin/other").unwrap();
    let (late, _keep4) = make("Replaces: other (<< 1.0)", "/usr/bin/other").unwrap();
    for deb in [&plain, &alias, &late] {
        let tree = image();
        let mut stage = Stage::new(&tree);
        let error = install(&mut stage, deb, true).unwrap_err().to_string();
        assert!(error.contains("/bin/other is also in the package other (1.0)"), "{error}");
    }
    let tree = image();
    let mut stage = Stage::new(&tree);
    install(&mut stage, &replacing, true).unwrap();
    assert_eq!(stage.read_text("/usr/bin/other").unwrap().unwrap(), "mine");
    let list = stage.read_text("/var/lib/dpkg/info/other.list").unwrap().unwrap();
    assert_eq!(list, "/.\n/usr\n/usr/bin\n/usr/bin/second\n/etc\n/etc/other.conf\n");
}

fn open_kept(built: BuiltPackage, name: &str) -> (Deb, BuiltPackage) {
    (open(&built, name), built)
}

#[test]
fn configuration_files_of_the_image_are_kept() {
    let conf = |content: &str, script: bool| {
        let built = Built::new("thing", "1")
            .file("/etc/thing.conf", content, 0o640)
            .member("conffiles", "/etc/thing.conf\n");
        dpkg_deb(if script { built.script("postinst", "#!/bin/sh\n") } else { built }, "gzip")
    };
    let Some(new) = conf("new\n", false) else { return };
    let deb = open(&new, "thing");
    let hash = "9cd599a3523898e6a12e13ec787da50a"; // md5 of "new\n"

    let tree = image();
    let mut stage = Stage::new(&tree);
    assert!(install(&mut stage, &deb, true).unwrap().kept.is_empty());
    assert_eq!(stage.read_text("/etc/thing.conf").unwrap().unwrap(), "new\n");
    assert_eq!(stage.stat("/etc/thing.conf").unwrap().unwrap().mode, 0o640);
    assert!(
        stage
            .read_text(STATUS_FILE)
            .unwrap()
            .unwrap()
            .contains(&format!("Conffiles:\n /etc/thing.conf {hash}\n"))
    );

    let tree = image().file_as("/etc/thing.conf", "mine\n", 0o600, 0, 0);
    let mut stage = Stage::new(&tree);
    assert_eq!(install(&mut stage, &deb, true).unwrap().kept, ["/etc/thing.conf"]);
    assert_eq!(stage.read_text("/etc/thing.conf").unwrap().unwrap(), "mine\n");
    assert_eq!(stage.read_text("/etc/thing.conf.dpkg-dist").unwrap().unwrap(), "new\n");
    assert_eq!(stage.stat("/etc/thing.conf.dpkg-dist").unwrap().unwrap().mode, 0o600);
    assert!(stage.read_text(STATUS_FILE).unwrap().unwrap().contains(hash));

    let tree = image();
    let mut stage = Stage::new(&tree);
    install(&mut stage, &open(&conf("new\n", true).unwrap(), "thing"), false).unwrap();
    assert!(stage.stat("/etc/thing.conf").unwrap().is_none());
    assert_eq!(stage.read_text("/etc/thing.conf.dpkg-new").unwrap().unwrap(), "new\n");
    let status = stage.read_text(STATUS_FILE).unwrap().unwrap();
    assert!(
        status.contains("Status: install ok unpacked\n") && status.contains(" /etc/thing.conf newconffile\n"),
        "{status}"
    );
}

#[test]
fn an_upgrade_removes_what_the_new_version_lacks() {
    let version = |number: &str, file: &str| {
        dpkg_deb(
            Built::new("thing", number).file(file, number, 0o644).file("/usr/share/thing/same", "s", 0o644),
            "xz",
        )
    };
    let Some(old) = version("1", "/usr/share/thing/old/a") else { return };
    let new = version("2", "/usr/share/thing/new/a").unwrap();
    let tree = image();
    let mut stage = Stage::new(&tree);
    install(&mut stage, &open(&old, "thing"), true).unwrap();
    let order = classes(&stage, vec![open(&new, "thing")]).unwrap();
    assert_eq!(order, [("thing".to_owned(), Class::Install)]);
    install(&mut stage, &open(&new, "thing"), true).unwrap();
    assert!(stage.lstat("/usr/share/thing/old").unwrap().is_none());
    assert!(stage.lstat("/usr/share/thing/new/a").unwrap().is_some());
    assert_eq!(stage.read_text(STATUS_FILE).unwrap().unwrap().matches("Package: thing\n").count(), 1);
    let complaints = classes(&stage, vec![open(&old, "old")]).unwrap_err();
    assert!(format!("{complaints:?}").contains("later version thing 2"), "{complaints:?}");
    let present = classes(&stage, vec![open(&new, "thing")]).unwrap();
    assert_eq!(present[0].1, Class::Present);
}

#[test]
fn classes_follow_scripts_and_dependencies() {
    let make = |name: &str, depends: &str, script: &str| {
        let built = Built::new(name, "1").field(&format!("Depends: {depends}"));
        dpkg_deb(if script.is_empty() { built } else { built.script(script, "#!/bin/sh\nexit 0\n") }, "none")
    };
    let Some(plain) = make("plain", "libc6", "") else { return };
    let built = [
        make("on-post", "post", "").unwrap(),
        make("on-pre", "plain, pre | post", "").unwrap(),
        make("post", "libc6 (>= 2)", "postinst").unwrap(),
        make("pre", "plain", "preinst").unwrap(),
        make("only-pre", "pre", "").unwrap(),
        make("ring-a", "ring-b", "").unwrap(),
        make("ring-b", "ring-a", "").unwrap(),
        plain,
    ];
    let names = ["on-post", "on-pre", "post", "pre", "only-pre", "ring-a", "ring-b", "plain"];
    let debs = built.iter().zip(names).map(|(built, name)| open(built, name)).collect();
    let tree = image();
    let stage = Stage::new(&tree);
    let found = classes(&stage, debs).unwrap();
    let class = |name: &str| found.iter().find(|(known, _)| known == name).unwrap().1;
    let place = |name: &str| found.iter().position(|(known, _)| known == name).unwrap();
    for (name, wanted) in [
        ("plain", Class::Install),
        ("post", Class::Unpack),
        ("pre", Class::Spool),
        ("on-post", Class::Unpack),
        ("on-pre", Class::Unpack),
        ("only-pre", Class::Spool),
        ("ring-a", Class::Install),
        ("ring-b", Class::Install),
    ] {
        assert_eq!(class(name), wanted, "{name}");
    }
    assert!(
        place("plain") < place("pre") && place("pre") < place("only-pre") && place("post") < place("on-post")
    );
}

#[test]
fn unmet_dependencies_and_conflicts_are_all_named() {
    let Some(one) = dpkg_deb(
        Built::new("one", "1")
            .field("Depends: libc6 (>= 2.40), nothing | else (= 3), other")
            .field("Breaks: other (<= 1.0)"),
        "none",
    ) else {
        return;
    };
    let arm = dpkg_deb(Built::new("two", "1").field("Architecture: arm64"), "none").unwrap();
    let tree = image();
    let stage = Stage::new(&tree);
    let complaints = classes(&stage, vec![open(&one, "one")]).unwrap_err();
    let text = format!("{complaints:?}");
    assert_eq!(complaints.len(), 3, "{text}");
    assert!(text.contains("libc6 2.36-9") && text.contains("one 1 breaks other (<= 1.0)"), "{text}");
    let complaints =
        classes(&stage, vec![open(&arm, "two"), open(&one, "one"), open(&one, "copy")]).unwrap_err();
    let text = format!("{complaints:?}");
    assert!(text.contains("two.deb: is for arm64, and the image is amd64"), "{text}");
}

#[test]
fn the_plan_shows_a_package_as_one_entry() {
    let Some(built) = dpkg_deb(Built::new("thing", "1").file("/usr/bin/thing", "x", 0o755), "none") else {
        return;
    };
    let tree = image();
    let mut stage = Stage::new(&tree);
    stage.set_step("packages");
    stage.set_group(Some((Op::Package, "thing 1".to_owned())));
    install(&mut stage, &open(&built, "thing"), true).unwrap();
    stage.set_group(None);
    let changes = stage.changes().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].op, changes[0].path.as_str()), (Op::Package, "thing 1"));
}

#[test]
fn links_cannot_lead_a_package_out_of_its_own_tree() {
    let Some(template) = dpkg_deb(Built::new("evil", "1"), "none") else { return };
    // dpkg-deb cannot make such a package, so the data member is put together here.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    header.set_mode(0o777);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_link(&mut header, "./opt", "/etc").unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, "./opt/shadow", &b"evil"[..]).unwrap();
    let data = tar.into_inner().unwrap();
    let whole = std::fs::read(&template.path).unwrap();
    let at = whole.windows(8).position(|bytes| bytes == b"data.tar").unwrap();
    let mut bytes = whole[..at].to_vec();
    bytes.extend_from_slice(
        format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "data.tar", 0, 0, 0, 100_644, data.len()).as_bytes(),
    );
    bytes.extend_from_slice(&data);
    std::fs::write(&template.path, bytes).unwrap();
    let tree = image();
    let mut stage = Stage::new(&tree);
    let error = install(&mut stage, &open(&template, "evil"), true).unwrap_err().to_string();
    assert!(error.contains("/opt/shadow lies below a symbolic link"), "{error}");
}

#[test]
fn an_image_without_dpkg_has_no_world() {
    let folder = tempfile::tempdir().unwrap();
    let tree = HostTree::new(folder.path());
    assert!(World::read(&Stage::new(&tree)).unwrap().is_none());
}

#[test]
fn an_interrupted_dpkg_is_refused() {
    let tree = image().file("/var/lib/dpkg/updates/0001", "Package: x\n");
    let error = World::read(&Stage::new(&tree)).unwrap_err().to_string();
    assert!(error.contains("/var/lib/dpkg/updates/0001: dpkg was interrupted"), "{error}");
}
