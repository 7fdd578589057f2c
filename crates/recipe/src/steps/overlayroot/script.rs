//! Changes to overlayroot's own initramfs script, as text: the call of `mke2fs` goes to the real
//! one under another name, and kernel modules of ours are loaded first.

use std::sync::LazyLock;

use regex::Regex;

/// Where everything of ours lies inside an initramfs.
pub(super) const OWN: &str = "usr/lib/hardtack";
/// The line that loads our modules; also how a changed script is recognised.
const LOADER: &str = "/usr/lib/hardtack/load-modules";

/// A command `mke2fs` without a path.
static MKE2FS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^([^#\n]*?(?:^|[\s;&|(]))mke2fs([ \t])").ok());
/// A line that starts with the command `mount` without a path; messages have the word too.
static MOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^([ \t]*)mount([ \t])").ok());

/// True when the script calls `mke2fs` by its bare name.
pub(super) fn calls_mke2fs(script: &str) -> bool {
    MKE2FS.as_ref().is_some_and(|call| call.is_match(script))
}

/// True when the script calls our copy of mke2fs.
pub(super) fn calls_own_mke2fs(script: &str) -> bool {
    script.contains("/usr/lib/hardtack/mke2fs ")
}

/// True when the script loads our modules.
pub(super) fn loads_modules(script: &str) -> bool {
    script.contains(LOADER)
}

/// The script with the calls of `mke2fs` redirected.
pub(super) fn redirect_mke2fs(script: &str) -> String {
    MKE2FS.as_ref().map_or_else(
        || script.to_owned(),
        |call| call.replace_all(script, "${1}/usr/lib/hardtack/mke2fs${2}").into_owned(),
    )
}

/// True when the script calls our copy of mount.
pub(super) fn calls_own_mount(script: &str) -> bool {
    script.contains("/usr/lib/hardtack/mount ")
}

/// The script with the calls of `mount` redirected.
pub(super) fn redirect_mount(script: &str) -> String {
    MOUNT.as_ref().map_or_else(
        || script.to_owned(),
        |call| call.replace_all(script, "${1}/usr/lib/hardtack/mount${2}").into_owned(),
    )
}

/// The script with our modules loaded before anything else; `None` when it has no line to put that
/// behind.
pub(super) fn add_loader(script: &str) -> Option<String> {
    if loads_modules(script) {
        return Some(script.to_owned());
    }
    let mut out = String::new();
    let mut done = false;
    for line in script.split_inclusive('\n') {
        out.push_str(line);
        if !done && matches!(line.trim(), ". /scripts/functions" | ". scripts/functions") {
            out.push_str("\n# Added by hardtack: modules that this initramfs was made without.\n");
            out.push_str(&format!("[ ! -r {LOADER} ] || . {LOADER}\n"));
            done = true;
        }
    }
    done.then_some(out)
}

/// Where [`OVERLAY`] lies in an initramfs.
pub(super) const OVERLAY_PATH: &str = "usr/lib/hardtack/overlay";
/// Sourced by the script: finds the disk, keeps what is on it, and does what the recipe says of a failure.
pub(super) const OVERLAY: &str = include_str!("overlay.sh");
/// The line that does it; also how a changed script is recognised.
pub(super) const GUARD: &str = "[ ! -r /usr/lib/hardtack/overlay ] || . /usr/lib/hardtack/overlay";

/// True when the script sources [`OVERLAY`].
pub(super) fn is_guarded(script: &str) -> bool {
    script.lines().any(|line| line == GUARD)
}

/// The script with [`OVERLAY`] sourced before it does anything, and behind our modules; `None` when it has no line to
/// put that behind, or erases disks by other programs than those that are watched.
pub(super) fn add_guard(script: &str) -> Option<String> {
    if is_guarded(script) {
        return Some(script.to_owned());
    }
    if !script.contains("wipefs -a ") || !script.contains("cryptsetup luksFormat ") {
        return None;
    }
    let functions = |line: &str| matches!(line.trim(), ". /scripts/functions" | ". scripts/functions");
    let lines: Vec<&str> = script.lines().collect();
    let loader = format!(" || . {LOADER}");
    let last = lines.iter().rposition(|line| functions(line) || line.ends_with(&loader))?;
    let mut out = String::new();
    for (index, line) in script.split_inclusive('\n').enumerate() {
        out.push_str(line);
        if index == last {
            out.push_str(GUARD);
            out.push('\n');
        }
    }
    Some(out)
}

/// Sourced by the script: loads our modules, which are numbered in the order they need.
pub(super) const LOAD_MODULES: &str = "\
# hardtack: loads the kernel modules that were put behind this initramfs. Sourced by overlayroot.
for hardtack_module in /usr/lib/hardtack/modules/\"$(uname -r)\"/*.ko; do
\t[ ! -e \"$hardtack_module\" ] || /usr/lib/hardtack/insmod \"$hardtack_module\" 2>/dev/null || :
done
unset hardtack_module
";

/// Stands in for Ubuntu's program of that name, which overlayroot calls to wait for a disk and
/// which Debian's initramfs-tools does not have (seen: a disk that appears late is given up at once).
pub(super) const WAIT_FOR_ROOT: &str = "\
#!/bin/sh
# hardtack: wait-for-root DEVICE SECONDS, as far as overlayroot needs it.
seconds=\"${2:-30}\"
while [ ! -b \"$1\" ]; do
\t[ \"$seconds\" -gt 0 ] || exit 1
\tseconds=$((seconds - 1))
\tsleep 1
done
exit 0
";

/// `ORDER` with overlayroot in front: before udev's script, which takes `/dev` away.
pub(super) fn order(existing: &str) -> Option<String> {
    const LINES: &str =
        "/scripts/init-bottom/overlayroot \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n";
    (!existing.contains("/scripts/init-bottom/overlayroot")).then(|| format!("{LINES}{existing}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SCRIPT: &str = "#!/bin/sh\n. /scripts/functions\n# mke2fs -t is called below\n\tmke2fs -t \"${fstype}\" \"/dev/mapper/${mapname}\" || {\n\t\tfail\n\t}\n";

    #[test]
    fn calls_are_redirected_once() {
        assert!(calls_mke2fs(SCRIPT));
        let changed = redirect_mke2fs(SCRIPT);
        assert!(changed.contains("\t/usr/lib/hardtack/mke2fs -t \"${fstype}\""), "{changed}");
        assert!(changed.contains("# mke2fs -t is"), "{changed}");
        assert!(!calls_mke2fs(&changed) && calls_own_mke2fs(&changed));
        assert_eq!(redirect_mke2fs(&changed), changed);
        for call in ["x && mke2fs -q a\n", "if ! (mke2fs\ta)\n"] {
            assert!(calls_mke2fs(call), "{call}");
        }
        assert!(!calls_mke2fs("/sbin/mke2fs -t\nmy-mke2fs x\n"));
    }

    #[test]
    fn mounts_are_redirected() {
        let script = "\tmount \"$device\" x ||\n# mount\nlog \"failed mount of\"\nmount -t y\nmount $a\n";
        let changed = redirect_mount(script);
        let own = "\t/usr/lib/hardtack/mount \"$device\" x ||\n# mount\nlog \"failed mount of\"\n/usr/lib/hardtack/mount -t y\n/usr/lib/hardtack/mount $a\n";
        assert_eq!(changed, own);
        assert!(calls_own_mount(&changed));
        assert_eq!(redirect_mount(&changed), changed);
    }

    #[test]
    fn the_loader_comes_first_and_once() {
        let changed = add_loader(SCRIPT).unwrap();
        assert!(changed.find("load-modules").unwrap() < changed.find("mke2fs -t").unwrap());
        assert_eq!(add_loader(&changed).unwrap(), changed);
        assert_eq!(add_loader("#!/bin/sh\n"), None);
    }

    #[test]
    fn the_guard_comes_once_behind_our_modules_and_only_where_it_guards() {
        assert_eq!(add_guard(SCRIPT), None, "a script that erases in a way that we do not know");
        let script = format!("{SCRIPT}wipefs -a \"$dev\"\nprintf x | cryptsetup luksFormat \"$dev\"\n");
        let guarded = add_guard(&script).unwrap();
        assert!(guarded.starts_with(&format!("#!/bin/sh\n. /scripts/functions\n{GUARD}\n#")), "{guarded}");
        assert_eq!(add_guard(&guarded).unwrap(), guarded);
        let loaded = add_loader(&script).unwrap();
        let both = add_guard(&loaded).unwrap();
        assert!(both.find("|| . /usr/lib/hardtack/load-modules") < both.find(GUARD), "{both}");
        // The other way round, as when modules become missing later.
        let both = add_loader(&guarded).unwrap();
        assert!(both.find("|| . /usr/lib/hardtack/load-modules") < both.find(GUARD), "{both}");
        assert!(!OVERLAY.lines().any(|line| line == "END"), "the hook ends it by that");
    }

    #[test]
    fn order_puts_overlayroot_before_udev() {
        let udev = "/scripts/init-bottom/udev \"$@\"\n[ -e /conf/param.conf ] && . /conf/param.conf\n";
        let changed = order(udev).unwrap();
        assert!(changed.starts_with("/scripts/init-bottom/overlayroot"));
        assert!(changed.ends_with(udev));
        assert_eq!(order(&changed), None);
    }

    #[test]
    fn the_shell_parts_are_shell() {
        for text in [LOAD_MODULES, WAIT_FOR_ROOT, OVERLAY] {
            let output = std::process::Command::new("sh").args(["-n", "-c", text]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
