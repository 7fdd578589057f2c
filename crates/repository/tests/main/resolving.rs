//! The same requests to us and to apt, on worlds made up for them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use hardtack_guest::{MemoryTree, Stage};
use hardtack_repository::{
    Catalogue, Image, Keys, Request, Settings, Solution, Source, Unsolvable, Upgrade, resolve, tree, why,
};

use crate::made::{architectures, have, run};

/// Installed: name, version, more fields; "auto" in a line of its own marks what came as a dependency.
pub(crate) struct Case {
    folder: tempfile::TempDir,
}

fn stanza(text: &str, more: &str) -> String {
    let (head, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (name, version) = head.split_once(' ').unwrap();
    let rest: String = rest.lines().map(|line| format!("{}\n", line.trim())).collect();
    let architecture = if rest.contains("Architecture:") { "" } else { "Architecture: amd64\n" };
    format!(
        "Package: {name}\nVersion: {version}\n{architecture}{rest}{more}Maintainer: T <t@x.org>\nDescription: d\n\n"
    )
}

impl Case {
    /// Packages installed, and offered by `stable` (and `stable-security`).
    pub(crate) fn new(installed: &[&str], offered: &[&str], security: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("hr").tempdir_in("/tmp").unwrap();
        let root = folder.path();
        for directory in [
            "etc/apt/apt.conf.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
        ] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        let status: String = ["dpkg 1\nEssential: yes"]
            .iter()
            .chain(installed)
            .map(|text| stanza(text, "Status: install ok installed\n"))
            .collect();
        std::fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
        let mut list = String::new();
        for (suite, packages) in [("stable", offered), ("stable-security", security)] {
            let folder = root.join("r/dists").join(suite);
            std::fs::create_dir_all(folder.join("main/binary-amd64")).unwrap();
            let text: String = packages
                .iter()
                .enumerate()
                .map(|(number, text)| {
                    let sum = format!("{number:064x}");
                    stanza(text, &format!("Filename: pool/{number}.deb\nSize: 1\nSHA256: {sum}\n"))
                })
                .collect();
            std::fs::write(folder.join("main/binary-amd64/Packages"), text).unwrap();
            let release = run(Command::new("apt-ftparchive").current_dir(&folder).args([
                "-o",
                &format!("APT::FTPArchive::Release::Suite={suite}"),
                "-o",
                "APT::FTPArchive::Release::Components=main",
                "-o",
                "APT::FTPArchive::Release::Architectures=amd64 i386",
                "release",
                ".",
            ]));
            std::fs::write(folder.join("Release"), release.stdout).unwrap();
            list.push_str(&format!("deb [trusted=yes arch=amd64] file:{}/r {suite} main\n", root.display()));
        }
        std::fs::write(root.join("etc/apt/sources.list"), list).unwrap();
        let case = Self { folder };
        run(apt(case.root()).arg("update"));
        case
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn image(&self) -> Image {
        image(&self.root().join("var/lib/dpkg/status"), &self.root().join("var/lib/apt/extended_states"))
    }

    fn catalogue(&self) -> Catalogue {
        let source = |suite: &str| Source {
            place: "test".to_owned(),
            uri: format!("file:{}/r", self.root().display()),
            suite: suite.to_owned(),
            components: vec!["main".to_owned()],
            architectures: None,
            keys: Keys::Trusted,
            fingerprints: Vec::new(),
            check_valid_until: true,
            valid_until_max: None,
            by_hash: None,
        };
        let sources = [source("stable"), source("stable-security")];
        Catalogue::open(&sources, &architectures(), &Settings::new(SystemTime::now()), None).unwrap()
    }

    fn ours(&self, request: &Request) -> Result<Solution, Unsolvable> {
        let (catalogue, image) = (self.catalogue(), self.image());
        let found = resolve(&catalogue, &image, request);
        assert_eq!(found, resolve(&catalogue, &image, request), "not deterministic");
        found
    }
}

pub(crate) fn image(status: &Path, states: &Path) -> Image {
    let tree = MemoryTree::new()
        .file("/var/lib/dpkg/status", std::fs::read(status).unwrap())
        .file("/var/lib/apt/extended_states", std::fs::read(states).unwrap_or_default());
    Image::read(&Stage::new(&tree)).unwrap()
}

/// apt in a made-up root.
pub(crate) fn apt(root: &Path) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("LC_ALL", "C").env("APT_CONFIG", "/dev/null");
    for option in [
        format!("Dir={}", root.display()),
        format!("Dir::State::status={}/var/lib/dpkg/status", root.display()),
        "APT::Architecture=amd64".to_owned(),
        "APT::Architectures=amd64".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "Acquire::Languages=none".to_owned(),
        "Acquire::GzipIndexes=false".to_owned(),
        "pkgCacheGen::Essential=none".to_owned(),
    ] {
        apt.arg("-o").arg(option);
    }
    apt
}

/// What apt would do: "+name version" and "-name".
pub(crate) fn theirs(root: &Path, arguments: &[&str]) -> Option<BTreeSet<String>> {
    let output = apt(root).args(["-s", "-y", "--allow-remove-essential"]).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            ["Inst", name, ..] => {
                let version = line.split_once('(').unwrap().1.split_ascii_whitespace().next().unwrap();
                found.insert(format!("+{name} {version}"));
            }
            ["Remv", name, ..] => {
                found.insert(format!("-{name}"));
            }
            _ => {}
        }
    }
    output.status.success().then_some(found)
}

