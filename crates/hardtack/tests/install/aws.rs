//! AWS, as far as a strict copy of it goes.

use hardtack_fake_cloud::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::workshop::{Folder, RECIPE, cloud};

const ON: &str = "--on aws --region us-east-1";

#[test]
fn an_image_is_hardened_into_a_snapshot_registered_copied_shared_and_announced() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    let line = format!(
        "install sample.qcow2 --recipe x.yaml -n web-1 -d test {ON} --copy-to eu-west-1 --share 210987654321 \
         --ssm /images/web --tag team=a"
    );
    let ran = folder.expect_at(&cloud, 0, &line);
    let id = ran.image();
    assert_eq!(ran.out, format!("IMAGE\t{id}\n"));
    let images = cloud.images();
    assert_eq!(images.len(), 2, "{images:?}");
    for image in &images {
        assert!(image.launchers.contains("210987654321"), "{image:?}");
        assert_eq!(image.tags.get("team").map(String::as_str), Some("a"), "{image:?}");
        assert_eq!(image.tags["hardtack:inputs"].len(), 64);
    }
    // What the snapshot has is the disk that a build makes.
    folder.expect(0, "build x.yaml --source sample.qcow2 --output built.raw");
    let built = std::fs::read(folder.path("built.raw")).unwrap();
    let home = images.iter().find(|image| image.id == id).unwrap();
    let snapshot = cloud.read_snapshot(&home.snapshots[0]).unwrap();
    assert!(snapshot.bytes(0, built.len()) == built);
    assert!(cloud.leftovers().contains(&format!("us-east-1 parameter /images/web={id}")));
    // The same again asks, and makes nothing.
    let before = cloud.leftovers();
    assert_eq!(folder.expect_at(&cloud, 0, &line).image(), id);
    assert_eq!(cloud.leftovers(), before);
    let unchanged = line.replace("web-1", "web-2") + " --if-changed --json";
    let unchanged: Value = serde_json::from_str(&folder.expect_at(&cloud, 0, &unchanged).out).unwrap();
    assert_eq!(unchanged["image"], *id);
    assert_eq!(cloud.leftovers(), before);
    // It says all that is said of one that is made.
    assert_eq!((&unchanged["found"], &unchanged["on"]), (&Value::Bool(true), &Value::from("aws")));
    let copy = images.iter().find(|image| image.id != id).unwrap();
    let there =
        serde_json::json!([{"region": "us-east-1", "image": id}, {"region": "eu-west-1", "image": copy.id}]);
    assert_eq!(unchanged["images"], there);
    for key in
        ["architecture", "boot_mode", "changes", "confirmed", "snapshot", "encrypted", "blocks", "sent"]
    {
        assert!(unchanged.get(key).is_some(), "{key}: {unchanged}");
    }
    assert!(!folder.path("web-2.journal").exists());
    // What is missing of it is made, and taken away again.
    let more =
        line.replace("web-1", "web-2").replace("--share", "--copy-to eu-central-1 --share") + " --if-changed";
    assert_eq!(folder.expect_at(&cloud, 0, &more).image(), id);
    assert_eq!(cloud.images().len(), 3);
    folder.expect_at(&cloud, 0, "undo web-2.journal");
    assert_eq!(cloud.leftovers(), before);
    assert_eq!(folder.expect_at(&cloud, 0, &(more + " --dry-run")).out.lines().count(), 1);
    // The name is taken.
    let taken = folder.expect_at(&cloud, 3, &format!("install sample.qcow2 -n web-1 {ON} --journal other"));
    assert!(taken.err.contains(&id) && taken.out.is_empty(), "{}", taken.err);
    assert!(!folder.path("other").exists());
    // The journal is of another run, and the name is taken: both are told beforehand.
    let ran = folder.expect_at(&cloud, 1, &format!("install sample.qcow2 -n web-1 {ON} --dry-run"));
    assert!(ran.out.contains("bad\tjournal\t") && ran.out.contains("hardtack undo"), "{}", ran.out);
    assert!(ran.out.contains("bad\tname\t"), "{}", ran.out);
    let undone = folder.expect_at(&cloud, 0, "undo web-1.journal");
    assert!(undone.out.contains(&format!("removed: image {id}")), "{}", undone.out);
    assert!(!undone.err.contains("removed"), "each is said once: {}", undone.err);
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
    assert!(!folder.path("web-1.journal").exists());
}

