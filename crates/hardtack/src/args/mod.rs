//! The command line: one file for each verb.

mod audit;
mod build;
mod bundle;
mod cache;
mod console;
mod convert;
mod customize;
mod demo;
mod diff;
mod enroll;
mod harden;
mod hidden;
mod image;
mod inspect;
mod install;
mod instances;
mod launch;
mod look;
mod matrix;
pub(crate) mod mistakes;
mod packages;
mod place;
mod plan;
mod profiles;
mod recipe;
#[cfg(test)]
mod reference;
mod register;
mod sbom;
mod schema;
mod service_image;
mod set;
mod shell;
mod size;
mod source;
mod stack;
mod supply;
mod target;
mod unbundle;
mod undo;
mod upload;
mod user_data;
mod verify;

pub(crate) use audit::{AuditArgs, AuditFormat, AuditPart, FailOn};
pub(crate) use build::BuildArgs;
pub(crate) use bundle::{
    AccountArgs, Architecture, BundleArgs, FilesArgs, ForeignArgs, GzipName, KeysArgs, PackingArgs,
};
pub(crate) use cache::{
    CacheAddArgs, CacheArgs, CacheListArgs, CachePruneArgs, CacheVerb, CacheVerifyArgs, CacheWhere,
};
pub(crate) use console::ConsoleArgs;
pub(crate) use convert::ConvertArgs;
pub(crate) use customize::{CustomizeArgs, SysprepArgs};
pub(crate) use demo::DemoArgs;
pub(crate) use diff::DiffArgs;
pub(crate) use enroll::EnrollArgs;
pub(crate) use harden::HardenArgs;
pub(crate) use hidden::{DirectoryArgs, RelayArgs};
pub(crate) use image::{Boot, ExistingName, ImageArgs, Imds};
pub(crate) use inspect::InspectArgs;
pub(crate) use install::{InstallArgs, SnapshotArgs};
pub(crate) use instances::{ImagesArgs, InstancesArgs, TerminateArgs, TypesArgs};
pub(crate) use launch::{AccelName, BusName, CloudArgs, HereArgs, LaunchArgs, LikeName, Tokens, WaitFor};
pub(crate) use look::{CatArgs, CpArgs, LsArgs, TarArgs, WhereArgs};
pub(crate) use matrix::{MatrixArgs, MatrixFormat};
pub(crate) use packages::{PackagesArgs, PackagesVerb, TreeArgs, WhyArgs};
pub(crate) use place::{AccessArgs, Auth, On, PlaceArgs};
pub(crate) use plan::PlanRecipeArgs;
pub(crate) use profiles::ProfilesArgs;
pub(crate) use recipe::{ImportArgs, RecipeArgs, RecipeVerb};
pub(crate) use register::RegisterArgs;
pub(crate) use sbom::{SbomArgs, SbomFormat};
pub(crate) use schema::{Of, SchemaArgs};
pub(crate) use service_image::{ServiceImageArgs, ServiceImageVerb, ServiceInstallArgs, ServiceListArgs};
pub(crate) use shell::{CompletionsArgs, ManArgs};
pub(crate) use source::SourceArgs;
pub(crate) use stack::{CreateArgs, FillArgs, RenderArgs, StackArgs, StackVerb};
pub(crate) use supply::SupplyArgs;
pub(crate) use target::{CompressionName, Format, TargetArgs};
pub(crate) use unbundle::UnbundleArgs;
pub(crate) use undo::UndoArgs;
pub(crate) use upload::UploadArgs;
pub(crate) use user_data::{
    CheckArgs, CloudName, GzipWhen, PackArgs, PlanArgs, ReadArgs, ShowArgs, TotpArgs, UserDataArgs,
    UserDataVerb,
};
pub(crate) use verify::{VerdictFormat, VerifyArgs};

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the answer is no (no credentials block was found, user-data has errors, a
     bundle is damaged, an image failed its test)
  2  wrong usage, a recipe that does not check, or no credentials
  3  the input is refused: damaged, unsupported, or a step that cannot be done on it
  4  local input or output: a missing file, a full disk, an existing output
  5  a remote service";

