//! The cache in a bucket of s3s-fs, shared by machines that share nothing else.

use std::process::Command;

use hardtack_fake_cloud::{BucketOwnership, Cloud};
use serde_json::Value;

use crate::scene::{Ran, Scene, cache};

const BUCKET: &str = "hardtack-ci";
const BUILD: &str = "build r.yaml --source sample.qcow2 --cache s3://hardtack-ci/cache --json --output";

/// A command of `scene` that knows the cloud.
fn command(scene: &Scene, cloud: &Cloud, arguments: &str) -> Command {
    let mut command = scene.command(arguments);
    command.envs(cloud.environment());
    command
}

fn json(scene: &Scene, cloud: &Cloud, arguments: &str) -> Value {
    let ran = Ran::of(&mut command(scene, cloud, arguments));
    assert_eq!(ran.code, Some(0), "{arguments}: {}{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn cloud(ownership: BucketOwnership) -> Cloud {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, ownership);
    cloud
}

#[test]
fn two_machines_share_a_bucket() {
    let cloud = cloud(BucketOwnership::Enforced);
    let (one, other) = (Scene::new(), Scene::new());
    let built = json(&one, &cloud, &format!("{BUILD} a.qcow2"));
    assert_eq!(cache(&built), "built", "{built}");
    let hit = json(&other, &cloud, &format!("{BUILD} a.qcow2"));
    assert_eq!(cache(&hit), "hit", "{hit}");
    assert_eq!(hit["cache"]["key"], built["cache"]["key"]);
    assert!(one.bytes("a.qcow2") == other.bytes("a.qcow2"));
    assert!(one.bytes("a.qcow2.provenance.json") == other.bytes("a.qcow2.provenance.json"));

    // A raw disk has pieces of zeros, which are not stored.
    let raw = json(&one, &cloud, &format!("{BUILD} a.raw"));
    assert_eq!(cache(&raw), "built");
    assert_eq!(cache(&json(&other, &cloud, &format!("{BUILD} a.raw"))), "hit");
    assert!(one.bytes("a.raw") == other.bytes("a.raw"));

    let added = json(&one, &cloud, "cache add sample.qcow2 --cache s3://hardtack-ci/cache --json");
    let source = added["sources"][0]["source"].as_str().unwrap().to_owned();
    std::fs::remove_file(other.path("sample.qcow2")).unwrap();
    let by_digest = BUILD.replace("sample.qcow2", &source);
    let hit = json(&other, &cloud, &format!("{by_digest} b.qcow2"));
    assert_eq!(cache(&hit), "hit", "who has the digest needs no source for what is built already");
    let built = json(&other, &cloud, &format!("{by_digest} c.qcow2 --set motd=other"));
    assert_eq!(cache(&built), "built");
    let plain =
        json(&one, &cloud, "build r.yaml --source sample.qcow2 --output c.qcow2 --set motd=other --json");
    assert_eq!(cache(&plain), "off");
    assert!(one.bytes("c.qcow2") == other.bytes("c.qcow2"));

    for verb in ["list", "verify", "prune --max-size 0"] {
        let arguments = format!("cache {verb} --cache s3://hardtack-ci/another");
        let ran = Ran::of(&mut command(&one, &cloud, &arguments));
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains("s3://hardtack-ci/another: there is no cache"), "{}", ran.err);
    }
    assert!(cloud.keys("hardtack-ci").iter().all(|key| key.starts_with("cache/")));
    let plain = Ran::of(&mut command(&one, &cloud, "cache list --cache s3://hardtack-ci/cache"));
    assert!(plain.out.contains("r.yaml of sample.qcow2 ("), "{}", plain.out);

    let listed = json(&one, &cloud, "cache list --cache s3://hardtack-ci/cache --json");
    assert_eq!(listed["entries"].as_array().unwrap().len(), 4, "{listed}");
    let verified = Ran::of(&mut command(&one, &cloud, "cache verify --cache s3://hardtack-ci/cache"));
    assert_eq!(verified.code, Some(0), "{}", verified.out);
    let pruned = json(&one, &cloud, "cache prune --cache s3://hardtack-ci/cache --max-size 0 --json");
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 4);
    assert_eq!(pruned["left"], 0);
    assert_eq!(cache(&json(&one, &cloud, &format!("{BUILD} d.qcow2"))), "built");
}

#[test]
fn a_bucket_that_is_away_or_has_damaged_pieces_fails_no_build() {
    let cloud = cloud(BucketOwnership::Writer);
    let scene = Scene::new();
    json(&scene, &cloud, &format!("{BUILD} a.qcow2"));
    let good = scene.bytes("a.qcow2");
    let all = cloud.keys(BUCKET);
    for key in &all {
        assert_eq!(cloud.acl(BUCKET, key).as_deref(), Some("private"), "{key}");
    }
    let pieces: Vec<&String> = all.iter().filter(|key| key.contains("/builds/")).collect();
    assert!(pieces.len() >= 4, "{all:?}");
    for piece in pieces {
        let mut bytes = cloud.object(BUCKET, piece).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        cloud.spoil(BUCKET, piece, &bytes);
        let ran = Ran::of(&mut command(&scene, &cloud, &format!("{BUILD} a.qcow2 --force")));
        let made: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(cache(&made), "damaged-rebuilt", "{piece}: {made}");
        assert_eq!(ran.err.matches("is damaged").count(), 1, "{}", ran.err);
        assert!(good == scene.bytes("a.qcow2"));
        assert_eq!(cache(&json(&scene, &cloud, &format!("{BUILD} a.qcow2 --force"))), "hit", "{piece}");
    }
    let mut away = command(&scene, &cloud, &format!("{BUILD} a.qcow2 --force"));
    drop(cloud);
    let ran = Ran::of(away.env("HARDTACK_TEST_HASTE", "1"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("note: built without the cache: S3 does not answer"), "{}", ran.err);
    assert!(good == scene.bytes("a.qcow2"));
}

#[test]
fn a_bucket_that_everybody_can_read_gets_nothing() {
    let cloud = cloud(BucketOwnership::Writer);
    cloud.make_public_by_policy(BUCKET, true, true);
    let scene = Scene::new();
    let ran = Ran::of(&mut command(&scene, &cloud, &format!("{BUILD} a.qcow2")));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("everybody can read it"), "{}", ran.err);
    let image = cloud.keys(BUCKET).into_iter().find(|key| key.contains("/builds/"));
    assert_eq!(image, None);
}
