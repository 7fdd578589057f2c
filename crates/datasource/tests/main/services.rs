//! Metadata services that say the truth, and those that lie, without a network and by a clock for which nobody waits.

use std::time::Duration;

use hardtack_datasource::clock::Clock;
use hardtack_datasource::found::{Network, Source};
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{Cached, Candidate, Means, Outcome, Question, check_cached, search};
use hardtack_datasource::settings::Settings;
use hardtack_datasource::testing::{Asked, Cloud, Reply, Table, VirtualClock};
use hardtack_datasource::{Found, ec2_network};
use serde_json::json;

const IMDS: &str = "169.254.169.254";
const GOOGLE: &str = "metadata.google.internal";

fn guess(source: Source) -> Candidate {
    Candidate { source, marked: false }
}

fn marked(source: Source) -> Candidate {
    Candidate { source, marked: true }
}

fn question(settings: &Settings) -> Question<'_> {
    Question {
        settings,
        platform: Platform::Unknown,
        interface: None,
        default_user: Some("debian"),
        now: Some(1_700_000_000),
    }
}

fn means<'a>(table: &'a Table<'a>, clock: &'a VirtualClock) -> Means<'a> {
    Means { transport: table, clock, tell: &|_| {} }
}

/// Searches for `candidates` where `clouds` are; and the seconds that it took.
fn ask(clouds: Vec<(&str, Cloud)>, candidates: &[Candidate], platform: Platform) -> (Outcome, u64) {
    let clock = VirtualClock::new();
    let table = clouds.into_iter().fold(Table::new(&clock), |table, (host, cloud)| table.with(host, cloud));
    let settings = Settings::default();
    let question = Question { platform, ..question(&settings) };
    let outcome = search(candidates, &question, &means(&table, &clock), Duration::from_secs(300));
    (outcome, clock.now().as_secs())
}

fn ec2(cloud: Cloud, platform: Platform) -> (Outcome, u64) {
    ask(
        vec![(IMDS, cloud)],
        &[Candidate { source: Source::Ec2, marked: platform != Platform::Unknown }],
        platform,
    )
}

fn found(outcome: Outcome) -> Found {
    outcome.found.unwrap_or_else(|| panic!("{:?} {:?}", outcome.notes, outcome.others))
}

fn is(asked: &Asked, method: &str, end: &str) -> bool {
    asked.method == method && asked.path.ends_with(end)
}

#[test]
fn aws_is_asked_with_a_token() {
    for platform in [Platform::Aws, Platform::Unknown] {
        let (outcome, seconds) = ec2(Cloud::aws(), platform);
        assert_eq!((outcome.notes.len(), seconds), (0, 0));
        let found = found(outcome);
        assert_eq!(found.instance_id, "i-0123456789abcdef0");
        assert_eq!(found.subplatform, "metadata (http://169.254.169.254)");
        assert_eq!(found.user_data.as_deref(), Some(&b"#cloud-config\nruncmd: [a]\n"[..]));
        assert!(found.maybe_base64 && found.network.is_none() && found.notes.is_empty());
        let facts = found.facts();
        assert_eq!(facts.public_keys, ["ssh-ed25519 AAAA my key"]);
        assert_eq!(facts.block_devices["ephemeral0"], "sdb");
        assert_eq!(facts.region.as_deref(), Some("us-west-2"));
        assert_eq!(facts.availability_zone.as_deref(), Some("us-west-2a"));
        assert_eq!(found.known.launch_index, Some(2));
        assert_eq!(facts.addresses.public_ipv4.as_deref(), Some("54.1.2.3"));
        assert_eq!(facts.addresses.private_ipv4.as_deref(), Some("10.0.0.5"));
        assert_eq!(facts.addresses.public_ipv6, None);
        let environment = "COREOS_PUBLIC_IPV4=9.9.9.9\nCOREOS_PUBLIC_IPV6=fd00::1\n";
        let addresses = found.addresses_or(environment);
        assert_eq!(addresses.public_ipv4.as_deref(), Some("54.1.2.3"));
        assert_eq!(addresses.public_ipv6.as_deref(), Some("fd00::1"));
        assert_eq!(addresses.private_ipv6.as_deref(), Some(""));
        assert!(!found.metadata.to_string().contains("security-credentials"));
        let aws = platform == Platform::Aws;
        assert_eq!(found.cloud_name, if aws { "aws" } else { "unknown" });
        assert_eq!(found.shown, if aws { "DataSourceEc2Local" } else { "DataSourceEc2" });
        assert_eq!(facts.datasource.as_deref(), Some(found.shown.as_str()));
        assert_eq!(found.extra["_metadata_api_version"], "2021-03-23");
        assert_eq!(found.extra["dynamic"].is_null(), !aws);
        // It survives a reboot.
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Found>(&text).unwrap(), found);
    }
}

