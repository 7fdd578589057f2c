//! Options of every verb that reads an image.

use std::path::PathBuf;

use clap::Args;

use super::size::size;

/// How a source is opened.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Read backing files of the source that lie in this directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) backing_dir: Option<PathBuf>,

    /// The file in the archive that is the disk, by its path or its name alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,

    /// Unpack at most this many bytes (10G, 500M); else what is free on the file system.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) unpack_limit: Option<u64>,

    /// Unpack in this directory; else beside the output.
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
}
