//! Packages by name beside apt's own installation of them, from one signed repository.

use std::fs::read_to_string;
use std::path::Path;
use std::time::SystemTime;

use hardtack_guest::{HostTree, Stage};
use hardtack_recipe::model::{PackagesStep, Repository};
use hardtack_recipe::steps::packages;
use hardtack_recipe::supply::Repositories;
use hardtack_repository::{Given, Settings};
use hardtack_tests::repository::{Made, have};

use super::{assert_content, chroot, run, suite, with_dpkg, with_settings};

const APT: &str =
    "apt-get -o Dir::Etc::sourcelist=/probe/list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root";

/// apt's record, in an order of its own.
fn states(root: &Path) -> Vec<String> {
    let text = read_to_string(root.join("var/lib/apt/extended_states")).unwrap_or_default();
    let mut all: Vec<String> = text.split("\n\n").map(|one| one.trim().to_owned()).collect();
    all.retain(|one| !one.is_empty());
    all.sort();
    all
}

#[test]
fn packages_by_name_come_as_apt_brings_them() {
    let Some(suite) = suite("bookworm") else { return };
    if !have("packages by name beside apt", &["gpg", "apt-ftparchive", "dpkg-deb", "xz", "zstd", "gzip"]) {
        return;
    }
    let made = Made::new();
    made.key("good", "ed25519", &[], "0");
    made.deb("probe-tool", "1", "");
    let old = made.path("r/pool/probe-tool_1_all.deb");
    made.deb("probe-tool", "2", "Depends: probe-lib (>= 2)\n");
    made.deb("probe-lib", "2.0", "Depends: probe-none | probe-second\n");
    made.deb("probe-second", "1", "Depends: tar\n");
    made.deb("probe-app", "1.0", "Depends: probe-second, probe-virtual\n");
    made.deb("probe-provider", "1", "Provides: probe-virtual\n");
    made.index("");
    made.sign(&["good"], &[]);

    let (ours, theirs) = (suite.copy("ours"), suite.copy("theirs"));
    for root in [&ours, &theirs] {
        with_dpkg(root, std::slice::from_ref(&old), "--install");
    }
    let step = PackagesStep {
        install: vec!["probe-app".to_owned(), "probe-tool=2".to_owned()],
        of_profile: vec!["probe-app".to_owned()],
        repositories: vec![Repository::Given(Given {
            uris: vec![made.uri()],
            suites: vec!["stable".to_owned()],
            components: vec!["main".to_owned()],
            architectures: Vec::new(),
            keyring: Some(("good.gpg".to_owned(), made.ring("good"))),
        })],
        ..PackagesStep::default()
    };
    let mut settings = Settings::new(SystemTime::now());
    settings.cache = Some(made.path("cache"));
    let supply = Repositories::new(settings);
    let supplied = || {
        let tree = HostTree::new(&ours);
        packages::supplied(&step, &Stage::new(&tree), Some(&supply)).unwrap()
    };
    let done = with_settings(&ours, &step, supplied()).unwrap();
    assert_eq!(done.agent.packages, None, "{}", done.notes);
    for wanted in ["probe-app 1.0 (the profile's; ", "probe-tool 1 → 2 (asked for; ", "(probe-app needs "] {
        assert!(done.notes.contains(wanted), "no {wanted:?}: {}", done.notes);
    }

    let inside = theirs.join("probe");
    std::fs::create_dir(&inside).unwrap();
    run(std::process::Command::new("cp").arg("-r").arg(made.path("r")).arg(&inside));
    std::fs::write(inside.join("good.gpg"), made.ring("good")).unwrap();
    std::fs::write(
        inside.join("list"),
        "deb [signed-by=/probe/good.gpg arch=amd64] file:/probe/r stable main\n",
    )
    .unwrap();
    chroot(
        &theirs,
        &format!("{APT} update && {APT} -y --no-install-recommends install probe-app probe-tool=2"),
    );

    let status = |root: &Path| read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    assert!(status(&ours).contains("Package: probe-provider\n"));
    assert_eq!(status(&ours), status(&theirs));
    assert_eq!(states(&ours), states(&theirs));
    let automatic = "apt-mark showauto | grep ^probe";
    assert_eq!(chroot(&ours, automatic), "probe-lib\nprobe-provider\nprobe-second\n");
    assert_content(&ours);
    assert_eq!(with_settings(&ours, &step, supplied()).unwrap().changes, 0, "a second time");
}
