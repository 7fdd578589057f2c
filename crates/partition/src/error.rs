//! What can go wrong with a partition table.

/// An error of a partition table or of the disk below it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk could not be read.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
    /// The table contradicts itself or the disk.
    #[error("damaged {format} partition table: {what}")]
    Damaged {
        /// GPT or MBR.
        format: &'static str,
        /// Structure, number, value found, limit.
        what: String,
    },
    /// The partition cannot grow where it is.
    #[error("partition {number} cannot grow: {what}")]
    CannotGrow {
        /// Its number.
        number: u32,
        /// What stands in the way.
        what: String,
    },
}

impl Error {
    /// True when the image is at fault, false when the host is.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Disk(error) => error.is_refusal(),
            Self::Damaged { .. } | Self::CannotGrow { .. } => true,
        }
    }

    pub(crate) fn gpt(what: impl Into<String>) -> Self {
        Self::Damaged { format: "GPT", what: what.into() }
    }
}
