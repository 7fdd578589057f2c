//! The Debian packages that the tests need.

use std::process::Command;

use crate::shell::{as_root, run};

/// (a file that the package brings, the package).
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/bin/gpg", "gpg"),
    ("/usr/sbin/e2fsck", "e2fsprogs"),
    ("/usr/sbin/sgdisk", "gdisk"),
    ("/usr/sbin/sfdisk", "fdisk"),
    ("/usr/sbin/mkfs.vfat", "dosfstools"),
    ("/usr/bin/mcopy", "mtools"),
    ("/usr/bin/zbarimg", "zbar-tools"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/sbin/pam-auth-update", "libpam-runtime"),
    ("/usr/sbin/grpck", "passwd"),
    ("/usr/bin/objdump", "binutils"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/age", "age"),
    ("/usr/bin/dpkg-deb", "dpkg"),
    ("/usr/bin/apt-ftparchive", "apt-utils"),
    ("/usr/bin/gpgv", "gpgv"),
    ("/usr/bin/gpg", "gnupg"),
    ("/usr/bin/zstd", "zstd"),
    ("/usr/bin/xz", "xz-utils"),
    ("/usr/bin/lz4", "lz4"),
    ("/usr/bin/cpio", "cpio"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/c++", "g++"),
    ("/usr/bin/jq", "jq"),
    ("/usr/bin/bzip2", "bzip2"),
    ("/usr/bin/getfattr", "attr"),
    ("/usr/bin/setfacl", "acl"),
    ("/usr/bin/rpmbuild", "rpm"),
    ("/usr/bin/growpart", "cloud-guest-utils"),
    ("/usr/sbin/matchpathcon", "selinux-utils"),
    ("/etc/selinux/default/contexts/files/file_contexts", "selinux-policy-default"),
    ("/usr/sbin/mkfs.xfs", "xfsprogs"),
    ("/usr/sbin/mkfs.btrfs", "btrfs-progs"),
    ("/usr/sbin/mkfs.f2fs", "f2fs-tools"),
    ("/usr/bin/mkfs.erofs", "erofs-utils"),
    ("/usr/bin/mksquashfs", "squashfs-tools"),
    ("/usr/sbin/cryptsetup", "cryptsetup-bin"),
    ("/usr/bin/time", "time"),
    ("/usr/bin/ip", "iproute2"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/wget", "wget"),
    ("/usr/bin/tcpdump", "tcpdump"),
    ("/usr/bin/dot", "graphviz"),
    ("/usr/bin/man", "man-db"),
    ("/usr/lib/ipxe/qemu/pxe-virtio.rom", "ipxe-qemu"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"),
    ("/usr/lib/python3/dist-packages/pip/__init__.py", "python3-pip"),
    ("/usr/share/doc/python3-venv", "python3-venv"),
    ("/usr/lib/python3/dist-packages/yaml/__init__.py", "python3-yaml"),
];

/// What only the full suite needs: what it compares with, large and with a kernel of its own, and what looks at releases.
const NEEDED_FOR_FULL: &[(&str, &str)] = &[
    ("/usr/bin/virt-customize", "guestfs-tools"),
    ("/usr/bin/musl-gcc", "musl-tools"),
    ("/usr/bin/lintian", "lintian"),
    ("/usr/bin/buildah", "buildah"),
];
/// The kernel that libguestfs starts: any in /boot will do.
const KERNEL: &str = "linux-image-cloud-amd64";

/// QEMU and its tools must be of one suite: from different ones they conflict.
const QEMU: (&str, &str, &str) = ("/usr/bin/qemu-img", "/usr/bin/qemu-system-x86_64", "qemu-system-x86");

/// Installs what is missing. As anybody but root it asks sudo.
pub(crate) fn packages() -> Result<(), String> {
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(file, _)| !exists(file)).map(|(_, package)| *package).collect();
    let machine = !exists(QEMU.1);
    if missing.is_empty() && !machine && exists(QEMU.0) {
        return Ok(());
    }
    if !exists("/usr/bin/apt-get") {
        let all = missing.join(" ");
        return Err(format!(
            "the tests need these programs, by Debian's names: {all} qemu-system-x86 qemu-utils"
        ));
    }
    println!("==> packages: {}", missing.join(" "));
    let backports = qemu_is_backported();
    if backports {
        add_backports()?;
    }
    apt(&["update", "-qq"])?;
    if !missing.is_empty() {
        apt(&[&["install", "-y", "-qq", "--no-install-recommends"][..], &missing].concat())?;
    }
    if machine || !exists(QEMU.0) {
        let suite = release().map(|release| format!("{release}-backports"));
        let from = match &suite {
            Some(suite) if backports => vec!["-t", suite.as_str()],
            _ => Vec::new(),
        };
        apt(&[&["install", "-y", "-qq", "--no-install-recommends"][..], &from, &[QEMU.2, "qemu-utils"]]
            .concat())?;
    }
    Ok(())
}

/// Installs what only the full suite needs.
pub(crate) fn packages_for_full() -> Result<(), String> {
    packages()?;
    let mut missing: Vec<&str> =
        NEEDED_FOR_FULL.iter().filter(|(file, _)| !exists(file)).map(|(_, package)| *package).collect();
    if !has_kernel() && cfg!(target_arch = "x86_64") {
        missing.push(KERNEL);
    }
    if missing.is_empty() || !exists("/usr/bin/apt-get") {
        // The tests say that they skip it.
        return Ok(());
    }
    println!("==> packages: {}", missing.join(" "));
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"][..], &missing].concat())
}

fn has_kernel() -> bool {
    let entries = std::fs::read_dir("/boot").into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("vmlinuz"))
}

fn exists(path: &str) -> bool {
    let path = std::path::Path::new(path);
    if path.exists() {
        return true;
    }
    // Merged and unmerged /usr, and sbin in its old and new places.
    let name = path.file_name().unwrap_or_default();
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .any(|folder| std::path::Path::new(folder).join(name).exists())
}

/// An installed qemu-utils from backports needs its QEMU from there too.
fn qemu_is_backported() -> bool {
    let shown = Command::new("dpkg-query").args(["-W", "-f", "${Version}", "qemu-utils"]).output();
    shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains("~bpo"))
}

/// The release's code name.
fn release() -> Option<String> {
    let text = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(name.trim_matches('"').to_owned())
}

/// Adds the backports suite to apt, from the mirror that apt uses already.
fn add_backports() -> Result<(), String> {
    const SCRIPT: &str = r#"
set -e
. /etc/os-release
suite=$VERSION_CODENAME-backports
grep -rqs "$suite" /etc/apt/sources.list /etc/apt/sources.list.d && exit 0
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" |
  grep -v security | head -n 1)
mirror=${mirror:-$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources | grep -v security | head -n 1)}
[ -n "$mirror" ] || { echo "no Debian mirror found in apt's sources" >&2; exit 1; }
printf 'deb %s %s main\n' "$mirror" "$suite" >/etc/apt/sources.list.d/hardtack-backports.list
"#;
    let mut shell = as_root("sh");
    shell.arg("-c").arg(SCRIPT);
    run(shell)
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let mut command = as_root("env");
    // RUNLEVEL=1 has invoke-rc.d start nothing: the tests want sshd's program, not its service.
    command.args(["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"]).args(arguments);
    run(command)
}
