#![allow(clippy::print_stderr)]

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use hardtack_guest::{HostTree, MemoryTree, Stage, State};

use super::{enable, enabled, install, is_masked, is_upstart, mask};
use crate::{Bench, Settings};

const UNIT: &str =
    "[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\nAlias=other.service\n";

fn on(stage: &mut Stage<'_>, what: impl Fn(&mut Bench<'_, '_>)) {
    let settings = Settings::default();
    what(&mut Bench::new(stage, &settings, 0, &[]));
}

fn systemd() -> MemoryTree {
    MemoryTree::new()
        .link("/lib", "usr/lib")
        .link("/sbin/init", "/lib/systemd/systemd")
        .file("/usr/lib/systemd/system/x.service", UNIT)
}

#[test]
fn links_of_all_names_enable() {
    let tree = systemd();
    assert!(enabled(&Stage::new(&tree), "x.service").unwrap().is_empty());
    let tree = systemd().link("/etc/systemd/system/multi-user.target.wants/x.service", "/lib/gone");
    assert_eq!(
        enabled(&Stage::new(&tree), "x.service").unwrap(),
        ["/etc/systemd/system/multi-user.target.wants/x.service"]
    );
    let tree = systemd()
        .link("/etc/systemd/system/other.service", "/lib/systemd/system/x.service")
        .link("/etc/systemd/system/a.target.requires/other.service", "../other.service");
    assert_eq!(
        enabled(&Stage::new(&tree), "x.service").unwrap(),
        ["/etc/systemd/system/a.target.requires/other.service"]
    );
    // /lib is /usr/lib: once.
    let tree = systemd().link("/usr/lib/systemd/system/a.target.wants/x.service", "../x.service");
    assert_eq!(enabled(&Stage::new(&tree), "x.service").unwrap().len(), 1);
}

#[test]
fn masks_of_packages_and_of_an_alias_count() {
    let tree = systemd().link("/etc/systemd/system/x.service", "../../../dev/null");
    assert!(is_masked(&Stage::new(&tree), "x.service").unwrap());
    let tree = MemoryTree::new().link("/usr/lib/systemd/system/x.service", "/dev/null");
    assert!(is_masked(&Stage::new(&tree), "x.service").unwrap());
    let tree = systemd()
        .link("/usr/lib/systemd/system/y.service", "x.service")
        .link("/etc/systemd/system/x.service", "/dev/null");
    assert!(is_masked(&Stage::new(&tree), "y.service").unwrap());
    let tree = systemd().link("/etc/systemd/system/x.service", "x.service");
    assert!(!is_masked(&Stage::new(&tree), "x.service").unwrap(), "a link to itself");
}

#[test]
fn masking_an_alias_masks_what_it_stands_for() {
    let tree = systemd()
        .link("/usr/lib/systemd/system/y.service", "x.service")
        .link("/etc/systemd/system/multi-user.target.wants/x.service", "/lib/systemd/system/x.service");
    let mut stage = Stage::new(&tree);
    on(&mut stage, |bench| mask(bench, "y.service").unwrap());
    assert!(enabled(&stage, "x.service").unwrap().is_empty());
    let count = stage.edits().unwrap().len();
    on(&mut stage, |bench| mask(bench, "y.service").unwrap());
    assert_eq!((count, stage.edits().unwrap().len()), (2, 2));
}

#[test]
fn a_unit_of_the_administrators_own_is_not_lost() {
    let tree = systemd().file("/etc/systemd/system/x.service", UNIT);
    let mut stage = Stage::new(&tree);
    let settings = Settings::default();
    let refused = mask(&mut Bench::new(&mut stage, &settings, 0, &[]), "x.service").unwrap_err();
    assert!(refused.to_string().contains("/etc/systemd/system/x.service is a unit of the image's own"));
    assert!(stage.edits().unwrap().is_empty());
}

