//! Metadata services that lie, over TCP: the real client against a real server.

use std::time::Duration;

use hardtack_datasource::Found;
use hardtack_datasource::clock::Clock;
use hardtack_datasource::found::Source;
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{Candidate, Means, Outcome, Question, search};
use hardtack_datasource::settings::{Settings, Waits};
use hardtack_datasource::testing::{Asked, Cloud, Reply, Server, VirtualClock};
use hardtack_http::Client;

/// What a request may take, for those that are never answered.
const TIMEOUT: Duration = Duration::from_millis(150);

fn settings(url: &str) -> Settings {
    let mut settings = Settings::default();
    let waits = Waits { timeout: Some(TIMEOUT), max_wait: Some(Duration::from_secs(3)) };
    settings.ec2.metadata_urls = vec![url.to_owned()];
    settings.openstack.metadata_urls = vec![url.to_owned()];
    settings.gce.metadata_url = Some(format!("{url}/computeMetadata/v1/"));
    for one in [&mut settings.ec2.waits, &mut settings.openstack.waits, &mut settings.gce.waits] {
        *one = waits;
    }
    settings
}

fn ask(server: &Server, candidates: &[Candidate], platform: Platform) -> Outcome {
    let clock = VirtualClock::new();
    let settings = settings(&server.url());
    let question =
        Question { settings: &settings, platform, interface: None, default_user: Some("debian"), now: None };
    let client = Client::default();
    let means = Means { transport: &client, clock: &clock, tell: &|_| {} };
    let outcome = search(candidates, &question, &means, Duration::from_secs(60));
    assert!(clock.now() <= Duration::from_secs(4));
    outcome
}

fn ec2(cloud: Cloud, platform: Platform) -> (Option<Found>, Vec<String>) {
    let server = Server::start(cloud).unwrap();
    let outcome = ask(&server, &[Candidate { source: Source::Ec2, marked: false }], platform);
    let others = outcome.others.into_iter().map(|(_, why)| why);
    (outcome.found, outcome.notes.into_iter().chain(others).collect())
}

fn is(asked: &Asked, method: &str, end: &str) -> bool {
    asked.method == method && asked.path.ends_with(end)
}

#[test]
fn those_that_are_true() {
    let (found, _) = ec2(Cloud::aws(), Platform::Aws);
    let found = found.unwrap();
    assert_eq!(found.instance_id, "i-0123456789abcdef0");
    assert_eq!(found.known.public_keys, ["ssh-ed25519 AAAA my key"]);
    let (found, _) = ec2(Cloud::eucalyptus(), Platform::Unknown);
    assert_eq!(found.unwrap().known.public_keys, ["ssh-rsa AAAA admin@eucalyptus"]);
    for (cloud, source) in [(Cloud::openstack(), Source::OpenStack), (Cloud::gce(), Source::Gce)] {
        let server = Server::start(cloud).unwrap();
        let list = [Source::Gce, Source::OpenStack, Source::Ec2];
        let list = list.map(|source| Candidate { source, marked: false });
        let outcome = ask(&server, &list, Platform::Unknown);
        assert_eq!(outcome.found.map(|found| found.source), Some(source), "{:?}", outcome.others);
    }
}

/// Everything that it ever answers is a lie.
#[test]
fn those_that_always_lie() {
    type Lie = fn() -> Reply;
    let lies: &[(Lie, &str)] = &[
        (|| Reply::starting(), "System is still starting up"),
        (|| Reply::ok("System shutting down"), "System shutting down"),
        (|| Reply::login_page(), "no instance-id"),
        (|| Reply::Hang, "no answer within"),
        (|| Reply::Reset, ""),
        (|| Reply::new(500, "oops"), "status 500"),
        (|| Reply::new(404, ""), "no metadata"),
        (|| Reply::ok(""), "answers nothing"),
        (|| Reply::ok(vec![0; 4 << 20]), ""),
        (|| Reply::ok(vec![0xff; 1000]), "no instance-id"),
        (|| Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), ""),
        (|| Reply::Raw(Vec::new()), ""),
        (|| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec()), ""),
        (
            || {
                Reply::Raw(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_vec(),
                )
            },
            "",
        ),
        (
            || Reply::Answer {
                status: 301,
                headers: vec![("Location".to_owned(), "/latest/meta-data/instance-id".to_owned())],
                body: Vec::new(),
            },
            "",
        ),
    ];
    for (reply, words) in lies {
        for platform in [Platform::Unknown, Platform::Aws] {
            let (found, told) = ec2(Cloud::aws().lies(move |_, _| Some(reply())), platform);
            assert_eq!(found, None, "{:?}", reply());
            let aws = platform == Platform::Aws;
            assert!(aws || told.iter().any(|line| line.contains(words)), "{words}: {told:?}");
            assert!(told.iter().all(|line| line.len() < 800 && !line.contains(|c: char| c.is_control())));
        }
    }
}

