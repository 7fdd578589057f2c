//! What is listed against dpkg's own answer, and the documents against their published schemas.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::Path;
use std::process::Command;

use hardtack_guest::{HostTree, MemoryTree};
use hardtack_sbom::{Document, Inventory, Provenance, cyclonedx, spdx};

const STATUS: &str = "\
Package: a
Status: install ok installed
Maintainer: Some Body <body@example.org>
Architecture: amd64
Source: src-a (1.0)
Version: 2:1.0-1+b1
Depends: c | b (>= 1), not-there | virtual
Homepage: not a url at all
Description: one
 more

Package: b
Status: install ok unpacked
Architecture: all
Multi-Arch: foreign
Provides: virtual
Version: 1.5
Description: two

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.22.0
";

fn document() -> Document {
    Document {
        name: "image \"x\".qcow2".to_owned(),
        tool_version: "0.1.0".to_owned(),
        created: 1_795_342_500,
    }
}

fn sample() -> Inventory {
    let tree = MemoryTree::new()
        .file("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian 12\"\n")
        .file("/usr/share/doc/a/copyright", "Format: x\n\nLicense: GPL-2+\n")
        .file("/usr/lib/hardtack/hardtack-agent", "program")
        .file("/var/lib/dpkg/status", STATUS);
    Inventory::read(&tree).unwrap()
}

/// Two programs, and what is linked into them.
fn release() -> Inventory {
    let trees = "0tool v1.2.0 (/x)|Apache-2.0|\n1ring v0.17.14|Apache-2.0 AND ISC|https://example.org/ring\n\
                 1musl v1.2.5|MIT||generic\n0helper v1.2.0 (/y)|MIT/Apache-2.0|\n";
    Inventory::of_programs("1.2.0", trees, |_| Some("a".repeat(64))).unwrap()
}

#[test]
fn a_release_is_an_application_with_licences_in_expressions() {
    let spdx = spdx(&release(), &document());
    assert_eq!(spdx["packages"][0]["primaryPackagePurpose"], "APPLICATION");
    assert_eq!(spdx["packages"][0]["versionInfo"], "1.2.0");
    let ring = spdx["packages"].as_array().unwrap().iter().find(|one| one["name"] == "ring").unwrap();
    assert_eq!(ring["licenseDeclared"], "Apache-2.0 AND ISC");
    let bom = cyclonedx(&release(), &document());
    assert_eq!(bom["metadata"]["component"]["type"], "application");
    let ring = bom["components"].as_array().unwrap().iter().find(|one| one["name"] == "ring").unwrap();
    assert_eq!(ring["licenses"][0]["expression"], "Apache-2.0 AND ISC");
    assert_eq!(ring["purl"], "pkg:cargo/ring@0.17.14");
}

#[test]
fn what_is_installed_is_listed_with_what_it_needs() {
    let inventory = sample();
    let names: Vec<&str> = inventory.components.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "dpkg", "hardtack-agent"]);
    let a = &inventory.components[0];
    assert_eq!(a.depends, [1]);
    assert_eq!(a.licenses, ["GPL-2+"]);
    assert_eq!(a.purl, "pkg:deb/debian/a@2:1.0-1%2Bb1?arch=amd64&distro=debian-12&upstream=src-a%401.0");
    assert!(inventory.components[3].sha256.is_some());
}

#[test]
fn the_same_image_gives_the_same_documents() {
    assert_eq!(spdx(&sample(), &document()), spdx(&sample(), &document()));
    assert_eq!(cyclonedx(&sample(), &document()), cyclonedx(&sample(), &document()));
}

#[test]
fn a_record_names_what_went_in_and_out() {
    let digest = |letter: &str| hardtack_sbom::Digest(letter.repeat(64));
    let record = Provenance {
        output: "out.qcow2".to_owned(),
        digest: digest("a"),
        verb: "build",
        parameters: vec![("grow", 1.into())],
        inputs: vec![hardtack_sbom::Input {
            role: "source",
            name: "in.qcow2".to_owned(),
            digest: digest("b"),
        }],
        tool_version: "0.1.0".to_owned(),
        epoch: 5,
    };
    let statement = record.statement();
    assert_eq!(statement["_type"], hardtack_sbom::STATEMENT_TYPE);
    assert_eq!(statement["subject"][0]["digest"]["sha256"], "a".repeat(64));
    let predicate = &statement["predicate"];
    assert_eq!(predicate["buildDefinition"]["resolvedDependencies"][0]["annotations"]["role"], "source");
    assert_eq!(predicate["buildDefinition"]["externalParameters"]["grow"], 1);
    assert!(!statement.to_string().contains('/') || !statement.to_string().contains("/tmp"));
}

