//! `hardtack audit` against strict copies of AWS and of Eucalyptus.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

// Not all of it is used here.
#[allow(dead_code)]
#[path = "../install/workshop.rs"]
mod workshop;

use std::process::Command;

use hardtack_cloud::credentials::Provider;
use hardtack_cloud::ec2::{
    CreateSecurityGroup, Rule, RuleGroup, authorize_ingress, create_security_group, describe_security_groups,
};
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};
use hardtack_fake_cloud::{BucketOwnership, Cloud, Fault, FaultKind, Service};
use serde_json::{Value, json};

use crate::workshop::{Folder, Ran};

const OTHER: &str = "210987654321";

/// A client of one of the accounts.
fn client(cloud: &Cloud, kind: Kind, account: usize) -> Client {
    let mut variables = cloud.environment();
    let account = &cloud.options().accounts[account];
    variables.insert("AWS_ACCESS_KEY_ID".to_owned(), account.key.clone());
    variables.insert("AWS_SECRET_ACCESS_KEY".to_owned(), account.secret.clone());
    let environment = std::sync::Arc::new(Environment {
        variables,
        home: None,
        now: std::time::SystemTime::now,
        sleep: |_| {},
        random: |bytes| bytes.fill(7),
        trace: None,
    });
    let options = PlaceOptions::default();
    let place = Place::find(kind, &options, &environment).unwrap();
    let provider = Provider::find(kind, &options, environment.clone(), false);
    Client::new(place, provider, environment, Patience::default())
}

fn group(client: &Client, name: &str, rules: &[Rule]) -> String {
    let request = CreateSecurityGroup {
        name: name.to_owned(),
        description: format!("of {name}"),
        ..CreateSecurityGroup::default()
    };
    let id = create_security_group(client, &request).unwrap();
    authorize_ingress(client, &id, rules).unwrap();
    id
}

fn tcp(port: i32, networks: &[&str], groups: Vec<RuleGroup>) -> Rule {
    Rule {
        protocol: "tcp".to_owned(),
        from_port: Some(port),
        to_port: Some(port),
        networks: networks.iter().map(|network| (*network).to_owned()).collect(),
        groups,
        ..Rule::default()
    }
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()
}

