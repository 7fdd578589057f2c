//! Metadata services, true and lying, seen by the agent in cloud-init's place.

use hardtack_datasource::testing::{Asked, Cloud, Reply, Server};
use hardtack_tests::image::Images;
use hardtack_tests::vm::Launch;

use crate::replaced::{Replaced, assert_lines};

pub(crate) const RELAY: &str = env!("CARGO_BIN_EXE_relay");
/// What Amazon's machines have for a UUID.
const AMAZON: &str = "ec2e1916-9099-7caf-fd21-012345abcdef";

/// sshd that systemd starts when somebody connects.
pub(crate) const SOCKET: &str = r#"      - {remove: /etc/systemd/system/multi-user.target.wants/ssh.service}
      - {remove: /etc/systemd/system/sshd.service}
      - {link: /etc/systemd/system/sockets.target.wants/ssh.socket, target: /usr/lib/systemd/system/ssh.socket}
"#;

fn service(server: &Server, uuid: Option<&'static str>) -> Launch<'static> {
    let launch = Launch::service(server.port(), RELAY);
    uuid.map_or(launch, |uuid| launch.on(uuid))
}

#[test]
fn ec2_with_tokens_and_sshd_behind_a_socket_on_debian_13() {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build(&images, "debian13", "trixie", SOCKET);
    let card = "meta-data/network/interfaces/macs/0a:00:00:00:00:05";
    let user_data = "#cloud-config\nwrite_files: [{path: /srv/by-user-data, content: \"it was\\n\"}]\n\
                     runcmd: [\"systemctl is-active ssh.socket >/root/sockets\"]\n";
    let server = Server::start(
        Cloud::aws()
            .with("meta-data/public-keys/0/openssh-key", replaced.public_key())
            .with(&format!("{card}/local-ipv4s"), "169.254.0.15")
            .with(&format!("{card}/subnet-ipv4-cidr-block"), "169.254.0.0/16")
            .with("user-data", user_data),
    )
    .unwrap();
    let running = replaced.boot("ec2", service(&server, Some(AMAZON)));
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    let facts = running.root(
        "cloud-id; cat /var/lib/cloud/data/instance-id /srv/by-user-data /root/sockets; hostname; \
         systemctl is-enabled ssh.service; systemctl --failed --no-legend",
    );
    assert_lines(&facts, &["aws", "i-0123456789abcdef0", "it was", "active", "ip-10-0-0-5", "disabled"]);
    assert!(!facts.contains("failed"), "{facts}");
    let asked = server.cloud().asked();
    assert!(asked.iter().any(|one| one.method == "PUT"), "no token was asked for");
    let without =
        asked.iter().filter(|one| one.method == "GET" && one.header("x-aws-ec2-metadata-token").is_none());
    assert!(without.count() <= 1, "asked without a token");
}

#[test]
#[ignore = "the full suite boots it; `launched` boots an instance of Eucalyptus always"]
fn eucalyptus_without_marks_or_tokens() {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build(&images, "debian12", "bookworm", "");
    let user_data = "#!/bin/sh\necho \"ran as $(id -un)\" >/root/script\n";
    let server = Server::start(
        Cloud::eucalyptus()
            .with("meta-data/public-keys/0/openssh-key", replaced.public_key())
            .with("user-data", user_data),
    )
    .unwrap();
    let running = replaced.boot("eucalyptus", service(&server, None));
    assert_lines(&running.wait(), &["status: done", "exit 0"]);
    let facts = running.root("cat /var/lib/cloud/data/instance-id /root/script; hostname");
    assert_lines(&facts, &["i-0abc1234", "ran as root", "euca-172-16-0-9"]);
}

/// Whatever the service does, who has the key of the image gets in.
fn liar(
    name: &str,
    uuid: Option<&'static str>,
    lie: impl Fn(&Asked, u64) -> Option<Reply> + Send + Sync + 'static,
) {
    let Some(images) = Images::find() else { return };
    let replaced = Replaced::build(&images, "debian12", "bookworm", "");
    let server = Server::start(Cloud::eucalyptus().lies(lie)).unwrap();
    let running = replaced.boot(name, service(&server, uuid));
    let facts =
        running.root("id -un; ls /etc/ssh/ssh_host_ed25519_key; cat /var/lib/cloud/data/instance-id; true");
    assert_lines(&facts, &["root", "/etc/ssh/ssh_host_ed25519_key"]);
    assert!(!facts.contains("i-0abc1234"), "what the liar said was believed:\n{facts}");
    let status = running.wait();
    assert!(status.contains("status: ") && !status.contains("status: running"), "{status}");
    assert!(!server.cloud().asked().is_empty(), "nobody asked the service");
}

#[test]
#[ignore = "the full suite boots it; `sealed` of that suite boots a machine whose service hangs, too"]
fn a_service_that_is_starting_up_for_ever() {
    liar("starting", None, |_, _| Some(Reply::starting()));
}

#[test]
#[ignore = "the full suite boots it"]
fn a_service_that_hangs() {
    liar("hangs", Some(AMAZON), |_, _| Some(Reply::Hang));
}

#[test]
#[ignore = "the full suite boots it"]
fn a_service_that_resets_connections() {
    liar("resets", Some(AMAZON), |_, _| Some(Reply::Reset));
}

#[test]
#[ignore = "the full suite boots it"]
fn a_service_with_a_page_to_log_in() {
    liar("portal", None, |_, _| Some(Reply::login_page()));
}

#[test]
#[ignore = "the full suite boots it"]
fn a_service_with_ten_megabytes_of_user_data() {
    liar("large", Some(AMAZON), |asked, _| {
        Some(if asked.path.ends_with("/user-data") {
            Reply::ok(vec![b'#'; 10 << 20])
        } else {
            Reply::starting()
        })
    });
}
