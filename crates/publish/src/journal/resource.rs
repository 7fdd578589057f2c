//! What a run makes, as a journal has it.

use serde::{Deserialize, Serialize};

/// Something that a run makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Resource {
    /// A bucket that was not there.
    Bucket {
        /// Its name.
        name: String,
    },
    /// An object of a bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// A snapshot begun by EBS direct (found again by token and tag).
    Snapshot {
        /// The client token.
        token: String,
    },
    /// A copy of a snapshot (found again by its tag).
    SnapshotCopy {
        /// The snapshot that is copied.
        of: String,
    },
    /// A registered image (found again by its name).
    Image {
        /// Its name.
        name: String,
        /// The manifest that it is registered with, `BUCKET/KEY`: whose an image without tags is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
    },
    /// A copy of an image (found again by token, name and tag).
    ImageCopy {
        /// Its name.
        name: String,
        /// The client token.
        token: String,
    },
    /// A parameter of Systems Manager.
    Parameter {
        /// Its name.
        name: String,
        /// What it was before; `None`: it was not there.
        before: Option<String>,
        /// What it becomes. One that is something else again by the time of undoing is left alone.
        after: String,
    },
    /// An instance, of a trial (found again by token and tag).
    Instance {
        /// The client token.
        token: String,
    },
    /// An image of the local catalog.
    Local {
        /// The catalog's directory.
        catalog: String,
        /// Its id.
        id: String,
    },
}
