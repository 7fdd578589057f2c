//! The image that `packaging/Containerfile` makes of the archive, by buildah, run without rights on a read-only root.

use std::path::Path;
use std::process::Command;

use hardtack_tests::tools::{output, run};
use tempfile::TempDir;

use super::file;

/// buildah with a storage of the test's own, which needs no overlay file system.
fn buildah(folder: &Path) -> Command {
    let mut command = Command::new("buildah");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "vfs"]);
    command
}

#[test]
#[ignore = "the full suite: it compiles both programs with musl, and makes two more roots"]
fn the_container_works_read_only_and_without_rights() {
    if !rustix::process::geteuid().is_root() || Command::new("buildah").arg("--version").output().is_err() {
        eprintln!("SKIPPED: containers are built by root's buildah");
        return;
    }
    let folder = TempDir::new().unwrap();
    let context = folder.path().join("context");
    std::fs::create_dir(&context).unwrap();
    run(Command::new("tar")
        .arg("-C")
        .arg(&context)
        .args(["--strip-components=1", "-xzf"])
        .arg(file(".tar.gz")));
    run(buildah(folder.path()).args(["bud", "--isolation", "chroot", "-t", "hardtack"]).arg(&context));
    let config = run(buildah(folder.path()).args(["inspect", "--type", "image", "localhost/hardtack"]));
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let config = config["OCIv1"]["config"].clone();
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/hardtack"]), "{config}");
    let (user, group) = config["User"].as_str().unwrap().split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0, "{config}");
    let made = run(buildah(folder.path()).args(["from", "--pull-never", "localhost/hardtack"]));
    let root = run(buildah(folder.path()).args(["mount", made.trim()]));
    let root = Path::new(root.trim());
    // Engines make this one; nothing else is added to what the file says.
    std::fs::create_dir(root.join("proc")).unwrap();
    let files = run(Command::new("find").arg(root).args(["-type", "f", "-printf", "/%P\n"]));
    for file in files.lines() {
        assert!(file.starts_with("/usr/"), "{files}");
    }

    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    run(Command::new("chown").arg(format!("{user}:{group}")).arg(&work));
    let enter = "mount --bind \"$1\" \"$1\" && mount -t proc proc \"$1/proc\" && mount --bind \"$2\" \"$1/work\" && \
                 mount -o remount,bind,ro \"$1\" && user=$3 group=$4 root=$1 && shift 4 && \
                 exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \
                 unshare --root=\"$root\" --wd=/work --setgid=\"$group\" --setuid=\"$user\" \"$@\"";
    let container = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", enter, "sh"]);
        command.args([root, &work]).args([user, group]).env_clear();
        for variable in config["Env"].as_array().unwrap() {
            let (name, value) = variable.as_str().unwrap().split_once('=').unwrap();
            command.env(name, value);
        }
        // What is called outside is of this machine.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.arg(config["Entrypoint"][0].as_str().unwrap()).args(arguments);
        output(&mut command)
    };
    let done = container(&["demo", "--directory", "demo"]);
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && work.join("demo/hardened.qcow2").exists(), "{said}");
    // The rest of the root really cannot be written, by anybody.
    let refused = container(&["demo", "--directory", "/usr/demo"]);
    assert_eq!(refused.status.code(), Some(4), "{}", String::from_utf8_lossy(&refused.stderr));
}
