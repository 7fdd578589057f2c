//! EC2's tree of metadata.

use std::convert::Infallible;

use hardtack_modules::ec2_metadata::{Error, Metadata, crawl, crawl_present};
use serde_json::{Value as Json, json};

use crate::cases::{all, golden, own, same};

fn check(case: &Json) -> Result<(), String> {
    let tree = case["tree"].as_object().unwrap();
    let mut get = |path: &str| -> Result<Vec<u8>, String> {
        let text = tree.get(path).and_then(Json::as_str);
        text.map(|text| text.as_bytes().to_vec()).ok_or_else(|| format!("404 {path}"))
    };
    let ours = crawl(&mut get).map_err(|error| format!("{error}"));
    match (ours, case.get("materialized")) {
        (Ok(metadata), Some(expected)) => {
            same(&metadata.to_json(), expected)?;
            same(&json!(metadata.public_keys()), &case["public_keys"])
        }
        (Err(_), None) => Ok(()),
        (ours, _) => Err(format!("{ours:?}")),
    }
}

#[test]
fn golden_trees() {
    all(&golden("ec2_metadata_tree"), check);
}

#[test]
fn more_trees() {
    all(&own("ec2_metadata_more"), check);
}

#[test]
fn a_service_that_lists_itself_for_ever_is_left() {
    let mut get = |_: &str| -> Result<Vec<u8>, Infallible> { Ok(b"a/\nb/\n".to_vec()) };
    assert!(matches!(crawl(&mut get), Err(Error::Endless)));
    let mut wide = |path: &str| -> Result<Vec<u8>, Infallible> {
        Ok(if path.is_empty() {
            (0..10_000).map(|n| format!("{n}\n")).collect::<String>().into()
        } else {
            Vec::new()
        })
    };
    assert!(matches!(crawl(&mut wide), Err(Error::Endless)));
}

#[test]
fn what_is_listed_and_not_there_can_be_left_out() {
    let mut get = |path: &str| -> Result<Option<Vec<u8>>, Infallible> {
        Ok(match path {
            "" => Some(b"a\ngone\nb/\nlost/\n".to_vec()),
            "a" => Some(b"1".to_vec()),
            "b/" => Some(b"c\ngone".to_vec()),
            "b/c" => Some(b"2".to_vec()),
            _ => None,
        })
    };
    assert_eq!(crawl_present(&mut get).unwrap().to_json(), json!({"a": "1", "b": {"c": "2"}}));
}

#[test]
fn modules_learn_from_it() {
    let metadata = Metadata::Map(vec![
        ("instance-id".to_owned(), Metadata::Text("i-1".to_owned())),
        (
            "placement".to_owned(),
            Metadata::Map(vec![("availability-zone".to_owned(), Metadata::Text("eu-west-1b".to_owned()))]),
        ),
        (
            "block-device-mapping".to_owned(),
            Metadata::Map(vec![("ephemeral0".to_owned(), Metadata::Text("sdb".to_owned()))]),
        ),
    ]);
    let facts = metadata.facts();
    assert_eq!(facts.instance_id.as_deref(), Some("i-1"));
    assert_eq!(facts.region.as_deref(), Some("eu-west-1"));
    assert_eq!(facts.block_devices["ephemeral0"], "sdb");
}
