//! Trying, against a world in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::Error;

#[derive(Default)]
struct Fake {
    /// Buckets with the status of their listing, and of each object.
    buckets: BTreeMap<String, (u16, Vec<(String, u16)>)>,
    /// The region that they are really in.
    region: Option<String>,
    /// Listing them is denied to the account.
    denied: bool,
    /// Status 0: no answer.
    asked: Mutex<Vec<String>>,
}

fn refused(status: u16) -> Error {
    Error::Service {
        service: "S3",
        call: "ListObjects".to_owned(),
        status,
        code: "AccessDenied".to_owned(),
        message: "no".to_owned(),
        request_id: String::new(),
        lost: false,
    }
}

impl World for Fake {
    fn buckets(&self) -> Result<Vec<(String, Option<String>)>, Error> {
        Ok(self.buckets.keys().rev().map(|name| (name.clone(), None)).collect())
    }

    fn region(&self, _: &str) -> Result<Option<String>, Error> {
        Err(refused(403))
    }

    fn page(&self, bucket: &Bucket, marker: Option<&str>, signed: bool) -> Result<Page, Error> {
        if signed && self.denied {
            return Err(refused(403));
        }
        let all = &self.buckets[&bucket.name].1;
        let from = marker.map_or(0, |marker| marker.parse::<usize>().unwrap());
        let objects: Vec<(String, u64)> =
            all.iter().skip(from).take(3).map(|(key, _)| (key.clone(), 7)).collect();
        let next = from + objects.len();
        Ok(Page { objects, next: (next < all.len()).then(|| next.to_string()) })
    }

    fn listing(&self, bucket: &str, region: Option<&str>) -> Result<Answer, Error> {
        if self.region.is_some() && region != self.region.as_deref() {
            return Ok(Answer { status: 301, region: self.region.clone() });
        }
        Ok(Answer { status: self.buckets[bucket].0, region: None })
    }

    fn object(&self, bucket: &str, region: Option<&str>, key: &str) -> Result<Answer, Error> {
        self.asked.lock().unwrap().push(key.to_owned());
        if self.region.is_some() && region != self.region.as_deref() {
            return Ok(Answer { status: 301, region: self.region.clone() });
        }
        match self.buckets[bucket].1.iter().find(|(have, _)| have == key).unwrap().1 {
            0 => Err(refused(503)),
            1 => Err(Error::Usage("no key".to_owned())),
            status => Ok(Answer { status, region: None }),
        }
    }
}

fn bucket(listing: u16, statuses: &[u16]) -> (u16, Vec<(String, u16)>) {
    (
        listing,
        statuses.iter().enumerate().map(|(index, status)| (format!("key {index:05}"), *status)).collect(),
    )
}

fn run(fake: &Fake, most: u64) -> (Vec<Bucket>, Vec<crate::Problem>) {
    let mut problems = Vec::new();
    let found = gather(fake, most, &|_| {}, &mut problems).unwrap();
    (found, problems)
}

#[test]
fn public_objects_are_named_and_others_counted() {
    let mut fake = Fake::default();
    fake.buckets.insert("b".to_owned(), bucket(403, &[403, 200, 404, 206, 403, 400, 403]));
    fake.buckets.insert("a".to_owned(), bucket(200, &[]));
    let (found, problems) = run(&fake, 100);
    assert_eq!(problems, []);
    assert_eq!(found[0].name, "a");
    assert!(found[0].public_listing && found[0].tried == 0 && !found[0].cut);
    let b = &found[1];
    assert!(!b.public_listing && b.tried == 7 && !b.cut, "{b:?}");
    assert_eq!(b.statuses, BTreeMap::from([(200, 1), (206, 1), (400, 1), (403, 3), (404, 1)]));
    let keys = |objects: &[Object]| objects.iter().map(|object| object.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&b.public_objects), ["key 00001", "key 00003"]);
    assert_eq!(keys(&b.odd_objects), ["key 00005"]);
}

#[test]
fn no_more_is_tried_than_was_asked_for_and_that_is_told() {
    let mut fake = Fake::default();
    fake.buckets.insert("b".to_owned(), bucket(403, &[403; 8]));
    for (most, tried, cut) in
        [(0, 0, false), (2, 2, true), (3, 3, true), (7, 7, true), (8, 8, false), (9, 8, false)]
    {
        fake.asked.lock().unwrap().clear();
        let (found, _) = run(&fake, most);
        assert_eq!((found[0].tried, found[0].cut), (tried, cut), "{most}");
        assert_eq!(fake.asked.lock().unwrap().len() as u64, tried);
    }
}

#[test]
fn the_right_region_is_asked_once_more() {
    let mut fake = Fake { region: Some("eu-west-3".to_owned()), ..Fake::default() };
    fake.buckets.insert("b".to_owned(), bucket(403, &[200]));
    let (found, problems) = run(&fake, 9);
    assert_eq!(problems, []);
    assert_eq!(found[0].region.as_deref(), Some("eu-west-3"));
    assert_eq!((found[0].listing, found[0].public_objects.len()), (Some(403), 1));
}

#[test]
fn what_is_denied_to_us_may_be_told_to_everybody() {
    let mut fake = Fake { denied: true, ..Fake::default() };
    fake.buckets.insert("open".to_owned(), bucket(200, &[200, 403]));
    fake.buckets.insert("shut".to_owned(), bucket(403, &[200]));
    let (found, problems) = run(&fake, 9);
    assert!(found[0].public_listing && found[0].public_objects.len() == 1, "{found:?}");
    assert_eq!((found[1].listing, found[1].tried), (Some(403), 0));
    let of: Vec<&str> = problems.iter().filter_map(|problem| problem.of.as_deref()).collect();
    assert_eq!(of, ["open", "shut"]);
}

#[test]
fn keys_that_cannot_be_asked_for_are_told() {
    let mut fake = Fake::default();
    fake.buckets.insert("b".to_owned(), bucket(403, &[1, 403, 0]));
    let (found, problems) = run(&fake, 9);
    assert_eq!((found[0].tried, found[0].unaskable, found[0].unanswered), (3, 1, 1));
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_server_that_does_not_answer_is_not_asked_for_ever() {
    let mut fake = Fake::default();
    let (listing, mut objects) = bucket(403, &[0; 3]);
    for index in 0..30 {
        objects.push((format!("more {index}"), 403));
    }
    fake.buckets.insert("b".to_owned(), (listing, objects));
    let (found, problems) = run(&fake, 100);
    assert_eq!((found[0].tried, found[0].unanswered, found[0].cut), (3, 3, true));
    assert!(problems[0].what.contains("not tried"), "{problems:?}");
}
