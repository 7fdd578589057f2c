//! `hardtack service-image`: what `euca-install-load-balancer` does, from the package that Eucalyptus ships it in.

use std::process::Command;

use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use serde_json::Value;

use crate::workshop::{Folder, cloud, cloud_with};

const OLD: &str = "loadbalancing.loadbalancer_emi";
const NEW: &str = "services.loadbalancing.worker.image";
const KEYS: &str = "--on euca -k user.pem -c user.crt";
const TARBALL: &str = "eucalyptus-load-balancer-image-1.1.0-212.tgz";

const SPEC: &str = "Name: eucalyptus-load-balancer-image\nVersion: 1.1.0\nRelease: 212\nSummary: s\nLicense: BSD\n\
BuildArch: noarch\n%description\nd\n%install\nmkdir -p %{buildroot}/usr/share/eucalyptus-load-balancer-image \
%{buildroot}/usr/bin\ncp FOLDER/TARBALL %{buildroot}/usr/share/eucalyptus-load-balancer-image/\n\
echo '#!/bin/sh' > %{buildroot}/usr/bin/euca-install-load-balancer\n%files\n\
/usr/share/eucalyptus-load-balancer-image\n/usr/bin/euca-install-load-balancer\n";

/// A folder with the tarball: an image with a file system in it.
fn scene() -> Folder {
    let folder = Folder::new();
    folder.keys();
    folder.expect(0, "convert sample.qcow2 eucalyptus-load-balancer-image.img");
    folder.sh(&format!("tar -czSf {TARBALL} eucalyptus-load-balancer-image.img"));
    folder
}

fn package(folder: &Folder) -> Option<String> {
    if Command::new("rpmbuild").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "rpmbuild is missing");
        eprintln!("SKIPPED: rpmbuild is missing");
        return None;
    }
    let here = folder.path(".").canonicalize().unwrap().display().to_string();
    folder.write("spec", &SPEC.replace("FOLDER", &here).replace("TARBALL", TARBALL));
    folder.sh("rpmbuild -bb --quiet --define \"_topdir $PWD/top\" spec 2> rpmbuild.log");
    Some("top/RPMS/noarch/eucalyptus-load-balancer-image-1.1.0-212.noarch.rpm".to_owned())
}

/// The disk that a version's bucket has.
fn disk(folder: &Folder, cloud: &Cloud, version: u32) -> Vec<u8> {
    let bucket = format!("loadbalancer-v{version}");
    for key in cloud.keys(&bucket) {
        std::fs::write(folder.path(&key), cloud.object(&bucket, &key).unwrap()).unwrap();
    }
    folder.expect(0, "unbundle eucalyptus-load-balancer-image.img.manifest.xml -o out.raw -k user.pem");
    let bytes = std::fs::read(folder.path("out.raw")).unwrap();
    std::fs::remove_file(folder.path("out.raw")).unwrap();
    bytes
}

