//! `hardtack images`, `hardtack instances`, `hardtack types`, `hardtack terminate`.

use clap::Args;

use super::place::PlaceArgs;

const IMAGES: &str = "\
Examples:
  hardtack images                                   # of this machine's catalog
  hardtack images --on aws --region eu-west-1       # of the account itself
  hardtack images web-1 --json

What is printed is what euca-describe-images prints: IMAGE and TAG lines with tabs. --json is a list of objects.

Exit codes: 0 done, 2 wrong usage or credentials, 3 there is no such image, 4 local input or output, 5 a remote service.";

/// List images.
#[derive(Args, Debug)]
#[command(after_help = IMAGES)]
pub(crate) struct ImagesArgs {
    /// Which: ids or names; all where none is named.
    pub(crate) images: Vec<String>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

const INSTANCES: &str = "\
Examples:
  hardtack instances                                # of this machine
  hardtack instances --on aws --region eu-west-1 tag:Name=web
  hardtack instances --on euca i-0abc1234 --json

What is printed is what euca-describe-instances prints: RESERVATION, INSTANCE, BLOCKDEVICE, NETWORKINTERFACE and TAG lines
with tabs; of this machine also SSH lines (id, address, port), STATE lines (id, state, why it came to that) and NOTE lines
(id, what people should know). --json is a list of objects. Of --filter, values of
one name are alternatives.

Exit codes: 0 done, 2 wrong usage or credentials, 3 there is no such instance, 4 local input or output, 5 a remote
service.";

/// List instances.
#[derive(Args, Debug)]
#[command(after_help = INSTANCES)]
pub(crate) struct InstancesArgs {
    /// Which: ids, tag:KEY=VALUE, asg:GROUP; all where none is named.
    pub(crate) instances: Vec<String>,

    /// EC2's filters.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) filter: Vec<String>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

const TYPES: &str = "\
Examples:
  hardtack types                                    # what this machine can start
  hardtack types --on euca                          # with free capacity by zone
  hardtack types t3.small m5.large --on aws

What is printed is what euca-describe-instance-types prints, by zone and with what is used where that is told (by
Eucalyptus to its administrators, and here).

Exit codes: 0 done, 2 wrong usage or credentials, 3 there is no such type, 4 local input or output, 5 a remote service.";

/// List the types of instances, and what is free of them where that is told.
#[derive(Args, Debug)]
#[command(after_help = TYPES)]
pub(crate) struct TypesArgs {
    /// Which; all where none is named.
    pub(crate) types: Vec<String>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

const TERMINATE: &str = "\
Examples:
  hardtack terminate i-0123456789abcdef0
  hardtack terminate tag:Name=web --on aws

What is printed is what euca-terminate-instances prints: INSTANCE, the id, the state before and the state now, with tabs.
It does not wait. Where one of the names is none nothing ends; a tag or a group means those that have not ended yet.

Key pairs, security groups and volumes that a launch made stay: `hardtack undo` of its journal takes those away, too.

Exit codes: 0 done, 2 wrong usage or credentials, 3 there is no such instance, 4 local input or output, 5 a remote
service.";

/// End instances.
#[derive(Args, Debug)]
#[command(after_help = TERMINATE)]
pub(crate) struct TerminateArgs {
    /// Which: ids, tag:KEY=VALUE, asg:GROUP.
    #[arg(required = true)]
    pub(crate) instances: Vec<String>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}