pub(crate) fn shown(solution: &Solution) -> BTreeSet<String> {
    let one = |change: &hardtack_repository::Change| match &change.to {
        Some(version) => format!("+{} {version}", change.name),
        None => format!("-{}", change.name),
    };
    solution.changes.iter().map(one).collect()
}

pub(crate) fn install(names: &[&str]) -> Request {
    Request { install: names.iter().map(|name| (*name).to_owned()).collect(), ..Request::default() }
}

const TOOLS: [&str; 2] = ["apt-get", "apt-ftparchive"];

#[test]
fn the_same_as_apt() {
    if !have("the_same_as_apt", &TOOLS) {
        return;
    }
    let case = Case::new(
        &[
            "base 1",
            "lib 1",
            "tool 1\nDepends: lib (>= 1)",
            "oldmail 1\nProvides: mta\nConflicts: mta",
            "dep 1\nDepends: lib (= 1)",
        ],
        &[
            "plain 1",
            "chain 1\nDepends: chain2",
            "chain2 1\nDepends: chain3 (>= 1), base",
            "chain3 1\nDepends: chain (>= 1)",
            "alt 1\nDepends: nowhere | chain3 | plain",
            "altinst 1\nDepends: plain | base",
            "usesmta 1\nDepends: newmail | mta",
            "newmail 1\nProvides: mta\nConflicts: mta\nReplaces: mta",
            "needslib2 1\nDepends: lib (>= 2)",
            "lib 2",
            "dep 2\nDepends: lib (>= 1)",
            "tool 2\nDepends: lib (>= 1)",
            "virt1 1\nProvides: virt (= 3)",
            "usesvirt 1\nDepends: virt (>= 2)",
            "pre 1\nPre-Depends: plain",
            "breaksbase 1\nBreaks: base (<< 2)",
            "base 2",
            "breaksold 1\nBreaks: oldmail (<< 9)",
            "all 1\nArchitecture: all\nDepends: plain",
            "t1 1~rc1",
        ],
        &["tool 1.5\nDepends: lib (>= 1)"],
    );
    for names in [
        &["plain"][..],
        &["chain"],
        &["alt"],
        &["altinst"],
        &["usesmta"],
        &["newmail"],
        &["needslib2"],
        &["usesvirt"],
        &["pre"],
        &["breaksbase"],
        &["breaksold"],
        &["all", "chain"],
        &["virt"],
        &["plain=1"],
        &["tool/stable-security"],
    ] {
        let theirs = theirs(case.root(), &[&["install"], names].concat());
        match case.ours(&install(names)) {
            Ok(solution) => assert_eq!(Some(shown(&solution)), theirs, "{names:?}"),
            Err(error) => assert_eq!(None, theirs, "{names:?}: {error}"),
        }
    }
    for names in [&["tool"][..], &["lib"], &["base", "oldmail"]] {
        let request =
            Request { remove: names.iter().map(|name| (*name).to_owned()).collect(), ..Request::default() };
        let theirs = theirs(case.root(), &[&["remove"], names].concat());
        assert_eq!(Some(shown(&case.ours(&request).unwrap())), theirs, "remove {names:?}");
    }
    let all = Request { upgrade: Upgrade::All, ..Request::default() };
    assert_eq!(Some(shown(&case.ours(&all).unwrap())), theirs(case.root(), &["upgrade"]));
    let security = Request { upgrade: Upgrade::Security, ..Request::default() };
    assert_eq!(shown(&case.ours(&security).unwrap()), BTreeSet::from(["+tool 1.5".to_owned()]));
    // What is there already is no change, and what is held stays.
    let there = case.ours(&install(&["tool", "base"])).unwrap();
    assert!(there.changes.is_empty() && there.kept.len() == 2, "{there:?}");
    let held = Request { hold: vec!["tool".to_owned()], ..all };
    assert!(!shown(&case.ours(&held).unwrap()).iter().any(|one| one.contains("tool")));
}