#[test]
fn eucalyptus_is_asked_without() {
    let (outcome, seconds) = ec2(Cloud::eucalyptus(), Platform::Unknown);
    assert_eq!((outcome.notes.len(), seconds), (0, 0));
    let found = found(outcome);
    assert_eq!(found.instance_id, "i-0abc1234");
    assert_eq!(found.user_data, None);
    assert_eq!(found.known.public_keys, ["ssh-rsa AAAA admin@eucalyptus"]);
    assert_eq!(found.known.addresses, ["10.1.1.9", "172.16.0.9", "", ""]);
    assert_eq!(found.metadata["mac"], "D0:0D:0A:BC:12:34");
}

/// One in 2048 random UUIDs looks like AWS's.
#[test]
fn eucalyptus_with_the_marks_of_aws_is_asked_without() {
    let (outcome, _) = ec2(Cloud::eucalyptus(), Platform::Aws);
    let found = found(outcome);
    assert_eq!(found.instance_id, "i-0abc1234");
    assert!(found.notes.iter().any(|note| note.contains("another cloud")), "{:?}", found.notes);
}

#[test]
fn what_starts_is_waited_for() {
    for (last, platform, marked) in
        [(40, Platform::Unknown, false), (300, Platform::Unknown, false), (300, Platform::Aws, true)]
    {
        let clock = VirtualClock::new();
        let cloud = Cloud::eucalyptus().lies(|_, _| Some(Reply::starting()));
        let table = Table::new(&clock).with(IMDS, cloud);
        let settings = Settings::default();
        let question = Question { platform, ..question(&settings) };
        let lines = std::sync::Mutex::new(Vec::new());
        let tell = |line: &str| lines.lock().unwrap().push(line.to_owned());
        let means = Means { transport: &table, clock: &clock, tell: &tell };
        let outcome = search(
            &[Candidate { source: Source::Ec2, marked }],
            &question,
            &means,
            Duration::from_secs(last),
        );
        // It is told once.
        assert_eq!(outcome.found, None);
        assert_eq!(outcome.notes, *lines.lock().unwrap());
        assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
        assert!(
            outcome.notes[0].ends_with("answers \"System is still starting up\"; waiting"),
            "{:?}",
            outcome.notes
        );
        assert_eq!(outcome.others[0].0, Source::Ec2);
        let waited = clock.now().as_secs();
        // What it answers is a mark, too.
        let expected = if last == 40 { 35..=40 } else { 115..=120 };
        assert!(expected.contains(&waited), "{waited}");
    }
}

#[test]
fn what_started_is_there() {
    for until in [1, 2, 7, 20] {
        let cloud = Cloud::eucalyptus().lies(move |_, number| (number < until).then(Reply::starting));
        let (outcome, seconds) = ec2(cloud, Platform::Unknown);
        assert!(seconds < 60 && outcome.notes.len() <= 2, "{:?}", outcome.notes);
        assert_eq!(found(outcome).instance_id, "i-0abc1234");
    }
}

#[test]
fn what_stops_in_the_middle_is_not_believed() {
    // From some request on, for ever: whatever was read before counts for nothing.
    for from in 1..20 {
        let cloud = Cloud::eucalyptus()
            .lies(move |_, number| (number >= from).then(|| Reply::ok("System shutting down")));
        let (outcome, _) = ec2(cloud, Platform::Unknown);
        assert_eq!(outcome.found, None, "{from}");
    }
}

#[test]
fn an_instance_that_changes_in_the_middle_is_read_again() {
    let cloud = Cloud::eucalyptus().lies(|asked, number| {
        (number < 12 && asked.path.ends_with("/instance-id")).then(|| Reply::ok("i-99999999"))
    });
    let found = found(ec2(cloud, Platform::Unknown).0);
    assert_eq!(
        (found.instance_id.as_str(), &found.metadata["instance-id"]),
        ("i-0abc1234", &json!("i-0abc1234"))
    );
}

