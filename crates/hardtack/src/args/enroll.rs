//! `hardtack enroll`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLE: &str = "\
Examples:
  hardtack enroll --image disk.qcow2 --user debian             # a new secret, printed here
  hardtack enroll --image disk.qcow2 --user debian --qr code.png
  hardtack enroll --image disk.qcow2 --user debian --clear     # the next boot enrols anew
  hardtack enroll --image disk.raw --user debian --output copy.raw

For a lost phone, or a secret that others may have read: stop the machine, work on its disk, start
it again. The image is replaced in one step when everything is written; until then the old one
stays. With a new secret the old one and its scratch codes end; the new one is printed here and
never on the console.

Exit codes: 0 done, 2 wrong usage, 3 image refused (the user has no home in it, it cannot be
written), 4 local input or output.";

/// Give a user of an image a new second factor, offline, or none.
#[derive(Args, Debug, Clone, Default)]
#[command(after_help = EXAMPLE)]
pub(crate) struct EnrollArgs {
    /// The image: qcow2 or raw. No machine may be running on it.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: PathBuf,

    /// The user.
    #[arg(long, value_name = "USER")]
    pub(crate) user: String,

    /// Take the user's secret away: the next boot enrols anew and prints the new one.
    #[arg(long, conflicts_with_all = ["json", "qr"])]
    pub(crate) clear: bool,

    /// Write a changed copy here, in the image's format, and leave the image alone.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write the QR code as a picture, by the file's suffix .svg or .png. It holds the secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) qr: Option<PathBuf>,

    /// Replace existing files of --output and --qr.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print the new credentials as JSON, as they stand in a credentials block.
    #[arg(long)]
    pub(crate) json: bool,
}
