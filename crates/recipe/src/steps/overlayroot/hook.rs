//! The initramfs-tools hook that gives every initramfs made later what we put behind the present
//! ones.
//!
//! Facts: `initramfs-tools(7)`; `mkinitramfs` copies the boot scripts into `$DESTDIR`, runs the
//! hooks of `/usr/share`, then those of `/etc`, and lists the scripts in `ORDER` and runs `depmod`
//! after that. A hook that fails stops it, and the old initramfs stays.

use super::needs::{self, Wants};
use super::script::{GUARD, OVERLAY, OVERLAY_PATH, OWN, WAIT_FOR_ROOT};

/// Where the hook goes.
pub(super) const PATH: &str = "/etc/initramfs-tools/hooks/hardtack-overlayroot";

/// The hook's text for `wants`.
pub(super) fn text(wants: &Wants) -> String {
    let tools = needs::tools(wants).join(" ");
    let mut modules: Vec<&str> = wants.modules.iter().flatten().map(String::as_str).collect();
    modules.extend(wants.drivers.iter().map(String::as_str));
    if wants.crypt {
        modules.extend(needs::EXTRA_MODULES);
    }
    let mut seen = std::collections::BTreeSet::new();
    modules.retain(|name| seen.insert(*name));
    let modules = modules.join(" ");
    let mut text = format!(
        r#"#!/bin/sh
# Written by hardtack (step overlayroot): gives every new initramfs what overlayroot needs and
# Debian's own hooks leave out. If it fails, the initramfs is not replaced.
set -e

case "${{1:-}}" in
prereqs)
	echo ""
	exit 0
	;;
esac

. /usr/share/initramfs-tools/hook-functions

own=/{OWN}
script="$DESTDIR/scripts/init-bottom/overlayroot"

fail() {{
	echo "E: hardtack-overlayroot: $*" >&2
	exit 1
}}

# The image's program of that name, whatever busybox has.
program() {{
	for directory in /usr/sbin /usr/bin /sbin /bin; do
		if [ -x "$directory/$1" ]; then
			echo "$directory/$1"
			return 0
		fi
	done
	return 1
}}

# True when the initramfs has a program of that name.
inside() {{
	for directory in usr/sbin usr/bin sbin bin; do
		if [ -e "$DESTDIR/$directory/$1" ] || [ -L "$DESTDIR/$directory/$1" ]; then
			return 0
		fi
	done
	return 1
}}

[ -f "$script" ] || fail "no overlayroot script (package overlayroot)"
mkdir -p "$DESTDIR$own"

for tool in {tools}; do
	inside "$tool" && continue
	if path="$(program "$tool")"; then
		copy_exec "$path" "$path"
	elif path="$(program busybox)"; then
		inside busybox || copy_exec "$path" /bin/busybox
		ln -s busybox "$DESTDIR/bin/$tool"
	else
		fail "no program $tool (package busybox or the one that has it)"
	fi
done

for module in {modules}; do
	manual_add_modules "$module" || true
done
"#
    );
    if wants.crypt {
        text.push_str(
            r#"
# Threads that derive a key end with its help.
for library in /lib/*/libgcc_s.so.1 /usr/lib/*/libgcc_s.so.1; do
	if [ -e "$library" ] && [ ! -e "$DESTDIR$library" ]; then
		copy_exec "$library"
	fi
done

# Busybox has an mke2fs of its own, which its shell prefers and which cannot make ext4.
path="$(program mke2fs)" || fail "no mke2fs (package e2fsprogs)"
rm -f "$DESTDIR$own/mke2fs"
copy_exec "$path" "$own/mke2fs"
sed -i -e "s#^\([^\#]*[[:space:];&|(]\)mke2fs\([[:space:]]\)#\1$own/mke2fs\2#" -e "s#^mke2fs\([[:space:]]\)#$own/mke2fs\1#" "$script"
"#,
        );
    }
    text.push_str(
        r#"
# klibc's mount has not got the options that overlayroot uses.
for mount in usr/sbin/mount usr/bin/mount sbin/mount bin/mount; do
	if [ -f "$DESTDIR/$mount" ] && grep -q klibc- "$DESTDIR/$mount"; then
		rm -f "$DESTDIR$own/mount"
		if path="$(program busybox)" && "$path" --list 2>/dev/null | grep -qx mount; then
			copy_exec "$path" "$own/mount"
		else
			path="$(program mount)" || fail "no mount (package mount)"
			copy_exec "$path" "$own/mount"
		fi
		sed -i "s#^\([[:space:]]*\)mount\([[:space:]]\)#\1$own/mount\2#" "$script"
		break
	fi
done
"#,
    );
    if wants.wait {
        text.push_str(&format!(
            r#"
# Ubuntu's initramfs-tools has this program, Debian's has not.
if ! inside wait-for-root; then
	cat > "$DESTDIR/sbin/wait-for-root" <<'END'
{WAIT_FOR_ROOT}END
	chmod 0755 "$DESTDIR/sbin/wait-for-root"
fi
"#
        ));
    }
    if wants.guard {
        text.push_str(&format!(
            r#"
# Finds the disk, and keeps what lies on it.
cat > "$DESTDIR/{OVERLAY_PATH}" <<'END'
{OVERLAY}END
sed -i '\#^\. */\{{0,1\}}scripts/functions *$#a {GUARD}' "$script"
grep -q '{OVERLAY_PATH}' "$script" || fail "overlayroot's script is not as known"
"#
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wants() -> Wants {
        Wants {
            crypt: true,
            random_key: true,
            wait: true,
            guard: true,
            modules: vec![vec!["xts".to_owned()]],
            drivers: vec!["virtio_blk".to_owned()],
        }
    }

    #[test]
    fn is_a_shell_script() {
        for wants in [wants(), Wants::default()] {
            let output = std::process::Command::new("sh").args(["-n", "-c", &text(&wants)]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let text = text(&wants());
        assert!(text.contains("for module in xts virtio_blk aesni_intel"), "{text}");
    }

    #[test]
    fn its_sed_for_the_guard_does_what_we_do() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("overlayroot");
        let before = "#!/bin/sh\n. /scripts/functions\nwipefs -a x\ncryptsetup luksFormat x\n";
        std::fs::write(&script, before).unwrap();
        let text = text(&wants());
        let sed = text.lines().find(|line| line.contains("scripts/functions *$#a")).unwrap();
        let command = format!("script='{}'; {sed}", script.display());
        assert!(std::process::Command::new("sh").args(["-ec", &command]).status().unwrap().success());
        assert_eq!(
            std::fs::read_to_string(&script).unwrap(),
            super::super::script::add_guard(before).unwrap()
        );
    }

    #[test]
    fn its_sed_for_mount_does_what_we_do() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("overlayroot");
        let before = "\tmount \"$device\" b ||\n# mount\nlog \"a mount b\"\nmount -t c\nmount $d\n";
        std::fs::write(&script, before).unwrap();
        let text = text(&wants());
        let sed = text.lines().find(|line| line.contains("/mount\\2")).unwrap();
        let command = format!("own=/{OWN}; script='{}'; {sed}", script.display());
        assert!(std::process::Command::new("sh").args(["-ec", &command]).status().unwrap().success());
        assert_eq!(std::fs::read_to_string(&script).unwrap(), super::super::script::redirect_mount(before));
    }

    #[test]
    fn its_sed_does_what_we_do() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("overlayroot");
        let before = "# mke2fs -t\n\tmke2fs -t \"$x\" y || {\nmke2fs a\n/sbin/mke2fs b\n";
        std::fs::write(&script, before).unwrap();
        let text = text(&wants());
        let sed = text.lines().find(|line| line.starts_with("sed -i")).unwrap();
        let command = format!("own=/{OWN}; script='{}'; {sed}", script.display());
        assert!(std::process::Command::new("sh").args(["-ec", &command]).status().unwrap().success());
        assert_eq!(std::fs::read_to_string(&script).unwrap(), super::super::script::redirect_mke2fs(before));
    }
}