#[test]
fn system_v_counts_where_no_unit_has_the_name() {
    let tree = systemd().link("/etc/rc2.d/S20x", "../init.d/x").link("/etc/rc2.d/S03old", "../init.d/old");
    let mut stage = Stage::new(&tree);
    assert!(enabled(&stage, "x.service").unwrap().is_empty());
    assert_eq!(enabled(&stage, "old.service").unwrap(), ["/etc/rc2.d/S03old"]);
    on(&mut stage, |bench| mask(bench, "old.service").unwrap());
    assert!(enabled(&stage, "old.service").unwrap().is_empty());
    assert!(stage.lstat("/etc/rc2.d/S03old").unwrap().is_some(), "systemd needs the mask only");

    let tree = MemoryTree::new().file("/sbin/init", "x").link("/etc/rc3.d/S20x", "../init.d/x");
    let mut stage = Stage::new(&tree);
    on(&mut stage, |bench| mask(bench, "x.service").unwrap());
    assert_eq!(stage.read_link("/etc/rc3.d/K80x").unwrap().as_deref(), Some("../init.d/x"));
    assert!(enabled(&stage, "x.service").unwrap().is_empty());
}

#[test]
fn enabling_by_an_alias_makes_no_second_link() {
    let tree = systemd();
    let mut stage = Stage::new(&tree);
    on(&mut stage, |bench| {
        install(bench, "x.service").unwrap();
        install(bench, "other.service").unwrap();
    });
    assert!(stage.lstat("/etc/systemd/system/other.service").unwrap().is_some());
    assert!(stage.lstat("/etc/systemd/system/multi-user.target.wants/other.service").unwrap().is_none());
}

#[test]
fn upstarts_last_stanza_wins() {
    let job = "description \"x\"\nstart on runlevel [2345]\nexec x\n";
    let tree = MemoryTree::new()
        .file("/sbin/init", "x")
        .file("/etc/init/rc-sysinit.conf", "")
        .file("/etc/init/x.conf", job)
        .file("/etc/init/x.override", "env A=1");
    let mut stage = Stage::new(&tree);
    assert!(is_upstart(&stage).unwrap());
    assert_eq!(enabled(&stage, "x.service").unwrap(), ["/etc/init/x.conf"]);
    on(&mut stage, |bench| mask(bench, "x.service").unwrap());
    assert_eq!(stage.read_text("/etc/init/x.override").unwrap().as_deref(), Some("env A=1\nmanual\n"));
    assert!(enabled(&stage, "x.service").unwrap().is_empty());
    on(&mut stage, |bench| install(bench, "x.service").unwrap());
    assert_eq!(stage.read_text("/etc/init/x.override").unwrap().as_deref(), Some("env A=1\n"));
    // Ubuntu 16.04 has jobs, too, and systemd.
    let tree = systemd().file("/etc/init/rc-sysinit.conf", "").file("/etc/init/y.conf", job);
    assert!(!is_upstart(&Stage::new(&tree)).unwrap());
    assert!(enabled(&Stage::new(&tree), "y.service").unwrap().is_empty());
}

#[test]
fn a_first_boot_enables_what_no_preset_disables() {
    let tree = systemd().file("/etc/machine-id", "uninitialized\n");
    assert_eq!(enabled(&Stage::new(&tree), "x.service").unwrap(), ["/usr/lib/systemd/system/x.service"]);
    let tree = systemd()
        .file("/etc/machine-id", "uninitialized\n")
        .file("/usr/lib/systemd/system-preset/90-a.preset", "# all\nenable *\n")
        .file("/etc/systemd/system-preset/00-b.preset", "disable x.*\n");
    assert!(enabled(&Stage::new(&tree), "x.service").unwrap().is_empty());
    let tree = systemd().file("/etc/machine-id", "");
    assert!(enabled(&Stage::new(&tree), "x.service").unwrap().is_empty(), "an empty one is no first boot");
}