#[test]
fn what_a_service_refuses_leaves_no_journal_and_the_corrected_command_works() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    let block = vec![1_u8; 512 << 10];
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[(0, &block)]);
    folder.expect_at(&cloud, 5, &format!("register -s snap-00000000000000000 -n web-1 {ON}"));
    assert!(!folder.path("web-1.register.journal").exists());
    let id = folder.expect_at(&cloud, 0, &format!("register -s {snapshot} -n web-1 {ON}")).image();
    assert_eq!(cloud.images()[0].id, id);
}

#[test]
fn a_dry_run_sends_nothing() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    let ran = folder.expect_at(&cloud, 0, &format!("install sample.qcow2 -n web-1 {ON} --dry-run"));
    assert!(ran.out.contains("good\tcredentials"), "{}", ran.out);
    // What the disk refuses is found, too.
    folder.write(
        "gone.yaml",
        &RECIPE
            .replace("write: /etc/motd", "replace: /no/such, match: a, with: b")
            .replace(", content: \"hard\\n\"", ""),
    );
    for (options, what) in
        [("--arch arm64", "bad\tdisk\t--arch is arm64"), ("--recipe gone.yaml", "bad\tdisk\tstep files: ")]
    {
        let line = format!("install sample.qcow2 -n web-1 {ON} --dry-run {options}");
        let ran = folder.expect_at(&cloud, 1, &line);
        assert!(ran.out.contains(what), "{}", ran.out);
    }
    std::fs::remove_file(folder.path("gone.yaml")).unwrap();
    cloud.block_public_access("us-east-1", true, true);
    let ran = folder.expect_at(&cloud, 1, &format!("install sample.qcow2 -n web-1 {ON} --public --dry-run"));
    assert!(ran.out.contains("bad\t"), "{}", ran.out);
    let ran = folder.expect_at(&cloud, 3, &format!("install sample.qcow2 -n web-1 {ON} --public"));
    assert!(ran.err.contains("bad") && ran.out.is_empty(), "{}", ran.err);
    let line = format!("install sample.qcow2 -n web-1 {ON} --virtualization-type paravirtual");
    assert!(folder.expect_at(&cloud, 2, &line).err.contains("hvm"));
    assert!(cloud.leftovers().is_empty());
    assert_eq!(folder.names("."), ["sample.qcow2", "x.yaml"]);
    // Without keys nothing is asked.
    cloud.clear_log();
    let mut command = folder.command_at(&cloud, &format!("install sample.qcow2 -n web-1 {ON}"));
    let output =
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(cloud.log().is_empty());
}

#[test]
fn a_refusal_is_told_at_once_and_the_run_goes_on_later() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    cloud.inject(
        Fault::new(Service::Ec2, "RegisterImage", FaultKind::Code(403, "UnauthorizedOperation")).always(),
    );
    let line = format!("install sample.qcow2 --recipe x.yaml -n web-1 {ON}");
    let ran = folder.expect_at(&cloud, 5, &line);
    assert!(ran.err.contains("UnauthorizedOperation"), "{}", ran.err);
    assert!(ran.err.contains("hint: run the same command again"), "{}", ran.err);
    assert!(ran.err.contains("hardtack undo ./web-1.journal"), "{}", ran.err);
    let tries = |action: &str| cloud.log().iter().filter(|entry| entry.action == action).count();
    assert_eq!(tries("RegisterImage"), 1);
    let sent = tries("PutSnapshotBlock");
    assert!(sent > 0);
    cloud.heal();
    let id = folder.expect_at(&cloud, 0, &line).image();
    assert_eq!(tries("PutSnapshotBlock"), sent, "a block was sent twice");
    assert_eq!(cloud.snapshots().len(), 1);
    assert_eq!(cloud.images()[0].id, id);
}

#[test]
fn an_image_of_the_cloud_is_a_source() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    let base = folder.expect_at(&cloud, 0, &format!("install sample.qcow2 -n base {ON}")).image();
    let line = format!("install --source {base} --recipe x.yaml -n web-1 {ON} --lock web.lock");
    let ran = folder.expect_at(&cloud, 0, &format!("{line} --json"));
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    let lock = std::fs::read_to_string(folder.path("web.lock")).unwrap();
    assert!(lock.contains(&base), "{lock}");
    folder.expect(0, "build x.yaml --source sample.qcow2 --output built.raw");
    let built = std::fs::read(folder.path("built.raw")).unwrap();
    let snapshot = cloud.read_snapshot(result["snapshot"].as_str().unwrap()).unwrap();
    assert!(snapshot.bytes(0, built.len()) == built);
    // Only what has changed travels.
    assert!(result["sent"].as_u64().unwrap() < snapshot.blocks().len() as u64, "{result}");
    assert_eq!(cloud.snapshots().len(), 2);
    let missing = format!("install --source ami-0123456789abcdef0 -n web-2 {ON}");
    let missing = folder.run(&missing);
    assert_eq!(missing.code, Some(2), "no keys: {}", missing.err);
    folder.expect_at(
        &cloud,
        2,
        &format!("install --source ssm:/images/x -n web-2 {ON} --lock no.lock --locked"),
    );
}

