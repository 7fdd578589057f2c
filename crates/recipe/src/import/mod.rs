//! Command lines and files of commands of virt-customize and virt-sysprep, as the text of a recipe.
//!
//! The text is all that comes of them: what it means is the loader's business, and what is wrong with a value (a name that is no
//! host name) is told by the loader, too. Passwords do not stand in the text. Facts: guestfs-tools' manual pages, and what
//! 1.48.2 and 1.56 do (`customize_cmdline.ml`, `sysprep_operation.ml`).

mod customize;
mod options;
mod perl;
mod sysprep;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde_yaml::{Mapping, Value};
use sha2::{Digest, Sha256};

use crate::Secret;
use crate::load::HostFiles;

/// The option that makes operations `optional`.
pub const LENIENT: &str = "lenient";

/// Whose command line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// virt-customize.
    Customize,
    /// virt-sysprep.
    Sysprep,
}

/// What a command line comes to.
#[derive(Debug, Default)]
pub struct Imported {
    /// The recipe's text; its relative paths start where those of the command line do.
    pub recipe: String,
    /// True when there is a step in it.
    pub has_steps: bool,
    /// The disks, with the format where it was given.
    pub images: Vec<(PathBuf, Option<String>)>,
    /// Nothing is to be written.
    pub dry_run: bool,
    /// Nothing is to be said but errors.
    pub quiet: bool,
    /// The operations are to be listed.
    pub list_operations: bool,
    /// What was passed over, and why; one sentence each.
    pub notes: Vec<String>,
    /// The caller's own options, in their order.
    pub own: Vec<(&'static str, String)>,
    /// The variables that the recipe asks for, with the values that the command line has for them.
    pub passwords: Vec<Password>,
}

/// A password that the recipe takes from a variable.
#[derive(Debug)]
pub struct Password {
    /// The variable.
    pub variable: String,
    /// Whose it is.
    pub user: String,
    /// What it is; `None`: somebody is to make it, and to tell it once.
    pub value: Option<Secret>,
}

/// What a command line cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{}{what}", .place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub struct ImportError {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file of commands, and the line.
    pub place: Option<String>,
}

impl ImportError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None, place: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn at(mut self, file: &str, line: usize) -> Self {
        self.place.get_or_insert_with(|| format!("{file}:{line}"));
        self
    }
}

/// An option of the caller's own, which no tool has.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// Its long name.
    pub name: &'static str,
    /// Whether it takes a value.
    pub has_value: bool,
}

/// What an import asks of its surroundings.
pub struct Around<'a> {
    /// The host's files: those of commands.
    pub files: &'a dyn HostFiles,
    /// The key that `--ssh-inject USER` without a selector means, where there is one.
    pub default_key: &'a dyn Fn() -> Option<PathBuf>,
    /// Options of the caller's own; one that is called [`LENIENT`] makes every operation `optional`: what is not there is
    /// passed over, as the other tools do.
    pub own: &'a [Own],
}

/// Reads a command line of `tool`, without the program's name.
///
/// # Errors
/// What is no option of it, and what is not done here, by name.
pub fn command_line(tool: Tool, arguments: &[String], around: &Around<'_>) -> Result<Imported, ImportError> {
    let mut own = Vec::new();
    let given = options::read(arguments, tool == Tool::Sysprep, around.own, &mut own)?;
    finish(tool, given, own, around)
}

/// Reads a file of commands, as `--commands-from-file` takes it.
///
/// # Errors
/// As for a command line, with the line.
pub fn commands(tool: Tool, path: &str, text: &str, around: &Around<'_>) -> Result<Imported, ImportError> {
    let given = customize::commands(path, text, tool == Tool::Sysprep)?;
    finish(tool, given, Vec::new(), around)
}

