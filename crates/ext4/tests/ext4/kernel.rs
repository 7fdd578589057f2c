//! The kernel's opinion: a read-only loop mount, where root and a loop device are to be had.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::model::{Model, Node};
use crate::tools::{run, said};

/// Mounts `image` read-only and calls `look` with the mount point; visible when it cannot.
pub fn mounted(image: &Path, what: &str, look: impl FnOnce(&Path)) {
    let point = tempfile::tempdir().unwrap();
    let target = point.path().to_str().unwrap();
    let output = run("mount", &["-o", "loop,ro", image.to_str().unwrap(), target]);
    if !output.status.success() {
        // An ordinary user cannot, and no kernel mounts blocks larger than its pages everywhere:
        // e2fsck and the second reader have judged already, so this is no error in CI either.
        eprintln!("SKIPPED: {what}: no kernel mount: {}", said(&output).trim());
        return;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(point.path())));
    // Somebody else on the machine may be looking at every new mount for a moment.
    let mut output = run("umount", &[target]);
    for _ in 0..50 {
        if output.status.success() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        output = run("umount", &[target]);
    }
    assert!(output.status.success(), "{}", said(&output));
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// The kernel finds exactly what the model says.
pub fn assert_same(image: &Path, model: &Model, what: &str) {
    mounted(image, what, |root| {
        for (path, meta) in &model.nodes {
            let host = root.join(path.trim_start_matches('/'));
            let found = host.symlink_metadata().unwrap_or_else(|error| panic!("{what}: {path}: {error}"));
            assert_eq!(
                (found.permissions().mode() & 0o7777, found.uid(), found.gid()),
                (meta.mode, meta.uid, meta.gid),
                "{what}: {path}"
            );
            match &meta.node {
                Node::Directory => {
                    let below = std::fs::read_dir(&host).unwrap().count();
                    let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
                    let wanted = model
                        .nodes
                        .keys()
                        .filter(|other| {
                            other
                                .strip_prefix(&prefix)
                                .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
                        })
                        .count();
                    assert_eq!(below, wanted, "{what}: {path}: entries");
                }
                Node::Link(target) => {
                    assert_eq!(std::fs::read_link(&host).unwrap(), Path::new(target), "{what}: {path}");
                }
                file => {
                    assert!(std::fs::read(&host).unwrap() == model.content(file), "{what}: {path}: content")
                }
            }
        }
    });
}