#[test]
fn an_image_that_fails_its_test_is_taken_back() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    folder.write("t.yaml", "user-data: password-of-the-test\ntimeout: 1\nchecks:\n  - console: never\n");
    let line = format!("install sample.qcow2 -n web-1 {ON} --test t.yaml --ssm /images/web");
    let ran = folder.expect_at(&cloud, 1, &line);
    assert!(
        ran.out.is_empty() && ran.err.contains("never") && ran.err.contains("web-1.console"),
        "{}",
        ran.err
    );
    assert_eq!(cloud.leftovers().into_iter().collect::<Vec<_>>(), [""; 0]);
    assert_eq!(cloud.instances()[0].user_data, b"password-of-the-test");
    assert!(!cloud.log().iter().any(|entry| entry.action == "PutParameter"));
    assert!(!folder.path("web-1.journal").exists());
    folder.write(
        "t.yaml",
        "checks:\n  - console: Linux version\n  - run: [sh, -c, 'grep -q Linux $HARDTACK_CONSOLE']\n",
    );
    let id = folder.expect_at(&cloud, 0, &line).image();
    assert!(cloud.leftovers().contains(&format!("us-east-1 parameter /images/web={id}")));
    assert!(!folder.path("web-1.console").exists());
    assert!(cloud.instances().iter().all(|instance| instance.state == "terminated"));
}

#[test]
fn an_image_whose_test_has_not_passed_is_taken_for_nobodys() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    folder.write("t.yaml", "checks:\n  - console: Linux version\n");
    let install = |name: &str| format!("install sample.qcow2 -n {name} {ON} --test t.yaml --if-changed");
    cloud.inject(
        Fault::new(Service::Ec2, "RunInstances", FaultKind::Code(403, "UnauthorizedOperation")).always(),
    );
    folder.expect_at(&cloud, 5, &install("web-1"));
    let tested = |name: &str| {
        let images = cloud.images().into_iter();
        let of_name = images.filter(|image| image.values.get("Name").is_some_and(|value| value == name));
        of_name.filter_map(|image| image.tags.get("hardtack:tested").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(tested("web-1"), ["no"]);
    cloud.heal();
    // Another runner, without that journal.
    let second = folder.expect_at(&cloud, 0, &install("web-2")).image();
    assert_eq!(tested("web-2"), ["yes"]);
    assert_eq!(folder.expect_at(&cloud, 0, &install("web-3")).image(), second);
    let reuse = format!("install sample.qcow2 -n web-1 {ON} --existing reuse --journal other.journal");
    assert!(folder.expect_at(&cloud, 3, &reuse).err.contains("has not passed its test"));
    // The first run goes on with its journal.
    assert_ne!(folder.expect_at(&cloud, 0, &install("web-1").replace(" --if-changed", "")).image(), second);
    assert_eq!(tested("web-1"), ["yes"]);
}

#[test]
fn snapshots_and_bundles_are_registered_by_themselves() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    folder.keys();
    let block = vec![1_u8; 512 << 10];
    let snapshot = cloud.make_snapshot("us-east-1", "123456789012", 1, None, false, &[(0, &block)]);
    let id =
        folder.expect_at(&cloud, 0, &format!("register -s {snapshot} -n web-1 {ON} -b /dev/sdb=:5")).image();
    assert_eq!(cloud.images()[0].snapshots, [snapshot]);
    assert_eq!(cloud.images()[0].id, id);
    folder.expect_at(&cloud, 0, "undo web-1.register.journal");
    assert!(cloud.images().is_empty());
    folder.expect_at(
        &cloud,
        0,
        &format!("install sample.qcow2 -n web-2 {ON} --bundle -b images/2026 -k user.pem -c user.crt --ec2cert cloud.crt"),
    );
    assert!(cloud.keys("images").contains(&"2026/web-2.manifest.xml".to_owned()));
    folder.expect_at(&cloud, 0, "undo web-2.journal");
    let left = cloud.leftovers();
    assert!(left.iter().all(|what| what.contains("snapshot")), "{left:?}");
}
