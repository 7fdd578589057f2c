//! Our own agent and cloud-init read the service as they do on an instance: over TCP, a relay for each connection.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::Command;

use hardtack_datasource::Found;
use hardtack_datasource::found::Source;
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{Candidate, Means, Question, search};
use hardtack_datasource::settings::Settings;
use hardtack_datasource::testing::RealClock;

use super::*;
use crate::metadata::relay;

/// Serves `identity` at a port, as libslirp does, while `then` asks at the URL.
fn at_port(identity: &Identity, then: impl FnOnce(&str)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("metadata");
    let listener = UnixListener::bind(&path).unwrap();
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = outside.local_addr().unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let log = Mutex::new(Vec::new());
    let asked = |method: &str, path: &str| log.lock().unwrap().push(format!("{method} {path}"));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(identity, &listener, random, SystemTime::now, &asked));
        let slirp = scope.spawn(|| {
            for stream in outside.incoming() {
                if over.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let (stream, inner) = (stream.unwrap(), UnixStream::connect(&path).unwrap());
                scope.spawn(move || relay::join(stream.as_fd(), stream.as_fd(), &inner).unwrap());
            }
        });
        then(&format!("http://{address}"));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(TcpStream::connect(address).unwrap());
        slirp.join().unwrap();
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        server.join().unwrap().unwrap();
    });
    log.into_inner().unwrap()
}

fn agent(url: &str, platform: Platform) -> Found {
    let mut settings = Settings::default();
    settings.ec2.metadata_urls = vec![url.to_owned()];
    let question =
        Question { settings: &settings, platform, interface: None, default_user: Some("debian"), now: None };
    let client = hardtack_http::Client::default();
    let clock = RealClock::default();
    let means = Means { transport: &client, clock: &clock, tell: &|_| {} };
    let candidates = [Candidate { source: Source::Ec2, marked: true }];
    let outcome = search(&candidates, &question, &means, Duration::from_secs(60));
    outcome.found.unwrap_or_else(|| panic!("{:?} {:?}", outcome.notes, outcome.others))
}

#[test]
fn our_agent_reads_ec2() {
    let identity = identity(Like::Ec2);
    at_port(&identity, |url| {
        let found = agent(url, Platform::Aws);
        assert_eq!(found.notes, Vec::<String>::new());
        assert_eq!(found.instance_id, identity.instance);
        assert_eq!(found.cloud_name, "aws");
        assert_eq!(found.user_data, identity.user_data);
        assert_eq!(found.known.public_keys, ["ssh-ed25519 AAAA me"]);
        assert_eq!(found.known.availability_zone.as_deref(), Some(ZONE));
        assert_eq!(found.known.region.as_deref(), Some(REGION));
        assert_eq!(found.known.block_devices.get("ephemeral0").map(String::as_str), Some("/dev/vdb"));
        assert_eq!(found.known.addresses[1], "10.7.8.10");
        assert_eq!(found.metadata["tags"]["instance"]["Name"], "one");
        assert_eq!(found.extra["dynamic"]["instance-identity"]["document"]["accountId"], ACCOUNT);
    });
}

#[test]
fn our_agent_reads_eucalyptus() {
    let identity = identity(Like::Eucalyptus);
    at_port(&identity, |url| {
        let found = agent(url, Platform::Unknown);
        assert_eq!(found.instance_id, identity.instance);
        assert_eq!(found.user_data, identity.user_data);
        assert_eq!(found.known.public_keys, ["ssh-ed25519 AAAA me"]);
        assert_eq!(found.known.availability_zone.as_deref(), Some("one"));
        assert_eq!(found.known.block_devices.get("emi").map(String::as_str), Some("vda"));
    });
}

#[test]
fn curl_reads_it() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "curl is missing");
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: curl is missing");
        }
        return;
    }
    let asked = at_port(&identity(Like::Ec2), |url| {
        let curl = |arguments: &[&str]| {
            let output = Command::new("curl")
                .args(["-sS", "--noproxy", "*", "--max-time", "20"])
                .args(arguments)
                .output();
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60";
        let token = curl(&["-X", "PUT", "-H", ttl, &format!("{url}/latest/api/token")]);
        let header = format!("X-aws-ec2-metadata-token: {token}");
        let (one, two) =
            (format!("{url}/latest/meta-data/instance-id"), format!("{url}/latest/meta-data/mac"));
        assert_eq!(curl(&["-H", &header, &one, &two]), "i-0123456789abcdef052:54:00:ab:cd:ef");
        assert_eq!(curl(&["-o", "/dev/null", "-w", "%{http_code}", &one]), "401");
    });
    assert_eq!(asked.len(), 4);
}