#[test]
fn answers_that_are_no_ids_are_not_believed() {
    for body in [
        "",
        "i-0ABC1234",
        "i-0abc12345",
        "../../etc/passwd",
        "<html>i-0abc1234</html>",
        "i-0abc1234\r\nX: y",
        "i-0abc1234\0",
    ] {
        let cloud = Cloud::eucalyptus().with("meta-data/instance-id", body);
        let (outcome, seconds) = ec2(cloud, Platform::Unknown);
        assert_eq!(outcome.found, None, "{body:?}");
        assert!(seconds <= 15 && outcome.notes[0].contains("no instance-id"), "{:?}", outcome.notes);
        assert!(!outcome.notes[0].contains(['\r', '\n', '\0']), "{:?}", outcome.notes);
    }
    let (outcome, _) = ec2(Cloud::eucalyptus().lies(|_, _| Some(Reply::login_page())), Platform::Unknown);
    assert_eq!(outcome.found, None);
    // A line end behind it is none of it.
    let found =
        found(ec2(Cloud::eucalyptus().with("meta-data/instance-id", " i-0abc1234 "), Platform::Unknown).0);
    assert_eq!(found.instance_id, "i-0abc1234");
}

#[test]
fn wrong_tokens() {
    let wrong: &[fn() -> Reply] = &[
        || Reply::new(500, "oops"),
        || Reply::new(403, ""),
        || Reply::new(400, ""),
        || Reply::new(301, ""),
        || Reply::ok(""),
        || Reply::ok("a b"),
        || Reply::ok("token\r\nX-Evil: 1"),
        || Reply::ok("a\x07"),
        || Reply::ok("x".repeat(100_000)),
        || Reply::ok("x".repeat(1 << 20)),
        || Reply::login_page(),
        || Reply::starting(),
        || Reply::Hang,
        || Reply::Reset,
        || Reply::Raw(b"hello".to_vec()),
    ];
    for (index, reply) in wrong.iter().enumerate() {
        let fault = move |asked: &Asked, _: u64| is(asked, "PUT", "/token").then(reply);
        // Where there are no marks of AWS, the rest is asked without.
        let (outcome, seconds) = ec2(Cloud::eucalyptus().lies(fault), Platform::Unknown);
        assert!(seconds < 5, "{index}: {seconds}");
        assert_eq!(found(outcome).instance_id, "i-0abc1234", "{index}");
        // On AWS never.
        let fault = move |asked: &Asked, _: u64| is(asked, "PUT", "/token").then(reply);
        let (outcome, seconds) = ec2(Cloud::eucalyptus().lies(fault), Platform::Aws);
        assert_eq!(outcome.found, None, "{index}");
        assert!(seconds <= 120, "{index}: {seconds}");
        if matches!(reply(), Reply::Answer { status: 403 | 400, .. }) {
            assert_eq!(seconds, 0, "a refusal is final: {:?}", outcome.others);
        }
        assert_ne!(outcome.others[0].1, "nobody answers");
    }
}

#[test]
fn tokens_that_are_refused_now_and_then() {
    for (first, every) in [(1, 2), (0, 2), (2, 3), (5, 7)] {
        let cloud = Cloud::aws().lies(move |asked, number| {
            (asked.method == "GET" && number % every == first).then(|| Reply::new(401, ""))
        });
        let (outcome, seconds) = ec2(cloud, Platform::Aws);
        assert!(seconds < 5, "{seconds}");
        assert_eq!(found(outcome).user_data.unwrap(), b"#cloud-config\nruncmd: [a]\n");
    }
    // For ever.
    let cloud = Cloud::aws().lies(|asked, _| (asked.method == "GET").then(|| Reply::new(401, "")));
    assert_eq!(ec2(cloud, Platform::Aws).0.found, None);
}

#[test]
fn tokens_go_nowhere_else() {
    let cloud = Cloud::aws().lies(|asked, _| {
        is(asked, "GET", "/user-data").then(|| Reply::Answer {
            status: 302,
            headers: vec![("Location".to_owned(), "http://10.6.6.6/".to_owned())],
            body: Vec::new(),
        })
    });
    let clock = VirtualClock::new();
    let table = Table::new(&clock).with(IMDS, cloud).with("10.6.6.6", Cloud::aws());
    let settings = Settings::default();
    let outcome =
        search(&[guess(Source::Ec2)], &question(&settings), &means(&table, &clock), Duration::from_secs(60));
    let found = found(outcome);
    assert_eq!(found.user_data, None);
    assert!(found.notes.iter().any(|note| note.contains("status 302")), "{:?}", found.notes);
    assert!(table.cloud("10.6.6.6").unwrap().asked().is_empty());
}

