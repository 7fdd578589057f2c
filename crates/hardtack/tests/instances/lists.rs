//! `hardtack instances`, `types`, `terminate`: what euca2ools prints, byte for byte where it is there.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Site;
use crate::workshop::Folder;

/// A program of the real euca2ools: `HARDTACK_EUCA2OOLS` is a directory of them.
fn euca2ools(site: &Site, line: &str) -> Option<String> {
    let Some(directory) = std::env::var_os("HARDTACK_EUCA2OOLS").map(PathBuf::from) else {
        eprintln!("SKIPPED: euca2ools is not here (HARDTACK_EUCA2OOLS names the directory of its programs)");
        return None;
    };
    let mut words = line.split_whitespace();
    let environment = site.cloud.environment();
    let url = environment.get("EC2_URL").or(environment.get("AWS_ENDPOINT_URL")).unwrap();
    let output = Command::new(directory.join(words.next().unwrap()))
        .args(words)
        .args(["-U", url])
        .envs(&environment)
        .env("AWS_AUTH_REGION", &site.cloud.options().region)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn instances_are_listed_as_euca2ools_lists_them() {
    for (euca, kind, page) in [(false, "t3.small", 1000), (true, "m1.small", 1000), (false, "t3.small", 2)] {
        let site = Site::new(euca, |options| options.page = page);
        let mut ids = site.run(kind, 3, "one", Some("web"));
        ids.extend(site.run(kind, 2, "two", None));
        let (folder, on) = (Folder::new(), site.on());
        // Until all are there.
        folder.expect_at(&site.cloud, 0, &format!("instances --on {on}"));
        let ran = folder.expect_at(&site.cloud, 0, &format!("instances --on {on}"));
        let lines =
            |word: &str| ran.out.lines().filter(|line| line.starts_with(&format!("{word}\t"))).count();
        assert_eq!((lines("RESERVATION"), lines("INSTANCE"), lines("TAG")), (2, 5, 3), "{}", ran.out);
        // They do not turn pages.
        if page > 5
            && let Some(theirs) = euca2ools(&site, "euca-describe-instances")
        {
            assert_eq!(ran.out, theirs);
        }
        let tagged =
            folder.expect_at(&site.cloud, 0, &format!("instances --on {on} tag:Name=web {}", ids[0]));
        assert_eq!(tagged.out.matches("\nINSTANCE\t").count(), 3, "{}", tagged.out);
        let line = format!(
            "instances --on {on} --filter instance-id={} --filter instance-id={} --json",
            ids[1], ids[4]
        );
        let found: Value = serde_json::from_str(&folder.expect_at(&site.cloud, 0, &line).out).unwrap();
        let found: Vec<&str> =
            found.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        let ran = folder.expect_at(&site.cloud, 3, &format!("instances --on {on} i-0123456789abcdef0"));
        assert!(ran.err.contains("there is no such instance"), "{}", ran.err);
    }
}

#[test]
fn types_are_listed_with_what_is_free() {
    let folder = Folder::new();
    let site = Site::new(true, |_| {});
    site.run("m1.small", 3, "one", None);
    let ran = folder.expect_at(&site.cloud, 0, "types --on euca");
    for words in ["AVAILABILITYZONE\tone\n", "AVAILABILITYZONE\ttwo\n", "\nINSTANCETYPE\tm1.small "] {
        assert!(ran.out.contains(words), "{}", ran.out);
    }
    if let Some(theirs) = euca2ools(&site, "euca-describe-instance-types --by-zone --show-capacity") {
        assert_eq!(ran.out, theirs);
    }
    // AWS tells no capacity, and gives pages.
    let site = Site::new(false, |options| options.page = 5);
    let ran = folder.expect_at(&site.cloud, 0, "types --on aws");
    let names: Vec<&str> =
        ran.out.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert!(names.len() > 10 && names.starts_with(&["c5.large"]), "{names:?}");
    let place = |name: &str| names.iter().position(|have| *have == name).unwrap();
    assert!(place("t3.nano") < place("t3.micro") && place("t3.small") < place("t3.large"), "{names:?}");
    let ran = folder.expect_at(&site.cloud, 0, "types --on aws t4g.small --json");
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(found[0]["architectures"], serde_json::json!(["arm64"]));
    folder.expect_at(&site.cloud, 3, "types --on aws x9.huge");
}

#[test]
fn ended_instances_are_told_as_euca2ools_tells_them() {
    let site = Site::new(false, |_| {});
    let ids = site.run("t3.small", 4, "one", Some("web"));
    let folder = Folder::new();
    folder.expect_at(&site.cloud, 0, "instances --on aws");
    let ran = folder.expect_at(&site.cloud, 0, &format!("terminate --on aws {} {}", ids[0], ids[1]));
    let line = |id: &str| format!("INSTANCE\t{id}\trunning\tshutting-down\n");
    assert_eq!(ran.out, line(&ids[0]) + &line(&ids[1]));
    if let Some(theirs) = euca2ools(&site, &format!("euca-terminate-instances {}", ids[2])) {
        assert_eq!(theirs, line(&ids[2]));
    }
    // One of them is none: nothing ends.
    let before = site.cloud.instances().len();
    folder.expect_at(&site.cloud, 3, &format!("terminate --on aws {} i-0123456789abcdef0", ids[3]));
    assert_eq!(site.cloud.instances().len(), before);
    let ran = folder.expect_at(&site.cloud, 0, "terminate --on aws tag:Name=web --json");
    let ended: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(ended.as_array().unwrap().iter().any(|one| one["id"] == ids[3].as_str()), "{}", ran.out);
    folder.expect_at(&site.cloud, 3, "terminate --on aws tag:Name=web");
}
