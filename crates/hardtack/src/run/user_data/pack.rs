//! `hardtack user-data pack`: several files in one piece of user-data.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use hardtack_disk::AtomicFile;
use hardtack_userdata::format::TYPES;
use hardtack_userdata::pack::{Error, Gzip, Input, Packed, pack};

use super::input;
use crate::args::{CloudName, GzipWhen, PackArgs};
use crate::error::{CliError, LOCAL_IO};
use crate::talk;

/// The answer is no: it does not fit, or a file would be ignored.
const NO: u8 = 1;

/// What to write instead of another type.
const KNOWN_TYPES: &str = "types are text/cloud-config, text/x-shellscript, text/cloud-boothook and the like";

/// Packs all files.
pub(super) fn run(arguments: &PackArgs) -> Result<u8, CliError> {
    let output = (arguments.output.as_os_str() != "-").then_some(arguments.output.as_path());
    if let Some(output) = output {
        check_output(output, arguments.force)?;
    }
    let named: Vec<(PathBuf, Option<String>)> = arguments.files.iter().map(|file| with_type(file)).collect();
    for (path, content_type) in &named {
        if let Some(content_type) = content_type.as_deref().filter(|name| !TYPES.contains(name)) {
            let text = format!("{}: unknown type `{content_type}`", path.display());
            return Err(CliError::usage(text).hint(KNOWN_TYPES));
        }
    }
    let paths: Vec<PathBuf> = named.iter().map(|(path, _)| path.clone()).collect();
    let inputs: Vec<Input> = input::read_all(&paths)?
        .into_iter()
        .zip(named)
        .map(|(input, (path, content_type))| Input {
            name: path.file_name().and_then(OsStr::to_str).unwrap_or(&input.name).to_owned(),
            content: input.bytes,
            content_type,
        })
        .collect();
    let gzip = match arguments.gzip {
        GzipWhen::Auto => Gzip::Auto,
        GzipWhen::Always => Gzip::Always,
        GzipWhen::Never => Gzip::Never,
    };
    let packed = pack(&inputs, gzip).map_err(refused)?;
    for warning in &packed.warnings {
        talk::line(&format!("warning: {warning}"));
    }
    let cloud = match arguments.cloud {
        CloudName::Ec2 => Some("EC2"),
        CloudName::Openstack => Some("OpenStack"),
        CloudName::Azure => Some("Azure"),
        CloudName::Gce => Some("Google Compute Engine"),
        CloudName::Any => None,
    };
    packed.fits(cloud).map_err(refused)?;
    write(&packed, output, arguments.force)?;
    talk::line(&told(&packed, arguments));
    Ok(0)
}

/// `FILE:TYPE`, as cloud-init's own packer takes it; a file of that whole name comes first.
fn with_type(file: &Path) -> (PathBuf, Option<String>) {
    let split = file.to_str().and_then(|text| text.rsplit_once(':'));
    match split {
        Some((path, kind)) if is_type(path, kind) && !file.exists() => {
            (PathBuf::from(path), Some(kind.to_owned()))
        }
        _ => (file.to_owned(), None),
    }
}

/// Whether what stands behind the colon after `path` is meant as a type.
fn is_type(path: &str, kind: &str) -> bool {
    !path.is_empty() && (kind.starts_with("text/") || (kind.contains('/') && Path::new(path).exists()))
}

fn check_output(output: &Path, force: bool) -> Result<(), CliError> {
    if !force && output.symlink_metadata().is_ok() {
        let text = format!("{}: exists already", output.display());
        return Err(CliError::new(LOCAL_IO, text).hint("--force replaces it"));
    }
    Ok(())
}

fn refused(error: Error) -> CliError {
    let hint = match &error {
        Error::UnknownType { name, .. } => {
            format!("begin it with #cloud-config or #!/bin/sh, or say its type: {name}:text/x-shellscript")
        }
        Error::TooLarge { .. } => {
            "leave something out, fetch it at boot, or say which cloud it is for: --for openstack".to_owned()
        }
        Error::NoHandler { .. } => KNOWN_TYPES.to_owned(),
        _ => return CliError::new(NO, error.to_string()),
    };
    CliError::new(NO, error.to_string()).hint(hint)
}

fn write(packed: &Packed, output: Option<&Path>, force: bool) -> Result<(), CliError> {
    let Some(output) = output else {
        if packed.gzip && std::io::stdout().is_terminal() {
            return Err(CliError::usage("the result is compressed, which is nothing for a terminal")
                .hint("give --output FILE, or --gzip never to look at it"));
        }
        return std::io::stdout().write_all(&packed.bytes).map_err(CliError::stream);
    };
    let file = AtomicFile::create(output)?;
    let mut writer = file.file();
    writer.write_all(&packed.bytes).map_err(|error| CliError::io(output, "write it", error))?;
    Ok(file.commit(force)?)
}

fn told(packed: &Packed, arguments: &PackArgs) -> String {
    let count = packed.parts.len();
    let plural = if count == 1 { "" } else { "s" };
    let size = packed.bytes.len();
    let before = if packed.gzip { format!(", {} before gzip", packed.plain) } else { String::new() };
    let output = match arguments.output.as_os_str() == "-" {
        true => "standard output".to_owned(),
        false => arguments.output.display().to_string(),
    };
    format!("{output}: {count} part{plural}, {size} bytes{before}")
}
