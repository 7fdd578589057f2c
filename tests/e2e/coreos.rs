//! The CoreOS examples of `cloud-config/`, applied by the agent to a Debian with stand-ins for what CoreOS has.

use std::io::Write;
use std::process::Command;

use hardtack_datasource::testing::{Cloud, Server};
use hardtack_tests::image::Images;
use hardtack_tests::tools::{run, top};
use hardtack_tests::vm::Launch;

use crate::replaced::{Replaced, assert_lines};

const RELAY: &str = env!("CARGO_BIN_EXE_relay");

/// Docker: it notes what its storage is when it starts. And a mkfs.btrfs that unpacks what the real one made.
const DOCKER: &str = r#"      - write: /etc/systemd/system/docker.service
        content: |
          [Service]
          Type=oneshot
          RemainAfterExit=yes
          ExecStart=/bin/sh -c "findmnt -no SOURCE,FSTYPE /var/lib/docker >/run/docker-storage"
      - {mkdir: /var/lib/docker}
      - {copy: btrfs.gz, to: /opt/btrfs.gz}
      - write: /usr/sbin/mkfs.btrfs
        content: |
          #!/bin/sh
          [ "$1" = -f ] && exec gzip -cd /opt/btrfs.gz >"$2"
        mode: "0755"
"#;

/// What the script calls: each says how. In /usr/local, which comes first.
const SCRIPT: &str = r##"      - {write: /usr/local/sbin/apt-get, content: "#!/bin/sh\necho apt-get $*\n", mode: "0755"}
      - {write: /usr/local/bin/git, content: "#!/bin/sh\necho git $*\n", mode: "0755"}
      - {write: /usr/local/bin/chef-solo, content: "#!/bin/sh\necho chef-solo $*\n", mode: "0755"}
"##;

/// etcd and fleet: each notes its environment.
const CLUSTER: &str = r#"      - write: /etc/systemd/system/etcd.service
        content: |
          [Service]
          Type=oneshot
          RemainAfterExit=yes
          ExecStart=/bin/sh -c "env | grep ETCD_ >/run/etcd-environment"
      - write: /etc/systemd/system/fleet.service
        content: |
          [Unit]
          After=etcd.service
          [Service]
          Type=oneshot
          RemainAfterExit=yes
          ExecStart=/bin/sh -c "env | grep FLEET_ >/run/fleet-environment"
"#;

fn example(name: &str) -> String {
    std::fs::read_to_string(top().join("cloud-config").join(name)).unwrap()
}

/// A btrfs without files, compressed.
fn btrfs(directory: &std::path::Path) {
    let raw = directory.join("btrfs.raw");
    run(Command::new("truncate").args(["-s", "128M"]).arg(&raw));
    run(Command::new("mkfs.btrfs").arg("-q").arg(&raw));
    let bytes = std::fs::read(&raw).unwrap();
    let file = std::fs::File::create(directory.join("btrfs.gz")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    packed.write_all(&bytes).unwrap();
    packed.finish().unwrap();
}

#[test]
fn docker_stores_on_the_ephemeral_disk() {
    let Some(images) = Images::find() else { return };
    let mut replaced = Replaced::build_with(&images, "debian12", "bookworm", DOCKER, btrfs);
    replaced.add_disk();
    let seed = replaced.seed("i-docker", &example("coreos-docker-ephemeral.yaml"));
    let running = replaced.boot("docker", Launch::seed(&seed));
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    let facts = running.root(
        "mount | grep /var/lib/docker; systemctl is-active format-ephemeral.service var-lib-docker.mount; \
         systemctl start docker.service; cat /run/docker-storage",
    );
    assert!(facts.contains("/dev/vdb on /var/lib/docker type btrfs"), "{facts}");
    assert_lines(&facts, &["active", "/dev/vdb btrfs"]);
    let times = running.root(
        "systemctl show --value -p ExecMainExitTimestampMonotonic format-ephemeral.service; \
         systemctl show --value -p InactiveExitTimestampMonotonic var-lib-docker.mount",
    );
    let times: Vec<u64> = times.lines().map(|line| line.parse().unwrap()).collect();
    assert!(times[0] > 0 && times[0] <= times[1], "mounted at {} µs, formatted at {} µs", times[1], times[0]);
}

#[test]
#[ignore = "the full suite boots it"]
fn a_member_of_a_cluster_knows_its_own_address() {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build(&images, "debian12", "bookworm", CLUSTER);
    let server = Server::start(
        Cloud::eucalyptus()
            .with("meta-data/public-keys/0/openssh-key", replaced.public_key())
            .with("user-data", example("coreos-cluster.yaml")),
    )
    .unwrap();
    let launch = Launch::service(server.port(), RELAY);
    let running = replaced.boot("cluster", launch);
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    assert_lines(
        &running.root("cat /run/etcd-environment /run/fleet-environment"),
        &["ETCD_ADDR=172.16.0.9:4001", "ETCD_PEER_ADDR=172.16.0.9:7001", "FLEET_PUBLIC_IP=172.16.0.9"],
    );
}

#[test]
#[ignore = "the full suite boots it"]
fn a_script_bootstraps_an_instance() {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build(&images, "debian12", "bookworm", SCRIPT);
    let seed = replaced.seed("i-script", &example("bootstrap.sh"));
    let running = replaced.boot("script", Launch::seed(&seed));
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    assert_lines(
        &running.root("cat /var/log/bootstrap.log"),
        &["apt-get install -y git chef", "bootstrapped"],
    );
}

#[test]
#[ignore = "the full suite boots it"]
fn beside_cloud_init_units_of_user_data_start() {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build_beside(&images, "debian12", "bookworm", CLUSTER);
    let seed = replaced.seed("i-beside", &example("coreos-cluster.yaml"));
    let running = replaced.boot("beside", Launch::seed(&seed));
    let told = running.root(
        "for second in $(seq 120); do systemctl is-active -q hardtack-coreos.service && break; sleep 1; done; \
         systemctl is-active hardtack-coreos.service; cat /run/etcd-environment /run/fleet-environment; cloud-init --version",
    );
    assert_lines(&told, &["active", "ETCD_ADDR=10.0.2.15:4001", "FLEET_PUBLIC_IP=10.0.2.15"]);
    assert!(told.contains("cloud-init 22.4"), "{told}");
}