#[test]
fn what_cannot_be_is_explained() {
    if !have("what_cannot_be", &TOOLS) {
        return;
    }
    let case = Case::new(
        &["base 5", "vital 1\nEssential: yes"],
        &[
            "b 1",
            "c 1\nDepends: b (>= 2)",
            "a 1\nDepends: c",
            "foe 1\nConflicts: vital",
            "x 1\nConflicts: y",
            "y 1",
            "p1 1\nProvides: virt",
            "p2 1\nProvides: virt",
        ],
        &[],
    );
    let refused = |request: &Request| case.ours(request).unwrap_err().to_string();
    let said = refused(&install(&["a"]));
    assert!(
        said.contains("a 1 needs c, c 1 needs b (>= 2), which no repository offers; b 1 is offered by file:"),
        "{said}"
    );
    for (names, wanted) in [
        (&["nothing"][..], "no repository offers a package of that name"),
        (&["b=7"], "b=7: no repository offers that; b 1 is offered"),
        (&["base=4"], "nothing is downgraded"),
        (&["virt"], "virt is provided by p1, p2; name one of them"),
        (&["foe"], "vital"),
        (&["x", "y"], "these do not fit together"),
    ] {
        let said = refused(&install(names));
        assert!(said.contains(wanted), "{names:?}: {said}");
    }
    let said = refused(&Request { remove: vec!["vital".to_owned()], ..Request::default() });
    assert!(said.contains("essential"), "{said}");
    let both =
        Request { install: vec!["base".to_owned()], remove: vec!["base".to_owned()], ..Request::default() };
    assert!(refused(&both).contains("to be installed and to be removed"));
}

#[test]
fn recommendations_come_when_asked_for_and_as_far_as_they_can() {
    if !have("recommendations", &TOOLS) {
        return;
    }
    let case = Case::new(
        &["base 1\nConflicts: foe"],
        &["a 1\nRecommends: b, foe, nowhere", "b 1\nRecommends: c", "c 1", "foe 1\nConflicts: a"],
        &[],
    );
    let mut request = install(&["a"]);
    assert_eq!(shown(&case.ours(&request).unwrap()).len(), 1);
    request.recommends = true;
    let names: Vec<String> = shown(&case.ours(&request).unwrap()).into_iter().collect();
    assert_eq!(names, ["+a 1", "+b 1", "+c 1"]);
}

#[test]
fn chains_and_trees() {
    let status = [
        "dpkg 1\nEssential: yes\nPre-Depends: libz",
        "app 2\nDepends: lib (>= 1) | other, gone",
        "lib 1\nDepends: libz\nRecommends: extra",
        "libz 1",
        "extra 1",
        "lonely 1",
    ];
    let status: String = status.iter().map(|text| stanza(text, "Status: install ok installed\n")).collect();
    let auto: String = ["lib", "libz", "extra", "lonely"]
        .map(|name| format!("Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n\n"))
        .concat();
    let memory =
        MemoryTree::new().file("/var/lib/dpkg/status", status).file("/var/lib/apt/extended_states", auto);
    let image = Image::read(&Stage::new(&memory)).unwrap();
    let chains = why(&image, "libz", 10).unwrap();
    let shown: Vec<String> = chains
        .iter()
        .map(|chain| {
            let links =
                chain.links.iter().map(|link| format!(" {} {} {}", link.package, link.field, link.relation));
            chain.begins.clone() + &links.collect::<String>()
        })
        .collect();
    assert_eq!(
        shown,
        ["essential dpkg Pre-Depends libz", "manual app Depends lib (>= 1) | other lib Depends libz"]
    );
    assert_eq!(why(&image, "app", 10).unwrap()[0].links.len(), 0);
    assert_eq!(why(&image, "extra", 10).unwrap()[0].links.last().unwrap().field, "Recommends");
    assert_eq!(why(&image, "lonely", 10).unwrap()[0].begins, "nothing");
    assert!(why(&image, "none", 10).is_none());
    let tree = tree(&image, "app", false, 9).unwrap();
    assert_eq!(tree.needs.len(), 2);
    assert_eq!((tree.needs[0].package.as_str(), tree.needs[0].needs[0].package.as_str()), ("lib", "libz"));
    assert_eq!((tree.needs[1].package.as_str(), &tree.needs[1].version), ("gone", &None));
    let flat = hardtack_repository::tree(&image, "app", false, 1).unwrap();
    assert!(flat.needs[0].cut && !flat.needs[0].repeated && !flat.needs[1].cut, "{flat:?}");
}
