//! Service files of Debian packages, diverted: PAM reads them at each login, so an upgrade must not put the
//! package's own there, not for a moment.

use hardtack_guest::dpkg::diversions::{self, differ, distrib, diversions, is_packaged};

use super::STEP;
use crate::{Context, StepError};

/// Sees to it that no package writes `path`, whose text is now as the package or an administrator left it.
pub(super) fn set_aside(cx: &mut Context<'_, '_>, path: &str) -> Result<(), StepError> {
    let beside = distrib(path);
    if let Some(known) = diversions(cx.stage)?.into_iter().find(|known| known.from == path) {
        if let Some(package) = known.package {
            cx.warn(
                STEP,
                format!("{path} is {package}'s by a diversion: an upgrade of {package} may put its own there, which stops SSH"),
            );
        } else if known.to == beside && differ(cx.stage, path, &beside)? {
            cx.info(
                STEP,
                format!(
                    "{path} is made of another text than its package's own now has, which is in {beside}"
                ),
            );
        }
        return Ok(());
    }
    if !is_packaged(cx.stage, path)? {
        return Ok(());
    }
    if cx.stage.lstat(&beside)?.is_some() {
        let what = format!("{path} cannot be diverted to {beside}, which exists");
        return Err(
            StepError::refused(STEP, what).hint("remove that in a `files` step: PAM does not read it")
        );
    }
    Ok(diversions::set_aside(cx.stage, path)?)
}

/// Gives `path`, without our block again, back to its package.
pub(super) fn give_back(cx: &mut Context<'_, '_>, path: &str) -> Result<(), StepError> {
    Ok(diversions::give_back(cx.stage, path)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hardtack_guest::{FileType, MemoryTree, Stage};

    use super::super::apply;
    use super::super::tests::{SSHD, debian, step};
    use super::*;
    use crate::model::{MfaStep, Scope};

    const FILE: &str = "/etc/pam.d/sshd";
    const BESIDE: &str = "/etc/pam.d/sshd.distrib";
    const DIVERSIONS: &str = "/var/lib/dpkg/diversions";
    const OURS: &str = "/etc/pam.d/sshd\n/etc/pam.d/sshd.distrib\n:\n";

    fn packaged() -> MemoryTree {
        debian("1:9.2p1-2").file(
            "/var/lib/dpkg/status",
            "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n\
             Conffiles:\n /etc/pam.d/sshd 0123\n\n",
        )
    }

    fn at_common_auth() -> MfaStep {
        MfaStep { scope: Scope::Login, ..step() }
    }

    /// What the steps leave: the three files, and what was noted.
    fn after(tree: &MemoryTree, steps: &[MfaStep]) -> Result<([Option<String>; 3], String), String> {
        let mut stage = Stage::new(tree);
        let mut cx = Context::for_tests(&mut stage);
        for step in steps {
            apply(step, &mut cx).map_err(|error| error.to_string())?;
        }
        let notes: Vec<String> = cx.notes.iter().map(|note| note.text.clone()).collect();
        Ok(([FILE, BESIDE, DIVERSIONS].map(|path| stage.read_text(path).unwrap()), notes.join("\n")))
    }

    fn files(tree: &MemoryTree, steps: &[MfaStep]) -> [String; 3] {
        after(tree, steps).unwrap().0.map(Option::unwrap_or_default)
    }

    #[test]
    fn a_conffile_moves_aside_once() {
        let once = files(&packaged(), &[step()]);
        assert!(once[0].contains("pam_google_authenticator.so noskewadj"), "{}", once[0]);
        assert_eq!((&*once[1], &*once[2]), (SSHD, OURS));
        assert_eq!(files(&packaged(), &[step(), step()]), once);
        // What an older build has left: the block in the conffile.
        assert_eq!(files(&packaged().file(FILE, &*once[0]), &[step()]), once);
        // Login is no package's file here.
        assert!(!once[2].contains("login"));
    }

    #[test]
    fn what_no_package_brings_stays_where_it_is() {
        let [ours, beside, diversions] = files(&debian("1:9.2p1-2"), &[step()]);
        assert!(ours.contains("google") && beside.is_empty() && diversions.is_empty());
    }

    #[test]
    fn what_was_unpacked_moves_too() {
        let mut stage_tree = packaged();
        stage_tree = stage_tree.file("/etc/pam.d/sshd.dpkg-new", "new\n");
        let mut stage = Stage::new(&stage_tree);
        apply(&step(), &mut Context::for_tests(&mut stage)).unwrap();
        assert_eq!(stage.read_text("/etc/pam.d/sshd.distrib.dpkg-new").unwrap().unwrap(), "new\n");
        assert!(stage.lstat("/etc/pam.d/sshd.dpkg-new").unwrap().is_none());
    }

    #[test]
    fn a_link_is_not_written_through() {
        let mut stage_tree = packaged();
        stage_tree = stage_tree.file("/etc/pam.d/real", SSHD).link(FILE, "real");
        let mut stage = Stage::new(&stage_tree);
        apply(&step(), &mut Context::for_tests(&mut stage)).unwrap();
        assert_eq!(stage.lstat(FILE).unwrap().unwrap().kind, FileType::Regular);
        for path in ["/etc/pam.d/real", BESIDE] {
            assert_eq!(stage.read_text(path).unwrap().unwrap(), SSHD);
        }
    }

    #[test]
    fn another_choice_gives_the_file_back() {
        assert_eq!(files(&packaged(), &[step(), at_common_auth()]), [SSHD, "", ""]);
        // The package has a newer text by then.
        let [ours, ..] = files(&packaged(), &[step()]);
        let later = packaged().file(FILE, ours).file(BESIDE, "newer\n").file(DIVERSIONS, OURS);
        assert!(after(&later, &[step()]).unwrap().1.contains("is made of another text"));
        let mut stage = Stage::new(&later);
        apply(&at_common_auth(), &mut Context::for_tests(&mut stage)).unwrap();
        assert_eq!(stage.read_text(FILE).unwrap().unwrap(), SSHD);
        assert_eq!(stage.read_text("/etc/pam.d/sshd.dpkg-dist").unwrap().unwrap(), "newer\n");
        assert!(stage.lstat(BESIDE).unwrap().is_none());
    }

    #[test]
    fn others_diversions_stay() {
        let by = |line: &str| format!("{FILE}\n{BESIDE}\n{line}\n");
        let administrators = packaged().file(DIVERSIONS, by(":")).file(BESIDE, SSHD);
        assert_eq!(files(&administrators, &[at_common_auth()]), [SSHD, SSHD, OURS]);
        assert_eq!(files(&administrators, &[step()])[1..], [SSHD.to_owned(), OURS.to_owned()]);
        let packages = packaged().file(DIVERSIONS, by("other")).file(BESIDE, SSHD);
        let (found, notes) = after(&packages, &[step()]).unwrap();
        assert_eq!(found[2].as_deref(), Some(&*by("other")));
        assert!(notes.contains("is other's by a diversion"), "{notes}");
        let error = after(&packaged().file(BESIDE, "?"), &[step()]).unwrap_err();
        assert!(error.contains("/etc/pam.d/sshd.distrib, which exists"), "{error}");
    }
}