#[test]
fn a_service_that_breaks_off_is_asked_again() {
    for reply in [|| Reply::Reset, || Reply::new(503, ""), || Reply::new(500, "")] {
        let cloud = Cloud::aws().lies(move |_, number| (number % 3 == 1).then(reply));
        let (outcome, seconds) = ec2(cloud, Platform::Aws);
        assert!(seconds < 15);
        let found = found(outcome);
        assert!(found.notes.is_empty() && found.user_data.is_some(), "{:?}", found.notes);
    }
}

#[test]
fn what_one_name_does_not_give_costs_that_name() {
    for reply in [|| Reply::new(404, ""), || Reply::new(500, ""), || Reply::Reset, || Reply::Hang] {
        let cloud = Cloud::aws().lies(move |asked, _| is(asked, "GET", "/security-groups").then(reply));
        let (outcome, seconds) = ec2(cloud, Platform::Aws);
        let found = found(outcome);
        assert!(found.metadata["security-groups"].is_null() && seconds < 60, "{seconds}");
        assert_eq!(found.known.public_keys.len(), 1);
        let told = found.notes.iter().any(|note| note.contains("security-groups"));
        assert_eq!(told, reply() != Reply::new(404, ""), "{:?}", found.notes);
    }
}

#[test]
fn user_data_that_cannot_be_had() {
    type Case = (fn() -> Reply, &'static str);
    let cases: &[Case] = &[
        (|| Reply::new(500, ""), "user-data: "),
        (|| Reply::Hang, "user-data: "),
        (|| Reply::new(403, ""), "status 403"),
        (|| Reply::ok(vec![b'x'; 10 << 20]), "at most 1024 KiB"),
        (|| Reply::Raw(b"nonsense".to_vec()), "cannot be read"),
    ];
    for (reply, words) in cases {
        let cloud = Cloud::aws().lies(move |asked, _| is(asked, "GET", "/user-data").then(reply));
        let found = found(ec2(cloud, Platform::Aws).0);
        assert_eq!(found.user_data, None);
        assert!(found.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", found.notes);
    }
    let large = vec![b'x'; 1 << 20];
    let cloud = Cloud::aws().with("user-data", &large);
    assert_eq!(found(ec2(cloud, Platform::Aws).0).user_data, Some(large));
}

#[test]
fn trees_without_end() {
    let names: String = (0..100_000).map(|number| format!("n{number}\n")).collect();
    let loops: [(&str, String); 4] = [
        ("meta-data/", "instance-id\nmeta-data/\npublic-keys/\n".to_owned()),
        ("meta-data/", names),
        ("meta-data/", "instance-id\npublic-keys/\n../\n..\n./\n../../etc/passwd\n".to_owned()),
        ("meta-data/block-device-mapping/", (0..3000).map(|number| format!("e{number}\n")).collect()),
    ];
    for (path, listing) in loops {
        let shown: String = listing.chars().take(40).collect();
        // Whatever is asked for lists itself again.
        let cloud = Cloud::aws().lies(move |asked, _| {
            let inner = asked.path.contains("/meta-data/") && asked.path.ends_with('/');
            let known = asked.path.contains("public-keys/") || asked.path.contains("placement/");
            let below = asked.path.contains(path.trim_end_matches('/'));
            (inner && below && !known).then(|| Reply::ok(&listing))
        });
        let clock = VirtualClock::new();
        let table = Table::new(&clock).with(IMDS, cloud);
        let settings = Settings::default();
        let outcome = search(
            &[guess(Source::Ec2)],
            &question(&settings),
            &means(&table, &clock),
            Duration::from_secs(60),
        );
        let found = found(outcome);
        assert_eq!(found.known.public_keys, ["ssh-ed25519 AAAA my key"]);
        assert_eq!(found.instance_id, "i-0123456789abcdef0");
        assert!(!found.notes.is_empty(), "{shown}");
        let asked = table.cloud(IMDS).unwrap().asked();
        assert!(asked.len() < 2300, "{}", asked.len());
        assert!(asked.iter().all(|asked| !asked.path.contains("..")));
    }
}

#[test]
fn nobody_there() {
    let (outcome, seconds) = ask(Vec::new(), &[guess(Source::Ec2)], Platform::Unknown);
    assert_eq!(outcome.found, None);
    assert!((9..=15).contains(&seconds), "{seconds}");
    let all = [guess(Source::OpenStack), guess(Source::Gce), guess(Source::Ec2), guess(Source::NoCloud)];
    let (outcome, seconds) = ask(Vec::new(), &all, Platform::Unknown);
    assert_eq!((outcome.found, outcome.others.len()), (None, 3));
    assert!((9..=15).contains(&seconds), "{seconds}");
    let hangs = || Cloud::eucalyptus().lies(|_, _| Some(Reply::Hang));
    let (outcome, seconds) = ask(vec![(IMDS, hangs())], &all, Platform::Unknown);
    assert_eq!(outcome.found, None);
    assert!((9..=15).contains(&seconds), "{seconds}");
    let (outcome, seconds) = ec2(hangs(), Platform::Aws);
    assert_eq!(outcome.found, None);
    assert!((100..=120).contains(&seconds), "{seconds}");
}

#[test]
fn openstack() {
    let (outcome, _) = ask(vec![(IMDS, Cloud::openstack())], &[marked(Source::OpenStack)], Platform::Unknown);
    let found = found(outcome);
    assert_eq!(found.instance_id, "83679162-1378-4288-a2d4-70e13ec132aa");
    assert_eq!(found.shown, "DataSourceOpenStackLocal [net,ver=2]");
    assert_eq!(found.known.local_hostname.as_deref(), Some("server.novalocal"));
    assert_eq!(found.known.public_keys, ["ssh-rsa AAAA mykey\n"]);
    assert_eq!(found.known.random_seed.as_deref(), Some(&b"hello"[..]));
    assert_eq!(found.known.block_devices["ephemeral0"], "/dev/vdb");
    assert_eq!(found.known.addresses, ["", "10.0.0.7", "", ""]);
    assert_eq!(found.known.availability_zone.as_deref(), Some("nova"));
    assert_eq!(found.user_data.as_deref(), Some(&b"#!/bin/sh\necho\n"[..]));
    assert_eq!(found.vendor_data.as_deref(), Some(&b"#cloud-config\na: 1\n"[..]));
    assert_eq!(found.vendor_data2, None);
    assert!(
        matches!(&found.network, Some(Network::OpenStack(network)) if network["links"][0]["id"] == "tap0")
    );
}

#[test]
fn openstack_that_lies() {
    let at = |path: &'static str, reply: fn() -> Reply| {
        let cloud = Cloud::openstack().lies(move |asked, _| asked.path.ends_with(path).then(reply));
        ask(vec![(IMDS, cloud)], &[guess(Source::OpenStack)], Platform::Unknown).0
    };
    for reply in [
        || Reply::starting(),
        || Reply::login_page(),
        || Reply::ok("[]"),
        || Reply::ok("{\"uuid\": \"../../x\"}"),
        || Reply::ok("{\"uuid\": [\"x\"]}"),
        || Reply::ok("{}"),
        || Reply::ok("[".repeat(100_000)),
        || Reply::ok("x".repeat(10 << 20)),
        || Reply::Hang,
        || Reply::Reset,
        || Reply::new(404, ""),
    ] {
        assert_eq!(at("/meta_data.json", reply).found, None);
    }
    // A list of versions that is none: `latest` it is.
    let cloud = Cloud::openstack().with("openstack/latest/meta_data.json", "{\"uuid\": \"u-1\"}");
    let cloud = cloud.lies(|asked, _| (asked.path == "/openstack").then(Reply::login_page));
    let (outcome, _) = ask(vec![(IMDS, cloud)], &[guess(Source::OpenStack)], Platform::Unknown);
    assert_eq!(found(outcome).instance_id, "u-1");
    for (path, reply) in [
        ("/user_data", (|| Reply::ok("x".repeat(10 << 20))) as fn() -> Reply),
        ("/user_data", || Reply::new(503, "")),
    ] {
        let found = found(at(path, reply));
        assert!(found.user_data.is_none() && !found.notes.is_empty());
    }
}

#[test]
fn gce() {
    for (host, other) in [(GOOGLE, None), (IMDS, Some(()))] {
        let (outcome, seconds) = ask(vec![(host, Cloud::gce())], &[guess(Source::Gce)], Platform::Unknown);
        assert_eq!(seconds, 0);
        let found = found(outcome);
        assert_eq!(found.instance_id, "1234567890123456789");
        assert_eq!(found.known.public_keys, ["ssh-rsa AAAA debian", "ssh-rsa DDDD project"]);
        assert_eq!(found.known.local_hostname.as_deref(), Some("server"));
        assert_eq!(found.known.availability_zone.as_deref(), Some("europe-west1-b"));
        assert_eq!(found.known.region.as_deref(), Some("europe-west1"));
        assert_eq!(found.known.addresses, ["34.1.2.3", "10.132.0.2", "", ""]);
        assert_eq!(found.user_data.as_deref(), Some(&b"#cloud-config\na: 1\n"[..]));
        assert_eq!(found.subplatform.contains("169.254"), other.is_some());
    }
    let blocked = Cloud::gce().with("v1/instance/attributes/block-project-ssh-keys", "TRUE");
    let found = found(ask(vec![(GOOGLE, blocked)], &[marked(Source::Gce)], Platform::Unknown).0);
    assert_eq!(found.known.public_keys, ["ssh-rsa AAAA debian"]);
}

#[test]
fn gce_that_lies() {
    let at = |path: &'static str, reply: fn() -> Reply, marked: bool| {
        let cloud = Cloud::gce().lies(move |asked, _| asked.path.contains(path).then(reply));
        ask(vec![(GOOGLE, cloud)], &[Candidate { source: Source::Gce, marked }], Platform::Unknown).0
    };
    for path in ["instance/id", "instance/zone", "instance/hostname"] {
        for reply in [|| Reply::starting(), || Reply::login_page(), || Reply::new(404, ""), || Reply::Hang] {
            assert_eq!(at(path, reply, false).found, None, "{path}");
        }
    }
    for reply in [
        || Reply::ok("[1]"),
        || Reply::ok("{\"ssh-keys\": 5, \"block-project-ssh-keys\": [], \"user-data\": {}}"),
        || Reply::ok("{\"user-data\": \"abcde\", \"user-data-encoding\": \"base64\"}"),
        || Reply::login_page(),
        || Reply::ok("[".repeat(100_000)),
        || Reply::ok("x".repeat(10 << 20)),
        || Reply::new(500, ""),
    ] {
        let found = found(at("instance/attributes", reply, true));
        assert!(found.user_data.is_none());
        assert!(!found.notes.is_empty());
    }
    // Another cloud's service at the usual address, and no marks.
    let (outcome, _) = ask(
        vec![(IMDS, Cloud::openstack().lies(|_, _| Some(Reply::ok("12345"))))],
        &[guess(Source::Gce)],
        Platform::Unknown,
    );
    assert_eq!(outcome.found, None);
    assert!(outcome.notes[0].contains("Metadata-Flavor"), "{:?}", outcome.notes);
}

