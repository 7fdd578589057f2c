//! Removal, purging and holding, beside dpkg's own and apt's.

use std::fs::read_to_string;
use std::path::Path;

use hardtack_recipe::model::PackagesStep;

use super::{Probe, Suite, assert_content, assert_same, chroot, suite, with_dpkg, with_settings};

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn removing(remove: &[&str], purge: &[&str]) -> PackagesStep {
    PackagesStep { remove: names(remove), purge: names(purge), ..PackagesStep::default() }
}

/// A root with packages that have all that removal knows of, but no scripts.
fn prepared(suite: &Suite) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = suite.folder.path();
    let owner = Probe::new("probe-a", "1:1.0-1", "Section: misc\nPriority: optional\nDepends: probe-b\n")
        .file("/etc/probe/a.conf", "a\n", 0o644)
        .file("/etc/probe/deep/er/b.conf", "b\n", 0o640)
        .file("/DEBIAN/conffiles", "/etc/probe/a.conf\n/etc/probe/deep/er/b.conf\n", 0o644)
        .file("/DEBIAN/triggers", "interest-noawait /usr/share/probe-hears\ninterest probe-shout\n", 0o644)
        .file("/usr/bin/probe-a", "#!/bin/sh\n", 0o755)
        .file("/usr/bin/probe-diverted", "a\n", 0o755)
        .file("/usr/share/probe/a/data", "1", 0o644)
        .file("/usr/share/probe/with-others/data", "1", 0o644)
        .link("/usr/share/probe/link", "a/data")
        .link("/usr/share/probe/link-to-dir", "a")
        .build(folder, "a.deb");
    let other = Probe::new("probe-b", "2", "")
        .file("/usr/share/probe/b/data", "1", 0o644)
        .file("/usr/share/man/man1/probe-b.1", ".TH\n", 0o644)
        .build(folder, "b.deb");
    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    for root in [&ours, &theirs] {
        chroot(
            root,
            "dpkg-divert --quiet --local --no-rename --divert /usr/bin/probe-diverted.real --add /usr/bin/probe-diverted",
        );
        with_dpkg(root, &[owner.clone(), other.clone()], "--install");
        chroot(
            root,
            "echo mine > /usr/share/probe/with-others/mine; echo changed > /etc/probe/a.conf; \
             cd /etc/probe; touch a.conf~ a.conf.dpkg-old a.conf.bak a.conf.mine a.conf.~3~ '#a.conf#'",
        );
    }
    (ours, theirs)
}

#[test]
fn packages_without_scripts_go_as_dpkg_removes_them() {
    let Some(suite) = suite("bookworm") else { return };
    let (ours, theirs) = prepared(&suite);
    let error = with_settings(&ours, &removing(&["probe-b"], &[]), None).map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("probe-b 2 cannot be removed: probe-a 1:1.0-1 of the image needs probe-b"),
        "{error}"
    );

    let step = removing(&["probe-a", "probe-b", "not-there"], &[]);
    let done = with_settings(&ours, &step, None).unwrap();
    assert_eq!((done.changes, done.agent.packages), (2, None), "{}", done.notes);
    chroot(&theirs, "dpkg --remove probe-a probe-b");
    assert_same(&ours, &theirs);
    let listed = chroot(&ours, "dpkg -l probe-a | tail -1");
    assert!(listed.starts_with("rc "), "{listed}");
    // apt leaves its cache in both.
    [&ours, &theirs].into_iter().for_each(|root| assert_content(root));
    assert_eq!(with_settings(&ours, &step, None).unwrap().changes, 0, "a second time");

    let step = removing(&[], &["probe-a"]);
    with_settings(&ours, &step, None).unwrap();
    chroot(&theirs, "dpkg --purge probe-a");
    assert_same(&ours, &theirs);
    assert!(ours.join("etc/probe/a.conf.mine").exists() && !ours.join("etc/probe/a.conf~").exists());
    assert_content(&ours);
    assert_eq!(with_settings(&ours, &step, None).unwrap().changes, 0, "a second time");
}

#[test]
fn packages_are_purged_from_where_they_are() {
    let Some(suite) = suite("bookworm") else { return };
    let (ours, theirs) = prepared(&suite);
    with_settings(&ours, &removing(&[], &["probe-a"]), None).unwrap();
    chroot(&theirs, "dpkg --purge probe-a");
    assert_same(&ours, &theirs);
    assert_content(&ours);
}

