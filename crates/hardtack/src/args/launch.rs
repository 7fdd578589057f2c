//! `hardtack launch`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::place::PlaceArgs;
use super::size::disk_size;

const EXAMPLE: &str = "\
Examples:
  hardtack launch web-1 -f cloud-config/launch.yaml --wait=credentials            # on this machine, by QEMU
  hardtack launch ami-0123456789abcdef0 -f web.yaml -f setup.sh -k ops -t t3.small --on aws \\
      --ssh-from me --wait=ssh
  hardtack launch emi-FF439CBA -f web.yaml --new-key web.pem -t m1.medium --on euca --wait=credentials
  hardtack launch web-1 -f web.yaml --volume 20G:/dev/vdc --disk-bus nvme --network lab --pcap lab.pcap
  hardtack launch --netboot --network lab                                         # a PXE client of that network

User-data is checked before anything is made, as by `hardtack user-data check`; several files are packed into one.
What is printed is what euca-run-instances prints: RESERVATION and INSTANCE lines with tabs. With --wait=credentials
the credentials block follows, and how to log in.

IMAGE-TIME.journal (as web-1-20261122T081300Z.journal) holds what was made, before it is made: `hardtack undo` takes all
of it away, `hardtack terminate` the instances only. The same command with --journal FILE goes on where a run has ended.

Exit codes: 0 done; 1 user-data has errors, or what --wait waits for did not come in time; 2 wrong usage or
credentials; 3 refused; 4 local input or output; 5 a remote service.";

/// Start instances of an image with user-data.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct LaunchArgs {
    /// The image: ami-… or emi-…, a name, or (on this machine) a name of the catalog.
    #[arg(required_unless_present = "netboot")]
    pub(crate) image: Option<String>,

    /// User-data: a file, checked first; several are packed into one. `-` is standard input.
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) user_data_file: Vec<PathBuf>,

    /// User-data as a text.
    #[arg(long, short = 'd', value_name = "TEXT", conflicts_with = "user_data_file")]
    pub(crate) user_data: Option<String>,

    /// The same, also where a file is called so.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["user_data_file", "user_data"])]
    pub(crate) user_data_force: Option<String>,

    /// Launch although user-data has errors.
    #[arg(long)]
    pub(crate) force: bool,

    /// The key pair: its name in the cloud, or a file with a public key, which is imported where it is missing.
    #[arg(long, short = 'k', value_name = "KEY|FILE", conflicts_with = "new_key")]
    pub(crate) key: Option<String>,

    /// Make a key pair: the private key is written to FILE (mode 0600) and goes nowhere else.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_key: Option<PathBuf>,

    /// The type, as `hardtack types` lists them.
    #[arg(long = "instance-type", short = 't', alias = "type", value_name = "TYPE")]
    pub(crate) instance_type: Option<String>,

    /// How many; at least and at most with a hyphen.
    #[arg(long = "instance-count", short = 'n', alias = "count", value_name = "MIN[-MAX]", default_value = "1", value_parser = count)]
    pub(crate) count: (u32, u32),

    /// Tags.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,

    /// A volume that is there at the first boot, as of overlayroot.
    #[arg(long, value_name = "SIZE:DEVICE", value_parser = volume)]
    pub(crate) volume: Vec<(u64, String)>,

    /// Metadata with tokens only (IMDSv2), or without them too.
    #[arg(long, value_enum, default_value_t = Tokens::Required)]
    pub(crate) imds: Tokens,

    /// Wait until the instances run, answer SSH, or have printed their credentials.
    #[arg(long, value_enum, value_name = "FOR", num_args = 0..=1, require_equals = true, default_missing_value = "running")]
    pub(crate) wait: Option<WaitFor>,

    /// How long --wait waits: 90s, 15m, 2h.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = super::console::duration)]
    pub(crate) timeout: std::time::Duration,

    /// A private key that opens what the credentials block has sealed. Repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,

    /// What was made so far; else IMAGE-TIME.journal here, a new one each time. To go on, name the one there is.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// On a cloud.
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,

    /// On this machine.
    #[command(flatten)]
    pub(crate) here: HereArgs,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What only clouds have.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "On a cloud")]
