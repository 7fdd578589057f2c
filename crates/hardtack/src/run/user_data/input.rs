//! Reading user-data: a file, or standard input.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use hardtack_userdata::check::CheckOptions;
use hardtack_userdata::{SplitOptions, limits};
use serde_json::Value;

use crate::args::ReadArgs;
use crate::error::CliError;

/// What standard input is called in messages.
const STDIN: &str = "<stdin>";

/// A file of user-data.
pub(crate) struct Input {
    /// Its name for messages.
    pub(crate) name: String,
    /// Its bytes, one more than the limit at most: the reader of them says that it is too much.
    pub(crate) bytes: Vec<u8>,
}

/// Reads `path`, `-` for standard input.
pub(crate) fn read(path: &Path) -> Result<Input, CliError> {
    if path.as_os_str() == "-" {
        let bytes = limited(std::io::stdin().lock())
            .map_err(|error| CliError::io(Path::new(STDIN), "read it", error))?;
        return Ok(Input { name: STDIN.to_owned(), bytes });
    }
    let bytes = File::open(path)
        .and_then(limited)
        .map_err(|error| CliError::io(path, "read the user-data", error))?;
    Ok(Input { name: path.display().to_string(), bytes })
}

/// Reads all `paths`; standard input can be one of them.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Input>, CliError> {
    let (inputs, unread) = read_each(paths)?;
    unread.into_iter().next().map_or(Ok(inputs), Err)
}

/// Reads those of `paths` that can be read, and says what is wrong with the others.
pub(crate) fn read_each(paths: &[PathBuf]) -> Result<(Vec<Input>, Vec<CliError>), CliError> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(CliError::usage("- is given twice: standard input can be read once"));
    }
    let (mut inputs, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        match read(path) {
            Ok(input) => inputs.push(input),
            Err(error) => unread.push(error),
        }
    }
    Ok((inputs, unread))
}

/// What the instance would know.
pub(crate) struct Instance {
    data: Option<Value>,
    base64: bool,
    launch_index: Option<i64>,
}

impl Instance {
    /// Reads what the arguments name.
    pub(crate) fn read(arguments: &ReadArgs) -> Result<Self, CliError> {
        let data = arguments.instance_data.as_deref().map(instance_data).transpose()?;
        Ok(Self { data, base64: arguments.base64, launch_index: arguments.launch_index })
    }

    /// How user-data is looked at for this instance.
    pub(crate) fn options(&self) -> CheckOptions<'_> {
        CheckOptions {
            split: SplitOptions {
                instance_data: self.data.as_ref(),
                maybe_base64: self.base64,
                launch_index: self.launch_index,
                ..SplitOptions::default()
            },
        }
    }
}

fn instance_data(path: &Path) -> Result<Value, CliError> {
    let bytes = File::open(path)
        .and_then(limited)
        .map_err(|error| CliError::io(path, "read the instance data", error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // The error quotes nothing but the place: there may be keys in it.
        let place = format!("{}:{}:{}", path.display(), error.line(), error.column());
        CliError::usage(format!("{place}: this is not the JSON of an instance's data"))
            .hint("`cloud-init query --all` prints it on an instance")
    })
}

fn limited(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(limits::RAW as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
