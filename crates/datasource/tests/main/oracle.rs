//! Metadata services as the real DataSourceEc2, DataSourceOpenStack and DataSourceGCE read them
//! (`data/services.py` makes the cases), without a network and over TCP.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_datasource::Found;
use hardtack_datasource::ec2_network::{self, Card};
use hardtack_datasource::found::{Network, Source};
use hardtack_datasource::platform::Platform;
use hardtack_datasource::search::{Candidate, Means, Outcome, Question, search};
use hardtack_datasource::settings::Settings;
use hardtack_datasource::testing::{Cloud, Reply, Server, Table, VirtualClock};
use hardtack_http::{Client, Transport};
use hardtack_userdata::maybe_base64;
use serde_json::{Value as Json, json};

use crate::seeds::unmarked;

fn cloud(case: &Json) -> Cloud {
    let answers: BTreeMap<String, Vec<u8>> = case["answers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, body)| match body {
            Json::String(text) => (path.clone(), text.as_bytes().to_vec()),
            coded => (path.clone(), STANDARD.decode(coded[1].as_str().unwrap()).unwrap()),
        })
        .collect();
    let token = case["token"].as_bool().unwrap_or_default();
    Cloud::openstack().lies(move |asked, _| {
        let missing = || Reply::new(404, "");
        if token && asked.method == "PUT" && asked.path == "/latest/api/token" {
            return Some(Reply::ok("t0ken=="));
        }
        if token && asked.header("x-aws-ec2-metadata-token") != Some("t0ken==") {
            return Some(Reply::new(401, ""));
        }
        let answer = answers.get(&asked.path).filter(|_| asked.method == "GET");
        Some(answer.map_or_else(missing, Reply::ok))
    })
}

fn ask(case: &Json, host: &str, transport: &dyn Transport, clock: &VirtualClock) -> Outcome {
    let text = |key: &str| case[key].as_str();
    let source = match text("source").unwrap() {
        "Ec2" => Source::Ec2,
        "OpenStack" => Source::OpenStack,
        _ => Source::Gce,
    };
    let platforms =
        [Platform::Aws, Platform::Brightbox, Platform::Zstack, Platform::E24cloud, Platform::Outscale];
    let platform = platforms.into_iter().find(|platform| Some(platform.cloud_name()) == text("platform"));
    let mut settings = Settings::default();
    settings.ec2.metadata_urls = vec![host.to_owned()];
    settings.openstack.metadata_urls = vec![host.to_owned()];
    settings.gce.metadata_url = Some(format!("{host}/computeMetadata/v1/"));
    for waits in [&mut settings.ec2.waits, &mut settings.openstack.waits, &mut settings.gce.waits] {
        waits.max_wait = Some(Duration::from_secs(2));
    }
    let default_user = if case.get("default_user").is_some() { text("default_user") } else { Some("debian") };
    let question = Question {
        settings: &settings,
        platform: platform.unwrap_or(Platform::Unknown),
        interface: None,
        default_user,
        now: Some(1_700_000_000),
    };
    let means = Means { transport, clock, tell: &|_| {} };
    search(&[Candidate { source, marked: true }], &question, &means, clock_end())
}

fn clock_end() -> Duration {
    Duration::from_secs(100)
}

/// The same things of ours as the script wrote of cloud-init's.
fn told(found: &Found, host: &str) -> Json {
    let coded =
        |bytes: Option<Vec<u8>>| bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| STANDARD.encode(bytes));
    let user_data = found.user_data.clone();
    let user_data =
        user_data.map(|bytes| if found.maybe_base64 { maybe_base64::maybe_decode(&bytes) } else { bytes });
    let mut told = json!({
        "instance_id": found.instance_id,
        "metadata": unmarked(&found.metadata),
        "hostname": found.known.local_hostname,
        "public_keys": found.known.public_keys,
        "region": found.known.region,
        "availability_zone": found.known.availability_zone,
        "cloud_name": found.cloud_name,
        "platform": found.platform,
        "user_data": coded(user_data),
        "vendor_data": coded(found.vendor_data.clone()),
        "vendor_data2": coded(found.vendor_data2.clone()),
        // The script asks when the network is up, which is not when these are read first.
        "shown": found.shown.replace("Local", ""),
    });
    assert!(found.subplatform.starts_with(&format!("metadata ({host}")), "{}", found.subplatform);
    match found.source {
        Source::Ec2 => {
            told["version"] = found.extra["_metadata_api_version"].clone();
            told["dynamic"] = found.extra["dynamic"].clone();
        }
        Source::OpenStack => {
            told["network_json"] = found.extra["network_json"].clone();
            told["ec2_metadata"] = found.extra["ec2_metadata"].clone();
        }
        _ => {}
    }
    told
}

fn compare(case: &Json, outcome: Outcome, host: &str) -> Result<(), String> {
    let expected = &case["expected"];
    let ours = outcome.found.as_ref().map_or(Json::Null, |found| told(found, host));
    if ours == *expected {
        return Ok(());
    }
    Err(format!(
        "{}: {}\n  ours   {ours}\n  theirs {expected}\n  {:?}",
        case["source"], case["name"], outcome.others
    ))
}

fn cases(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn services_as_cloud_init_reads_them() {
    let cases = cases(include_str!("../data/services.jsonl"));
    assert!(cases.len() > 80);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let clock = VirtualClock::new();
            let table = Table::new(&clock).with("10.0.0.1", cloud(case));
            let outcome = ask(case, "http://10.0.0.1", &table, &clock);
            compare(case, outcome, "http://10.0.0.1").err()
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_same_over_tcp() {
    let wrong: Vec<String> = cases(include_str!("../data/services.jsonl"))
        .iter()
        .filter_map(|case| {
            let server = Server::start(cloud(case)).unwrap();
            let clock = VirtualClock::new();
            let outcome = ask(case, &server.url(), &Client::default(), &clock);
            compare(case, outcome, &server.url()).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn networks_as_cloud_init_converts_them() {
    let cases = cases(include_str!("../data/ec2_network.jsonl"));
    assert!(cases.len() > 100);
    let mut wrong = Vec::new();
    for case in &cases {
        let cards: Vec<Card<'_>> = case["cards"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(mac, name)| Card { name: name.as_str().unwrap(), mac, driver: None })
            .collect();
        let gateway = |_: &str| case["gateway"].as_str().map(str::to_owned);
        let options = ec2_network::Options {
            netplan: case["netplan"].as_bool().unwrap(),
            gateway: Some(&gateway),
            ..Default::default()
        };
        let ours = match ec2_network::network(&case["metadata"], &cards, &options) {
            Some(Network::Yaml(text)) => serde_json::from_str(&text).unwrap(),
            // Nothing where cloud-init has a configuration without cards.
            _ => json!({"version": 2, "ethernets": {}}),
        };
        if ours != case["expected"] {
            wrong.push(format!("{case}\n  ours {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
