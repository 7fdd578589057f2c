//! `hardtack console`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::place::PlaceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack console serial.log                            # secrets, QR code, host keys
  hardtack console serial.log --code                     # the code of this moment, alone
  hardtack console serial.log --known-hosts ~/.ssh/known_hosts --host 127.0.0.1:2222
  hardtack console serial.log --qr code.png
  hardtack console serial.log --identity ~/.ssh/id_ed25519     # opens what is sealed to that key
  hardtack console serial.log -i aws.pem --user debian --code
  hardtack console i-0123456789abcdef0 --wait                  # an instance of this machine
  hardtack console i-0123456789abcdef0 --wait --timeout 30m --on aws --identity ~/.ssh/id_ed25519
  hardtack console tag:Name=web asg:workers --on euca          # one after the other
  hardtack console i-0123456789abcdef0 --raw --on aws | less   # all of it, as it came
  aws ec2 get-console-output --instance-id i-0123 --latest --output text | hardtack console -

A target is a file where there is one of that name, else an instance. With --wait the console is read every few
seconds until the block is there, the time is up or the instance has ended; without, it is read once. Where there is no
block the last 40 lines are shown, without secrets, with the likely cause and the command to go on. Several instances
are shown one after the other, with --json a line each, without those that have no block; the exit code is then the
highest of theirs. --known-hosts takes an instance's own address where --host does not name another.

The log may have gone through a serial line, a logger, a web page or a terminal; whatever they
added is undone, and a checksum tells whether the block arrived whole. The newest intact block is
used; older and damaged ones are counted on standard error.

Sealed parts are opened by the keys of --identity: OpenSSH's (ed25519, RSA; every cipher of
ssh-keygen -Z), PEM (PKCS#1 and PKCS#8, what AWS and openssl write) and age identity files, with or
without a passphrase, which is asked for on the terminal or read with --passphrase-file. Without a
key the block is shown with the names, the fingerprints and to whom each part is sealed.

Exit codes: 0 done, also when the block holds fingerprints only or sealed parts that nobody asked to
open; 1 no block was found, --code and --qr find no secret that can be read, or no key given opens
anything (another's key, a wrong passphrase, a file that is no private key); 3 only damaged blocks,
two that contradict each other, or a damaged sealed part; 4 local input or output.";

/// Read the credentials block that a machine printed on its console.
#[derive(Args, Debug, Clone, Default)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ConsoleArgs {
    /// The console's log, - for standard input; or instances: ids, tag:KEY=VALUE, asg:GROUP.
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<PathBuf>,

    /// Of an instance: look until its block is there.
    #[arg(long)]
    pub(crate) wait: bool,

    /// With --wait: how long, all instances together.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "20m", requires = "wait")]
    pub(crate) timeout: Option<Duration>,

    /// Print the user's one-time code of this moment, and nothing else.
    #[arg(long, conflicts_with = "json")]
    pub(crate) code: bool,

    /// The user, where the block holds several.
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Add the machine's host keys to this file in OpenSSH's format. Of a log it needs --host.
    #[arg(long, value_name = "FILE")]
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

    /// A private key that opens sealed parts: OpenSSH, PEM (PKCS#1, PKCS#8) or age. Repeatable.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,

    /// The keys' passphrase is the first line of this file, instead of asking on the terminal.
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Print all of the console that is there, as it came, with whatever control characters it has; no block is looked for.
    #[arg(long, conflicts_with_all = ["wait", "code", "qr", "known_hosts", "identity", "json", "user"])]
    pub(crate) raw: bool,

    /// Print the block's object as JSON, for programs; opened parts stand in it in plain text.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where the instances are.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// A time: 90s, 15m, 2h, or seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "a time is a number with s, m or h, as 15m".to_owned();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    let seconds: u64 = digits.parse().map_err(|_| bad())?;
    seconds.checked_mul(unit).map(Duration::from_secs).ok_or_else(bad)
}
