//! Options of every verb that writes an image.

use clap::{ArgGroup, Args, ValueEnum};

/// How an image is written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output", group = ArgGroup::new("residue").args(["sparsify", "no_sparsify"]))]
pub(crate) struct TargetArgs {
    /// The output's format; else by its suffix (.qcow2, .raw, .img; .tgz is raw in an archive), else raw.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,

    /// How a qcow2 output is compressed; else zlib, and a qcow2 source's clusters stay as they are.
    #[arg(long, value_enum)]
    pub(crate) compression: Option<CompressionName>,

    /// Write a qcow2 file that holds only what changes, above the source as its backing file.
    #[arg(long, conflicts_with_all = ["compression", "member", "unpack_limit", "sparsify"])]
    pub(crate) overlay: bool,

    /// Leave out what no file owns: deleted files, and the copies in the journal.
    #[arg(long)]
    pub(crate) sparsify: bool,

    /// Take over what no file owns.
    #[arg(long)]
    pub(crate) no_sparsify: bool,

    /// Do not wait until the output is on the disk: faster, and a power failure may take parts of it.
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// Replace an existing output.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Formats of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The disk's bytes, sparse.
    Raw,
    /// qcow2 with compressed clusters.
    Qcow2,
}

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressionName {
    /// Every program that knows qcow2 reads it.
    Zlib,
    /// Smaller and faster; QEMU 5.1 and later read it.
    Zstd,
    /// Not compressed.
    None,
}
