//! `hardtack user-data`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::SourceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack user-data check launch.yaml --image hardened.qcow2
  hardtack user-data show user-data.mime
  hardtack user-data plan launch.yaml --image hardened.qcow2
  hardtack user-data pack base.yaml setup.sh --output user-data.mime
  hardtack user-data totp --user debian --output code.yaml

User-data is what cloud-init and coreos-cloudinit take: #cloud-config, scripts, MIME multi-part,
archives, includes, boothooks, JSON patches, templates, gzip. docs/user-data.md has the formats, the
JSON and the codes of all findings. Nothing is fetched, nothing is run.";

/// Check, show, try out and pack user-data.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE, arg_required_else_help = true)]
pub(crate) struct UserDataArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub(crate) verb: UserDataVerb,
}

/// The verbs of `hardtack user-data`.
#[derive(Subcommand, Debug)]
pub(crate) enum UserDataVerb {
    /// Find mistakes in user-data before it costs a launch.
    Check(CheckArgs),
    /// Show the parts of user-data and the configuration that they make.
    Show(ShowArgs),
    /// Show what user-data would do to an image, in order, and do nothing.
    Plan(PlanArgs),
    /// Pack several parts into one piece of user-data.
    Pack(PackArgs),
    /// Make a second factor that the operator holds: a part of user-data, and the QR code.
    Totp(TotpArgs),
}

