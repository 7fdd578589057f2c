//! What dpkg does to a hardened root: upgrades, removal and reinstallation of the SSH server leave what PAM asks.

use std::fs::read_to_string;
use std::path::Path;

use hardtack_guest::{HostTree, Stage};
use hardtack_recipe::model::MfaStep;
use hardtack_recipe::steps::mfa;
use hardtack_tests::package::next_version;

use super::{chroot, context, suite, with_step, write_out};

const SSHD: &str = "etc/pam.d/sshd";
const BESIDE: &str = "etc/pam.d/sshd.distrib";

/// The step over `root`, and how many files it changed.
fn harden(root: &Path) -> usize {
    let tree = HostTree::new(root);
    let mut stage = Stage::new(&tree);
    mfa::apply(
        &MfaStep { users: vec!["debian".to_owned()], ..MfaStep::default() },
        &mut context(&mut stage, true),
    )
    .unwrap();
    let changes = stage.changes().unwrap().len();
    write_out(&stage, &tree, root);
    changes
}

/// Both services' files as PAM reads them.
fn asked(root: &Path) -> [String; 2] {
    [SSHD, "etc/pam.d/login"].map(|path| read_to_string(root.join(path)).unwrap())
}

#[track_caller]
fn assert_clean(root: &Path) {
    assert_eq!(chroot(root, "dpkg --audit"), "");
    let verified = chroot(root, "dpkg -V openssh-server login 2>&1 || true");
    assert!(!verified.contains("pam.d"), "{verified}");
}

#[test]
fn no_upgrade_brings_the_packages_own_pam_file() {
    let Some(suite) = suite("bookworm") else { return };
    if !suite.base.is_file() {
        eprintln!("SKIPPED: upgrades of a hardened root: {} is no archive", suite.base.display());
        return;
    }
    let root = suite.copy("root");
    with_step(&root, &suite.real_debs(), true).unwrap();
    let plain = asked(&root);
    assert!(harden(&root) > 0);
    let ours = asked(&root);
    assert!(ours.iter().all(|text| text.contains("pam_google_authenticator.so noskewadj")));
    assert_eq!(read_to_string(root.join(BESIDE)).unwrap(), plain[0]);
    assert_eq!(
        chroot(&root, "stat -c '%a %u %g' /etc/pam.d/sshd /etc/pam.d/sshd.distrib"),
        "644 0 0\n".repeat(2)
    );
    let known =
        chroot(&root, "dpkg-divert --list '/etc/pam.d/*' | sort; dpkg-divert --truename /etc/pam.d/sshd");
    assert_eq!(
        known,
        "local diversion of /etc/pam.d/login to /etc/pam.d/login.distrib\n\
         local diversion of /etc/pam.d/sshd to /etc/pam.d/sshd.distrib\n/etc/pam.d/sshd.distrib\n"
    );
    assert_clean(&root);
    assert_eq!(harden(&root), 0, "a second time");

    // What an older build has left: the block in the conffile, no diversion.
    for (name, text) in [("sshd", &ours[0]), ("login", &ours[1])] {
        let file = root.join("etc/pam.d").join(name);
        std::fs::remove_file(file.with_extension("distrib")).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let diversions = root.join("var/lib/dpkg/diversions");
    let all = read_to_string(&diversions).unwrap();
    std::fs::write(&diversions, &all[..all.find("/etc/pam.d/").unwrap()]).unwrap();
    assert!(harden(&root) > 0);
    assert_eq!((asked(&root), read_to_string(&diversions).unwrap()), (ours.clone(), all));
    assert_clean(&root);

    // The next versions, with a conffile that dpkg asks about.
    std::fs::write(root.join("usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n").unwrap();
    chroot(&root, "chmod 755 /usr/sbin/policy-rc.d");
    let next = root.join("next.deb");
    next_version(&suite.base, "openssh-server", &next, |tree| {
        std::fs::write(tree.join(SSHD), plain[0].clone() + "# the next version\n").unwrap();
    });
    let last = |root: &Path| read_to_string(root.join(BESIDE)).unwrap().lines().last().unwrap().to_owned();
    for command in [
        "dpkg -i --force-confnew --force-confmiss --force-depends /next.deb",
        "dpkg --purge --force-depends openssh-server; test -e /etc/pam.d/sshd; \
         dpkg -i --force-depends /next.deb",
        "dpkg --remove --force-depends openssh-server; test -e /etc/pam.d/sshd; \
         dpkg -i --force-confask --force-confnew --force-depends /next.deb",
    ] {
        chroot(&root, &format!("{{ {command}; }} </dev/null"));
        assert_eq!(asked(&root), ours, "{command}");
        assert_eq!(last(&root), "# the next version", "{command}");
        assert_clean(&root);
    }
    // An upgrade that asks nothing: the package's own text is unchanged for dpkg.
    let after = root.join("after.deb");
    next_version(&suite.base, "openssh-server", &after, |tree| {
        std::fs::write(tree.join(SSHD), "# the one after\n").unwrap();
        let control = tree.join("DEBIAN/control");
        let text = read_to_string(&control).unwrap().replace("+next", "+next2");
        std::fs::write(control, text).unwrap();
    });
    chroot(&root, "dpkg -i --force-depends /after.deb </dev/null");
    assert_eq!(asked(&root), ours);
    assert_eq!(last(&root), "# the one after");
    assert_clean(&root);
}
