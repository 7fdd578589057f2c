//! `hardtack service-image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::bundle::{KeysArgs, PackingArgs};
use super::place::PlaceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack service-image install eucalyptus-load-balancer-image.tgz --on euca
  hardtack service-image install lb.tgz --recipe lb.yaml --on euca      # edited on its way
  hardtack service-image list --on euca

The image in the archive is bundled into the next bucket loadbalancer-vN, registered, and made the cloud's:
loadbalancing.loadbalancer_emi is set. What it was stands in the answer and in the journal: `hardtack undo` sets it
again and removes the new image. Needs the credentials of a cloud administrator.

Exit codes: 0 done, 2 wrong usage or credentials, 3 image refused, 4 local input or output, 5 a remote service.";

/// Images of Eucalyptus' own services: the load balancer's.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ServiceImageArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: ServiceImageVerb,
}

/// What to do with service images.
#[derive(Subcommand, Debug)]
pub(crate) enum ServiceImageVerb {
    /// Install an image and make the cloud use it.
    Install(Box<ServiceInstallArgs>),
    /// List the versions: which is used, and when each was installed.
    List(Box<ServiceListArgs>),
}

/// `hardtack service-image install`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hardtack service-image install eucalyptus-load-balancer-image.tgz --on euca
  hardtack service-image install lb.tgz --recipe lb.yaml --on euca --journal lb.journal
  hardtack undo lb.journal                              # the former image is the cloud's again")]
pub(crate) struct ServiceInstallArgs {
    /// The archive (.tgz, or the .rpm that has it), or an image.
    #[arg(value_name = "TARBALL")]
    pub(crate) tarball: PathBuf,

    /// Apply this recipe to the image, as `hardtack build` does.
    #[arg(long, value_name = "RECIPE")]
    pub(crate) recipe: Option<PathBuf>,

    /// What was made so far; else loadbalancer-vN.journal here.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Bundles.
    #[command(flatten, next_help_heading = "Bundle")]
    pub(crate) packing: PackingArgs,

    /// Account and keys.
    #[command(flatten)]
    pub(crate) keys: KeysArgs,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// `hardtack service-image list`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hardtack service-image list --on euca
  hardtack service-image list --on euca --eucarc ~/.euca/eucarc --json")]
pub(crate) struct ServiceListArgs {
    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}
