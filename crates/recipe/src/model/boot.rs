//! What the boot loader and the kernel are to do.

/// `serial-console`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialConsoleStep {
    /// The line's device without `/dev/`; `None` is the usual one of the image's architecture.
    pub device: Option<String>,
    /// Bits per second; `None` is 115200.
    pub speed: Option<u32>,
}

/// `boot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootStep {
    /// What has to be found by a kernel that starts, without repetition, in this order.
    pub check: Vec<Driver>,
}

impl BootStep {
    /// What another step wants, too.
    pub(crate) fn merge(&mut self, more: Self) {
        self.check.extend(more.check);
        self.check.sort_unstable();
        self.check.dedup();
    }
}

/// A disk or network card that a kernel has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Driver {
    /// NVMe disks: EC2's Nitro.
    Nvme,
    /// The Elastic Network Adapter of EC2's Nitro.
    Ena,
    /// Xen's disks.
    XenBlkfront,
    /// Xen's network.
    XenNetfront,
    /// Virtio's disks, by virtio-blk or virtio-scsi.
    Virtio,
    /// Virtio's network.
    VirtioNet,
}

impl Driver {
    /// All of them, by their words in recipes.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("nvme", Self::Nvme),
        ("ena", Self::Ena),
        ("xen-blkfront", Self::XenBlkfront),
        ("xen-netfront", Self::XenNetfront),
        ("virtio", Self::Virtio),
        ("virtio-net", Self::VirtioNet),
    ];

    /// The word of the recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, driver)| *driver == self).map_or("", |(word, _)| word)
    }

    /// The modules: one of each group.
    #[must_use]
    pub fn modules(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Nvme => &[&["nvme"]],
            Self::Ena => &[&["ena"]],
            Self::XenBlkfront => &[&["xen_blkfront"]],
            Self::XenNetfront => &[&["xen_netfront"]],
            Self::Virtio => &[&["virtio_pci"], &["virtio_blk", "virtio_scsi"]],
            Self::VirtioNet => &[&["virtio_pci"], &["virtio_net"]],
        }
    }

    /// Whether it may come from the root: the network comes up later.
    #[must_use]
    pub fn comes_later(self) -> bool {
        matches!(self, Self::Ena | Self::XenNetfront | Self::VirtioNet)
    }
}

/// Machines, by what a kernel has to know there.
pub const TARGETS: &[(&str, &[Driver])] = &[
    ("ec2-nitro", &[Driver::Nvme, Driver::Ena]),
    ("ec2-xen", &[Driver::XenBlkfront, Driver::XenNetfront]),
    ("eucalyptus", &[Driver::Virtio, Driver::VirtioNet]),
    ("kvm", &[Driver::Virtio, Driver::VirtioNet]),
];
