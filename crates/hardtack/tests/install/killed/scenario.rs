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
    /// Files that stay when all is undone: a new key is its owner's.
    pub(super) leaves: &'static [&'static str],
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "plain", euca: false, misses: 0, prepare: plain, leaves: &[] },
    Scenario { name: "everything", euca: false, misses: 0, prepare: everything, leaves: &[] },
    Scenario { name: "public source", euca: false, misses: 0, prepare: public, leaves: &[] },
    Scenario { name: "own source", euca: false, misses: 0, prepare: own, leaves: &[] },
    Scenario { name: "bundle", euca: true, misses: 0, prepare: bundle, leaves: &[] },
    Scenario { name: "bundle in a bucket", euca: true, misses: 0, prepare: bundle_there, leaves: &[] },
    Scenario { name: "slow", euca: false, misses: 3, prepare: slow, leaves: &[] },
    Scenario { name: "launch", euca: false, misses: 0, prepare: launch, leaves: &["new.pem"] },
    Scenario {
        name: "launch on a slow cloud",
        euca: false,
        misses: 2,
        prepare: launch,
        leaves: &["new.pem"],
    },
    Scenario { name: "launch on eucalyptus", euca: true, misses: 0, prepare: launch_euca, leaves: &[] },
    Scenario { name: "stack", euca: false, misses: 0, prepare: stack, leaves: &[] },
    Scenario { name: "stack on eucalyptus", euca: true, misses: 0, prepare: stack_euca, leaves: &[] },
    Scenario { name: "service image", euca: true, misses: 0, prepare: service_image, leaves: &[] },
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

fn launch(folder: &Folder, cloud: &Cloud) -> String {
    let snapshot = cloud.make_snapshot(HOME, OWN, 1, None, false, &[]);
    cloud.make_image(HOME, "sample", &snapshot, "x86_64", false);
    folder.write("web.yaml", "#cloud-config\nhostname: web\n");
    format!(
        "launch sample -f web.yaml -n 2 --on aws --region {HOME} --journal web-1.journal --ssh-from 192.0.2.7 --new-key \
         new.pem --volume 2G:/dev/vdc --wait"
    )
}

/// A key of a file: making one of RSA takes long.
fn launch_euca(folder: &Folder, cloud: &Cloud) -> String {
    folder.keys();
    folder.noise("noise.raw", 1);
    folder.sh("ssh-keygen -q -t rsa -b 2048 -N '' -C ops -f ops");
    folder.expect_at(
        cloud,
        0,
        "install noise.raw -n sample --on euca -b images -k user.pem -c user.crt --part-size 1M --journal image.journal",
    );
    folder.write("web.yaml", "#cloud-config\nhostname: web\n");
    let zone = &cloud.options().zones[0];
    format!(
        "launch sample -f web.yaml --on euca -z {zone} --journal web-1.journal --ssh-from 192.0.2.7 -k ops.pub --volume \
         2G:/dev/vdc"
    )
}

/// The example that ships, with a key pair: user-data in a template, and two members.
fn cluster(folder: &Folder, image: &str, on: &str) -> String {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cloud-config");
    for name in ["coreos-cluster.template", "coreos-cluster.yaml"] {
        std::fs::copy(format!("{examples}/{name}"), folder.path(name)).unwrap();
    }
    format!(
        "stack create coreos-cluster.template --user-data coreos-cluster.yaml --name coreos --journal web-1.journal -p \
         CoreOSImageId={image} -p UserKeyPair=admin -p AcctId={OWN} -p ClusterSize=2 {on}"
    )
}

fn admin(folder: &Folder, cloud: &Cloud, on: &str) {
    folder.sh("ssh-keygen -q -t rsa -b 2048 -N '' -C admin -f admin");
    let image = cloud.images()[0].id.clone();
    folder.write("none.yaml", "#cloud-config\nhostname: a\n");
    folder.expect_at(
        cloud,
        0,
        &format!("launch {image} -f none.yaml -k admin.pub --journal first.journal {on}"),
    );
}

fn stack(folder: &Folder, cloud: &Cloud) -> String {
    let snapshot = cloud.make_snapshot(HOME, OWN, 1, None, false, &[]);
    let image = cloud.make_image(HOME, "sample", &snapshot, "x86_64", false);
    let on = format!("--on aws --region {HOME}");
    admin(folder, cloud, &on);
    cluster(folder, &image, &format!("-p VmType=t3.small {on}"))
}

fn stack_euca(folder: &Folder, cloud: &Cloud) -> String {
    folder.keys();
    folder.noise("noise.raw", 1);
    let line =
        "install noise.raw -n sample --on euca -b images -k user.pem -c user.crt --journal image.journal";
    let image = folder.expect_at(cloud, 0, line).image();
    admin(folder, cloud, "--on euca");
    cluster(folder, &image, "-p VmType=m1.small --on euca")
}

fn service_image(folder: &Folder, _: &Cloud) -> String {
    folder.keys();
    folder.noise("eucalyptus-load-balancer-image.img", 3);
    folder.sh("tar -czf lb.tgz eucalyptus-load-balancer-image.img");
    "service-image install lb.tgz --on euca -k user.pem -c user.crt --part-size 1M --journal web-1.journal"
        .to_owned()
}
