//! `hardtack launch` and `undo` on clouds, as people and programs run them.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod aws;
mod before;
// Not all of it is used here.
#[allow(dead_code)]
#[path = "../instances/block.rs"]
mod block;
mod euca;
mod killed;
mod lines;
mod stack;
mod waiting;
// Not all of it is used here.
#[allow(dead_code)]
#[path = "../install/workshop.rs"]
mod workshop;

use hardtack_fake_cloud::Cloud;

use self::workshop::Folder;

const OWN: &str = "123456789012";

/// User-data that is right.
pub(crate) const USER_DATA: &str = "#cloud-config\nhostname: web\n";

/// A folder with user-data and a cloud with an image that is called web.
pub(crate) fn scene(change: impl FnOnce(&mut hardtack_fake_cloud::Options)) -> (Folder, Cloud, String) {
    let (folder, cloud) = (Folder::new(), workshop::cloud_with(false, change));
    folder.write("web.yaml", USER_DATA);
    let snapshot = cloud.make_snapshot("us-east-1", OWN, 1, None, false, &[]);
    let image = cloud.make_image("us-east-1", "web", &snapshot, "x86_64", false);
    (folder, cloud, image)
}

/// A Eucalyptus with an image of its instance store.
pub(crate) fn euca_scene(change: impl FnOnce(&mut hardtack_fake_cloud::Options)) -> (Folder, Cloud, String) {
    let (folder, cloud) = (Folder::new(), workshop::cloud_with(true, change));
    folder.write("web.yaml", USER_DATA);
    folder.keys();
    folder.noise("noise.raw", 1);
    let ran = folder.expect_at(
        &cloud,
        0,
        "install noise.raw -n web --on euca -b images -k user.pem -c user.crt --part-size 1M --journal image.journal",
    );
    let image = ran.image();
    (folder, cloud, image)
}

/// The ids of instances in lines as of euca-run-instances.
pub(crate) fn ids(out: &str) -> Vec<String> {
    let words = |line: &str| line.split('\t').nth(1).map(str::to_owned);
    out.lines().filter(|line| line.starts_with("INSTANCE\t")).filter_map(words).collect()
}

/// The only journal of a launch.
pub(crate) fn journal(folder: &Folder) -> String {
    let mut found = folder.names(".");
    found.retain(|name| name.ends_with("Z.journal"));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
