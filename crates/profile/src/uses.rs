//! What is run on the image's machines, told by what is in it: rules leave alone what that needs.

use crate::View;
use crate::packages::is_spooled;

/// Something that is run there.
pub(crate) struct Use {
    /// How a sentence calls it.
    name: &'static str,
    /// Debian's packages of it.
    packages: &'static [&'static str],
    /// Programs of it, for images of other distributions, and what is installed by hand.
    programs: &'static [&'static str],
}

/// Containers: they need overlay, forwarding and devices below /var.
pub(crate) const CONTAINERS: &[Use] = &[
    Use {
        name: "Docker",
        packages: &["docker.io", "docker-ce", "moby-engine"],
        programs: &["/usr/bin/dockerd", "/usr/sbin/dockerd"],
    },
    Use {
        name: "containerd",
        packages: &["containerd", "containerd.io"],
        programs: &["/usr/bin/containerd", "/usr/local/bin/containerd"],
    },
    Use { name: "Podman", packages: &["podman"], programs: &["/usr/bin/podman"] },
    Use { name: "CRI-O", packages: &["cri-o"], programs: &["/usr/bin/crio"] },
    Use { name: "Kubernetes", packages: &["kubelet"], programs: &["/usr/bin/kubelet", "/usr/local/bin/k3s"] },
    LXD,
];

/// Containers and virtual machines of Canonical's.
pub(crate) const LXD: Use = Use {
    name: "LXD",
    packages: &["lxd", "incus", "lxc"],
    programs: &["/usr/bin/lxd", "/usr/bin/incusd", "/usr/sbin/incusd", "/snap/bin/lxd"],
};

/// Snaps: mounted as squashfs.
pub(crate) const SNAPS: &[Use] = &[SNAPD];
const SNAPD: Use =
    Use { name: "snapd", packages: &["snapd"], programs: &["/usr/bin/snap", "/usr/lib/snapd/snapd"] };

/// Programs of FUSE.
pub(crate) const FUSE: &[Use] = &[
    SNAPD,
    LXD,
    Use {
        name: "FUSE",
        packages: &["fuse", "fuse3"],
        programs: &["/usr/bin/fusermount3", "/usr/bin/fusermount", "/bin/fusermount", "/bin/fusermount3"],
    },
];

/// Azure's agent: the provisioning disc is UDF.
pub(crate) const AZURE: &[Use] = &[Use {
    name: "Azure's agent",
    packages: &["walinuxagent", "waagent"],
    programs: &["/usr/sbin/waagent", "/usr/bin/waagent"],
}];

/// Shares of Windows.
pub(crate) const CIFS: &[Use] = &[Use {
    name: "cifs-utils",
    packages: &["cifs-utils"],
    programs: &["/usr/sbin/mount.cifs", "/sbin/mount.cifs"],
}];

/// NFS, the side that mounts.
pub(crate) const NFS: &[Use] =
    &[Use { name: "NFS", packages: &["nfs-common"], programs: &["/usr/sbin/mount.nfs", "/sbin/mount.nfs"] }];

/// NFS, the side that serves.
pub(crate) const NFS_SERVER: &[Use] = &[Use {
    name: "the NFS server",
    packages: &["nfs-kernel-server"],
    programs: &["/usr/sbin/rpc.nfsd", "/usr/sbin/exportfs"],
}];

/// Ceph, the side that mounts.
pub(crate) const CEPH: &[Use] = &[Use {
    name: "Ceph",
    packages: &["ceph-common"],
    programs: &["/usr/sbin/mount.ceph", "/sbin/mount.ceph"],
}];

/// The first of these that is in the image, by name.
pub(crate) fn found(view: &View<'_>, uses: &[Use]) -> Option<&'static str> {
    let there = |path: &&'static str| view.facts.exists(path).unwrap_or(false);
    // What dpkg finishes at the first boot is run there, too.
    let package = |name: &&str| view.has_package(name) || is_spooled(view.stage, name);
    let is_there = |one: &&Use| one.packages.iter().any(package) || one.programs.iter().any(there);
    uses.iter().find(is_there).map(|one| one.name)
}

/// The overlay that the image's root is put under: what overlayroot's configuration says, the last file winning, unless
/// it is off.
pub(crate) fn overlayroot(view: &View<'_>) -> Option<String> {
    let mut mode = String::new();
    for path in ["/etc/overlayroot.conf", "/etc/overlayroot.local.conf"] {
        let text = crate::merged::text(view.stage, path).unwrap_or_default();
        let mut values = text.lines().filter_map(|line| line.trim().strip_prefix("overlayroot="));
        if let Some(value) = values.next_back() {
            value.trim().trim_matches(['"', '\'']).clone_into(&mut mode);
        }
    }
    (!matches!(mode.as_str(), "" | "disabled")).then_some(mode)
}