#[test]
fn the_first_of_the_list_counts() {
    let list = [guess(Source::OpenStack), guess(Source::Gce), guess(Source::Ec2)];
    // All at one address, as OpenStack has it beside EC2's tree.
    let both = || Cloud::openstack().with("latest/meta-data/instance-id", "i-0000000a");
    let (outcome, seconds) = ask(vec![(IMDS, both())], &list, Platform::Unknown);
    assert_eq!(outcome.found.unwrap().source, Source::OpenStack);
    assert!(seconds <= 2, "{seconds}");
    // The later one waits a little for the earlier one that is slow.
    let slow = |until: u64| Cloud::gce().lies(move |_, number| (number < until).then(Reply::starting));
    let list = [guess(Source::Gce), guess(Source::Ec2)];
    let (outcome, seconds) = ask(vec![(GOOGLE, slow(3)), (IMDS, Cloud::aws())], &list, Platform::Unknown);
    assert_eq!((outcome.found.unwrap().source, seconds), (Source::Gce, 0));
    // Not for ever.
    let (outcome, seconds) = ask(vec![(GOOGLE, slow(500)), (IMDS, Cloud::aws())], &list, Platform::Unknown);
    assert_eq!(outcome.found.unwrap().source, Source::Ec2);
    assert!((2..=3).contains(&seconds), "{seconds}");
    assert!(outcome.others[0].1.contains("still starting"), "{:?}", outcome.others);
    // As long as it takes, where the marks say so.
    let list = [marked(Source::Gce), guess(Source::Ec2)];
    let (outcome, seconds) = ask(vec![(GOOGLE, slow(12)), (IMDS, Cloud::aws())], &list, Platform::Unknown);
    assert_eq!(outcome.found.unwrap().source, Source::Gce);
    assert!((5..60).contains(&seconds), "{seconds}");
}

