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
    /// An instance, or several of one call: their ids have commas between them (found again by token and tag).
    Instance {
        /// The client token.
        token: String,
    },
    /// A key pair that was imported (found again by its name; its tag or a fingerprint says whose it is).
    KeyPair {
        /// Its name.
        name: String,
        /// Fingerprints that clouds give its public key.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fingerprints: Vec<String>,
        /// The file that has the private key, where the run made it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// A security group (found again by its name, which has the journal's id in it).
    SecurityGroup {
        /// Its name.
        name: String,
    },
    /// A volume. Eucalyptus takes no token for it and tags in a call of their own: what is of that zone and size, was not
    /// there before, and has no tag is the one.
    Volume {
        /// What the journal tells it by.
        token: String,
        /// Its zone.
        #[serde(default)]
        zone: String,
        /// GiB.
        #[serde(default)]
        size: u64,
        /// Volumes that were there before.
        #[serde(default)]
        before: Vec<String>,
    },
    /// A stack of CloudFormation (found again by its name and tag).
    Stack {
        /// Its name.
        name: String,
    },
    /// A setting of Eucalyptus.
    Property {
        /// Its name.
        name: String,
        /// What it was before.
        before: String,
        /// What it becomes. One that is something else again by the time of undoing is left alone.
        after: String,
    },
    /// An instance of this machine.
    LocalInstance {
        /// The catalog's directory.
        catalog: String,
        /// Its id.
        id: String,
    },
    /// An image of the local catalog.
    Local {
        /// The catalog's directory.
        catalog: String,
        /// Its id.
        id: String,
    },
}
