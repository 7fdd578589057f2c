//! What should be in no image that others get: where it lies, never what it says.

use hardtack_guest::{Error, FileType, Stage};

use crate::model::{Leftover, User};
use crate::system::names;

/// Files of homes that are looked into, of each user.
const MOST: usize = 200;
/// A private key says so in its first line.
const HEAD: u64 = 64 << 10;

/// Leftovers, and the host keys of SSH.
pub(crate) fn read(
    stage: &Stage<'_>,
    users: &[User],
    problems: &mut Vec<String>,
) -> (Vec<Leftover>, Vec<String>) {
    let mut found = Vec::new();
    let mut host_keys = Vec::new();
    let mut homes: Vec<&str> =
        users.iter().map(|user| user.home.as_str()).filter(|home| home.len() > 1).collect();
    homes.sort_unstable();
    homes.dedup();
    for home in homes {
        if let Err(error) = in_home(stage, home, &mut found) {
            problems.push(format!("{home}: {error}"));
        }
    }
    match names(stage, "/etc/ssh") {
        Ok(names) => {
            for name in names.iter().filter(|name| name.starts_with("ssh_host_") && name.ends_with("_key")) {
                host_keys.push(format!("/etc/ssh/{name}"));
            }
        }
        Err(error) => problems.push(format!("/etc/ssh: {error}")),
    }
    for (what, path) in [
        ("machine secrets", "/var/lib/hardtack/identity.json"),
        ("random seed", "/var/lib/systemd/random-seed"),
        ("cloud-init's instance", "/var/lib/cloud/instance"),
        ("user-data", "/var/lib/cloud/instance/user-data.txt"),
    ] {
        if matches!(stage.lstat(path), Ok(Some(_))) {
            found.push(Leftover { what, path: path.to_owned() });
        }
    }
    (found, host_keys)
}

fn in_home(stage: &Stage<'_>, home: &str, found: &mut Vec<Leftover>) -> Result<(), Error> {
    let home = home.trim_end_matches('/');
    let is_file = |path: &str| matches!(stage.stat(path), Ok(Some(found)) if found.kind == FileType::Regular && found.size > 0);
    for (what, name) in [
        ("secret of one-time codes", ".google_authenticator"),
        ("history", ".bash_history"),
        ("history", ".zsh_history"),
        ("history", ".lesshst"),
        ("history", ".mysql_history"),
        ("history", ".psql_history"),
        ("history", ".python_history"),
        ("credentials", ".aws/credentials"),
        ("credentials", ".netrc"),
        ("credentials", ".docker/config.json"),
        ("credentials", ".git-credentials"),
        ("credentials", ".kube/config"),
        ("credentials", ".pgpass"),
    ] {
        let path = format!("{home}/{name}");
        if is_file(&path) {
            found.push(Leftover { what, path });
        }
    }
    for directory in [home.to_owned(), format!("{home}/.ssh")] {
        for name in names(stage, &directory)?.into_iter().take(MOST) {
            let path = format!("{directory}/{name}");
            let likely = directory.ends_with("/.ssh")
                || [".pem", ".key", "id_rsa"].iter().any(|end| name.ends_with(end));
            let small = matches!(stage.stat(&path), Ok(Some(found)) if found.kind == FileType::Regular && found.size <= HEAD);
            if likely && small && is_private(&stage.read_limited(&path, HEAD)?.unwrap_or_default()) {
                found.push(Leftover { what: "private key", path });
            }
        }
    }
    Ok(())
}

/// PEM of all kinds, OpenSSH's own, and PuTTY's.
fn is_private(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.starts_with("PuTTY-User-Key-File-")
        || text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use hardtack_guest::MemoryTree;

    use super::*;

    #[test]
    fn places_are_told_and_nothing_of_the_content() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY\n";
        let tree = MemoryTree::new()
            .file("/home/a/.ssh/anything", key)
            .file("/home/a/.ssh/id_rsa.pub", "ssh-rsa AAAA\n")
            .file("/home/a/aws.pem", "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n")
            .file("/home/a/.bash_history", "CANARY\n")
            .file("/home/a/.google_authenticator", "CANARY\n")
            .file("/etc/ssh/ssh_host_rsa_key", key)
            .file("/etc/ssh/ssh_host_rsa_key.pub", "x");
        let user = User { home: "/home/a".to_owned(), ..User::default() };
        let (found, keys) = read(&Stage::new(&tree), &[user], &mut Vec::new());
        let paths: Vec<_> = found.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/home/a/.google_authenticator",
                "/home/a/.bash_history",
                "/home/a/aws.pem",
                "/home/a/.ssh/anything"
            ]
        );
        assert_eq!(keys, ["/etc/ssh/ssh_host_rsa_key"]);
        assert!(!format!("{found:?}").contains("CANARY"));
    }
}
