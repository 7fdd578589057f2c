//! What tests set behind the services' backs.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::Cloud;
use crate::world::{BLOCK, Block, Bucket, Image, MasterKey, Parameter, Snapshot, State};

/// Who owns the objects of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketOwnership {
    /// ACLs are refused.
    Enforced,
    /// ACLs are taken.
    Writer,
    /// Nothing was ever said: a bucket of before 2023. ACLs are taken.
    Unset,
}

impl Cloud {
    /// Overwrites an object behind S3's back: what is known of it stays.
    ///
    /// # Panics
    /// When it cannot be written.
    #[allow(clippy::expect_used)]
    pub fn spoil(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.shared.store.write(bucket, key, bytes).expect("an object cannot be written");
    }

    /// A bucket of the first account, in the cloud's own region.
    pub fn make_bucket(&self, name: &str, ownership: BucketOwnership) {
        self.make_bucket_of(name, ownership, 0, &self.shared.options.region, false);
    }

    /// A bucket. `kms`: entity tags of its objects are no MD5.
    ///
    /// # Panics
    /// When there is one, or no such account.
    #[allow(clippy::expect_used)]
    pub fn make_bucket_of(
        &self,
        name: &str,
        ownership: BucketOwnership,
        account: usize,
        region: &str,
        kms: bool,
    ) {
        let ownership = match ownership {
            BucketOwnership::Enforced => Some("BucketOwnerEnforced".to_owned()),
            BucketOwnership::Writer => Some("ObjectWriter".to_owned()),
            BucketOwnership::Unset => None,
        };
        self.shared.store.make_bucket(name).expect("a bucket cannot be made");
        let owner = self.shared.options.accounts.get(account).expect("no such account").number.clone();
        let bucket = Bucket {
            owner,
            region: region.to_owned(),
            ownership,
            block_public: false,
            kms,
            acl: "private".to_owned(),
            policy: (false, false),
        };
        self.shared.world().buckets.insert(name.to_owned(), bucket);
    }

    /// Everybody may read an object, by its ACL; `None`: list the bucket.
    ///
    /// # Panics
    /// When there is no such bucket.
    #[allow(clippy::expect_used)]
    pub fn make_public(&self, bucket: &str, key: Option<&str>) {
        let mut world = self.shared.world();
        let found = world.buckets.get_mut(bucket).expect("no such bucket");
        found.block_public = false;
        found.ownership = Some("ObjectWriter".to_owned());
        match key {
            None => "public-read".clone_into(&mut found.acl),
            Some(key) => {
                world.acls.insert((bucket.to_owned(), key.to_owned()), "public-read".to_owned());
            }
        }
    }

    /// A bucket's policy lets everybody read its objects, or list them.
    ///
    /// # Panics
    /// When there is no such bucket.
    #[allow(clippy::expect_used)]
    pub fn make_public_by_policy(&self, bucket: &str, read: bool, list: bool) {
        let mut world = self.shared.world();
        let found = world.buckets.get_mut(bucket).expect("no such bucket");
        found.block_public = false;
        found.policy = (read, list);
    }

    /// Nobody gets anything without credentials, whatever ACLs and policies say.
    pub fn block_public_buckets(&self, bucket: &str) {
        if let Some(found) = self.shared.world().buckets.get_mut(bucket) {
            found.block_public = true;
        }
    }

    /// An object, as if its owner had put it.
    ///
    /// # Panics
    /// When it cannot be written.
    #[allow(clippy::expect_used)]
    pub fn make_object(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.shared.store.write(bucket, key, bytes).expect("an object cannot be written");
        self.shared.world().acls.insert((bucket.to_owned(), key.to_owned()), "private".to_owned());
    }

    /// A completed snapshot with these blocks, of the account with this number.
    ///
    /// # Panics
    /// When its file cannot be written, or a block is not 512 KiB.
    #[allow(clippy::expect_used)]
    pub fn make_snapshot(
        &self,
        region: &str,
        owner: &str,
        size: u64,
        key: Option<&str>,
        public: bool,
        blocks: &[(u64, &[u8])],
    ) -> String {
        let mut world = self.shared.world();
        let id = world.id("snap", false);
        let path = self.shared.files.path().join(format!("{id}.blocks"));
        let file = std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = Arc::new(file.expect("a snapshot's file cannot be made"));
        let mut map = BTreeMap::new();
        for (index, bytes) in blocks {
            assert_eq!(bytes.len(), BLOCK, "block {index}");
            file.write_all_at(bytes, index * BLOCK as u64).expect("a block cannot be written");
            map.insert(*index, Block { file: file.clone(), digest: Sha256::digest(bytes).into() });
        }
        let snapshot = Snapshot {
            id: id.clone(),
            owner: owner.to_owned(),
            description: String::new(),
            size,
            tags: BTreeMap::new(),
            state: State::Ready,
            key: key.map(str::to_owned),
            managed_key: key.is_some_and(|key| key.contains("aws-ebs")),
            started: self.shared.now(),
            blocks: map,
            written: BTreeSet::new(),
            open: false,
            misses: 0,
            unseen: 0,
            file: None,
            all_users: public,
            users: BTreeSet::new(),
        };
        world.region(region).snapshots.insert(id.clone(), snapshot);
        id
    }

