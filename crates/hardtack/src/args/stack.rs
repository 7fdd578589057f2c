//! `hardtack stack`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::launch::tag;
use super::place::PlaceArgs;

const EXAMPLE: &str = "\
Examples:
  hardtack stack render cluster.template --user-data cloud-config/coreos-cluster.yaml -o cluster.json
  hardtack stack create cluster.template --user-data cloud-config/coreos-cluster.yaml --name coreos \\
      --etcd-discovery https://discovery.example/new -p CoreOSImageId=emi-FF439CBA -p ClusterSize=3 --on euca

The user-data becomes the UserData of the template's launch configuration, launch template or instance: Fn::Base64 of
its text. What stands in it as { \"Ref\": \"X\" } or { \"Fn::GetAtt\": […] } stays a substitution of CloudFormation's.
It is checked first, as by `hardtack user-data check`.

Exit codes: 0 done, 1 user-data has errors or the stack failed, 2 wrong usage or credentials, 3 the template is refused,
4 local input or output, 5 a remote service.";

/// CloudFormation: user-data in templates, and stacks made of them.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct StackArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: StackVerb,
}

/// What to do with a template.
#[derive(Subcommand, Debug)]
pub(crate) enum StackVerb {
    /// Print the template with the user-data in it.
    Render(RenderArgs),
    /// Make a stack of it, and wait until it is complete.
    Create(Box<CreateArgs>),
}

/// What goes into a template.
#[derive(Args, Clone, Debug)]
pub(crate) struct FillArgs {
    /// The template: JSON or YAML.
    pub(crate) template: PathBuf,

    /// The user-data that is put into it.
    #[arg(long, value_name = "FILE")]
    pub(crate) user_data: Option<PathBuf>,

    /// The resource whose UserData it is, where several have one.
    #[arg(long, value_name = "LOGICAL-NAME")]
    pub(crate) resource: Option<String>,

    /// Ask this discovery service for the token of a new cluster, and put it in.
    #[arg(long, value_name = "URL", requires = "user_data")]
    pub(crate) etcd_discovery: Option<String>,

    /// Members of the cluster, as the discovery service is told; else the parameter ClusterSize.
    #[arg(long, value_name = "N", requires = "etcd_discovery")]
    pub(crate) cluster_size: Option<u32>,

    /// Parameters of the template; several in one with ; between them.
    #[arg(long, short = 'p', value_name = "KEY=VALUE", value_parser = parameters)]
    pub(crate) parameter: Vec<Parameters>,

    /// Go on although user-data has errors.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What stands behind one `-p`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl FillArgs {
    /// All parameters, in the order given.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        self.parameter.iter().flat_map(|several| several.0.iter().cloned()).collect()
    }
}

/// As euform-create-stack takes them: `A=1;B=2` are two. What follows a `;` and is no `NAME=…` belongs to the value before
/// it, where euform-create-stack refuses it.
fn parameters(text: &str) -> Result<Parameters, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    for piece in text.split(';') {
        let pair = piece
            .split_once('=')
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        match (pair, found.last_mut()) {
            (Some((name, value)), _) => found.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(';');
                value.push_str(piece);
            }
            // Its value may be a secret.
            (None, None) => {
                return Err("a parameter is NAME=VALUE, and a name has letters and digits".to_owned());
            }
        }
    }
    Ok(Parameters(found))
}

/// `hardtack stack render`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hardtack stack render cluster.template --user-data cloud-config/coreos-cluster.yaml -o cluster.json
  hardtack stack render cluster.template --user-data web.yaml --resource WebServer > web.template")]
pub(crate) struct RenderArgs {
    /// What goes into it.
    #[command(flatten)]
    pub(crate) fill: FillArgs,

    /// Where it is written; else standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Let -o replace an existing file.
    #[arg(long, requires = "output")]
    pub(crate) replace: bool,
}

/// `hardtack stack create`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hardtack stack create cluster.template --user-data cloud-config/coreos-cluster.yaml --name coreos \\
      --etcd-discovery https://discovery.example/new -p CoreOSImageId=emi-FF439CBA -p ClusterSize=3 --on euca
  hardtack stack create web.template -n web -p KeyName=ops --on aws --region eu-central-1 --json
  hardtack undo web.journal")]
pub(crate) struct CreateArgs {
    /// What goes into it.
    #[command(flatten)]
    pub(crate) fill: FillArgs,

    /// The stack's name.
    #[arg(long, short, value_name = "NAME")]
    pub(crate) name: String,

    /// What the template may do: CAPABILITY_IAM ….
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) capabilities: Vec<String>,

    /// Where events are sent, besides here: an ARN.
    #[arg(long, value_name = "ARN")]
    pub(crate) notification_arn: Vec<String>,

    /// Minutes after which the stack has failed, for the cloud.
    #[arg(long, short = 't', value_name = "MINUTES")]
    pub(crate) timeout_in_minutes: Option<u32>,

    /// What becomes of a stack that fails: rollback, delete, nothing.
    #[arg(long, value_name = "ACTION")]
    pub(crate) on_failure: Option<String>,

    /// Tags of the stack.
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,

    /// How long it is waited for.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = super::console::duration)]
    pub(crate) timeout: std::time::Duration,

    /// What was made so far; else NAME.journal here.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,

    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where.
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parameters_are_taken_as_by_euform() {
        let of = |text: &str| parameters(text).map(|found| found.0);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of("A=1;B=x=y").unwrap(), [pair("A", "1"), pair("B", "x=y")]);
        assert_eq!(of("A=").unwrap(), [pair("A", "")]);
        assert_eq!(of("A=1;2; B c=3;").unwrap(), [pair("A", "1;2; B c=3;")]);
        assert!(of("A").is_err() && of("=1").is_err() && of("").is_err());
    }
}
