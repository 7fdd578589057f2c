//! What tests look at behind the services' backs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;

use crate::Cloud;
use crate::ebs::noise;
use crate::fault;
use crate::holdings::{Rule, Source};
use crate::world::{BLOCK, BLOCKS_OF_GIB, Image, Snapshot};

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageView {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// All that was said of it, by the names that `RegisterImage` has for it.
    pub values: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Snapshots of its devices.
    pub snapshots: Vec<String>,
    /// Everybody may start it.
    pub public: bool,
    /// Accounts and ARNs that may start it.
    pub launchers: BTreeSet<String>,
    /// SHA-256 of what its bundle held.
    pub sha256: Option<String>,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotView {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// `pending`, `completed`, `error`.
    pub state: String,
    /// GiB.
    pub size: u64,
    /// The key that it is encrypted with.
    pub key: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Blocks that were written into it.
    pub written: BTreeSet<u64>,
    /// Everybody may use it.
    pub public: bool,
    /// Accounts that may use it.
    pub users: BTreeSet<String>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceView {
    /// Its id.
    pub id: String,
    /// Its image.
    pub image: String,
    /// Its state.
    pub state: String,
    /// Its type.
    pub instance_type: String,
    /// Its user-data.
    pub user_data: Vec<u8>,
    /// Its key pair.
    pub key_name: Option<String>,
    /// What it was started with.
    pub reservation: String,
    /// Its zone.
    pub zone: String,
    /// Its subnet.
    pub subnet: Option<String>,
    /// Ids of its groups.
    pub groups: Vec<String>,
    /// The ARN of its profile.
    pub profile: Option<String>,
    /// It has a public address.
    pub public: bool,
    /// `HttpTokens`.
    pub tokens: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its network.
    pub vpc: Option<String>,
    /// Its rules, as `tcp 22-22 192.0.2.0/24`, sorted.
    pub rules: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeView {
    /// Its id.
    pub id: String,
    /// `creating`, `available`, `in-use`.
    pub state: String,
    /// GiB.
    pub size: u64,
    /// Its zone.
    pub zone: String,
    /// The instance that it is attached to, and the device there.
    pub attached: Option<(String, String)>,
    /// It goes with the instance.
    pub delete_on_termination: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPairView {
    /// Its name.
    pub name: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The key, as OpenSSH writes it.
    pub public: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Reads a snapshot as a volume of it would.
pub struct SnapshotReader(Snapshot);

impl SnapshotReader {
    /// Bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        self.0.size << 30
    }

    /// A block: what was written, else zeros, or noise where it is encrypted.
    ///
    /// # Panics
    /// When the block is beyond the end, or the file cannot be read.
    #[allow(clippy::expect_used)]
    pub fn block(&self, index: u64) -> Vec<u8> {
        assert!(index < self.0.size * BLOCKS_OF_GIB, "block {index} is beyond the end");
        let Some(block) = self.0.blocks.get(&index) else {
            return if self.0.key.is_some() { noise(&self.0.id, index) } else { vec![0; BLOCK] };
        };
        let mut bytes = vec![0; BLOCK];
        block.file.read_exact_at(&mut bytes, index * BLOCK as u64).expect("a block cannot be read");
        bytes
    }

    /// Blocks that it has, its parent's among them.
    pub fn blocks(&self) -> BTreeSet<u64> {
        self.0.blocks.keys().copied().collect()
    }

    /// `length` bytes at `offset`.
    pub fn bytes(&self, offset: u64, length: usize) -> Vec<u8> {
        let block = BLOCK as u64;
        let end = offset + length as u64;
        let mut bytes = Vec::with_capacity(length);
        for index in offset / block..end.div_ceil(block) {
            let (from, to) = (offset.max(index * block), end.min((index + 1) * block));
            let range = usize::try_from(from - index * block).unwrap_or_default()
                ..usize::try_from(to - index * block).unwrap_or_default();
            bytes.extend_from_slice(self.block(index).get(range).unwrap_or_default());
        }
        bytes
    }
}

impl std::fmt::Debug for SnapshotReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SnapshotReader({})", self.0.id)
    }
}

impl Cloud {
    /// Everything that is there, as `REGION KIND WHAT`, sorted; buckets and objects have no region. Instances that are
    /// terminated are not there.
    pub fn leftovers(&self) -> BTreeSet<String> {
        let world = self.shared.world();
        let mut all = BTreeSet::new();
        for bucket in world.buckets.keys() {
            all.insert(format!("bucket {bucket}"));
            all.extend(self.shared.store.keys(bucket).iter().map(|key| format!("object {bucket}/{key}")));
        }
        for (name, region) in &world.regions {
            all.extend(region.images.keys().map(|id| format!("{name} image {id}")));
            all.extend(region.snapshots.keys().map(|id| format!("{name} snapshot {id}")));
            let alive = region.instances.values().filter(|instance| instance.state != "terminated");
            all.extend(alive.map(|instance| format!("{name} instance {}", instance.id)));
            let made = region.key_pairs.values().filter(|pair| !pair.tags.contains_key("preset"));
            all.extend(made.map(|pair| format!("{name} key pair {}", pair.name)));
            let made = region.groups.values().filter(|group| !group.preset);
            all.extend(made.map(|group| format!("{name} group {} {}", group.id, group.name)));
            let made = region.stacks.iter().filter(|stack| stack.status != "DELETE_COMPLETE");
            all.extend(made.map(|stack| format!("{name} stack {}", stack.name)));
            all.extend(region.volumes.keys().map(|id| format!("{name} volume {id}")));
            let parameters = region.parameters.iter();
            all.extend(parameters.map(|((_, key), value)| format!("{name} parameter {key}={}", value.value)));
        }
        for (name, value) in &world.properties {
            if self.shared.options.properties.iter().all(|(have, first)| (have, first) != (name, value)) {
                all.insert(format!("property {name}={value}"));
            }
        }
        all
    }

    /// A property of Eucalyptus.
    pub fn property(&self, name: &str) -> Option<String> {
        self.shared.world().properties.get(name).cloned()
    }

    /// Names and states of all stacks that ever were.
    pub fn stacks(&self) -> Vec<(String, String)> {
        let world = self.shared.world();
        let all = world.regions.values().flat_map(|region| region.stacks.iter());
        all.map(|stack| (stack.name.clone(), stack.status.to_owned())).collect()
    }

    /// All images of all regions.
    pub fn images(&self) -> Vec<ImageView> {
        let world = self.shared.world();
        let mut views = Vec::new();
        for (name, region) in &world.regions {
            for image in region.images.values() {
                let sha256 = world.unbundled.get(&image.id).cloned();
                views.push(view(name, image, sha256));
            }
        }
        views
    }

    /// All snapshots of all regions.
    pub fn snapshots(&self) -> Vec<SnapshotView> {
        let world = self.shared.world();
        let mut views = Vec::new();
        for (name, region) in &world.regions {
            views.extend(region.snapshots.values().map(|snapshot| SnapshotView {
                id: snapshot.id.clone(),
                region: name.clone(),
                state: crate::ec2::snapshot_state(snapshot).to_owned(),
                size: snapshot.size,
                key: snapshot.key.clone(),
                tags: snapshot.tags.clone(),
                written: snapshot.written.clone(),
                public: snapshot.all_users,
                users: snapshot.users.clone(),
            }));
        }
        views
    }

    /// All instances of all regions.
    pub fn instances(&self) -> Vec<InstanceView> {
        let world = self.shared.world();
        let all = world.regions.values().flat_map(|region| region.instances.values());
        all.map(|instance| InstanceView {
            id: instance.id.clone(),
            image: instance.image.clone(),
            state: instance.state.to_owned(),
            instance_type: instance.instance_type.clone(),
            user_data: instance.user_data.clone(),
            key_name: instance.key_name.clone(),
            reservation: instance.reservation.clone(),
            zone: instance.zone.clone(),
            subnet: instance.subnet.clone(),
            groups: instance.groups.clone(),
            profile: instance.profile.clone(),
            public: instance.public_address.is_some(),
            tokens: instance.tokens.clone(),
            tags: instance.tags.clone(),
        })
        .collect()
    }

    /// All security groups that were made.
    pub fn groups(&self) -> Vec<GroupView> {
        let world = self.shared.world();
        let all = world.regions.values().flat_map(|region| region.groups.values());
        all.filter(|group| !group.preset)
            .map(|group| GroupView {
                id: group.id.clone(),
                name: group.name.clone(),
                vpc: group.vpc.clone(),
                rules: group.rules.iter().map(rule).collect(),
                tags: group.tags.clone(),
            })
            .collect()
    }

    /// All volumes.
    pub fn volumes(&self) -> Vec<VolumeView> {
        let world = self.shared.world();
        let all = world.regions.values().flat_map(|region| region.volumes.values());
        all.map(|volume| {
            let at = volume.attachment.as_ref();
            VolumeView {
                id: volume.id.clone(),
                state: volume.state().to_owned(),
                size: volume.size,
                zone: volume.zone.clone(),
                attached: at.map(|at| (at.instance.clone(), at.device.clone())),
                delete_on_termination: at.is_some_and(|at| at.delete),
                tags: volume.tags.clone(),
            }
        })
        .collect()
    }

    /// All key pairs.
    pub fn key_pairs(&self) -> Vec<KeyPairView> {
        let world = self.shared.world();
        let all = world.regions.values().flat_map(|region| region.key_pairs.values());
        all.map(|pair| KeyPairView {
            name: pair.name.clone(),
            fingerprint: pair.fingerprint.clone(),
            public: pair.public.clone(),
            tags: pair.tags.clone(),
        })
        .collect()
    }

    /// Ids of the subnets of the first account in the cloud's own region.
    pub fn subnets(&self) -> Vec<String> {
        let mut world = self.shared.world();
        let account = self.shared.options.accounts.first().map(|account| account.number.clone());
        let region = world.region(&self.shared.options.region);
        let own = region.subnets.iter().filter(|have| Some(&have.owner) == account.as_ref());
        own.map(|subnet| subnet.id.clone()).collect()
    }

    /// Reads a snapshot of any region.
    pub fn read_snapshot(&self, id: &str) -> Option<SnapshotReader> {
        let world = self.shared.world();
        let found = world.regions.values().find_map(|region| region.snapshots.get(id));
        found.cloned().map(SnapshotReader)
    }

    /// The canned ACL that an object came with.
    pub fn acl(&self, bucket: &str, key: &str) -> Option<String> {
        self.shared.world().acls.get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    /// An object's bytes.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.shared.store.read(bucket, key)
    }

    /// The keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.shared.store.keys(bucket)
    }

    /// A number at random from a seed, for tests that kill at random moments: the next one of the sequence.
    pub fn random(seed: &mut u64) -> u64 {
        fault::next(seed)
    }
}

fn rule(rule: &Rule) -> String {
    let ports = rule.ports.map(|(from, to)| format!(" {from}-{to}")).unwrap_or_default();
    let source = match &rule.source {
        Source::V4(cidr) | Source::V6(cidr) => cidr.clone(),
        Source::Group(user, id, _) => format!("{user}/{id}"),
    };
    format!("{}{ports} {source}", rule.protocol)
}

fn view(region: &str, image: &Image, sha256: Option<String>) -> ImageView {
    let mut values = BTreeMap::new();
    let mut set = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            values.insert(name.to_owned(), value.to_owned());
        }
    };
    set("Name", Some(&image.name));
    set("Description", image.description.as_deref());
    set("OwnerId", Some(&image.owner));
    set("ImageLocation", Some(&image.location));
    set("Architecture", Some(&image.architecture));
    set("VirtualizationType", Some(&image.virtualization));
    set("RootDeviceName", image.root_device.as_deref());
    set("RootDeviceType", Some(image.root_type));
    set("BootMode", image.boot_mode.as_deref());
    set("TpmSupport", image.tpm.as_deref());
    set("ImdsSupport", image.imds.as_deref());
    set("UefiData", image.uefi_data.as_deref());
    set("EnaSupport", image.ena.map(|ena| if ena { "true" } else { "false" }));
    set("SriovNetSupport", image.sriov.as_deref());
    set("KernelId", image.kernel.as_deref());
    set("RamdiskId", image.ramdisk.as_deref());
    set("Platform", image.platform.as_deref());
    set("State", Some(crate::ec2::image_state(image)));
    let launchers = image.users.iter().chain(&image.organizations).chain(&image.units);
    ImageView {
        id: image.id.clone(),
        region: region.to_owned(),
        values,
        tags: image.tags.clone(),
        snapshots: image.mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect(),
        public: image.all_users,
        launchers: launchers.cloned().collect(),
        sha256,
    }
}
