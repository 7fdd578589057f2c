//! What an image is registered as: options that `install` and `register` share.

use clap::{Args, ValueEnum};

use super::bundle::{kernel_id, ramdisk_id};

/// What the image is registered as.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Image")]
pub(crate) struct ImageArgs {
    /// The image's name: 3 to 128 characters. No two images of an account have the same.
    #[arg(long, short, value_name = "NAME")]
    pub(crate) name: String,

    /// A description.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    /// The device of the root (/dev/xvda on AWS, /dev/sda1 for a snapshot on Eucalyptus).
    #[arg(long, alias = "root-device", value_name = "DEVICE")]
    pub(crate) root_device_name: Option<String>,

    /// How it is virtualized.
    #[arg(long, value_enum, default_value_t = Virtualization::Hvm)]
    pub(crate) virtualization_type: Virtualization,

    /// The kernel's id (eki-…, aki-…) of a paravirtual image, or `true`: the image is a kernel.
    #[arg(long, value_name = "ID", value_parser = kernel_id)]
    pub(crate) kernel: Option<String>,

    /// The RAM disk's id (eri-…, ari-…), or `true`: the image is a RAM disk.
    #[arg(long, value_name = "ID", value_parser = ramdisk_id)]
    pub(crate) ramdisk: Option<String>,

    /// The platform, as Eucalyptus wants it: windows.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<String>,

    /// How it boots; else by what the disk holds.
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) boot_mode: Option<Boot>,

    /// How instances get at their metadata.
    #[arg(long, visible_alias = "imds-support", value_enum, default_value_t = Imds::V2)]
    pub(crate) imds: Imds,

    /// Instances have a TPM 2.0; the image must boot by UEFI.
    #[arg(long)]
    pub(crate) tpm: bool,

    /// The image knows no ENA, the network card of today's instances.
    #[arg(long)]
    pub(crate) no_ena: bool,

    /// The kind of the root's volume.
    #[arg(long, value_name = "TYPE", default_value = "gp3")]
    pub(crate) volume_type: String,

    /// The size of the root's volume in GiB, where larger than the snapshot.
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..=65536))]
    pub(crate) volume_size: Option<u64>,

    /// A tag of everything that is made; several are several options.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,

    /// What to do where an image of that name is there.
    #[arg(long, value_enum, default_value_t = ExistingName::Refuse)]
    pub(crate) existing: ExistingName,
}

/// Kinds of virtualization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Virtualization {
    /// A whole machine.
    #[default]
    Hvm,
    /// With a kernel of its own kind.
    Paravirtual,
}

impl Virtualization {
    /// As EC2 writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hvm => "hvm",
            Self::Paravirtual => "paravirtual",
        }
    }
}

/// How a machine boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Boot {
    /// By BIOS.
    #[value(alias = "bios")]
    LegacyBios,
    /// By UEFI.
    Uefi,
    /// By UEFI where the instance can, else by BIOS.
    UefiPreferred,
}

/// Versions of the metadata service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Imds {
    /// Both versions.
    V1,
    /// Version 2 alone, with a session.
    #[default]
    #[value(alias = "v2.0")]
    V2,
}

/// What to do with a name that is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExistingName {
    /// An error that names the image.
    #[default]
    Refuse,
    /// That image is the result, if it was made of the same inputs; else an error.
    Reuse,
}