#[test]
fn what_has_scripts_is_left_for_the_first_boot_and_what_it_needs_with_it() {
    let Some(suite) = suite("bookworm") else { return };
    let folder = suite.folder.path();
    let scripted = Probe::new("probe-s", "1", "Depends: probe-lib\n")
        .file("/usr/share/probe-s", "x", 0o644)
        .file(
            "/DEBIAN/prerm",
            "#!/bin/sh\nset -e\ntest -e /usr/share/probe-lib\necho \"$@\" > /var/tmp/prerm\n",
            0o755,
        )
        .build(folder, "s.deb");
    let library =
        Probe::new("probe-lib", "1", "").file("/usr/share/probe-lib", "x", 0o644).build(folder, "l.deb");
    let root = suite.copy("ours");
    with_dpkg(&root, &[scripted, library], "--install");
    let step = removing(&["probe-s", "probe-lib"], &[]);
    let done = with_settings(&root, &step, None).unwrap();
    let config = done.agent.packages.clone().unwrap();
    assert_eq!((config.remove, config.purge), (names(&["probe-lib", "probe-s"]), vec![]));
    assert!(done.notes.contains("probe-s 1 (removed then: it has a prerm)"), "{}", done.notes);
    assert!(done.notes.contains("probe-lib 1 (removed then: probe-s needs it until then)"), "{}", done.notes);
    assert_eq!(done.changes, 0, "the image is as it was until then");
    let again = with_settings(&root, &step, None).unwrap();
    assert_eq!(again.agent.packages, done.agent.packages);
    chroot(&root, "dpkg --remove probe-lib probe-s");
    assert_eq!(read_to_string(root.join("var/tmp/prerm")).unwrap(), "remove\n");
    assert_content(&root);
    assert_eq!(with_settings(&root, &step, None).unwrap().agent.packages, None);
}

#[test]
fn what_no_machine_goes_without_stays() {
    let Some(suite) = suite("bookworm") else { return };
    let root = suite.copy("ours");
    let refused = |step: &PackagesStep| with_settings(&root, step, None).map(|_| ()).unwrap_err().to_string();
    assert!(refused(&removing(&["dpkg"], &[])).contains("it is essential or protected"));
    assert!(refused(&removing(&[], &["libc6"])).contains("of the image needs libc6"));
    let held = PackagesStep { hold: names(&["tar", "nothing-like-it"]), ..PackagesStep::default() };
    assert!(refused(&held).contains("nothing-like-it is not in the image"));
    // A kernel and a loader, as their files tell.
    let kernel = |version: &str, name: &str| {
        Probe::new(&format!("linux-image-{version}"), "1", "")
            .file(&format!("/boot/vmlinuz-{version}"), "k", 0o644)
            .build(suite.folder.path(), name)
    };
    let loader = Probe::new("grub-efi-amd64", "99", "")
        .file("/usr/share/g", "g", 0o644)
        .build(suite.folder.path(), "g.deb");
    with_dpkg(
        &root,
        &[kernel("99.1.0-9-amd64", "k1.deb"), kernel("99.1.0-10-amd64", "k2.deb"), loader],
        "--install",
    );
    assert!(refused(&removing(&["grub-efi-amd64"], &[])).contains("the image starts by it"));
    let newest = refused(&removing(&["linux-image-99.1.0-10-amd64"], &[]));
    assert!(newest.contains("the first boot runs its kernel 99.1.0-10-amd64"), "{newest}");
    with_settings(&root, &removing(&["linux-image-99.1.0-9-amd64"], &[]), None).unwrap();
    assert!(!root.join("boot/vmlinuz-99.1.0-9-amd64").exists());
}

fn held(root: &Path) -> String {
    chroot(root, "apt-mark showhold")
}

#[test]
fn held_packages_are_held_for_apt() {
    let Some(suite) = suite("bookworm") else { return };
    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    let step = PackagesStep { hold: names(&["tar", "libc6"]), ..PackagesStep::default() };
    with_settings(&ours, &step, None).unwrap();
    chroot(&theirs, "apt-mark hold tar libc6; rm -f /var/cache/apt/*.bin");
    assert_same(&ours, &theirs);
    assert_eq!(held(&ours), "libc6\ntar\n");
    assert_eq!(with_settings(&ours, &step, None).unwrap().changes, 0, "a second time");
    let error = with_settings(&ours, &removing(&["tar"], &[]), None).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("tar"), "{error}");

    // One that is finished at first boot is held then: dpkg configures nothing that is held.
    let scripted = Probe::new("probe-s", "1", "")
        .file("/DEBIAN/postinst", "#!/bin/sh\n", 0o755)
        .build(suite.folder.path(), "s.deb");
    let step = PackagesStep {
        hold: names(&["probe-s"]),
        debs: super::files(&[scripted]),
        ..PackagesStep::default()
    };
    let done = with_settings(&ours, &step, None).unwrap();
    let config = done.agent.packages.unwrap();
    assert_eq!((config.configure, config.hold), (names(&["probe-s"]), names(&["probe-s"])));
    assert_eq!(held(&ours), "libc6\ntar\n");
}
