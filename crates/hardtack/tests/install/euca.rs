//! Eucalyptus, as far as a strict copy of it goes.

use hardtack_fake_cloud::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::workshop::{Folder, Ran, cloud};

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
fn the_clouds_certificate_is_fetched_where_somebody_says_from_where() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    let environment = cloud.environment();
    let url = environment["EC2_URL"].replace("/services/compute", "/services/Empyrean");
    let bare = |line: &str| {
        let mut command = folder.command(line);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(name, &environment[name]);
        }
        command
    };
    let check = |directory: &str| {
        folder.expect(0, &format!("unbundle --check {directory}/sample.manifest.xml -k user.pem"));
        std::fs::read_to_string(folder.path(&format!("{directory}/sample.manifest.xml"))).unwrap()
    };
    let line = |to: &str| format!("bundle sample.qcow2 -o {to} -u 123456789012 --key-and-iv key-iv {KEYS}");
    folder.write("key-iv", "000102030405060708090a0b0c0d0e0f\n000102030405060708090a0b0c0d0e0f\n");
    folder.expect(0, &format!("{} --ec2cert cloud.crt", line("given")));
    let given = check("given");
    let ran = Ran::of(&bare(&format!("{} --bootstrap-url {url}", line("option"))).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(check("option"), given, "sealed for the same cloud");
    let ran = Ran::of(&bare(&line("variable")).env("EUCA_BOOTSTRAP_URL", &url).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(check("variable"), given);
    std::fs::create_dir_all(folder.path(".euca")).unwrap();
    folder.write(".euca/a.ini", &format!("[region here]\nbootstrap-url = {url}\n"));
    let ran = Ran::of(&bare(&format!("{} --region here", line("file"))).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(check("file"), given);
    // Nobody says it; nobody has keys; somebody says no.
    let ran = Ran::of(&bare(&line("no")).output().unwrap());
    let words =
        "missing cloud certificate; please supply one with --ec2cert or use --bootstrap-url and access keys";
    assert!(ran.code == Some(2) && ran.err.contains(words), "{}", ran.err);
    let ran = folder.run(&format!("{} --bootstrap-url {url}", line("no")));
    assert!(ran.code == Some(2) && ran.err.contains("AWS_ACCESS_KEY_ID"), "{}", ran.err);
    cloud.inject(
        Fault::new(Service::Bootstrap, "DescribeServiceCertificates", FaultKind::Status(403)).always(),
    );
    let ran = Ran::of(&bare(&format!("{} --bootstrap-url {url}", line("no"))).output().unwrap());
    assert!(ran.code == Some(5) && ran.err.contains("--ec2cert"), "{}", ran.err);
    assert!(!folder.path("no").exists());
}

#[test]
fn a_certificate_of_somebody_else_is_told_before_anything_is_sent() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    let line = |certificate: &str| {
        format!("install sample.qcow2 -n web-1 --on euca -b images {KEYS} --ec2cert {certificate}")
    };
    let dry = folder.expect_at(&cloud, 1, &format!("{} --dry-run", line("user.crt")));
    let bad = dry.out.lines().find(|line| line.starts_with("bad\tcertificate\t")).unwrap();
    assert!(bad.contains("user.crt") && bad.contains("not this cloud's"), "{bad}");
    folder.expect_at(&cloud, 3, &line("user.crt"));
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
    let good = folder.expect_at(&cloud, 0, &format!("{} --dry-run", line("cloud.crt")));
    assert!(good.out.contains("good\tcertificate\tcloud.crt"), "{}", good.out);
    cloud.inject(
        Fault::new(Service::Bootstrap, "DescribeServiceCertificates", FaultKind::Status(403)).always(),
    );
    let unknown = folder.expect_at(&cloud, 0, &format!("{} --dry-run", line("user.crt")));
    assert!(unknown.out.contains("doubtful\tcertificate\tuser.crt"), "{}", unknown.out);
}

#[test]
fn three_steps_do_the_same() {
    let (folder, cloud) = (Folder::new(), cloud(true));
    folder.keys();
    folder.expect(0, &format!("bundle sample.qcow2 -o b -u 123456789012 {KEYS} --ec2cert cloud.crt"));
    // Without the manifest, and then with it; and elsewhere.
    folder.expect_at(&cloud, 0, "upload b/sample.manifest.xml -b images --on euca --skipmanifest");
    assert!(!cloud.keys("images").contains(&"sample.manifest.xml".to_owned()));
    let sent = folder.expect_at(&cloud, 0, "upload b/sample.manifest.xml -b images --on euca --json");
    assert!(cloud.keys("images").contains(&"sample.manifest.xml".to_owned()));
    folder.expect_at(&cloud, 0, "upload b/sample.manifest.xml -b others/2026 --on euca");
    folder.expect_at(&cloud, 0, "undo others-2026-sample.upload.journal");
    let sent: Value = serde_json::from_str(&sent.out).unwrap();
    assert_eq!(sent["location"], "images/sample.manifest.xml");
    let id = folder
        .expect_at(&cloud, 0, "register images/sample.manifest.xml -n web-1 --on euca -a x86_64")
        .image();
    assert!(id.starts_with("emi-"), "{id}");
    folder.expect_at(&cloud, 0, "undo web-1.register.journal");
    folder.expect_at(&cloud, 0, "undo images-sample.upload.journal");
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