fn audit(folder: &Folder, cloud: &Cloud, code: i32, line: &str) -> Ran {
    let ran = Ran::of(&folder.command_at(cloud, line).env("HARDTACK_TEST_HASTE", "1").output().unwrap());
    assert_eq!(ran.code, Some(code), "{line}: {}{}", ran.out, ran.err);
    ran
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn groups_of_both_clouds_with_sources_that_are_groups_of_others() {
    for (euca, on) in [(false, "--on aws"), (true, "--on euca")] {
        let (folder, cloud) = (Folder::new(), workshop::cloud(euca));
        let kind = if euca { Kind::Euca } else { Kind::Aws };
        let (own, other) = (client(&cloud, kind, 0), client(&cloud, kind, 1));
        let theirs = group(&other, "theirs", &[]);
        let of = |account: Option<&str>, id: &str, name: &str| RuleGroup {
            account: account.map(str::to_owned),
            // Clouds without VPCs know groups of others by name.
            id: (!euca).then(|| id.to_owned()),
            name: euca.then(|| name.to_owned()),
            ..RuleGroup::default()
        };
        let app = group(&own, "app", &[]);
        let account = cloud.options().accounts[0].number.clone();
        let rules = [
            tcp(22, &["0.0.0.0/1", "128.0.0.0/1"], Vec::new()),
            tcp(
                443,
                &["10.0.0.0/8"],
                vec![of(Some(OTHER), &theirs, "theirs"), of(Some(&account), &app, "app")],
            ),
        ];
        group(&own, "web & {1}", &rules);
        let found = report(&audit(&folder, &cloud, 1, &format!("audit groups {on} --json --fail-on public")));
        let web = named(&found["groups"], "web & {1}");
        assert_eq!(web["open_to_world"], json!(["tcp/22"]), "{web}");
        let sources: Vec<&Value> =
            web["ingress"].as_array().unwrap().iter().map(|rule| &rule["source"]).collect();
        let foreign = sources.iter().find(|source| !source["other_account"].is_null()).unwrap();
        assert_eq!(foreign["other_account"], "…4321", "{web}");
        assert_eq!(foreign["exists"], Value::Null);
        assert!(sources.iter().any(|source| source["name"] == "app" && source["exists"] == true), "{web}");
        assert_eq!(named(&found["groups"], "app")["unused"], false, "a rule names it");
        assert!(!found.to_string().contains(OTHER), "{found}");
        // Pictures are what Graphviz and an XML parser take.
        let dot = audit(&folder, &cloud, 0, &format!("audit groups {on} --format dot")).out;
        let svg = audit(&folder, &cloud, 0, &format!("audit groups {on} --format svg")).out;
        folder.write("a.dot", &dot);
        folder.write("a.svg", &svg);
        if has("dot", "-V") {
            folder.sh("dot -Tsvg a.dot > dot.svg");
            let drawn = std::fs::read_to_string(folder.path("dot.svg")).unwrap();
            assert!(drawn.contains("web &amp; {1} (sg&#45;") && drawn.contains("tcp/22"), "{drawn}");
        }
        if has("python3", "--version") {
            folder.sh("python3 -c \"import xml.etree.ElementTree as e; r = e.parse('a.svg').getroot(); t = ''.join(r.itertext()); \
                       assert r.tag.endswith('svg') and 'web \x26 {1}' in t and 'tcp/22' in t, t\"");
        }
        let again = audit(&folder, &cloud, 0, &format!("audit groups {on} --format svg")).out;
        assert_eq!(svg, again, "the same groups, other bytes");
        let table = audit(&folder, &cloud, 0, &format!("audit groups {on}")).out;
        let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("OPEN TO THE WORLD: tcp/22") && words.contains("…4321"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(describe_security_groups(&own, &[], &[]).unwrap().len() >= 3);
    }
}

fn has(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "{program} is missing");
    if !found {
        eprintln!("SKIPPED: {program} is missing");
    }
    found
}

#[test]
fn buckets_are_tried_wherever_they_are_and_large_ones_are_cut() {
    for (euca, on) in [(false, "--on aws"), (true, "--on euca")] {
        let (folder, cloud) = (Folder::new(), workshop::cloud(euca));
        cloud.make_bucket("private-b", BucketOwnership::Writer);
        (0..12).for_each(|at| cloud.make_object("private-b", &format!("a b/ü+%&{at}?#"), b"x"));
        let region = if euca { "eucalyptus" } else { "eu-west-1" };
        cloud.make_bucket_of("far-b", BucketOwnership::Writer, 0, region, false);
        cloud.make_object("far-b", "index ü+&.html", b"xyz");
        cloud.make_object("far-b", "secret", b"xyz");
        cloud.make_public("far-b", Some("index ü+&.html"));
        cloud.make_bucket("large-b", BucketOwnership::Writer);
        (0..30).for_each(|at| cloud.make_object("large-b", &format!("{at:03}"), b"x"));
        let line = format!("audit buckets {on} --json --fail-on public --objects 20");
        let found = report(&audit(&folder, &cloud, 1, &line));
        let bucket = |name| named(&found["buckets"], name);
        assert_eq!(bucket("private-b")["statuses"], json!({"403": 12}), "{found}");
        assert_eq!(bucket("far-b")["region"], region);
        assert_eq!(
            bucket("far-b")["public_objects"],
            json!([{"key": "index ü+&.html", "size": 3, "status": 200}]),
            "{found}"
        );
        assert_eq!(bucket("far-b")["statuses"], json!({"200": 1, "403": 1}));
        assert_eq!((&bucket("large-b")["tried"], &bucket("large-b")["cut"]), (&json!(20), &json!(true)));
        assert_eq!(
            (&bucket("far-b")["public_listing"], &bucket("far-b")["cut"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(found["public"].as_array().unwrap().len(), 1, "{found}");
        let table = audit(&folder, &cloud, 0, &format!("audit buckets {on} --objects 20")).out;
        assert!(table.contains("index ü+&.html") && table.contains("20"), "{table}");
        cloud.make_public("far-b", None);
        let found = report(&audit(&folder, &cloud, 0, &format!("audit buckets {on} --json")));
        assert_eq!(named(&found["buckets"], "far-b")["public_listing"], true);
        assert_eq!(named(&found["buckets"], "large-b")["tried"], 30);
    }
}

#[test]
fn what_may_not_be_asked_is_told_and_the_rest_goes_on() {
    let (folder, cloud) = (Folder::new(), workshop::cloud(false));
    cloud.make_bucket("public-b", BucketOwnership::Writer);
    cloud.make_object("public-b", "a", b"x");
    cloud.make_public("public-b", Some("a"));
    let denied = |service, action| Fault::new(service, action, FaultKind::Status(403)).always();
    cloud.inject(denied(Service::Ec2, "DescribeSecurityGroups"));
    cloud.inject(denied(Service::Ec2, "DescribeSnapshots"));
    let ran = audit(&folder, &cloud, 5, "audit --on aws --json");
    let found = report(&ran);
    assert_eq!(found["groups"], Value::Null);
    assert_eq!(found["buckets"].as_array().unwrap().len(), 1);
    let problems = found["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["part"] == "groups"), "{found}");
    assert!(problems.iter().any(|problem| problem["part"] == "images"), "{found}");
    // What is public is said all the same.
    audit(&folder, &cloud, 1, "audit --on aws --fail-on public");
    let table = audit(&folder, &cloud, 5, "audit --on aws").out;
    assert!(table.contains("NOT KNOWN") && table.contains("public-b"), "{table}");
    cloud.heal();
    cloud.inject(denied(Service::Ec2, "DescribeReservations"));
    cloud.inject(denied(Service::Ec2, "DescribeInstances"));
    let found = report(&audit(&folder, &cloud, 5, "audit groups --on aws --json"));
    assert!(found["groups"].as_array().unwrap().iter().all(|group| group["unused"] != true), "{found}");
    cloud.heal();
    // Throttling is endured.
    cloud.inject(Fault::new(Service::Ec2, "DescribeSecurityGroups", FaultKind::Status(503)).times(3));
    cloud.inject(Fault::new(Service::S3, "HeadObject", FaultKind::Status(503)).times(2));
    let found = report(&audit(&folder, &cloud, 1, "audit --on aws --json --fail-on public"));
    assert_eq!(found["problems"], json!([]), "{found}");
}
