//! Configuration that packages bring, and whose programs read no drop-ins.
//!
//! An edited conffile is asked about at upgrades, and `dpkg -V` tells of it for ever. So the package's own goes aside, where
//! it is renewed with every version, and ours stays.

use hardtack_guest::dpkg::diversions::{diversions, is_conffile, set_aside};
use hardtack_guest::{Set, Stage};

use crate::Error;

/// Directories whose programs take their files by name: what lies beside one is read by nobody. In others (apparmor.d,
/// grub.d, logrotate.d) it would be read as one more, so files there are edited where they are.
const BY_NAME: [&str; 8] = [
    "/etc",
    "/etc/audit",
    "/etc/chrony",
    "/etc/default",
    "/etc/pam.d",
    "/etc/security",
    "/etc/systemd",
    "/etc/ufw",
];

/// Writes `path`, which a package may have brought.
pub(crate) fn edit(
    stage: &mut Stage<'_>,
    path: &str,
    text: impl Into<Vec<u8>>,
    set: Set,
) -> Result<(), Error> {
    let text = text.into();
    let by_name = path.rsplit_once('/').is_some_and(|(parent, _)| BY_NAME.contains(&parent));
    if by_name
        && stage.read(path)?.is_some_and(|old| old != text)
        && !diversions(stage)?.iter().any(|known| known.from == path)
        && is_conffile(stage, path)?
    {
        set_aside(stage, path)?;
    }
    Ok(stage.write(path, text, set)?)
}

#[cfg(test)]
mod tests {
    use hardtack_guest::{MemoryTree, Set, Stage};

    use super::edit;

    #[test]
    fn the_package_s_own_goes_aside_once_and_only_where_nobody_reads_it() {
        let tree = MemoryTree::new()
            .file("/etc/issue", "Debian\n")
            .file("/etc/hosts", "127.0.0.1\n")
            .file("/etc/logrotate.d/dpkg", "monthly\n")
            .file(
                "/var/lib/dpkg/status",
                "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\
                 Conffiles:\n /etc/issue 0123\n /etc/logrotate.d/dpkg 0123\n",
            );
        let mut stage = Stage::new(&tree);
        edit(&mut stage, "/etc/issue", "Debian\n", Set::default()).unwrap();
        assert!(stage.edits().unwrap().is_empty());
        for text in ["one\n", "two\n"] {
            for path in ["/etc/issue", "/etc/hosts", "/etc/logrotate.d/dpkg"] {
                edit(&mut stage, path, text, Set::default()).unwrap();
                assert_eq!(stage.read_text(path).unwrap().unwrap(), text);
            }
            let aside = stage.read_text("/etc/issue.distrib").unwrap().unwrap();
            let diversions = stage.read_text("/var/lib/dpkg/diversions").unwrap().unwrap();
            assert_eq!((&*aside, &*diversions), ("Debian\n", "/etc/issue\n/etc/issue.distrib\n:\n"));
        }
    }
}
