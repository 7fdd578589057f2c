//! `build --settle`: what is left for the first boot is done in the image, and the image is nobody's afterwards.

use hardtack_tests::image::Images;
use hardtack_tests::tools::output;
use hardtack_tests::vm::Launch;

use crate::replaced::Replaced;
use crate::workshop::Workshop;

const RECIPE: &str = "debian-replace.yaml";
const SETTLE: [&str; 4] = ["--settle", "--accel", "tcg", "--no-provenance"];

/// A recipe that ends with `steps`.
fn workshop(images: &Images, steps: &str) -> Workshop {
    let workshop = Workshop::new(images, "bookworm");
    workshop.change(RECIPE, &[("mode: replace", "mode: companion")]);
    let file = workshop.path().join(RECIPE);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + steps).unwrap();
    workshop
}

/// The text of a file of the image, or what the program said.
fn cat(workshop: &Workshop, place: &str) -> String {
    let output = output(workshop.command().args(["cat", place]));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[ignore = "the full suite boots it: twice, under emulation"]
fn the_work_of_the_first_boot_is_done_and_the_next_one_is_the_first() {
    let Some(images) = Images::find() else { return };
    let workshop =
        workshop(&images, "  - run-command: \"echo ran >>/srv/ran; cat /etc/machine-id >/srv/made-by\"\n");
    let source = images.disk("debian12");
    let mut arguments = vec!["--output", "settled.qcow2"];
    arguments.extend(SETTLE);
    let (said, _) = workshop.build_ok(RECIPE, &source, &arguments);
    assert!(said.contains("ways in"), "{said}");
    let at = |path: &str| format!("settled.qcow2:{path}");
    assert_eq!(cat(&workshop, &at("/srv/ran")), "ran\n");
    assert_eq!(cat(&workshop, &at("/etc/machine-id")), "uninitialized\n");
    // Nothing of the settling boot is left.
    let units = output(workshop.command().args(["ls", &at("/etc/systemd/system")]));
    let units = String::from_utf8(units.stdout).unwrap();
    assert!(!units.contains("settle") && !units.contains("hardtack-enrol.service.d"), "{units}");
    for path in
        ["/var/lib/hardtack/settled", "/var/lib/hardtack/identity.json", "/var/log/hardtack-tasks.log"]
    {
        assert!(
            cat(&workshop, &at(path)).contains("no such file or directory in the image"),
            "{path}: {}",
            cat(&workshop, &at(path))
        );
    }
    let left: Vec<_> = std::fs::read_dir(workshop.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".hardtack-settle"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // The same recipe changes nothing of it.
    let plan = output(workshop.command().args(["plan", RECIPE, "settled.qcow2"]));
    let plan = String::from_utf8(plan.stdout).unwrap();
    assert!(plan.starts_with("Nothing to change"), "{plan}");

    let replaced = Replaced::of(workshop, "settled.qcow2");
    let seed = replaced.seed("i-settled", "#cloud-config\nssh_authorized_keys: [KEY]\n");
    let running = replaced.boot("launched", Launch::seed(&seed));
    assert_eq!(running.root("cat /srv/ran"), "ran\n", "a task ran again");
    let ids = running.root("cat /srv/made-by /etc/machine-id");
    let ids: Vec<&str> = ids.lines().collect();
    assert!(ids.len() == 2 && ids[0].len() == 32 && ids[1].len() == 32 && ids[0] != ids[1], "{ids:?}");
    let keys = running.root("ls /etc/ssh/ssh_host_ed25519_key && stat -c %Y /etc/ssh/ssh_host_ed25519_key");
    assert!(keys.starts_with("/etc/ssh/ssh_host_ed25519_key\n"), "{keys}");
    running.power_off();
}

#[test]
#[ignore = "the full suite boots it"]
fn a_task_that_fails_ends_the_build_with_its_log() {
    let Some(images) = Images::find() else { return };
    let workshop = workshop(&images, "  - run-command: \"echo no such thing; exit 7\"\n");
    let mut arguments = vec!["--output", "settled.qcow2"];
    arguments.extend(SETTLE);
    let failed = workshop.build(RECIPE, &images.disk("debian12"), &arguments);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(3), "{said}");
    assert!(
        said.contains("task 0001-command ended with status 7") && said.contains("| no such thing"),
        "{said}"
    );
    assert!(!workshop.path().join("settled.qcow2").exists());
}