/// Hard-baked cloud images: hardened offline, as an ordinary user, in one command.
#[derive(Parser, Debug)]
#[command(name = "hardtack", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Harden an image: apply a recipe to a copy of it.
    Build(BuildArgs),
    /// Look after a cache of sources and finished builds.
    Cache(CacheArgs),
    /// List the jobs of a matrix, or write them for GitHub, GitLab, Kubernetes.
    Matrix(MatrixArgs),
    /// Write a disk in another format, out of whatever it is packed in.
    Convert(ConvertArgs),
    /// Make a bundle of an image, for the instance store of Eucalyptus or EC2.
    Bundle(Box<BundleArgs>),
    /// Make an image of a bundle again, or check the bundle.
    Unbundle(UnbundleArgs),
    /// Make a registered image of a disk, in one pass: here, on AWS, on Eucalyptus.
    Install(Box<InstallArgs>),
    /// Send the files of a bundle into a bucket.
    Upload(Box<UploadArgs>),
    /// Register a bundle in a bucket, or a snapshot, as an image.
    Register(Box<RegisterArgs>),
    /// Take away what install, upload, register or launch made.
    Undo(UndoArgs),
    /// Start instances of an image with user-data: on this machine, on AWS, on Eucalyptus.
    Launch(Box<LaunchArgs>),
    /// Read the credentials block that a machine printed on its console.
    Console(ConsoleArgs),
    /// List images.
    Images(ImagesArgs),
    /// List instances.
    Instances(InstancesArgs),
    /// List the types of instances, and what is free of them.
    Types(TypesArgs),
    /// End instances.
    Terminate(TerminateArgs),
    /// CloudFormation: user-data in templates, and stacks made of them.
    Stack(StackArgs),
    /// Images of Eucalyptus' own services: the load balancer's.
    ServiceImage(ServiceImageArgs),
    /// See what of an account the world can reach.
    Audit(Box<AuditArgs>),
    /// Give a user of an image a new second factor, offline, or none.
    Enroll(EnrollArgs),
    /// Check, show, try out and pack the user-data of instances.
    UserData(UserDataArgs),
    /// Show what a recipe would change in an image.
    Plan(PlanRecipeArgs),
    /// Is an image what a recipe says?
    Verify(VerifyArgs),
    /// List hardening profiles and their controls.
    Profiles(ProfilesArgs),
    /// Tell what an image holds.
    Inspect(InspectArgs),
    /// Compare two images file by file.
    Diff(DiffArgs),
    /// List files of an image.
    Ls(LsArgs),
    /// Print files of an image.
    Cat(CatArgs),
    /// Copy files out of an image.
    Cp(CpArgs),
    /// Write files of an image as a tar archive.
    Tar(TarArgs),
    /// Write the bill of materials of an image: SPDX or CycloneDX.
    Sbom(SbomArgs),
    /// Print the JSON Schema of what people write.
    Schema(SchemaArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Write man pages of all verbs.
    Man(ManArgs),
    /// Take a command line of virt-customize, offline.
    Customize(CustomizeArgs),
    /// Take a command line of virt-sysprep, offline.
    Sysprep(SysprepArgs),
    /// Recipes: import those of other tools.
    Recipe(RecipeArgs),
    /// Why a package is in an image, and what it pulls in.
    Packages(PackagesArgs),
    /// Show the main job on a small sample image.
    Demo(DemoArgs),
    /// The process behind an instance of this machine.
    #[command(hide = true)]
    Supervise(DirectoryArgs),
    /// The switch of a private network of this machine.
    #[command(hide = true)]
    Switch(DirectoryArgs),
    /// From QEMU's user network to the metadata service.
    #[command(hide = true)]
    Relay(RelayArgs),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{BTreeMap, BTreeSet};

    use clap::CommandFactory as _;

    use super::*;

    const DOCUMENTS: [&str; 2] = [
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/publish.md"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/launch.md"),
    ];

    /// Short options of a verb with the long ones that they are, hidden ones too.
    fn shorts(verb: &str) -> BTreeMap<char, String> {
        let cli = Cli::command();
        let verb = cli.find_subcommand(verb).unwrap();
        let of = |arg: &clap::Arg| {
            let long = arg.get_long().unwrap_or_default().to_owned();
            let aliases = arg.get_all_short_aliases().unwrap_or_default();
            aliases
                .into_iter()
                .chain(arg.get_short())
                .map(move |short| (short, long.clone()))
                .collect::<Vec<_>>()
        };
        let all: Vec<_> = verb.get_arguments().flat_map(of).collect();
        let map: BTreeMap<_, _> = all.iter().cloned().collect();
        assert_eq!(map.len(), all.len(), "{all:?}");
        map
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_tables_of_short_options_are_the_command_line() {
        DOCUMENTS.iter().for_each(|document| table(document));
        assert!(shorts("undo").is_empty());
    }

    fn table(document: &str) {
        let text = std::fs::read_to_string(document).unwrap();
        let mut rows = text.lines().skip_while(|line| !line.starts_with("| short |"));
        let cells = |line: &str| -> Vec<String> {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        };
        let verbs = cells(rows.next().unwrap()).split_off(1);
        let rows: Vec<_> = rows.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
        let documented: BTreeSet<char> = rows.iter().map(|row| row[0].chars().nth(1).unwrap()).collect();
        for (column, verb) in verbs.iter().enumerate() {
            let shorts = shorts(verb);
            for short in shorts.keys() {
                assert!(documented.contains(short), "-{short} of {verb} is not in the table");
            }
            for row in &rows {
                let short = row[0].chars().nth(1).unwrap();
                let cell = row[column + 1].split('`').next().unwrap();
                let expected = shorts.get(&short).map_or("–".to_owned(), |long| format!("--{long}"));
                assert_eq!(cell, expected, "-{short} of {verb}");
            }
        }
    }

    /// Each verb, and each verb within one, has lines of examples that begin with its own name.
    fn without_examples(command: &mut clap::Command, name: &str, lacking: &mut Vec<String>) {
        let verbs: Vec<String> = command
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
            .map(|verb| verb.get_name().to_owned())
            .collect();
        for verb in verbs {
            let full = format!("{name} {verb}");
            let inner = command.find_subcommand_mut(&verb).unwrap();
            let help = inner.render_long_help().to_string();
            if !help.lines().any(|line| line.starts_with(&format!("  {full} "))) {
                lacking.push(full.clone());
            }
            without_examples(inner, &full, lacking);
        }
    }

    #[test]
    fn every_verb_and_each_within_one_shows_examples() {
        let mut lacking = Vec::new();
        without_examples(&mut Cli::command(), "hardtack", &mut lacking);
        assert!(lacking.is_empty(), "{lacking:?}");
    }

    #[test]
    fn every_verb_of_publishing_shows_examples() {
        for verb in ["install", "upload", "register", "undo"] {
            let mut cli = Cli::command();
            let help = cli.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
            assert!(help.contains(&format!("\n  hardtack {verb} ")), "{help}");
        }
    }
}
