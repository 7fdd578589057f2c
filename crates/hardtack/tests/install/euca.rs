//! Eucalyptus, as far as a strict copy of it goes.

use hardtack_fake_cloud::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::workshop::{Folder, cloud};

const KEYS: &str = "-k user.pem -c user.crt";

#[test]
fn an_image_is_bundled_sent_and_registered_in_one_pass() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    // Account and the cloud's certificate are asked of the cloud.
    let line = format!("install sample.qcow2 --recipe x.yaml -n web-1 --on euca -b images/2026 {KEYS}");
    let id = folder.expect_at(&cloud, 0, &line).image();
    assert!(id.starts_with("emi-"), "{id}");
    assert_eq!(cloud.keys("images"), ["2026/web-1.manifest.xml", "2026/web-1.part.00"]);
    assert_eq!(cloud.acl("images", "2026/web-1.part.00").as_deref(), Some("aws-exec-read"));
    // The cloud has unbundled it; we do, too.
    for name in ["web-1.manifest.xml", "web-1.part.00"] {
        let bytes = cloud.object("images", &format!("2026/{name}")).unwrap();
        std::fs::write(folder.path(name), bytes).unwrap();
    }
    folder.expect(0, "unbundle web-1.manifest.xml -o one.raw -k user.pem");
    folder.expect(0, "build x.yaml --source sample.qcow2 --output other.raw");
    assert!(
        std::fs::read(folder.path("one.raw")).unwrap() == std::fs::read(folder.path("other.raw")).unwrap()
    );
    assert_eq!(folder.expect_at(&cloud, 0, &line).image(), id);
    folder.expect_at(&cloud, 0, "undo web-1.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn three_steps_do_the_same() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    folder.expect(0, &format!("bundle sample.qcow2 -o b -u 123456789012 {KEYS} --ec2cert cloud.crt"));
    let sent = folder.expect_at(&cloud, 0, "upload b/sample.manifest.xml -b images --on euca --json");
    let sent: Value = serde_json::from_str(&sent.out).unwrap();
    assert_eq!(sent["location"], "images/sample.manifest.xml");
    let id = folder
        .expect_at(&cloud, 0, "register images/sample.manifest.xml -n web-1 --on euca -a x86_64")
        .image();
    assert!(id.starts_with("emi-"), "{id}");
    folder.expect_at(&cloud, 0, "undo web-1.register.journal");
    folder.expect_at(&cloud, 0, "undo sample.upload.journal");
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_run_that_failed_sends_no_part_twice() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    folder.noise("noise.raw", 40);
    cloud.inject(Fault::new(Service::Ec2, "RegisterImage", FaultKind::Status(403)).always());
    let line = format!("install noise.raw -n web-1 --on euca -b images {KEYS}");
    folder.expect_at(&cloud, 5, &line);
    let sent = |cloud: &hardtack_fake_cloud::Cloud| {
        let log = cloud.log();
        let parts = log.iter().filter(|entry| entry.action == "PutObject" && entry.key.contains(".part."));
        parts.map(|entry| entry.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&cloud).len(), 5);
    cloud.heal();
    folder.expect_at(&cloud, 0, &line);
    assert_eq!(sent(&cloud).len(), 5);
}
