//! The local catalog.

use serde_json::Value;

use crate::workshop::Folder;

#[test]
fn an_image_is_hardened_into_the_catalog_and_taken_away_again() {
    let folder = Folder::new();
    let ran = folder.expect(0, "install sample.qcow2 --recipe x.yaml -n web/1 -d test --tag team=a");
    let id = ran.image();
    assert_eq!(ran.out, format!("IMAGE\t{id}\n"));
    let text = std::fs::read_to_string(folder.path(&format!("catalog/images/{id}/image.json"))).unwrap();
    let entry: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(entry["name"], "web/1");
    assert_eq!(entry["description"], "test");
    assert_eq!(entry["architecture"], "x86_64");
    assert_eq!(entry["tags"]["team"], "a");
    assert_eq!(entry["tags"]["hardtack:inputs"].as_str().unwrap().len(), 64);
    // The recipe is in it: built again it is as the recipe says.
    let disk = format!("catalog/images/{id}/disk.qcow2");
    let plan = folder.expect(0, &format!("build x.yaml --source {disk} --plan"));
    assert!(plan.out.contains("Nothing to change"), "{}", plan.out);
    let plan = folder.expect(0, "build x.yaml --source sample.qcow2 --plan");
    assert!(plan.out.contains("motd"), "{}", plan.out);
    assert!(folder.path("web-1.journal").exists());
    let undone = folder.expect(0, "undo web-1.journal");
    assert!(undone.out.contains(&id), "{}", undone.out);
    assert_eq!(folder.names("catalog/images"), [""; 0]);
    assert!(!folder.path("web-1.journal").exists());
}

#[test]
fn the_same_run_again_gives_the_same_image() {
    let folder = Folder::new();
    let first = folder.expect(0, "install sample.qcow2 --recipe x.yaml -n web").image();
    assert_eq!(folder.expect(0, "install sample.qcow2 --recipe x.yaml -n web").image(), first);
    assert_eq!(folder.names("catalog/images").len(), 1);
    // The journal is of another run.
    folder.write("y.yaml", &crate::workshop::RECIPE.replace("hard", "other"));
    let other = folder.expect(3, "install sample.qcow2 --recipe y.yaml -n web");
    assert!(other.err.contains("undo"), "{}", other.err);
    // Names are given once.
    let taken = folder.expect(3, "install sample.qcow2 -n web --journal other.journal");
    assert!(taken.err.contains(&first) && taken.out.is_empty(), "{}", taken.err);
    assert!(!folder.path("other.journal").exists());
    let taken = folder.expect(3, "install sample.qcow2 -n web --journal other.journal --existing reuse");
    assert!(taken.err.contains(&first), "{}", taken.err);
    let reused = folder
        .expect(0, "install sample.qcow2 --recipe x.yaml -n web --journal other.journal --existing reuse");
    assert_eq!(reused.image(), first);
    // What the recipe refers to counts, names do not.
    let unchanged = folder.expect(0, "install sample.qcow2 --recipe x.yaml -n new --if-changed --json");
    let unchanged: Value = serde_json::from_str(&unchanged.out).unwrap();
    assert_eq!((unchanged["image"].as_str(), unchanged["found"].as_bool()), (Some(&*first), Some(true)));
    let changed = folder.expect(0, "install sample.qcow2 --recipe y.yaml -n new --if-changed").image();
    assert_ne!(changed, first);
    // The image is gone, and the journal says it is there.
    std::fs::remove_dir_all(folder.path(&format!("catalog/images/{changed}"))).unwrap();
    let gone = folder.expect(3, "install sample.qcow2 --recipe y.yaml -n new");
    assert!(gone.err.contains(&changed) && gone.err.contains("undo"), "{}", gone.err);
}

#[test]
fn an_image_of_the_catalog_is_a_source() {
    let folder = Folder::new();
    let first = folder.expect(0, "install sample.qcow2 -n base").image();
    let second = folder.expect(0, &format!("install --source {first} --recipe x.yaml -n web")).image();
    assert_ne!(first, second);
    let missing = folder.expect(2, "install --source ami-0123456789abcdef0 -n other");
    assert!(missing.err.contains("--on aws"), "{}", missing.err);
    folder.expect(2, "install --source ssm:/aws/service/x -n other");
}

#[test]
fn a_dry_run_makes_nothing() {
    let folder = Folder::new();
    let ran = folder.expect(0, "install sample.qcow2 --recipe x.yaml -n web --dry-run");
    assert!(ran.out.lines().all(|line| line.starts_with("good\t")), "{}", ran.out);
    assert_eq!(folder.names("."), ["sample.qcow2", "x.yaml"]);
    folder.expect(0, "install sample.qcow2 -n web --journal a.journal");
    let ran = folder.expect(1, "install sample.qcow2 -n web --dry-run --json");
    let checks: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(checks["good"], false);
    assert!(checks["checks"].as_array().unwrap().iter().any(|check| check["outcome"] == "bad"));
}

