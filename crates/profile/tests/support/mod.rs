//! Real roots of Debian in a folder, with controls carried out in them.
#![allow(dead_code)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hardtack_guest::{Content, HostTree, Stage, State};
use hardtack_profile::{Finding, Kind, Phase, Profile, Rule, Surroundings, apply, check, rules};

/// What no test looks at, half of the root.
const LEFT_OUT: [&str; 6] =
    ["boot/", "usr/lib/modules/", "usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/i18n/"];

/// A root in a folder that goes away with it.
pub(crate) struct Root {
    folder: tempfile::TempDir,
}

impl Root {
    /// `HARDTACK_CACHE/NAME.tar`, unpacked; `None`, and a visible word, without it or without root.
    pub(crate) fn unpack(name: &str) -> Option<Self> {
        let cache =
            std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
        let archive = cache.join(format!("{name}.tar"));
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        if !archive.exists() || !is_root {
            eprintln!("SKIPPED: needs root, and {}", archive.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut untar = Command::new("tar");
        untar.args(LEFT_OUT.map(|path| format!("--exclude=./{path}*")));
        assert!(untar.arg("-xf").arg(&archive).arg("-C").arg(folder.path()).status().unwrap().success());
        Some(Self { folder })
    }

    /// Has the root's own apt-get install packages of its mirrors; what it said where it cannot.
    pub(crate) fn install(&self, packages: &[&str]) -> Result<(), String> {
        fs::copy("/etc/resolv.conf", self.path("/etc/resolv.conf")).map_err(|error| error.to_string())?;
        let update = ["-qq", "-o", "APT::Update::Error-Mode=any", "update"];
        let install = [&["-qq", "-y", "--no-install-recommends", "install"], packages].concat();
        for arguments in [&update[..], &install] {
            let output = self.run("/usr/bin/apt-get", arguments);
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside.trim_start_matches('/'))
    }

    /// Runs a program of the root in it.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut chroot = Command::new("chroot");
        chroot
            .arg(self.folder.path())
            .arg(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap()
    }

    /// What a script of the root's shell prints, in a network namespace of its own, and whether it ended well.
    pub(crate) fn inside(&self, script: &str) -> (bool, String) {
        let mut unshare = Command::new("unshare");
        unshare.args(["-n", "chroot"]).arg(self.folder.path()).args(["/bin/sh", "-c", script]);
        let done = unshare.env("LC_ALL", "C").output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What the program prints; it says that all is well.
    pub(crate) fn said(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {}\n{text}", output.status);
        text
    }

    /// Carries out the profile, writes it into the folder, and asks that it holds there and stays as it is.
    pub(crate) fn carry_out(&self, profile: &Profile) {
        let tree = HostTree::new(self.folder.path());
        let mut stage = Stage::new(&tree);
        let around = Surroundings { epoch: 1_700_000_000, ..Surroundings::default() };
        for phase in [Phase::Early, Phase::Late] {
            apply(profile, &mut stage, around, phase).unwrap();
        }
        for edit in stage.edits().unwrap() {
            let path = self.folder.path().join(edit.path.to_string().trim_start_matches('/'));
            write(&path, &edit.state);
        }
        let mut stage = Stage::new(&tree);
        let failed: Vec<_> = check(profile, &stage)
            .unwrap()
            .into_iter()
            .filter(|judged| matches!(judged.finding, Finding::Fail { .. }))
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
        for phase in [Phase::Early, Phase::Late] {
            apply(profile, &mut stage, around, phase).unwrap();
        }
        let left: Vec<String> = stage.edits().unwrap().iter().map(|edit| edit.path.to_string()).collect();
        assert!(left.is_empty(), "a second build changes {left:?}");
    }
}

/// All controls whose names begin with one of `stems`, levels or not, and no other.
pub(crate) fn only(stems: &[&str]) -> Profile {
    let mut profile = Profile::new(Kind::Cis2);
    let (mine, others): (Vec<&Rule>, Vec<&Rule>) =
        rules().iter().partition(|rule| stems.iter().any(|stem| rule.id.starts_with(stem)));
    profile.enforce = mine.iter().filter(|rule| rule.exception.is_none()).map(|rule| rule.id).collect();
    profile.exceptions = others
        .iter()
        .map(|rule| hardtack_profile::Exception { rule: rule.id, reason: "not now".to_owned() })
        .collect();
    profile
}

fn write(path: &Path, state: &State) {
    let attributes = match state {
        State::Absent => {
            let directory = path.symlink_metadata().is_ok_and(|there| there.is_dir());
            if directory {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
            return;
        }
        State::Directory(attributes) => {
            fs::create_dir_all(path).unwrap();
            attributes
        }
        State::File(content, attributes) => {
            match content {
                Content::Kept => {}
                Content::Bytes(bytes) => fs::write(path, bytes).unwrap(),
                Content::Appended(tail) => {
                    let mut all = fs::read(path).unwrap();
                    all.extend_from_slice(tail);
                    fs::write(path, all).unwrap();
                }
            }
            attributes
        }
        State::Link(target, _) => {
            let _ = fs::remove_file(path);
            return symlink(target, path).unwrap();
        }
        State::Special(attributes) => attributes,
    };
    chown(path, Some(attributes.uid), Some(attributes.gid)).unwrap();
    fs::set_permissions(path, Permissions::from_mode(attributes.mode)).unwrap();
}