fn finish(
    tool: Tool,
    given: Vec<options::Given>,
    own: Vec<(&'static str, String)>,
    around: &Around<'_>,
) -> Result<Imported, ImportError> {
    let lenient = own.iter().any(|(name, _)| *name == LENIENT);
    let mut imported = Imported { own, ..Imported::default() };
    let mut steps = Vec::new();
    let given = customize::with_files(given, tool == Tool::Sysprep, around)?;
    let mut selection = sysprep::Selection::default();
    let mut rest = Vec::new();
    for one in given {
        match one.meaning {
            options::Meaning::Refused(why) => {
                return Err(ImportError::new(format!("`--{}` is not done: {why}", one.name)));
            }
            options::Meaning::Idle(why) => {
                let note = format!("--{}: {why}", one.name);
                if !imported.notes.contains(&note) {
                    imported.notes.push(note);
                }
            }
            options::Meaning::Setting if !selection.take(&one)? => setting(&mut imported, &one)?,
            options::Meaning::Setting => {}
            options::Meaning::Operation => rest.push(one),
        }
    }
    if tool == Tool::Sysprep {
        selection.steps(&mut steps, &mut imported.notes, !rest.is_empty())?;
    }
    customize::steps(&rest, around, lenient, &mut steps, &mut imported)?;
    imported.has_steps = !steps.is_empty();
    imported.recipe = text(tool, steps)?;
    Ok(imported)
}

fn setting(imported: &mut Imported, given: &options::Given) -> Result<(), ImportError> {
    match given.name {
        "add" => {
            if given
                .value
                .split_once("://")
                .is_some_and(|(scheme, _)| scheme.chars().all(char::is_alphanumeric))
            {
                return Err(ImportError::new(format!(
                    "`-a {}`: no service is asked for a disk",
                    given.value
                ))
                .hint("give the disk's file"));
            }
            let format = imported.images.iter().find(|(path, _)| path.as_os_str().is_empty());
            let format = format.and_then(|(_, format)| format.clone());
            imported.images.retain(|(path, _)| !path.as_os_str().is_empty());
            imported.images.push((PathBuf::from(&given.value), format));
        }
        // It is for the disks behind it.
        "format" => {
            imported.images.retain(|(path, _)| !path.as_os_str().is_empty());
            let format = Some(given.value.clone()).filter(|format| format != "auto" && !format.is_empty());
            imported.images.push((PathBuf::new(), format));
        }
        "dry-run" | "dryrun" => imported.dry_run = true,
        "quiet" => imported.quiet = true,
        "list-operations" => imported.list_operations = true,
        "password-crypto" => match given.value.as_str() {
            "md5" => {
                return Err(ImportError::new("`--password-crypto md5` is not done: MD5 is no protection")
                    .hint("leave it out: the hash is the best one that the image knows"));
            }
            "sha256" | "sha512" | "yescrypt" => {
                imported
                    .notes
                    .push("--password-crypto: the hash is the best one that the image knows".to_owned());
            }
            other => return Err(ImportError::new(format!("`{other}` is no kind of hash"))),
        },
        // What is said is one line for each thing that happens, whatever is asked for.
        _ => {}
    }
    Ok(())
}

fn text(tool: Tool, steps: Vec<Value>) -> Result<String, ImportError> {
    let name = match tool {
        Tool::Customize => "customize",
        Tool::Sysprep => "sysprep",
    };
    let wrong = |error: serde_yaml::Error| ImportError::new(error.to_string());
    let steps = Value::Sequence(steps);
    // What one command line leaves for the first boot is not another one's to replace: each has a name of its own.
    let digest = Sha256::digest(serde_yaml::to_string(&steps).map_err(wrong)?);
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let mut recipe = Mapping::new();
    recipe.insert("recipe".into(), 1.into());
    recipe.insert("name".into(), format!("{name}-{digest}").into());
    recipe.insert("steps".into(), steps);
    serde_yaml::to_string(&Value::Mapping(recipe)).map_err(wrong)
}

/// A step of one key.
fn step(name: &str, value: impl Into<Value>) -> Value {
    let mut step = Mapping::new();
    step.insert(name.into(), value.into());
    Value::Mapping(step)
}

/// A mapping of texts.
fn mapping(pairs: &[(&str, Value)]) -> Mapping {
    pairs.iter().map(|(name, value)| (Value::from(*name), value.clone())).collect()
}