#[test]
fn what_fails_leaves_nothing() {
    let folder = Folder::new();
    folder.write(
        "bad.yaml",
        "recipe: 1\nname: x\nsteps:\n  - files:\n      - {write: /nowhere/x, contents: a}\n",
    );
    folder.write("noise.raw", &"noise".repeat(1000));
    for (code, arguments) in [
        (2, "install sample.qcow2 --recipe bad.yaml -n web"),
        (2, "install sample.qcow2 -n ab"),
        (2, "install sample.qcow2"),
        (2, "install -n web"),
        (2, "install sample.qcow2 -n web --ebs"),
        (2, "install sample.qcow2 -n web --share all"),
        (2, "install sample.qcow2 -n web --region eu-central-1"),
        (2, "install sample.qcow2 -n web --tag a"),
        (2, "install sample.qcow2 -n web --on euca"),
        (2, "install sample.qcow2 -n web --on aws --bundle"),
        (4, "install missing.qcow2 -n web"),
        (3, "install noise.raw --recipe x.yaml -n web"),
        (4, "undo web.journal"),
    ] {
        let ran = folder.expect(code, arguments);
        assert!(ran.out.is_empty(), "{arguments}: {}", ran.out);
        assert!(ran.err.contains("hardtack") || ran.err.contains("error"), "{arguments}: {}", ran.err);
        assert!(!folder.path("web.journal").exists(), "{arguments}");
        assert_eq!(folder.names("catalog/images"), [""; 0], "{arguments}");
    }
}

#[test]
fn a_bundle_goes_through_a_bucket_of_the_catalog() {
    let folder = Folder::new();
    let keys = "for who in user cloud; do openssl req -x509 -newkey rsa:2048 -nodes -keyout $who.pem -out $who.crt \
                -subj /CN=x -days 1 2>/dev/null; done";
    let made = std::process::Command::new("sh").args(["-ec", keys]).current_dir(folder.path("")).status();
    assert!(made.unwrap().success());
    folder.expect(0, "bundle sample.qcow2 -o b -u 123456789012 -k user.pem -c user.crt --ec2cert cloud.crt");
    let sent = folder.expect(0, "upload b/sample.manifest.xml -b images/2026 --json");
    let sent: Value = serde_json::from_str(&sent.out).unwrap();
    assert_eq!(sent["location"], "images/2026/sample.manifest.xml");
    assert_eq!(sent["skipped"], 0);
    let again = folder.expect(0, "upload -m b/sample.manifest.xml -b images/2026 --json");
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["skipped"], sent["parts"]);
    folder.expect(2, "register images/2026/sample.manifest.xml -n web");
    let id = folder.expect(0, "register images/2026/sample.manifest.xml -n web -k user.pem").image();
    let disk = format!("catalog/images/{id}/disk.qcow2");
    folder.expect(0, &format!("convert {disk} one.raw"));
    folder.expect(0, "convert sample.qcow2 other.raw");
    assert!(
        std::fs::read(folder.path("one.raw")).unwrap() == std::fs::read(folder.path("other.raw")).unwrap()
    );
    assert_eq!(folder.names("catalog"), ["buckets", "images", "lock"]);
    folder.expect(0, "undo web.register.journal");
    assert_eq!(folder.names("catalog/images"), [""; 0]);
    // A damaged part is not copied.
    let part = folder.path("b/sample.part.00");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    folder.expect(3, "upload b/sample.manifest.xml -b other");
    assert_eq!(folder.names("catalog/buckets"), ["images"]);
    // A disk is registered as it is.
    let id = folder.expect(0, "register sample.qcow2 -n disk").image();
    assert!(folder.path(&format!("catalog/images/{id}/disk.qcow2")).is_file());
}

#[test]
fn a_test_is_read_before_anything_else() {
    let folder = Folder::new();
    for (text, expected) in [
        ("checks: []\n", "finds nothing"),
        ("check:\n  - port: 22\n", "did you mean `checks`"),
        ("checks:\n  - prot: 22\n", "did you mean `port`"),
        ("checks:\n  - console: \"(\"\n", "no regular expression"),
        ("checks:\n  - port: 99999\n", "65535"),
        ("user-data-file: missing\nchecks:\n  - port: 22\n", "missing"),
        ("checks: [a\n", "t.yaml:"),
    ] {
        folder.write("t.yaml", text);
        let ran = folder.expect(2, "install sample.qcow2 -n web --test t.yaml");
        assert!(ran.err.contains(expected) && ran.err.contains("t.yaml"), "{text}: {}", ran.err);
        assert!(!folder.path("web.journal").exists());
    }
}
