//! An image of a cloud as the source of another one.

use std::collections::BTreeSet;

use hardtack_fake_cloud::Cloud;

use crate::workshop::{Folder, RECIPE, cloud};

const OWN: &str = "123456789012";
const REGION: &str = "us-east-1";
const BLOCK: usize = 512 * 1024;
/// Blocks of the sample's disk; the volume is larger.
const SAMPLE: u64 = 128;

/// A snapshot of the sample's disk, and the numbers of its blocks.
fn snapshot(folder: &Folder, cloud: &Cloud, owner: &str, public: bool) -> (String, BTreeSet<u64>) {
    folder.expect(0, "convert sample.qcow2 sample.raw");
    let disk = std::fs::read(folder.path("sample.raw")).unwrap();
    assert_eq!(disk.len() as u64, SAMPLE * BLOCK as u64);
    let zeros = vec![0; BLOCK];
    let blocks: Vec<(u64, &[u8])> =
        (0..).zip(disk.chunks(BLOCK)).filter(|(_, block)| *block != zeros).collect();
    let id = cloud.make_snapshot(REGION, owner, 1, None, public, &blocks);
    (id, blocks.iter().map(|(index, _)| *index).collect())
}

/// What the volume of an image's snapshot begins with.
fn volume(cloud: &Cloud, image: &str) -> Vec<u8> {
    let image = cloud.images().into_iter().find(|found| found.id == image).unwrap();
    let reader = cloud.read_snapshot(&image.snapshots[0]).unwrap();
    (0..SAMPLE).flat_map(|index| reader.block(index)).collect()
}

fn puts(cloud: &Cloud) -> usize {
    cloud.log().iter().filter(|entry| entry.action == "PutSnapshotBlock" && entry.done).count()
}

#[test]
fn only_what_a_recipe_changes_travels() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    let (snapshot, blocks) = snapshot(&folder, &cloud, OWN, false);
    let source = cloud.make_image(REGION, "sample", &snapshot, "x86_64", false);
    let run =
        format!("install --on aws --source {source} --recipe x.yaml -n web --lock x.lock --arch x86_64");
    let image = folder.expect_at(&cloud, 0, &run).image();
    let sent = puts(&cloud);
    assert!(sent > 0 && sent < blocks.len(), "{sent} of {}", blocks.len());
    // It is what a build makes of the same disk.
    folder.expect(0, "build x.yaml --source sample.raw -o built.raw");
    assert!(volume(&cloud, &image) == std::fs::read(folder.path("built.raw")).unwrap());
    let lock = std::fs::read_to_string(folder.path("x.lock")).unwrap();
    assert!(lock.contains(&source) && lock.contains(&snapshot), "{lock}");
    assert_eq!(cloud.snapshots().len(), 2);
    // The same again is the same image; another recipe is another one.
    let again = run.replace("-n web", "-n other --if-changed");
    assert_eq!(folder.expect_at(&cloud, 0, &again).image(), image);
    assert_eq!(puts(&cloud), sent);
    folder.write("x.yaml", &RECIPE.replace("hard", "harder"));
    assert_ne!(folder.expect_at(&cloud, 0, &again).image(), image);
}

#[test]
fn a_public_image_becomes_an_encrypted_one_that_reads_the_same() {
    let (folder, cloud) = (Folder::new(), cloud(false));
    cloud.encrypt_by_default(REGION, true, None);
    let (snapshot, _) = snapshot(&folder, &cloud, "210987654321", true);
    let source = cloud.make_image(REGION, "sample", &snapshot, "x86_64", true);
    cloud.make_parameter(REGION, "/aws/service/sample", &source);
    let run = "install --on aws --source ssm:/aws/service/sample --recipe x.yaml -n web --arch x86_64";
    let image = folder.expect_at(&cloud, 0, run).image();
    let kept: Vec<String> = cloud.snapshots().into_iter().map(|snapshot| snapshot.id).collect();
    assert!(kept.len() == 2 && kept.contains(&snapshot), "the copy is gone: {kept:?}");
    let written = cloud.snapshots().into_iter().find(|found| found.id != snapshot).unwrap();
    assert!(written.key.is_some());
    std::fs::write(folder.path("result.raw"), volume(&cloud, &image)).unwrap();
    let plan = folder.expect(0, "build x.yaml --source result.raw --plan");
    assert!(plan.out.contains("Nothing to change"), "{}", plan.out);
    // Nothing but the undo of it is left to do.
    folder.expect_at(&cloud, 0, "undo web.journal");
    assert_eq!(cloud.snapshots().len(), 1);
}

#[test]
fn what_a_recipe_refers_to_counts_and_where_it_lies_does_not() {
    let folder = Folder::new();
    let recipe = |path: &str| {
        format!("recipe: 1\nname: x\nsteps:\n  - files:\n      - {{copy: {path}, to: /etc/motd}}\n")
    };
    for place in ["one", "two"] {
        std::fs::create_dir(folder.path(place)).unwrap();
        folder.write(&format!("{place}/motd"), "hard\n");
        folder.write(&format!("{place}/x.yaml"), &recipe("motd"));
    }
    let run = |place: &str, name: &str| {
        let recipe = folder.path(&format!("{place}/x.yaml"));
        let run = format!("install sample.qcow2 --recipe {} -n image-{name} --if-changed", recipe.display());
        folder.expect(0, &run).image()
    };
    let first = run("one", "a");
    assert_eq!(run("two", "b"), first);
    // A time is nothing, a byte is.
    let times = std::fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
    std::fs::File::options().write(true).open(folder.path("two/motd")).unwrap().set_times(times).unwrap();
    assert_eq!(run("two", "c"), first);
    folder.write("two/motd", "harder\n");
    assert_ne!(run("two", "d"), first);
}
