//! EC2: images, snapshots, instances, and what an account says of encryption and sharing.

mod account;
mod image;
mod instance;
mod snapshot;

pub use account::{
    EncryptionDefault, PublicAccess, encryption_default, image_public_access, regions, snapshot_public_access,
};
pub use image::{
    BootMode, CopyImage, Image, ImageFilter, Launchers, Mapping, RegisterImage, copy_image, deregister_image,
    describe_images, launchers, modify_launchers, register_image,
};
pub use instance::{
    Instance, InstanceState, RunInstance, console_output, describe_instances, run_instance,
    terminate_instance,
};
pub use snapshot::{
    CopySnapshot, Snapshot, SnapshotState, copy_snapshot, delete_snapshot, describe_snapshots, share_snapshot,
};

use crate::error::pending;
use crate::{Client, Error};

/// `CreateTags`.
pub fn create_tags(client: &Client, resources: &[&str], tags: &[(String, String)]) -> Result<(), Error> {
    let _ = (client, resources, tags);
    pending()
}
