//! Everything that there is: what calls make, change and look at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use crate::account::Key;
use crate::holdings::{Group, KeyPair, Subnet, Volume, Vpc};
use crate::stack::{Scaling, Stack};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 512 * 1024;
/// Blocks of a GiB.
pub(crate) const BLOCKS_OF_GIB: u64 = 2048;

/// All of it.
#[derive(Default)]
pub(crate) struct World {
    /// Keys by their ids.
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) regions: BTreeMap<String, Region>,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    /// Canned ACLs that objects came with.
    pub(crate) acls: BTreeMap<(String, String), String>,
    /// SHA-256 of images that were unbundled, by the image's id.
    pub(crate) unbundled: BTreeMap<String, String>,
    /// Eucalyptus' properties.
    pub(crate) properties: BTreeMap<String, String>,
    /// Instances that were ever started.
    pub(crate) instances: u64,
    counter: u64,
}

impl World {
    /// A new id: `ami` gives `ami-0…`.
    pub(crate) fn id(&mut self, prefix: &str, short: bool) -> String {
        self.counter += 1;
        let mut seed = self.counter;
        let number = crate::fault::next(&mut seed);
        if short { format!("{prefix}-{:08x}", number >> 32) } else { format!("{prefix}-0{number:016x}") }
    }

    /// A number that there was never before.
    pub(crate) fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A region.
    pub(crate) fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }
}

/// Tags.
pub(crate) type Tags = BTreeMap<String, String>;

/// A region.
#[derive(Default)]
pub(crate) struct Region {
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    pub(crate) instances: BTreeMap<String, Instance>,
    /// By account and name.
    pub(crate) key_pairs: BTreeMap<(String, String), KeyPair>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) volumes: BTreeMap<String, Volume>,
    pub(crate) vpcs: Vec<Vpc>,
    pub(crate) stacks: Vec<Stack>,
    /// Groups that scale, by name, and what their instances are like.
    pub(crate) scaling: BTreeMap<String, Scaling>,
    pub(crate) configurations: BTreeMap<String, serde_json::Value>,
    pub(crate) subnets: Vec<Subnet>,
    /// By account and name.
    pub(crate) parameters: BTreeMap<(String, String), Parameter>,
    pub(crate) keys: Vec<MasterKey>,
    /// What calls with a client token gave: by account, action and token.
    pub(crate) tokens: BTreeMap<(String, &'static str, String), (String, String)>,
    pub(crate) encryption_by_default: bool,
    /// ARN of a key; `None`: AWS's own.
    pub(crate) default_key: Option<String>,
    pub(crate) image_block_public_access: bool,
    pub(crate) snapshot_block_public_access: bool,
}

/// Whether something can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// After so many looks at it, it is there; `None`: it waits for a call.
    Pending(Option<u32>),
    Ready,
    Failed(String),
}

impl State {
    /// Somebody looked at it.
    pub(crate) fn look(&mut self) {
        match self {
            Self::Pending(Some(0)) => *self = Self::Ready,
            Self::Pending(Some(left)) => *left -= 1,
            _ => {}
        }
    }
}

/// True for something that a description does not have yet.
pub(crate) fn hidden(unseen: &mut u32) -> bool {
    let hidden = *unseen > 0;
    *unseen = unseen.saturating_sub(1);
    hidden
}

/// A block that was written.
#[derive(Clone)]
pub(crate) struct Block {
    pub(crate) file: Arc<File>,
    pub(crate) digest: [u8; 32],
}

/// A snapshot.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) description: String,
    pub(crate) size: u64,
    pub(crate) tags: Tags,
    pub(crate) state: State,
    /// The key's ARN of one that is encrypted.
    pub(crate) key: Option<String>,
    /// AWS's own key.
    pub(crate) managed_key: bool,
    pub(crate) started: i64,
    pub(crate) blocks: BTreeMap<u64, Block>,
    /// Blocks that came by `PutSnapshotBlock`, as opposed to those of a parent.
    pub(crate) written: BTreeSet<u64>,
    /// Begun by EBS direct, and not completed.
    pub(crate) open: bool,
    /// So many descriptions do not have it yet.
    pub(crate) unseen: u32,
    /// So many calls of EBS direct do not find it yet.
    pub(crate) misses: u32,
    /// Where its blocks are written.
    pub(crate) file: Option<Arc<File>>,
    pub(crate) all_users: bool,
    pub(crate) users: BTreeSet<String>,
}