#[test]
fn tokens_that_are_none() {
    for (index, token) in
        ["", "a b", "a\r\nX-Evil: 1", "\x1b[2J", "<html>", "é", &"x".repeat(5000)].into_iter().enumerate()
    {
        let token = token.to_owned();
        let server = Server::start(
            Cloud::eucalyptus().lies(move |asked, _| is(asked, "PUT", "/token").then(|| Reply::ok(&token))),
        )
        .unwrap();
        let outcome = ask(&server, &[Candidate { source: Source::Ec2, marked: false }], Platform::Unknown);
        assert!(outcome.found.is_some(), "{index}: {:?}", outcome.others);
        let asked = server.cloud().asked();
        assert!(asked.iter().all(|asked| asked.header("x-evil").is_none()));
        assert!(asked.iter().all(|asked| asked.header("x-aws-ec2-metadata-token").is_none()));
    }
}

#[test]
fn those_that_lie_now_and_then() {
    // Every second request is refused, broken off, or for a service that starts.
    let cloud = Cloud::aws()
        .lies(|asked, number| (asked.method == "GET" && number % 2 == 1).then(|| Reply::new(401, "")));
    assert!(ec2(cloud, Platform::Aws).0.unwrap().user_data.is_some());
    let cloud = Cloud::aws().lies(|_, number| (number % 4 == 1).then_some(Reply::Reset));
    assert!(ec2(cloud, Platform::Aws).0.unwrap().user_data.is_some());
    let cloud = Cloud::eucalyptus().lies(|_, number| (number < 5).then(Reply::starting));
    let (found, told) = ec2(cloud, Platform::Unknown);
    assert_eq!(found.unwrap().instance_id, "i-0abc1234");
    assert!(told[0].contains("waiting"), "{told:?}");
}

#[test]
fn ten_megabytes_of_user_data() {
    let cloud = Cloud::eucalyptus().with("user-data", vec![b'x'; 10 << 20]);
    let (found, _) = ec2(cloud, Platform::Unknown);
    let found = found.unwrap();
    assert_eq!(found.user_data, None);
    assert!(found.notes.iter().any(|note| note.contains("at most 1024 KiB")), "{:?}", found.notes);
    assert_eq!(found.known.public_keys.len(), 1);
}

#[test]
fn trees_without_end() {
    let cloud = Cloud::eucalyptus().lies(|asked, _| {
        let listing = asked.path.contains("/meta-data/") && asked.path.ends_with('/');
        (listing && !asked.path.contains("public-keys"))
            .then(|| Reply::ok("instance-id\nx/\n../\npublic-keys/\n"))
    });
    let server = Server::start(cloud).unwrap();
    let outcome = ask(&server, &[Candidate { source: Source::Ec2, marked: false }], Platform::Unknown);
    let found = outcome.found.unwrap();
    assert_eq!((found.instance_id.as_str(), found.known.public_keys.len()), ("i-0abc1234", 1));
    assert!(server.cloud().asked().iter().all(|asked| !asked.path.contains("..")));
}

/// The one that hangs does not keep back the one that is there.
#[test]
fn one_hangs_and_one_is_there() {
    let cloud =
        Cloud::eucalyptus().lies(|asked, _| asked.path.starts_with("/openstack").then_some(Reply::Hang));
    let server = Server::start(cloud).unwrap();
    let list = [Source::OpenStack, Source::Ec2].map(|source| Candidate { source, marked: false });
    let outcome = ask(&server, &list, Platform::Unknown);
    assert_eq!(outcome.found.map(|found| found.source), Some(Source::Ec2), "{:?}", outcome.others);
}