#[test]
fn settings_count() {
    let clock = VirtualClock::new();
    let table = Table::new(&clock).with("10.0.0.1:8773", Cloud::eucalyptus());
    let mut settings = Settings::default();
    settings.ec2.metadata_urls = vec!["http://10.0.0.2/".to_owned(), "http://10.0.0.1:8773/".to_owned()];
    let means = means(&table, &clock);
    let outcome = search(&[guess(Source::Ec2)], &question(&settings), &means, Duration::from_secs(60));
    assert_eq!(found(outcome).subplatform, "metadata (http://10.0.0.1:8773)");
    settings.ec2.strict_id = true;
    let outcome = search(&[guess(Source::Ec2)], &question(&settings), &means, Duration::from_secs(60));
    assert!(outcome.found.is_none() && outcome.others[0].1.contains("strict_id"));
    settings.ec2.strict_id = false;
    settings.ec2.metadata_urls.clear();
    settings.ec2.waits.max_wait = Some(Duration::from_secs(40));
    let before = clock.now();
    let outcome = search(&[guess(Source::Ec2)], &question(&settings), &means, Duration::from_secs(600));
    assert_eq!(outcome.found, None);
    assert!((30..=40).contains(&(clock.now() - before).as_secs()));
}

#[test]
fn a_later_boot() {
    let clock = VirtualClock::new();
    let settings = Settings::default();
    let question = Question { platform: Platform::Aws, ..question(&settings) };
    let limit = Duration::from_secs(1000);
    let cases = [(IMDS, Source::Ec2), (IMDS, Source::OpenStack), (GOOGLE, Source::Gce)];
    for (host, source) in cases {
        let cloud = || match source {
            Source::Ec2 => Cloud::aws(),
            Source::OpenStack => Cloud::openstack(),
            _ => Cloud::gce(),
        };
        let table = Table::new(&clock).with(host, cloud());
        let was = found(search(&[marked(source)], &question, &means(&table, &clock), limit));
        assert_eq!(check_cached(&was, &question, &means(&table, &clock), limit), Cached::Same);
        let other = Found { instance_id: "i-0000000f".to_owned(), ..was.clone() };
        let checked = check_cached(&other, &question, &means(&table, &clock), limit);
        assert_eq!(checked, Cached::Other(Box::new(was.clone())));
        // An outage: nothing, or nonsense.
        for reply in [|| Reply::starting(), || Reply::Hang, || Reply::new(503, ""), || Reply::login_page()] {
            let table = Table::new(&clock).with(host, cloud().lies(move |_, _| Some(reply())));
            let soon = clock.now() + Duration::from_secs(10);
            let checked = check_cached(&was, &question, &means(&table, &clock), soon);
            assert!(matches!(&checked, Cached::Unknown(why) if !why.is_empty()), "{checked:?}");
            assert!(clock.now() <= soon);
        }
    }
    let table = Table::new(&clock).with(IMDS, Cloud::aws());
    let mut seed = found(search(&[marked(Source::Ec2)], &question, &means(&table, &clock), limit));
    seed.source = Source::NoCloud;
    assert!(matches!(check_cached(&seed, &question, &means(&table, &clock), limit), Cached::Unknown(_)));
}

#[test]
fn the_network_of_eucalyptus() {
    let found = found(ec2(Cloud::eucalyptus(), Platform::Unknown).0);
    let card = ec2_network::Card { name: "eth0", mac: "d0:0d:0a:bc:12:34", driver: Some("virtio_net") };
    let Some(Network::Yaml(text)) = ec2_network::network(&found.metadata, &[card], &Default::default())
    else {
        panic!("no network");
    };
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&text).unwrap(),
        json!({"version": 2, "ethernets": {"eth0": {
            "dhcp4": true, "dhcp6": false, "match": {"macaddress": "d0:0d:0a:bc:12:34"}, "set-name": "eth0"
        }}})
    );
    let other = ec2_network::Card { mac: "d0:0d:0a:bc:12:35", ..card };
    assert_eq!(ec2_network::network(&found.metadata, &[other], &Default::default()), None);
}