#[test]
fn installing_takes_the_mask_away_and_makes_all_links() {
    let tree = systemd().link("/etc/systemd/system/x.service", "/dev/null");
    let mut stage = Stage::new(&tree);
    on(&mut stage, |bench| install(bench, "x.service").unwrap());
    let of = |path: &str| stage.read_link(path).unwrap();
    assert_eq!(of("/etc/systemd/system/x.service"), None);
    assert_eq!(
        of("/etc/systemd/system/multi-user.target.wants/x.service").as_deref(),
        Some("/usr/lib/systemd/system/x.service")
    );
    assert_eq!(of("/etc/systemd/system/other.service").as_deref(), Some("/usr/lib/systemd/system/x.service"));
    // A link of another spelling stays.
    let link = "/etc/systemd/system/a.target.wants/x.service";
    let tree = systemd().link(link, "/lib/systemd/system/x.service");
    let mut stage = Stage::new(&tree);
    on(&mut stage, |bench| enable(bench, "x.service", "a.target").unwrap());
    assert!(stage.edits().unwrap().is_empty());
}

/// Writes the links and files that were staged.
fn write(stage: &Stage<'_>, root: &Path) {
    for edit in stage.edits().unwrap() {
        let path = root.join(edit.path.as_str().trim_start_matches('/'));
        let _ = std::fs::remove_file(&path);
        match edit.state {
            State::Link(target, _) => symlink(target, &path).unwrap(),
            State::Directory(_) => std::fs::create_dir_all(&path).unwrap(),
            State::Absent => {}
            other => panic!("{}: {other:?}", edit.path),
        }
    }
}

/// systemctl itself says the same of what is in force, and makes the same links.
#[test]
fn systemctl_agrees() {
    let root = tempfile::tempdir().unwrap();
    let systemctl = |words: &[&str]| {
        let said =
            Command::new("systemctl").arg(format!("--root={}", root.path().display())).args(words).output();
        said.ok().map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    };
    if systemctl(&["--version"]).is_none() {
        eprintln!("SKIPPED: systemctl is not there");
        return;
    }
    let units = root.path().join("usr/lib/systemd/system");
    let own = root.path().join("etc/systemd/system");
    std::fs::create_dir_all(&units).unwrap();
    std::fs::create_dir_all(own.join("multi-user.target.wants")).unwrap();
    for name in ["a", "b", "c", "d", "e"] {
        let text = UNIT.replace("other", &format!("{name}-other"));
        std::fs::write(units.join(format!("{name}.service")), text).unwrap();
    }
    symlink("/dev/null", units.join("masked.service")).unwrap();
    symlink("b.service", units.join("alias.service")).unwrap();
    symlink("/usr/lib/systemd/system/a.service", own.join("multi-user.target.wants/a.service")).unwrap();
    symlink("/dev/null", own.join("c.service")).unwrap();
    std::fs::write(own.join("d.service"), "").unwrap();
    let judged = |of: &str| {
        let tree = HostTree::new(root.path());
        let stage = Stage::new(&tree);
        let ours = if is_masked(&stage, of).unwrap() {
            "masked"
        } else if enabled(&stage, of).unwrap().is_empty() {
            "disabled"
        } else {
            "enabled"
        };
        (ours.to_owned(), systemctl(&["is-enabled", of]).unwrap())
    };
    for of in ["a.service", "b.service", "c.service", "d.service", "e.service", "masked.service"] {
        let (ours, theirs) = judged(of);
        assert_eq!(ours, theirs, "{of}");
    }
    // Masking an alias masks what it stands for; enabling makes what systemctl makes.
    {
        let tree = HostTree::new(root.path());
        let mut stage = Stage::new(&tree);
        on(&mut stage, |bench| {
            mask(bench, "alias.service").unwrap();
            install(bench, "c.service").unwrap();
            install(bench, "e.service").unwrap();
        });
        write(&stage, root.path());
    }
    for (of, wanted) in [("b.service", "masked"), ("c.service", "enabled"), ("e.service", "enabled")] {
        assert_eq!(judged(of), (wanted.to_owned(), wanted.to_owned()), "{of}");
    }
    let links = || {
        let mut found = Vec::new();
        for directory in [own.clone(), own.join("multi-user.target.wants")] {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                found.push((path.clone(), std::fs::read_link(path).ok()));
            }
        }
        found.sort();
        found
    };
    let ours = links();
    systemctl(&["reenable", "c.service", "e.service"]).unwrap();
    assert_eq!(ours, links());
}