const CHECK_EXAMPLE: &str = "\
Examples:
  hardtack user-data check launch.yaml
  hardtack user-data check cloud-config/*.yaml --strict
  hardtack user-data check launch.yaml --image hardened.qcow2   # and what it does to its way in
  terraform output -raw user_data | hardtack user-data check - --json

Errors are what cloud-init's own schema refuses, what makes a part useless, and what cannot mean
anything; warnings are what is probably not meant. The message names file, line and column and shows
the line, with passwords and private keys covered.

With --image the verdict is about this image: whether the default user survives, whether sshd, PAM
and the overlay stay as the image's recipe made them, which users could still log in, and which keys
its sshd takes.

Exit codes: 0 no errors (with --strict: no findings), 1 errors, 2 wrong usage, 3 image refused,
4 a file that cannot be read.";

/// Find mistakes in user-data before it costs a launch.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLE)]
pub(crate) struct CheckArgs {
    /// The user-data; - for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Check against this image too: what the user-data would do to its way in. A file, or an id or a name of the local
    /// catalog (HARDTACK_CATALOG names it).
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<PathBuf>,

    /// Let warnings count as errors.
    #[arg(long)]
    pub(crate) strict: bool,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the user-data is read.
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    // Last: its heading goes on over all options behind it.
    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

/// What the instance would know, and the host does not.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReadArgs {
    /// Undo base64 around everything, as EC2's data source does; with others such user-data is lost.
    #[arg(long)]
    pub(crate) base64: bool,

    /// Render templates with this instance's data (JSON, from `cloud-init query --all`).
    #[arg(long, value_name = "FILE")]
    pub(crate) instance_data: Option<PathBuf>,

    /// Leave out parts that are for other instances of the launch than this one.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) launch_index: Option<i64>,
}

const SHOW_EXAMPLE: &str = "\
Examples:
  hardtack user-data show user-data.mime
  hardtack user-data show user-data.mime --json | jq .config.users

Parts come with their types, sizes and launch indexes; the configuration is what all cloud-config
parts amount to once merged, as YAML. It is the user's own file, and shown as it is: passwords and keys
too.

Exit codes: 0 done, 1 a part cannot be read (the others are shown), 2 wrong usage, 4 a file that
cannot be read.";

/// Show the parts of user-data and the configuration that they make.
#[derive(Args, Debug)]
#[command(after_help = SHOW_EXAMPLE)]
pub(crate) struct ShowArgs {
    /// The user-data; - for standard input.
    pub(crate) file: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the user-data is read.
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

const PLAN_EXAMPLE: &str = "\
Examples:
  hardtack user-data plan launch.yaml --image hardened.qcow2
  hardtack user-data plan launch.yaml --image hardened.qcow2 --json

The plan is what cloud-init's modules do, computed over the files of the image: the actions, stage by
stage, with what only the running machine knows named as such. Passwords, hashes and private keys
are not shown.

Exit codes: 0 done, 1 the user-data has errors (the plan is shown), 2 wrong usage, 3 image refused,
4 a file that cannot be read.";

/// Show what user-data would do to an image, in order, and do nothing.
#[derive(Args, Debug)]
#[command(after_help = PLAN_EXAMPLE)]
pub(crate) struct PlanArgs {
    /// The user-data; - for standard input.
    pub(crate) file: PathBuf,

    /// The image that it would be given to: qcow2, raw, VMDK or VHD. It is only read.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: PathBuf,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// How the user-data is read.
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    // Last: its heading goes on over all options behind it.
    /// How the image is opened.
    #[command(flatten)]
    pub(crate) open: SourceArgs,
}

const PACK_EXAMPLE: &str = "\
Examples:
  hardtack user-data pack base.yaml setup.sh --output user-data.mime
  hardtack user-data pack base.yaml --gzip always | base64 -w0
  hardtack user-data pack *.yaml --for openstack --output user-data

What a file is, is told by its first line, as cloud-init does, or by FILE:TYPE
(boot.sh:text/x-shellscript-per-boot). Above 16 KiB the result is compressed. The limits count bytes
before base64: EC2 16,384, OpenStack 49,149, Azure 65,535, Google 262,144; any is the least of them.
The same files give the same bytes.

Exit codes: 0 done; 1 larger than the cloud takes, or a file that would be ignored; 2 wrong usage;
4 local input or output.";

/// Pack several parts into one piece of user-data.
#[derive(Args, Debug)]
#[command(after_help = PACK_EXAMPLE)]
pub(crate) struct PackArgs {
    /// The parts in order: cloud-config, scripts, boothooks…; - for standard input.
    #[arg(required = true, value_name = "FILE[:TYPE]")]
    pub(crate) files: Vec<PathBuf>,

    /// The file to write; - for standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,

    /// When the result is compressed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) gzip: GzipWhen,

    /// Whose limit counts.
    #[arg(long = "for", value_enum, default_value_t, value_name = "CLOUD")]
    pub(crate) cloud: CloudName,

    /// Replace an existing output.
    #[arg(long)]
    pub(crate) force: bool,
}

/// When user-data is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum GzipWhen {
    /// Above 16 KiB.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Never.
    Never,
}

/// Whose limit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloudName {
    /// Amazon EC2 and what speaks like it.
    Ec2,
    /// OpenStack.
    Openstack,
    /// Azure.
    Azure,
    /// Google Compute Engine.
    Gce,
    /// All of them.
    #[default]
    Any,
}

const TOTP_EXAMPLE: &str = "\
Examples:
  hardtack user-data totp --user debian --output code.yaml
  hardtack user-data totp --user debian --user deploy --issuer fleet-1 --output codes.yaml
  hardtack user-data totp --user debian --secret-file old-secret --qr code.png --output code.yaml
  hardtack user-data pack launch.yaml code.yaml --output user-data.mime

For a fleet, or an overlay root that is new at each boot: the secret comes with user-data, and every
instance has the same one. The agent writes it into the user's file before SSH starts and prints
nothing of it; the user has no scratch codes that anybody knows. The recipe's `mfa` step must enrol the
user: `user-data check code.yaml --image IMAGE` says whether it does.

The part holds the secret in the clear, and so does user-data. `user-data check` names who can read it
there. Instances do not tell each other which codes were used: a code that one has taken is good on
the others until it ends, 2 minutes with the recipes' window of 4. Where each instance can have its
own secret, leave this to the agent.

Without --output, or with -, the part goes to standard output, and the secret for the phone to
standard error.

Exit codes: 0 done, 2 wrong usage (a name that no user can have, a secret that is none), 4 local input
or output.";

/// Make a second factor that the operator holds: a part of user-data, and the QR code.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = TOTP_EXAMPLE)]
pub(crate) struct TotpArgs {
    /// The user; may be given several times, and each gets a secret of its own.
    #[arg(long = "user", value_name = "USER", required = true)]
    pub(crate) users: Vec<String>,

    /// What the phone calls the fleet.
    #[arg(long, value_name = "NAME", default_value = "hardtack")]
    pub(crate) issuer: String,

    /// The part to write, mode 0600; - for standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,

    /// Write the QR code as a picture, by the file's suffix .svg or .png. It holds the secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) qr: Option<PathBuf>,

    /// Take the secret on this file's first line instead of a new one; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,

    /// Replace existing files of --output and --qr.
    #[arg(long)]
    pub(crate) force: bool,

    /// Print JSON for programs: the users with secrets and URLs, and the part.
    #[arg(long)]
    pub(crate) json: bool,
}