#[test]
fn a_package_becomes_the_next_version_and_undo_brings_the_last_one_back() {
    let (folder, cloud) = (scene(), cloud(true));
    let missing = folder.expect_at(&cloud, 4, &format!("service-image install nosuch.tgz {KEYS}"));
    assert!(!missing.err.contains("bundling and uploading"), "{}", missing.err);
    assert!(missing.err.contains("nosuch.tgz") && cloud.log().is_empty(), "{}", missing.err);
    let Some(package) = package(&folder) else { return };
    let empty = folder.expect_at(&cloud, 0, "service-image list --on euca");
    assert!(empty.out.contains("No load balancer images Installed."), "{}", empty.out);
    let first = folder.expect_at(&cloud, 0, &format!("service-image install {TARBALL} {KEYS}"));
    let one = cloud.property(OLD).unwrap();
    assert!(
        first.out.contains(&format!("PROPERTY\t{OLD}\t{one} was NULL\n\nLoad Balancing Support is Enabled")),
        "{}",
        first.out
    );
    let image = std::fs::read(folder.path("eucalyptus-load-balancer-image.img")).unwrap();
    assert!(disk(&folder, &cloud, 1) == image);
    // The package, with a recipe: what is sent is what `build` makes.
    let line = format!("service-image install {package} --recipe x.yaml {KEYS} --json");
    let second: Value = serde_json::from_str(&folder.expect_at(&cloud, 0, &line).out).unwrap();
    let two = cloud.property(OLD).unwrap();
    assert_eq!(
        (second["version"].as_u64(), second["image"].as_str(), second["previous"].as_str()),
        (Some(2), Some(two.as_str()), Some(one.as_str()))
    );
    folder.expect(0, "build x.yaml --source eucalyptus-load-balancer-image.img --output other.raw");
    assert!(disk(&folder, &cloud, 2) == std::fs::read(folder.path("other.raw")).unwrap());
    let images = cloud.images();
    let made = images.iter().find(|image| image.id == two).unwrap();
    assert_eq!(made.values["Name"], "eucalyptus-load-balancer-image-v2");
    assert_eq!(
        made.values["ImageLocation"],
        "loadbalancer-v2/eucalyptus-load-balancer-image.img.manifest.xml"
    );
    assert_eq!(made.values["VirtualizationType"], "hvm");
    assert!(made.values["Description"].starts_with("Installed on 20"), "{:?}", made.values);
    assert!(!made.tags.contains_key("provides"), "{:?}", made.tags);
    let list = folder.expect_at(&cloud, 0, "service-image list --on euca").out;
    let (kept, used) = list.split_once("Version 2 (enabled)\n").unwrap();
    assert!(kept.contains(&format!("Version 1\n{one} (loadbalancer-v1/")), "{list}");
    assert!(
        used.starts_with(&format!("{two} (loadbalancer-v2/")) && used.contains("\tInstalled on 20"),
        "{list}"
    );
    folder.expect_at(&cloud, 0, "undo loadbalancer-v2.journal");
    assert_eq!(cloud.property(OLD).as_deref(), Some(one.as_str()));
    assert!(cloud.keys("loadbalancer-v2").is_empty() && cloud.images().len() == 1);
    folder.expect_at(&cloud, 0, "undo loadbalancer-v1.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_cloud_since_4_2_has_another_property_and_tags() {
    let folder = scene();
    let cloud = cloud_with(true, |options| {
        options.properties = vec![(NEW.to_owned(), "NULL".to_owned())];
    });
    let ran = folder.expect_at(&cloud, 0, &format!("service-image install {TARBALL} {KEYS}"));
    let image = cloud.property(NEW).unwrap();
    assert!(ran.out.contains(&format!("PROPERTY\t{NEW}\t{image} was NULL")), "{}", ran.out);
    let tags = cloud.images()[0].tags.clone();
    assert_eq!(
        (tags["type"].as_str(), tags["version"].as_str(), tags["provides"].as_str()),
        ("eucalyptus-service-image", "v1", "loadbalancing")
    );
    folder.expect_at(&cloud, 0, "undo loadbalancer-v1.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_somebody_else_has_set_meanwhile_is_left() {
    let (folder, cloud) = (scene(), cloud(true));
    for journal in ["one.journal", "two.journal"] {
        folder.expect_at(&cloud, 0, &format!("service-image install {TARBALL} {KEYS} --journal {journal}"));
    }
    let two = cloud.property(OLD).unwrap();
    let undone = folder.expect_at(&cloud, 0, "undo one.journal");
    assert_eq!(cloud.property(OLD).as_deref(), Some(two.as_str()));
    assert!(undone.out.contains(OLD) || undone.err.contains(OLD), "{}{}", undone.out, undone.err);
    // One that is done is told again, and nothing is made.
    let line = format!("service-image install {TARBALL} {KEYS} --journal two.journal");
    let again = folder.expect_at(&cloud, 0, &line);
    assert!(again.out.contains(&format!("PROPERTY\t{OLD}\t{two} was emi-")), "{}", again.out);
    assert_eq!(cloud.images().len(), 1);
    folder.expect_at(&cloud, 0, "undo two.journal");
}

#[test]
fn keys_of_no_administrator_end_before_anything_is_made() {
    let folder = scene();
    let cloud = cloud_with(true, |options| options.administrators = vec!["999999999999".to_owned()]);
    let ran = folder.expect_at(&cloud, 5, &format!("service-image install {TARBALL} {KEYS}"));
    assert!(ran.err.contains("administrator"), "{}", ran.err);
    folder.expect_at(&cloud, 5, "service-image list --on euca");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
    assert!(folder.names(".").iter().all(|name| !name.ends_with(".journal")));
    let ran = folder.expect(2, "service-image list --on local");
    assert!(ran.err.contains("--on euca"), "{}", ran.err);
}

#[test]
fn a_property_that_is_not_set_is_set_by_the_next_run() {
    let (folder, cloud) = (scene(), cloud(true));
    cloud.inject(Fault::new(Service::Properties, "ModifyPropertyValue", FaultKind::Code(400, "Broken")));
    let line = format!("service-image install {TARBALL} {KEYS}");
    folder.expect_at(&cloud, 5, &line);
    let image = cloud.images()[0].id.clone();
    assert_eq!(cloud.property(OLD).as_deref(), Some("NULL"));
    let ran = folder.expect_at(&cloud, 0, &line);
    assert!(ran.out.contains(&image), "{}", ran.out);
    assert_eq!(cloud.property(OLD), Some(image));
    assert_eq!(cloud.images().len(), 1);
    folder.expect_at(&cloud, 0, "undo loadbalancer-v1.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}
