//! A Debian of files only, in which programs run: no boot, no network, processes of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hardtack_tests::tools::run;
use tempfile::TempDir;

/// A user of no package and no file.
pub(super) const NOBODY: u32 = 65534;

pub(super) struct Root(TempDir);

impl Root {
    /// `CACHE/NAME.tar` unpacked; `None`, said aloud, where it was not made or nobody may change roots here.
    pub(super) fn unpack(name: &str) -> Option<Self> {
        let cache =
            std::env::var_os("HARDTACK_CACHE").map_or_else(|| "/var/cache/hardtack".into(), PathBuf::from);
        let tar = cache.join(format!("{name}.tar"));
        if !tar.exists() {
            assert!(std::env::var_os("CI").is_none(), "{}: not there; use `cargo xtask test`", tar.display());
            eprintln!("SKIPPED: no {} (`cargo xtask images` makes it)", tar.display());
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root unpacks and enters {}", tar.display());
            return None;
        }
        let root = TempDir::new().unwrap();
        run(Command::new("tar").arg("-C").arg(root.path()).args(["--numeric-owner", "-xpf"]).arg(tar));
        std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Some(Self(root))
    }

    /// A path on this machine.
    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below.trim_start_matches('/'))
    }

    /// A command in it, with no variables but the plain ones.
    pub(super) fn command(&self, user: u32, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--net", "--fork", "--kill-child"]);
        command.arg(format!("--mount-proc={}", self.path("proc").display()));
        command.args(["chroot", "--groups=", &format!("--userspec={user}:{user}")]).arg(self.0.path());
        command.args(["env", "-i", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp"]);
        command.args(["LC_ALL=C.UTF-8", "TERM=dumb", program]);
        command
    }

    /// What a line of shell prints, which must succeed.
    pub(super) fn shell(&self, user: u32, line: &str) -> String {
        run(self.command(user, "sh").args(["-euc", line]))
    }

    /// Unpacks the archive and puts it where its README says.
    pub(super) fn install(&self, archive: &Path) {
        std::fs::copy(archive, self.path("tmp/release.tar.gz")).unwrap();
        self.shell(
            0,
            "mkdir /opt/r && tar -C /opt/r --strip-components=1 -xzf /tmp/release.tar.gz && \
             cd /opt/r && cp -R bin lib share /usr/local/",
        );
    }

    /// All paths with types, modes, owners, sizes and targets, but for those of dpkg's own books.
    pub(super) fn files(&self) -> String {
        // Packages that come and go stand in dpkg's status, its log, and the copies of both.
        self.shell(
            0,
            "find / -xdev \\( -path /proc -o -path /tmp -o -path /var/lib/dpkg/status -o -path /var/lib/dpkg/status-old \
             -o -path /var/lib/dpkg/available -o -path /var/lib/dpkg/triggers -o -path /var/log/dpkg.log \\) -prune -o \
             -printf '%p %y %m %u:%g %s %l\\n' | sed 's/ d \\([0-9]* [^ ]*\\) [0-9]*/ d \\1/' | sort",
        )
    }
}
