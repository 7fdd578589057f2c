//! How many builds this machine takes at once.

use std::fs;
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;
/// What one build takes. Measured with Debian's images of 2 GiB (`/usr/bin/time -f %M hardtack build …`): 49 to 67 MiB where
/// little changes, whatever the image's size; and 2.5 bytes for each byte of packages and files that come in, which
/// wait in memory until the image is written (400 MiB by `copy-in`: 980 MiB). This is room for 170 MiB of them.
const BUILD: u64 = 512 * MIB;
/// What the machine of `--settle` takes besides: 1 GiB of its own, and QEMU.
const SETTLE: u64 = 1280 * MIB;

/// As many as there are processors, and as memory has room for; one at least.
pub(super) fn jobs(settle: bool) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let each = BUILD + if settle { SETTLE } else { 0 };
    let room = available().map_or(usize::MAX, |bytes| usize::try_from(bytes / each).unwrap_or(usize::MAX));
    processors.min(room).max(1)
}

/// Bytes that may still be taken: what the kernel has, and what the control groups of this process leave.
fn available() -> Option<u64> {
    let free = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(of_kernel);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let left = of_groups(&groups, Path::new("/sys/fs/cgroup"));
    [free, left].into_iter().flatten().min()
}

/// `MemAvailable` of /proc/meminfo, which counts in KiB.
fn of_kernel(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the tightest of the groups in /proc/self/cgroup leaves, by both versions of control groups. Inside a container
/// the group is often the root of what is mounted.
fn of_groups(groups: &str, root: &Path) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, limit, used) = match controllers {
            "" => (root.to_owned(), "memory.max", "memory.current"),
            list if list.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        let own = root.join(path.trim_start_matches('/'));
        let mut folders: Vec<PathBuf> = own.ancestors().map(Path::to_owned).collect();
        folders.retain(|folder| folder.starts_with(&root));
        for folder in folders {
            let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
            let Some(limit) = number(limit) else { continue };
            // Pages of files are given back when somebody needs them.
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let files =
                stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
            let used = number(used).unwrap_or(0).saturating_sub(files.unwrap_or(0));
            let left = limit.saturating_sub(used);
            least = Some(least.map_or(left, |before: u64| before.min(left)));
        }
    }
    least
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_tightest_group_counts() {
        assert_eq!(of_kernel("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(of_kernel("MemTotal: 9 kB\n"), None);
        let root = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("ci/job/memory.max", "max\n");
        put("ci/memory.max", "1000\n");
        put("ci/memory.current", "700\n");
        put("ci/memory.stat", "anon 1\ninactive_file 200\n");
        put("memory/old/memory.limit_in_bytes", "400\n");
        assert_eq!(of_groups("0::/ci/job\n", root.path()), Some(500));
        assert_eq!(of_groups("3:cpu:/x\n2:memory:/old\n0::/ci/job\n", root.path()), Some(400));
        assert_eq!(of_groups("0::/../../elsewhere\n\nx", root.path()), None);
    }
}
