//! The cache in a bucket of s3s-fs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hardtack_cache::{Bucket, Content, Digest, Inputs, New, Store};
use hardtack_cloud::credentials::Provider;
use hardtack_cloud::s3::{PutOptions, put_object};
use hardtack_cloud::{Client, Environment, Kind, Patience, Place, PlaceOptions};
use hardtack_fake_cloud::{BucketOwnership, Cloud};

use crate::{get, name, put, random};

const BUCKET: &str = "hardtack-ci";

fn client(cloud: &Cloud) -> Client {
    let environment = Arc::new(Environment {
        variables: cloud.environment(),
        home: None,
        now: SystemTime::now,
        sleep: |_| {},
        random,
        trace: None,
    });
    let options = PlaceOptions::default();
    let place = Place::find(Kind::Aws, &options, &environment).unwrap();
    let provider = Provider::find(Kind::Aws, &options, environment.clone(), false);
    let patience = Patience { tries: 2, pause: Duration::ZERO, ..Patience::default() };
    Client::new(place, provider, environment, patience)
}

fn open(cloud: &Cloud, prefix: &str) -> Store {
    Store::Bucket(Bucket::open(client(cloud), BUCKET, prefix, random).unwrap())
}

#[test]
fn two_who_share_a_prefix_share_all_and_others_nothing() {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Writer);
    let (one, two, other) = (open(&cloud, "a/b"), open(&cloud, "/a/b/"), open(&cloud, ""));
    let inputs = Inputs::default();
    assert_eq!(one.key(&inputs), two.key(&inputs));
    assert_ne!(one.key(&inputs), other.key(&inputs));
    // Two pieces and a bit, the middle one of zeros.
    let mut image = vec![0; (16 << 20) + 5];
    image[7] = 1;
    *image.last_mut().unwrap() = 2;
    put(&one, name("a"), &image);
    assert!(get(&two, name("a")).unwrap().unwrap() == image);
    assert!(get(&other, name("a")).unwrap().is_none());
    let stored: usize = cloud.keys(BUCKET).iter().map(|key| cloud.object(BUCKET, key).unwrap().len()).sum();
    assert!(stored < 9 << 20, "zeros are not stored: {stored}");
    assert_eq!(other.list().unwrap().len(), 0);
    assert_eq!(two.list().unwrap().len(), 1);
    two.remove(name("a")).unwrap();
    two.remove(name("a")).unwrap();
    assert!(get(&one, name("a")).unwrap().is_none());
    assert!(cloud.keys(BUCKET).iter().all(|key| key.ends_with("secret")), "{:?}", cloud.keys(BUCKET));
}

#[test]
fn the_secret_that_is_there_first_stays() {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Writer);
    let first = open(&cloud, "x");
    let late = Bucket::open(client(&cloud), BUCKET, "x", |bytes| bytes.fill(7)).unwrap();
    let inputs = Inputs::default();
    assert_eq!(first.key(&inputs), Store::Bucket(late).key(&inputs));
    let secret = cloud.object(BUCKET, "x/secret").unwrap();
    let options = PutOptions { only_new: true, ..PutOptions::default() };
    let error = put_object(&client(&cloud), BUCKET, "x/secret", b"another", &options).unwrap_err();
    assert!(error.is("PreconditionFailed"), "{error}");
    assert!(cloud.object(BUCKET, "x/secret").unwrap() == secret);
}

#[test]
fn who_only_looks_makes_nothing() {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Writer);
    let existing = |prefix| Bucket::open_existing(client(&cloud), BUCKET, prefix);
    let error = existing("a").unwrap_err().to_string();
    assert_eq!(error, format!("s3://{BUCKET}/a: there is no cache"));
    assert!(cloud.keys(BUCKET).is_empty());
    put(&open(&cloud, "a"), name("a"), b"image");
    assert!(get(&Store::Bucket(existing("a").unwrap()), name("a")).unwrap().unwrap() == b"image");
}

#[test]
fn what_is_damaged_missing_or_of_another_entry_is_noticed() {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Enforced);
    let store = open(&cloud, "c");
    put(&store, name("a"), &[7; 100_000]);
    put(&store, name("b"), &[8; 100_000]);
    let entry = format!("c/builds/{}/", name("a").digest);
    for key in cloud.keys(BUCKET).into_iter().filter(|key| key.starts_with(&entry)) {
        let whole = cloud.object(BUCKET, &key).unwrap();
        let mut turned = whole.clone();
        *turned.last_mut().unwrap() ^= 1;
        for other in [&turned[..], &whole[..whole.len() / 2], &[][..], &[0; 9 << 20][..]] {
            cloud.spoil(BUCKET, &key, other);
            let error = get(&store, name("a")).unwrap_err();
            assert!(error.is_damage(), "{key} {}: {error}", other.len());
            cloud.spoil(BUCKET, &key, &whole);
        }
    }
    let manifest = cloud.object(BUCKET, &format!("c/builds/{}/manifest", name("b").digest)).unwrap();
    cloud.spoil(BUCKET, &format!("{entry}manifest"), &manifest);
    assert!(get(&store, name("a")).unwrap_err().to_string().contains("another"));
    let parts = vec![("image", Content::Bytes(b"x"))];
    store.put(&New { name: name("a"), stored: 5, about: BTreeMap::new(), parts }).unwrap();
    let entry = store.find(name("a")).unwrap().unwrap();
    assert_eq!((entry.stored, entry.size()), (5, 1));
    assert_eq!(entry.part("image").unwrap().digest, Digest::of(b"x"));
    store.verify(&entry).unwrap();
}

#[test]
fn everybody_may_read_none_of_it() {
    let cloud = Cloud::start();
    cloud.make_bucket(BUCKET, BucketOwnership::Writer);
    let store = open(&cloud, "");
    cloud.make_public_by_policy(BUCKET, true, false);
    let parts = vec![("image", Content::Bytes(b"x"))];
    let error = store.put(&New { name: name("a"), stored: 5, about: BTreeMap::new(), parts }).unwrap_err();
    assert!(error.to_string().contains("everybody can read"), "{error}");
    assert_eq!(cloud.keys(BUCKET), ["secret"]);
}
