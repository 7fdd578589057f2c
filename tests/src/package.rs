//! Debian packages made anew of what a root has installed, as dpkg-repack makes them.

use std::path::Path;
use std::process::Command;

use crate::tools::run;

/// Builds the next version of `package` from the tar archive of a root: its files, its scripts, its conffiles as the
/// distribution brings them, after `change` has been at them.
pub fn next_version(root: &Path, package: &str, to: &Path, change: impl FnOnce(&Path)) {
    let work = tempfile::TempDir::new().unwrap();
    let tree = work.path().join("tree");
    std::fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    let all = run(Command::new("tar").arg("-tf").arg(root));
    let has = |member: &str| all.lines().any(|line| line == member);
    let read = |member: &str| run(Command::new("tar").args(["-xOf"]).arg(root).arg(member));

    let listed = read(&format!("./var/lib/dpkg/info/{package}.list"));
    let members: Vec<String> = listed
        .lines()
        .filter_map(|path| {
            // The list names /lib, which is a link to /usr/lib.
            [format!(".{path}"), format!("./usr{path}")].into_iter().find(|member| has(member))
        })
        .collect();
    assert!(members.len() > 10, "{package}: {members:?}");
    let list = work.path().join("members");
    std::fs::write(&list, members.join("\n")).unwrap();
    run(Command::new("tar").arg("-xf").arg(root).arg("-C").arg(&tree).arg("-T").arg(&list));

    for part in ["conffiles", "config", "postinst", "postrm", "preinst", "prerm", "templates"] {
        let member = format!("./var/lib/dpkg/info/{package}.{part}");
        if has(&member) {
            let file = tree.join("DEBIAN").join(part);
            std::fs::write(&file, read(&member)).unwrap();
            run(Command::new("chmod")
                .arg(if ["conffiles", "templates"].contains(&part) { "644" } else { "755" })
                .arg(&file));
        }
    }
    let status = read("./var/lib/dpkg/status");
    let paragraph = status
        .split("\n\n")
        .find(|paragraph| paragraph.lines().next() == Some(&format!("Package: {package}")))
        .unwrap_or_else(|| panic!("no {package} in dpkg's status"));
    std::fs::write(tree.join("DEBIAN/control"), control(paragraph)).unwrap();
    change(&tree);
    run(Command::new("dpkg-deb").args(["--root-owner-group", "-Zgzip", "-z1", "--build"]).arg(&tree).arg(to));
}

/// A paragraph of dpkg's status as a package's control file, one version later.
fn control(paragraph: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in paragraph.lines() {
        if !line.starts_with(' ') {
            skipping = line.starts_with("Status:") || line.starts_with("Conffiles:");
        }
        if !skipping {
            let next = if line.starts_with("Version: ") { "+next" } else { "" };
            kept.push_str(&format!("{line}{next}\n"));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_a_control_file() {
        let status = "Package: p\nStatus: install ok installed\nVersion: 1:2-3\nConffiles:\n /etc/p 00ff\n\
                      Description: short\n long";
        assert_eq!(control(status), "Package: p\nVersion: 1:2-3+next\nDescription: short\n long\n");
    }
}
