//! `hardtack console`.

use std::path::PathBuf;

use clap::Args;

const EXAMPLE: &str = "\
Examples:
  hardtack console serial.log                            # secrets, QR code, host keys
  hardtack console serial.log --code                     # the code of this moment, alone
  hardtack console serial.log --known-hosts ~/.ssh/known_hosts --host 127.0.0.1:2222
  hardtack console serial.log --qr code.png
  aws ec2 get-console-output --instance-id i-0123 --latest --output text | hardtack console -

The log may have gone through a serial line, a logger, a web page or a terminal; whatever they
added is undone, and a checksum tells whether the block arrived whole. The newest intact block is
used; older and damaged ones are counted on standard error.

Exit codes: 0 done, also when the block holds fingerprints only; 1 no block was found (or --code
and --qr find no secret in it); 3 only damaged blocks, or two that contradict each other; 4 local
input or output.";

/// Read the credentials block that a machine printed on its console.
#[derive(Args, Debug, Clone, Default)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ConsoleArgs {
    /// The console log; - for standard input.
    pub(crate) file: PathBuf,

    /// Print the user's one-time code of this moment, and nothing else.
    #[arg(long, conflicts_with = "json")]
    pub(crate) code: bool,

    /// The user, where the block holds several.
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Add the machine's host keys to this file in OpenSSH's format. Needs --host.
    #[arg(long, value_name = "FILE", requires = "host")]
    pub(crate) known_hosts: Option<PathBuf>,

    /// The name or address, with its port, under which ssh will reach the machine.
    #[arg(long, value_name = "NAME[:PORT]", requires = "known_hosts")]
    pub(crate) host: Option<String>,

    /// Write the QR code as a picture, by the file's suffix .svg or .png. It holds the secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) qr: Option<PathBuf>,

    /// Let --qr replace an existing file.
    #[arg(long, requires = "qr")]
    pub(crate) force: bool,

    /// Print the block's object as JSON, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}
