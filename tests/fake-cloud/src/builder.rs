//! What a cloud is like.

use crate::console::Console;
use crate::{Account, Cloud};

/// Whose manners it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// AWS's.
    #[default]
    Aws,
    /// Eucalyptus': signature version 2 too, scopes are not looked at, images may be paravirtual, no EBS direct.
    Euca,
}

/// What a cloud is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its manners.
    pub dialect: Dialect,
    /// The region in [`Cloud::environment`].
    pub region: String,
    /// All regions.
    pub regions: Vec<String>,
    /// Who may call; the first one is in [`Cloud::environment`].
    pub accounts: Vec<Account>,
    /// After `CompleteSnapshot`, so many looks find the snapshot pending.
    pub completion_polls: u32,
    /// After `CopyImage` and `CopySnapshot`, so many looks find the copy pending.
    pub copy_polls: u32,
    /// After `RegisterImage`, so many looks find the image pending.
    pub image_polls: u32,
    /// After `RunInstances`, so many looks find the instance pending.
    pub instance_polls: u32,
    /// After `StartSnapshot`, so many calls of EBS direct answer `SNAPSHOT_NOT_FOUND`.
    pub start_misses: u32,
    /// Images, snapshots and instances that were just made are not found by so many `Describe…` calls that would
    /// give them: EC2 is "eventually consistent".
    pub describe_misses: u32,
    /// Entries of a page, at most.
    pub page: usize,
    /// New snapshots are encrypted without being asked to, in all regions.
    pub encryption_by_default: bool,
    /// By the key with this ARN instead of AWS's own.
    pub default_key: Option<String>,
    /// Images and snapshots cannot be shared with everybody.
    pub block_public_access: bool,
    /// Seconds that its clock is ahead.
    pub clock_offset: i64,
    /// Tokens of web identities that are known.
    pub web_identities: Vec<String>,
    /// What an instance's console shows at the first look, at the second …; the last one stays.
    pub console: Vec<String>,
    /// Consoles that say more than [`Options::console`]: the first instance has the first, the second the second …;
    /// the last one is all others'. Empty: there are none, and `console` is shown.
    pub consoles: Vec<Console>,
    /// So many looks at the buffered console find nothing, whatever is there.
    pub console_empty: usize,
    /// So many looks after these find the first 64 KiB of what is there; then come the last 64 KiB.
    pub console_first: usize,
    /// Letters of a region's zones; names of them on Eucalyptus.
    pub zones: Vec<String>,
    /// The account's network is the default one. Without, an instance needs a subnet.
    pub default_vpc: bool,
    /// The default network has subnets.
    pub default_subnets: bool,
    /// Names of key pairs that are there from the beginning.
    pub key_pairs: Vec<String>,
    /// Names of security groups that are there from the beginning, besides `default`.
    pub groups: Vec<String>,
    /// Names of instance profiles that are known.
    pub instance_profiles: Vec<String>,
    /// Cores that a zone has for instances.
    pub cores: u64,
    /// After `CreateVolume`, so many looks find the volume in the making.
    pub volume_polls: u32,
    /// Instances end instead of running, for this reason, as `Server.InternalError`.
    pub instances_fail: Option<String>,
    /// The resource with this logical name comes to nothing in every stack, for this reason.
    pub stack_fails: Option<(String, String)>,
    /// Eucalyptus' properties and what they are at first. From 4.2 on `loadbalancing.loadbalancer_emi` is
    /// `services.loadbalancing.worker.image`.
    pub properties: Vec<(String, String)>,
    /// Accounts that may look at and change properties; none: the first one.
    pub administrators: Vec<String>,
    /// Completed snapshots end in the state `error`, for this reason.
    pub snapshots_fail: Option<String>,
    /// Copies of images end as failed, for this reason.
    pub copies_fail: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dialect: Dialect::Aws,
            region: "us-east-1".to_owned(),
            regions: ["us-east-1", "eu-west-1", "eu-central-1", "ap-south-1"].map(str::to_owned).to_vec(),
            accounts: vec![
                Account::new("123456789012", "AKIDEXAMPLE", "secret/of+the-first+account"),
                Account::new("210987654321", "AKIDOTHER", "secret/of+the-second+account"),
            ],
            completion_polls: 1,
            copy_polls: 2,
            image_polls: 1,
            instance_polls: 1,
            start_misses: 0,
            describe_misses: 0,
            page: 1000,
            encryption_by_default: false,
            default_key: None,
            block_public_access: false,
            clock_offset: 0,
            web_identities: vec!["a-web-identity".to_owned()],
            console: vec![String::new(), "[    0.000000] Linux version 6.1.0\n".to_owned()],
            consoles: Vec::new(),
            console_empty: 0,
            console_first: 0,
            zones: ["a", "b", "c"].map(str::to_owned).to_vec(),
            default_vpc: true,
            default_subnets: true,
            key_pairs: Vec::new(),
            groups: Vec::new(),
            instance_profiles: vec!["a-profile".to_owned()],
            cores: 64,
            volume_polls: 1,
            instances_fail: None,
            stack_fails: None,
            properties: [
                ("cloud.vmstate.instance_timeout", "720"),
                ("loadbalancing.loadbalancer_emi", "NULL"),
                ("loadbalancing.loadbalancer_instance_type", "m1.small"),
                ("loadbalancing.loadbalancer_num_vm", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            administrators: Vec::new(),
            snapshots_fail: None,
            copies_fail: None,
        }
    }
}

/// Makes a [`Cloud`].
#[derive(Clone, Debug, Default)]
pub struct Builder(pub(crate) Options);

impl Builder {
    /// Eucalyptus.
    #[must_use]
    pub fn eucalyptus(mut self) -> Self {
        self.0.dialect = Dialect::Euca;
        "eucalyptus".clone_into(&mut self.0.region);
        self.0.regions = vec!["eucalyptus".to_owned()];
        self.0.zones = vec!["one".to_owned(), "two".to_owned()];
        self
    }

    /// Any option.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.0);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When there is no port or no room for its files.
    pub fn start(self) -> Cloud {
        Cloud::with_options(self.0)
    }
}