/// A device of an image.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    pub(crate) device: String,
    pub(crate) virtual_name: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) volume_type: Option<String>,
    pub(crate) delete_on_termination: Option<bool>,
    pub(crate) iops: Option<u64>,
    pub(crate) throughput: Option<u64>,
    pub(crate) encrypted: bool,
}

/// An image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) owner: String,
    pub(crate) location: String,
    pub(crate) architecture: String,
    pub(crate) virtualization: String,
    pub(crate) kind: &'static str,
    pub(crate) root_device: Option<String>,
    pub(crate) root_type: &'static str,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) boot_mode: Option<String>,
    pub(crate) tpm: Option<String>,
    pub(crate) imds: Option<String>,
    pub(crate) uefi_data: Option<String>,
    pub(crate) ena: Option<bool>,
    pub(crate) sriov: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) ramdisk: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) created: i64,
    pub(crate) state: State,
    pub(crate) tags: Tags,
    pub(crate) all_users: bool,
    pub(crate) users: BTreeSet<String>,
    pub(crate) organizations: BTreeSet<String>,
    pub(crate) units: BTreeSet<String>,
    /// Where it was copied from.
    pub(crate) source: Option<(String, String)>,
    /// So many descriptions do not have it yet.
    pub(crate) unseen: u32,
}

/// An instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) reservation: String,
    /// Its number in the reservation.
    pub(crate) index: u64,
    /// Its number in the cloud.
    pub(crate) number: u64,
    pub(crate) client_token: Option<String>,
    pub(crate) image: String,
    pub(crate) instance_type: String,
    pub(crate) user_data: Vec<u8>,
    pub(crate) key_name: Option<String>,
    /// `optional`, `required`.
    pub(crate) tokens: String,
    pub(crate) hops: u64,
    /// `pending`, `running`, `shutting-down`, `terminated`.
    pub(crate) state: &'static str,
    pub(crate) polls: u32,
    /// Code and message of what it ended of.
    pub(crate) reason: Option<(String, String)>,
    /// It will not run, for this reason.
    pub(crate) doomed: Option<(String, String)>,
    pub(crate) zone: String,
    pub(crate) vpc: Option<String>,
    pub(crate) subnet: Option<String>,
    /// Ids.
    pub(crate) groups: Vec<String>,
    /// The ARN of its profile.
    pub(crate) profile: Option<String>,
    pub(crate) private_address: String,
    pub(crate) public_address: Option<String>,
    pub(crate) architecture: String,
    pub(crate) virtualization: String,
    pub(crate) root_device: Option<String>,
    pub(crate) root_type: &'static str,
    pub(crate) kernel: Option<String>,
    pub(crate) ramdisk: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) monitored: bool,
    pub(crate) tags: Tags,
    pub(crate) launched: i64,
    /// So many descriptions do not have it yet.
    pub(crate) unseen: u32,
    /// Console outputs that were asked for.
    pub(crate) looks: usize,
    /// Those without `Latest`.
    pub(crate) buffered_looks: usize,
}

/// A parameter of Systems Manager.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) value: String,
    pub(crate) kind: String,
    pub(crate) data_type: String,
    pub(crate) version: u64,
}

/// A key of KMS.
#[derive(Clone, Debug, Default)]
pub struct MasterKey {
    /// Its ARN.
    pub arn: String,
    /// `alias/…`; may be empty.
    pub alias: String,
    /// AWS's own.
    pub managed_by_aws: bool,
    /// `Enabled`, `Disabled`, `PendingDeletion`.
    pub state: String,
    /// Principals of grants.
    pub grantees: Vec<String>,
    /// Principals of its policy besides its own account.
    pub principals: Vec<String>,
}

/// A bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) owner: String,
    pub(crate) region: String,
    /// `BucketOwnerEnforced`, `ObjectWriter` …; `None`: nothing was said, and ACLs work.
    pub(crate) ownership: Option<String>,
    pub(crate) block_public: bool,
    /// Objects are encrypted by KMS: entity tags are no MD5.
    pub(crate) kms: bool,
    /// Its canned ACL.
    pub(crate) acl: String,
    /// A policy lets everybody read its objects, or list them.
    pub(crate) policy: (bool, bool),
}