    /// An available image of a snapshot, of the snapshot's owner; its root is `/dev/xvda`.
    ///
    /// # Panics
    /// When there is no such snapshot.
    #[allow(clippy::expect_used)]
    pub fn make_image(
        &self,
        region: &str,
        name: &str,
        snapshot: &str,
        architecture: &str,
        public: bool,
    ) -> String {
        let mut world = self.shared.world();
        let id = world.id("ami", false);
        let number = i64::try_from(world.number()).unwrap_or_default();
        let region = world.region(region);
        let root = region.snapshots.get(snapshot).expect("no such snapshot");
        let mapping = crate::world::Mapping {
            device: "/dev/xvda".to_owned(),
            snapshot: Some(snapshot.to_owned()),
            size: Some(root.size),
            encrypted: root.key.is_some(),
            ..Default::default()
        };
        let image = Image {
            id: id.clone(),
            name: name.to_owned(),
            description: None,
            owner: root.owner.clone(),
            location: format!("{}/{name}", root.owner),
            architecture: architecture.to_owned(),
            virtualization: "hvm".to_owned(),
            kind: "machine",
            root_device: Some("/dev/xvda".to_owned()),
            root_type: "ebs",
            mappings: vec![mapping],
            boot_mode: None,
            tpm: None,
            imds: None,
            uefi_data: None,
            ena: Some(true),
            sriov: None,
            kernel: None,
            ramdisk: None,
            platform: None,
            // One that is made later is newer, whatever the clock says.
            created: self.shared.now() + number,
            state: State::Ready,
            tags: BTreeMap::new(),
            all_users: public,
            users: BTreeSet::new(),
            organizations: BTreeSet::new(),
            units: BTreeSet::new(),
            source: None,
            unseen: 0,
        };
        region.images.insert(id.clone(), image);
        id
    }

    /// A snapshot comes to nothing, as one that nobody wrote to for too long.
    pub fn fail_snapshot(&self, id: &str, reason: &str) {
        for region in self.shared.world().regions.values_mut() {
            if let Some(snapshot) = region.snapshots.get_mut(id) {
                snapshot.open = false;
                snapshot.state = State::Failed(reason.to_owned());
            }
        }
    }

    /// An image comes to nothing.
    pub fn fail_image(&self, id: &str, reason: &str) {
        for region in self.shared.world().regions.values_mut() {
            if let Some(image) = region.images.get_mut(id) {
                image.state = State::Failed(reason.to_owned());
            }
        }
    }

    /// Time passes: instances that are ending have ended, whether or not somebody looked at them.
    pub fn end_instances(&self) {
        for region in self.shared.world().regions.values_mut() {
            let ending = region.instances.values().filter(|instance| instance.state == "shutting-down");
            let ending: Vec<String> = ending.map(|instance| instance.id.clone()).collect();
            for id in ending {
                if let Some(instance) = region.instances.get_mut(&id) {
                    instance.polls = 0;
                }
                crate::holdings::advance(region, &id);
            }
        }
    }

    /// An instance ends by itself, at once.
    pub fn fail_instance(&self, id: &str, code: &str, message: &str) {
        for region in self.shared.world().regions.values_mut() {
            if let Some(instance) = region.instances.get_mut(id) {
                instance.state = "terminated";
                instance.reason = Some((code.to_owned(), message.to_owned()));
                crate::holdings::release(region, id);
            }
        }
    }

    /// A parameter; one below `/aws/` is for all accounts.
    pub fn make_parameter(&self, region: &str, name: &str, value: &str) {
        let account = self.shared.options.accounts.first().map(|account| account.number.clone());
        let owner = if name.starts_with("/aws/") { String::new() } else { account.unwrap_or_default() };
        let parameter = Parameter {
            value: value.to_owned(),
            kind: "String".to_owned(),
            data_type: "text".to_owned(),
            version: 1,
        };
        self.shared.world().region(region).parameters.insert((owner, name.to_owned()), parameter);
    }

    /// A key of KMS.
    pub fn make_key(&self, region: &str, key: MasterKey) {
        self.shared.world().region(region).keys.push(key);
    }

    /// What a region says of encryption.
    pub fn encrypt_by_default(&self, region: &str, enabled: bool, key: Option<&str>) {
        let mut world = self.shared.world();
        let region = world.region(region);
        region.encryption_by_default = enabled;
        region.default_key = key.map(str::to_owned);
    }

    /// What a region says of sharing with everybody.
    pub fn block_public_access(&self, region: &str, images: bool, snapshots: bool) {
        let mut world = self.shared.world();
        let region = world.region(region);
        region.image_block_public_access = images;
        region.snapshot_block_public_access = snapshots;
    }
}