pub(crate) struct CloudArgs {
    /// Security groups: ids or names.
    #[arg(long, short = 'g', value_name = "GROUP")]
    pub(crate) group: Vec<String>,

    /// A security group of its own that lets SSH in from there, and nothing else: a network, or me.
    #[arg(long, value_name = "CIDR|me")]
    pub(crate) ssh_from: Option<String>,

    /// The zone.
    #[arg(long = "availability-zone", short = 'z', alias = "zone", value_name = "ZONE")]
    pub(crate) zone: Option<String>,

    /// Block devices: DEVICE=[SNAPSHOT]:[GIB]:[true|false]:[TYPE[:IOPS]], DEVICE=ephemeralN, DEVICE=none.
    #[arg(long = "block-device-mapping", short = 'b', value_name = "MAPPING")]
    pub(crate) mapping: Vec<String>,

    /// The subnet.
    #[arg(long, short = 's', value_name = "SUBNET")]
    pub(crate) subnet: Option<String>,

    /// The instance profile: a name or an ARN.
    #[arg(long = "iam-instance-profile", short = 'p', alias = "iam-profile", value_name = "PROFILE")]
    pub(crate) profile_of_instance: Option<String>,

    /// Give it a public address.
    #[arg(long, conflicts_with = "no_public_ip")]
    pub(crate) public_ip: bool,

    /// Give it none.
    #[arg(long)]
    pub(crate) no_public_ip: bool,

    /// The same two, as euca-run-instances has them.
    #[arg(long, value_name = "true|false", conflicts_with_all = ["public_ip", "no_public_ip"])]
    pub(crate) associate_public_ip_address: Option<bool>,

    /// Its private address; of one instance, in a subnet.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) private_ip_address: Option<String>,

    /// What becomes of it when it is shut down from inside.
    #[arg(long, value_name = "stop|terminate", value_parser = ["stop", "terminate"])]
    pub(crate) instance_initiated_shutdown_behavior: Option<String>,

    /// Metrics by the minute.
    #[arg(long, short = 'm')]
    pub(crate) monitor: bool,

    /// The kernel.
    #[arg(long, value_name = "KERNEL")]
    pub(crate) kernel: Option<String>,

    /// The ramdisk.
    #[arg(long, value_name = "RAMDISK")]
    pub(crate) ramdisk: Option<String>,

    /// The placement group.
    #[arg(long, value_name = "NAME")]
    pub(crate) placement_group: Option<String>,

    /// The tenancy.
    #[arg(long, value_name = "default|dedicated|host", value_parser = ["default", "dedicated", "host"])]
    pub(crate) tenancy: Option<String>,

    /// Refuse to terminate it, until that is taken back: `undo` cannot either.
    #[arg(long)]
    pub(crate) disable_api_termination: bool,

    /// A way of its own to its volumes.
    #[arg(long)]
    pub(crate) ebs_optimized: bool,

    /// A token that starts the same instances once, instead of the journal's.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) client_token: Option<String>,

    /// Eucalyptus' former choice of addresses.
    #[arg(long, value_name = "TYPE", hide = true, value_parser = addressing)]
    pub(crate) addressing: Option<String>,

    /// Print fields that are empty as (nil).
    #[arg(long, hide = true)]
    pub(crate) show_empty_fields: bool,

    /// Keys of arguments are read by others.
    #[arg(long, short = 'I', value_name = "KEY-ID", hide = true, value_parser = forgotten)]
    pub(crate) access_key_id: Option<Forgotten>,

    /// The same.
    #[arg(long, short = 'S', value_name = "KEY", hide = true, value_parser = forgotten)]
    pub(crate) secret_key: Option<Forgotten>,

    /// What tells one's own address for --ssh-from me; else HARDTACK_ADDRESS_URL, else checkip.amazonaws.com.
    #[arg(long, value_name = "URL")]
    pub(crate) address_url: Option<String>,
}

/// What only this machine has.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "On this machine")]
pub(crate) struct HereArgs {
    /// Whose metadata service and marks the instance sees: ec2 or eucalyptus.
    #[arg(long, value_enum, value_name = "CLOUD")]
    pub(crate) like: Option<LikeName>,

