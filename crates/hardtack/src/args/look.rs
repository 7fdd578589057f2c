//! `hardtack ls` and its kin.

use std::path::PathBuf;

use clap::Args;

use super::SourceArgs;

const LS: &str = "\
Examples:
  hardtack ls -l base.qcow2:/etc
  hardtack ls -R base.qcow2@15:/EFI        # partition 15, whatever system is on the disk
  hardtack ls --json base.qcow2:/ > root.json

Without a path it is the root. Links on the way are followed inside the image only. Times are UTC.
Characters that a terminal would obey are shown as \\u{1b}; --json has names as they are.

Exit codes: 0 done, 2 wrong usage, 3 no such file in the image, or the image is refused.";

/// What is looked at, and how the image is opened.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct WhereArgs {
    /// Look into this partition and mount nothing (0: a disk without partitions); the same as IMAGE@N:/PATH.
    #[arg(long, value_name = "N")]
    pub(crate) partition: Option<u32>,

    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

/// List files of an image.
#[derive(Args, Debug)]
#[command(after_help = LS)]
pub(crate) struct LsArgs {
    /// What to list: IMAGE:/PATH.
    #[arg(required = true, value_name = "IMAGE:/PATH")]
    pub(crate) at: Vec<String>,

    /// With mode, owner, group, size and time.
    #[arg(long, short)]
    pub(crate) long: bool,

    /// With everything below directories.
    #[arg(long, short = 'R')]
    pub(crate) recursive: bool,

    /// Owners and groups as numbers.
    #[arg(long, short)]
    pub(crate) numeric: bool,

    /// Directories themselves, not what is in them.
    #[arg(long, short)]
    pub(crate) directory: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

const CAT: &str = "\
Examples:
  hardtack cat base.qcow2:/etc/os-release
  hardtack cat base.qcow2:/boot/vmlinuz-6.1.0-13-amd64 > vmlinuz

On a terminal, characters that it would obey are shown as \\u{1b}; anywhere else the bytes are the file's.

Exit codes: 0 done, 2 wrong usage, 3 no such file in the image, or the image is refused.";

/// Print files of an image.
#[derive(Args, Debug)]
#[command(after_help = CAT)]
pub(crate) struct CatArgs {
    /// What to print: IMAGE:/PATH.
    #[arg(required = true, value_name = "IMAGE:/PATH")]
    pub(crate) at: Vec<String>,

    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

const CP: &str = "\
Examples:
  hardtack cp base.qcow2:/etc/ssh out
  hardtack cp -p base.qcow2:/etc/hosts base.qcow2:/etc/fstab directory/
  hardtack cp --force base.qcow2:/etc/os-release os-release

Into a directory that exists it is copied under its own name. Nothing is replaced without --force, and a
directory never. Links below the target are never followed; links of the image stay links. Devices, pipes
and sockets are left out and told. What not everybody may read in the image only you can read here.

Exit codes: 0 done, 2 wrong usage, 3 no such file in the image, or the image is refused, 4 the target.";

/// Copy files out of an image.
#[derive(Args, Debug)]
#[command(after_help = CP)]
pub(crate) struct CpArgs {
    /// What to copy: IMAGE:/PATH.
    #[arg(required = true, value_name = "IMAGE:/PATH")]
    pub(crate) at: Vec<String>,

    /// The directory to copy into, or the name of the copy.
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) to: PathBuf,

    /// Keep permission bits and times; set-id bits never.
    #[arg(long, short)]
    pub(crate) preserve: bool,

    /// Replace files that exist.
    #[arg(long, short)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) place: WhereArgs,
}

const TAR: &str = "\
Examples:
  hardtack tar base.qcow2:/etc --output etc.tar
  hardtack tar base.qcow2:/ | tar -tv

The format is pax: owners as numbers, modes, links, hard links, devices, extended attributes as GNU tar
and bsdtar read them. Sockets are left out and told. Names have no leading slash.

Exit codes: 0 done, 2 wrong usage, 3 no such file in the image, or the image is refused, 4 the output.";

/// Write files of an image as a tar archive.
#[derive(Args, Debug)]
#[command(after_help = TAR)]
pub(crate) struct TarArgs {
    /// What to pack: IMAGE:/PATH.
    #[arg(required = true, value_name = "IMAGE:/PATH")]
    pub(crate) at: Vec<String>,

    /// The archive; else standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Replace the archive if it exists.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) place: WhereArgs,
}