#[test]
fn dpkg_lists_the_same_packages_of_this_machine() {
    let asked = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Abbrev} ${Package} ${Version} ${Architecture}\\n"])
        .output();
    let Ok(asked) = asked.map(|asked| String::from_utf8(asked.stdout).unwrap()) else {
        eprintln!("SKIPPED: there is no dpkg-query here");
        return;
    };
    let mut theirs: Vec<String> =
        asked.lines().filter_map(|line| line.strip_prefix("ii  ")).map(str::to_owned).collect();
    let inventory = Inventory::read(&HostTree::new("/")).unwrap();
    let mut ours: Vec<String> = inventory
        .components
        .iter()
        .filter(|one| one.manager == hardtack_sbom::Manager::Dpkg)
        .map(|one| {
            format!("{} {} {}", one.name, one.version, one.architecture.as_deref().unwrap_or_default())
        })
        .collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
    assert!(inventory.components.iter().any(|one| one.depends.len() > 1 && !one.licenses.is_empty()));
}

/// SPDX's and CycloneDX's own Python libraries, with the schemas in them.
#[test]
fn the_documents_are_valid_by_their_published_schemas() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir().unwrap();
    let mut inventories = vec![("sample", sample()), ("release", release())];
    if Path::new("/var/lib/dpkg/status").exists() {
        inventories.push(("machine", Inventory::read(&HostTree::new("/")).unwrap()));
    }
    for (name, inventory) in inventories {
        let of = |suffix: &str| folder.path().join(format!("{name}.{suffix}"));
        // Both libraries take half a minute for a whole machine.
        let mut some = inventory.clone();
        some.components.truncate(60);
        some.components.iter_mut().for_each(|one| one.depends.retain(|index| *index < 60));
        std::fs::write(of("spdx.json"), spdx(&some, &document()).to_string()).unwrap();
        std::fs::write(of("cdx.json"), cyclonedx(&some, &document()).to_string()).unwrap();
        if let Err(why) = hardtack_tests::bills::assert_valid(&of("spdx.json"), &of("cdx.json"), scratch) {
            eprintln!("SKIPPED: no validators of SPDX and CycloneDX: {why}");
            return;
        }
    }
}

/// A database as rpmbuild's rpm makes it (sqlite), where it is installed.
#[test]
fn packages_of_rpm_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    std::fs::write(base.join("one.spec"), SPEC).unwrap();
    let define = |name: &str, value: &Path| format!("{name} {}", value.display());
    let built = Command::new("rpmbuild")
        .args(["-bb", "--quiet", "--define", &define("_topdir", base), "--define", "_build_id_links none"])
        .arg(base.join("one.spec"))
        .output();
    let Ok(built) = built else {
        eprintln!("SKIPPED: there is no rpmbuild here");
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let root = base.join("root");
    std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    std::fs::create_dir_all(root.join("etc")).unwrap();
    std::fs::write(root.join("etc/os-release"), "ID=centos\nVERSION_ID=9\n").unwrap();
    let installed = Command::new("rpm")
        .args(["--define", &define("_dbpath", &root.join("var/lib/rpm")), "-i", "--justdb", "--nodeps"])
        .args(["--ignorearch", "--nosignature"])
        .arg(base.join("RPMS/noarch/one-1.0-2.noarch.rpm"))
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let inventory = Inventory::read(&HostTree::new(&root)).unwrap();
    let purls: Vec<&str> = inventory.components.iter().map(|one| one.purl.as_str()).collect();
    assert_eq!(
        purls,
        ["pkg:rpm/centos/one@1.0-2?arch=noarch&distro=centos-9&epoch=3&upstream=one-1.0-2.src.rpm"]
    );
    assert_eq!(inventory.components[0].licenses, ["MIT"]);
}

const SPEC: &str = "\
Name: one
Epoch: 3
Version: 1.0
Release: 2
Summary: one package
License: MIT
BuildArch: noarch
%description
one
%files
";
