//! What is installed, and where.

use hardtack_fake_cloud::{BucketOwnership, Cloud};

use crate::workshop::{Folder, RECIPE};

const OWN: &str = "123456789012";
const OTHER: &str = "210987654321";
const HOME: &str = "us-east-1";
const BLOCK: usize = 512 << 10;

pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) euca: bool,
    /// Looks that do not find what was just made.
    pub(super) misses: u32,
    /// Makes what has to be there, and says the arguments.
    pub(super) prepare: fn(&Folder, &Cloud) -> String,
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "plain", euca: false, misses: 0, prepare: plain },
    Scenario { name: "everything", euca: false, misses: 0, prepare: everything },
    Scenario { name: "public source", euca: false, misses: 0, prepare: public },
    Scenario { name: "own source", euca: false, misses: 0, prepare: own },
    Scenario { name: "bundle", euca: true, misses: 0, prepare: bundle },
    Scenario { name: "bundle in a bucket", euca: true, misses: 0, prepare: bundle_there },
    Scenario { name: "slow", euca: false, misses: 3, prepare: slow },
];

fn plain(folder: &Folder, _: &Cloud) -> String {
    folder.noise("noise.raw", 8);
    format!("install noise.raw -n web-1 --on aws --region {HOME}")
}

fn everything(folder: &Folder, cloud: &Cloud) -> String {
    folder.noise("noise.raw", 4);
    for region in [HOME, "eu-west-1"] {
        let key = format!("arn:aws:kms:{region}:{OWN}:key/11111111-2222-4333-8444-555555555555");
        cloud.make_key(
            region,
            hardtack_fake_cloud::MasterKey {
                arn: key.clone(),
                state: "Enabled".to_owned(),
                ..Default::default()
            },
        );
        cloud.encrypt_by_default(region, true, Some(&key));
    }
    // What the parameter was is to come back.
    cloud.make_parameter(HOME, "/web", "ami-00000000000000000");
    format!(
        "install noise.raw -n web-1 --on aws --region {HOME} --copy-to eu-west-1 --share {OTHER} --ssm /web"
    )
}

fn source(folder: &Folder, cloud: &Cloud, owner: &str, public: bool) -> String {
    folder.expect(0, "convert sample.qcow2 sample.raw");
    let disk = std::fs::read(folder.path("sample.raw")).unwrap();
    let zeros = vec![0; BLOCK];
    let blocks: Vec<(u64, &[u8])> =
        (0..).zip(disk.chunks(BLOCK)).filter(|(_, block)| *block != zeros).collect();
    let snapshot = cloud.make_snapshot(HOME, owner, 1, None, public, &blocks);
    let image = cloud.make_image(HOME, "sample", &snapshot, "x86_64", public);
    folder.write("x.yaml", RECIPE);
    format!("install --on aws --region {HOME} --source {image} --recipe x.yaml -n web-1 --arch x86_64")
}

fn public(folder: &Folder, cloud: &Cloud) -> String {
    source(folder, cloud, OTHER, true)
}

fn own(folder: &Folder, cloud: &Cloud) -> String {
    source(folder, cloud, OWN, false) + " --lock x.lock"
}

fn slow(folder: &Folder, cloud: &Cloud) -> String {
    source(folder, cloud, OTHER, true) + " --copy-to eu-west-1 --ssm /web"
}

fn bundle(folder: &Folder, _: &Cloud) -> String {
    folder.keys();
    folder.noise("noise.raw", 4);
    "install noise.raw -n web-1 --on euca -b images -k user.pem -c user.crt --part-size 1M".to_owned()
}

fn bundle_there(folder: &Folder, cloud: &Cloud) -> String {
    cloud.make_bucket("images", BucketOwnership::Writer);
    cloud.spoil("images", "web-1.part.0", b"somebody's");
    bundle(folder, cloud)
}
