//! `hardtack stack`: user-data in templates of CloudFormation's, and stacks made of them.

mod create;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use hardtack_cloud::Environment;
use hardtack_disk::AtomicFile;
use hardtack_launch::stack::{Filling, Template, discovery, parameters, render};

use super::user_data::input;
use crate::args::{FillArgs, RenderArgs, StackArgs, StackVerb};
use crate::environment;
use crate::error::{CliError, LOCAL_IO};
use crate::talk;

/// A template has 1 MiB at most; one byte more says that it is too long.
const LARGEST: u64 = (1 << 20) + 1;
/// The parameter that says how many members a cluster has.
const CLUSTER_SIZE: &str = "ClusterSize";

/// Runs the verb.
pub(crate) fn run(arguments: &StackArgs) -> Result<u8, CliError> {
    match &arguments.verb {
        StackVerb::Render(arguments) => rendered(arguments),
        StackVerb::Create(arguments) => create::run(arguments),
    }
}

fn rendered(arguments: &RenderArgs) -> Result<u8, CliError> {
    if arguments.fill.user_data.is_none() {
        return Err(CliError::usage("there is nothing to put in: --user-data FILE"));
    }
    let template = read(&arguments.fill.template)?;
    let text = fill(&arguments.fill, &template, &environment::of_process())?;
    let Some(path) = &arguments.output else {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::stream)?;
        return Ok(0);
    };
    if !arguments.replace && path.symlink_metadata().is_ok() {
        return Err(CliError::new(LOCAL_IO, format!("{}: exists already", path.display()))
            .hint("--replace replaces it"));
    }
    let file = AtomicFile::create(path)?;
    file.file().write_all(text.as_bytes()).map_err(|error| CliError::io(path, "write it", error))?;
    file.commit(arguments.replace)?;
    Ok(0)
}

/// The template of the command line.
fn read(path: &Path) -> Result<Template, CliError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .map_err(|error| CliError::io(path, "read the template", error))?;
    Ok(Template::parse(&path.display().to_string(), &bytes)?)
}

/// The template's text with user-data in it, where there is some.
fn fill(arguments: &FillArgs, template: &Template, environment: &Environment) -> Result<String, CliError> {
    let Some(path) = &arguments.user_data else {
        if arguments.resource.is_some() {
            return Err(CliError::usage(
                "--resource says where user-data goes, and there is none: --user-data FILE",
            ));
        }
        return Ok(template.text().to_owned());
    };
    // Before anything is asked for.
    template.taker(arguments.resource.as_deref())?;
    let input = input::read(path)?;
    let mut user_data = input.bytes;
    if let Some(url) = &arguments.etcd_discovery {
        user_data = with_token(arguments, template, environment, url, &input.name, &user_data)?;
    }
    let filling = Filling {
        name: input.name,
        user_data,
        resource: arguments.resource.clone(),
        parameters: arguments.parameters(),
        force: arguments.force,
    };
    let rendered = render(template, &filling)?;
    for warning in &rendered.warnings {
        talk::line(warning.trim_end());
    }
    if let Some(told) = &rendered.told {
        talk::note(told);
    }
    Ok(rendered.text)
}

/// The user-data with the token of a new cluster, which is asked for when it is known that there is a place for it.
fn with_token(
    arguments: &FillArgs,
    template: &Template,
    environment: &Environment,
    url: &str,
    name: &str,
    user_data: &[u8],
) -> Result<Vec<u8>, CliError> {
    let text = std::str::from_utf8(user_data).map_err(|_| {
        CliError::usage(format!("{name}: --etcd-discovery puts a token into a text, and this is none"))
    })?;
    discovery::put(name, text, "https://discovery.example/token")?;
    let size = match arguments.cluster_size {
        Some(size) => Some(size),
        None => match parameters::value(template, &arguments.parameters(), CLUSTER_SIZE) {
            Some(value) => Some(value.trim().parse().map_err(|_| {
                CliError::usage(format!(
                    "the parameter {CLUSTER_SIZE} is {value:?}, which is no number of members"
                ))
            })?),
            None => None,
        },
    };
    if size == Some(0) {
        return Err(CliError::usage("a cluster has at least one member"));
    }
    let token = discovery::token(environment, url, size)?;
    let members = size.map_or_else(String::new, |size| format!(", {size} members"));
    talk::note(&format!("the cluster's token is {token}{members}"));
    Ok(discovery::put(name, text, &token)?.into_bytes())
}