    /// How disks are attached: virtio (/dev/vda) or nvme (/dev/nvme0n1, as on Nitro).
    #[arg(long, value_enum, value_name = "BUS")]
    pub(crate) disk_bus: Option<BusName>,

    /// Who computes: kvm, tcg, or auto (KVM where it works; that is tried). Else HARDTACK_ACCEL, else auto.
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) accel: Option<AccelName>,

    /// The size of the root disk, where it is to be larger than the image.
    #[arg(long, value_name = "SIZE", value_parser = disk_size)]
    pub(crate) root_size: Option<u64>,

    /// The size of the ephemeral disk, the second one (/dev/vdb); 0: none. Else what the type has.
    #[arg(long, value_name = "SIZE", value_parser = disk_size)]
    pub(crate) ephemeral: Option<u64>,

    /// A second card in a private network with the other instances that name it.
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,

    /// The private network is a multicast group of this host.
    #[arg(long, requires = "network")]
    pub(crate) multicast: bool,

    /// Write what passes the card (of the private network, where there is one) to this file or named pipe.
    #[arg(long, value_name = "FILE")]
    pub(crate) pcap: Option<PathBuf>,

    /// Boot from the network once. Without an image: a machine with an empty disk.
    #[arg(long, requires = "network")]
    pub(crate) netboot: bool,

    /// Further ports of the instance, found at 127.0.0.1: GUEST, or HERE:GUEST. That of SSH always is.
    #[arg(long, value_name = "[HERE:]GUEST", value_parser = port)]
    pub(crate) port: Vec<(Option<u16>, u16)>,
}

/// Metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tokens {
    /// Tokens only.
    #[default]
    Required,
    /// Both.
    Optional,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    /// The instances run.
    Running,
    /// SSH answers.
    Ssh,
    /// The credentials block is on the console.
    Credentials,
}

/// Clouds that are played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LikeName {
    /// EC2.
    #[default]
    #[value(alias = "aws")]
    Ec2,
    /// Eucalyptus.
    #[value(alias = "euca")]
    Eucalyptus,
}

/// Buses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BusName {
    /// virtio.
    #[default]
    Virtio,
    /// NVMe.
    Nvme,
}

/// Accelerators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccelName {
    /// The one that works.
    #[default]
    Auto,
    /// KVM.
    Kvm,
    /// QEMU's own.
    Tcg,
}

fn count(text: &str) -> Result<(u32, u32), String> {
    let bad = || "a count is a number, or two with a hyphen, as 1-3".to_owned();
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let range: (u32, u32) = (least.parse().map_err(|_| bad())?, most.parse().map_err(|_| bad())?);
    if range.0 == 0 || range.1 < range.0 { Err(bad()) } else { Ok(range) }
}

pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() { Err("a tag is KEY=VALUE".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}

fn addressing(_: &str) -> Result<String, String> {
    Err("instances are not addressed by type any more: --public-ip and --no-public-ip say whether they have a public \
         address"
        .to_owned())
}

/// Something secret that nobody reads: an error of the command line would print it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten;

#[allow(clippy::unnecessary_wraps)]
fn forgotten(_: &str) -> Result<Forgotten, String> {
    Ok(Forgotten)
}

fn volume(text: &str) -> Result<(u64, String), String> {
    let bad = || "a volume is SIZE:DEVICE, as 20G:/dev/vdc".to_owned();
    let (bytes, device) = text.split_once(':').ok_or_else(bad)?;
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // Nobody means bytes with so few.
    if good && bytes.parse::<u64>().is_ok_and(|number| (1..1 << 20).contains(&number)) {
        return Err(format!("give a unit: {bytes}G; a number alone is bytes"));
    }
    if good { Ok((disk_size(bytes)?, format!("/dev/{name}"))) } else { Err(bad()) }
}

fn port(text: &str) -> Result<(Option<u16>, u16), String> {
    let bad = || "a port is a number, or two as 8080:80".to_owned();
    let number = |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or_else(bad);
    match text.split_once(':') {
        Some((here, guest)) => Ok((Some(number(here)?), number(guest)?)),
        None => Ok((None, number(text)?)),
    }
}
