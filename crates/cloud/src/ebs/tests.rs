use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::served::{Given, Served, given, ok};
use crate::{Error, Kind};

/// SHA-256 of 512 KiB of zeros, in base64, by openssl.
const ZEROS: &str = "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=";

fn served(answers: impl IntoIterator<Item = Given>) -> Served {
    Served::new(Kind::Aws, answers)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn start() -> StartSnapshot {
    StartSnapshot { size: 8, token: "t-1".to_owned(), timeout: 60, ..StartSnapshot::default() }
}

#[test]
fn a_snapshot_is_begun() {
    let answer = json!({
        "SnapshotId": "snap-0aaEXAMPLE", "OwnerId": "123456789012", "Status": "pending", "StartTime": 1.5e9,
        "VolumeSize": 8, "BlockSize": 524_288, "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1",
    });
    let served = served([given(201, answer.to_string())]);
    let request = StartSnapshot {
        description: "d".to_owned(),
        tags: vec![("hardtack:journal".to_owned(), "j".to_owned())],
        encrypted: true,
        kms_key: Some("arn:aws:kms:eu-central-1:123456789012:key/1".to_owned()),
        ..start()
    };
    let started = start_snapshot(&served.client(), &request).unwrap();
    assert_eq!(started.id, "snap-0aaEXAMPLE");
    assert_eq!(started.kms_key.as_deref(), Some("arn:aws:kms:eu-central-1:123456789012:key/1"));
    let sent = served.only();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/snapshots"));
    let expected = json!({
        "VolumeSize": 8, "ClientToken": "t-1", "Timeout": 60, "Description": "d", "Encrypted": true,
        "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/1",
        "Tags": [{ "Key": "hardtack:journal", "Value": "j" }],
    });
    assert_eq!(sent.json(), expected);
}

#[test]
fn a_snapshot_with_a_parent_says_nothing_of_encryption() {
    let answer = json!({ "SnapshotId": "snap-2", "BlockSize": 524_288 }).to_string();
    let served = served([given(201, answer)]);
    let request = StartSnapshot { parent: Some("snap-1".to_owned()), ..start() };
    assert_eq!(start_snapshot(&served.client(), &request).unwrap().kms_key, None);
    let expected =
        json!({ "VolumeSize": 8, "ClientToken": "t-1", "Timeout": 60, "ParentSnapshotId": "snap-1" });
    assert_eq!(served.only().json(), expected);
    let both = StartSnapshot { encrypted: true, ..request };
    assert!(matches!(start_snapshot(&served.client(), &both), Err(Error::Usage(_))));
    assert_eq!(served.sent().len(), 1);
}

#[test]
fn a_block_is_put_with_its_checksum_and_without_its_body_signed() {
    let data = vec![0; BLOCK];
    let served = served([
        given(201, "").with("x-amz-checksum", ZEROS),
        given(201, "").with("x-amz-checksum", "other"),
    ]);
    let client = served.client();
    put_block(&client, "snap-1", 1023, &data, &digest(&data)).unwrap();
    let error = put_block(&client, "snap-1", 1023, &data, &digest(&data)).unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
    let sent = &served.sent()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("PUT", "/snapshots/snap-1/blocks/1023"));
    assert_eq!(sent.body.len(), BLOCK);
    assert_eq!(sent.header("x-amz-data-length"), "524288");
    assert_eq!(sent.header("x-amz-checksum"), ZEROS);
    assert_eq!(sent.header("x-amz-checksum-algorithm"), "SHA256");
    assert!(sent.header("authorization").contains("x-amz-checksum;"), "{}", sent.header("authorization"));
    assert!(matches!(put_block(&client, "snap-1", 0, b"abc", &[0; 32]), Err(Error::Usage(_))));
}

#[test]
fn a_snapshot_is_completed() {
    let status = |status: &str| given(202, json!({ "Status": status }).to_string());
    let served =
        served([status("pending"), status("completed"), status("error"), status("odd"), given(202, "{}")]);
    let client = served.client();
    complete_snapshot(&client, "snap-1", 4095, &[1; 32]).unwrap();
    complete_snapshot(&client, "snap-1", 4095, &[1; 32]).unwrap();
    assert!(matches!(complete_snapshot(&client, "snap-1", 1, &[1; 32]), Err(Error::State(_))));
    assert!(matches!(complete_snapshot(&client, "snap-1", 1, &[1; 32]), Err(Error::Answer { .. })));
    assert!(matches!(complete_snapshot(&client, "snap-1", 1, &[1; 32]), Err(Error::Answer { .. })));
    let sent = &served.sent()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/snapshots/completion/snap-1"));
    assert_eq!(sent.header("x-amz-changedblockscount"), "4095");
    assert_eq!(sent.header("x-amz-checksum"), "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    assert_eq!(sent.header("x-amz-checksum-algorithm"), "SHA256");
    assert_eq!(sent.header("x-amz-checksum-aggregation-method"), "LINEAR");
}

#[test]
fn the_reason_of_a_refusal_is_kept() {
    let body =
        json!({ "Message": "The snapshot was not found.", "Reason": "SNAPSHOT_NOT_FOUND" }).to_string();
    let served = served([given(404, body).with("x-amzn-errortype", "ResourceNotFoundException")]);
    let data = vec![0; BLOCK];
    let error = put_block(&served.client(), "snap-1", 0, &data, &digest(&data)).unwrap_err();
    assert_eq!(
        (error.code(), error.reason()),
        (Some("ResourceNotFoundException"), Some("SNAPSHOT_NOT_FOUND"))
    );
}

fn page(blocks: serde_json::Value, next: Option<&str>) -> Given {
    let answer = json!({
        "Blocks": blocks, "ExpiryTime": 1.576e9, "VolumeSize": 3, "BlockSize": 524_288, "NextToken": next,
    });
    ok(answer.to_string())
}

#[test]
fn blocks_are_listed_by_pages() {
    let blocks = json!([
        { "BlockIndex": 0, "BlockToken": "AAUBAcuWqOCnDNuKle11s7IIX6jp6FYcC/q8oT93913HhvLvA+3JRrSybp/0" },
        { "BlockIndex": 6143, "BlockToken": "AAUBASc==" },
    ]);
    let served = served([page(blocks, Some("0KbvM/n")), page(json!([]), None)]);
    let client = served.client();
    let first = list_blocks(&client, "snap-1", None).unwrap();
    assert_eq!((first.size, first.block_size, first.blocks.len()), (3, 524_288, 2));
    assert_eq!(first.blocks[1], BlockEntry { index: 6143, token: "AAUBASc==".to_owned() });
    let second = list_blocks(&client, "snap-1", first.next.as_deref()).unwrap();
    assert_eq!((second.blocks.len(), second.next), (0, None));
    let sent = served.sent();
    assert_eq!(sent[0].target, "/snapshots/snap-1/blocks?maxResults=10000");
    assert_eq!(sent[1].target, "/snapshots/snap-1/blocks?maxResults=10000&pageToken=0KbvM%2Fn");
}

#[test]
fn a_list_that_cannot_be_is_refused() {
    let entry = |index: i64| json!({ "BlockIndex": index, "BlockToken": "t" });
    for answer in [
        page(json!([entry(6144)]), None),
        page(json!([entry(-1)]), None),
        page(json!([entry(2), entry(2)]), None),
        page(json!([entry(2), entry(1)]), None),
        page(json!([{ "BlockIndex": 1 }]), None),
        page(json!([{ "BlockIndex": 1, "BlockToken": "a b\n" }]), None),
        page(json!([{ "BlockIndex": "1", "BlockToken": "t" }]), None),
        page(json!("all"), None),
        page(json!([]), Some("again")),
        ok(json!({ "Blocks": [], "VolumeSize": 0, "BlockSize": 524_288 }).to_string()),
        ok(json!({ "Blocks": [], "VolumeSize": u64::MAX, "BlockSize": 524_288 }).to_string()),
        ok(json!({ "Blocks": [], "VolumeSize": 1, "BlockSize": 512 }).to_string()),
        ok("{}"),
        ok("[]"),
        ok("<html/>"),
        ok(""),
    ] {
        let error = list_blocks(&served([answer]).client(), "snap-1", Some("again")).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains("ListSnapshotBlocks"), "{error}");
    }
}

fn block(body: Vec<u8>, length: &str, algorithm: &str, checksum: &str) -> Given {
    ok(body)
        .with("x-amz-Data-Length", length)
        .with("x-amz-Checksum-Algorithm", algorithm)
        .with("x-amz-Checksum", checksum)
}

#[test]
fn a_block_is_read_and_compared() {
    let served = served([block(vec![0; BLOCK], "524288", "SHA256", ZEROS)]);
    let entry = BlockEntry { index: 7, token: "AAUB+/=".to_owned() };
    assert_eq!(get_block(&served.client(), "snap-1", &entry).unwrap(), vec![0; BLOCK]);
    assert_eq!(served.only().target, "/snapshots/snap-1/blocks/7?blockToken=AAUB%2B%2F%3D");
}

#[test]
fn a_block_that_broke_on_its_way_is_an_error() {
    for answer in [
        block(vec![1; BLOCK], "524288", "SHA256", ZEROS),
        block(vec![0; BLOCK], "512", "SHA256", ZEROS),
        block(vec![0; BLOCK - 1], "524288", "SHA256", ZEROS),
        block(vec![0; BLOCK], "524288", "MD5", ZEROS),
        block(vec![0; BLOCK], "524288", "SHA256", ""),
        ok(vec![0; BLOCK]),
        ok(""),
    ] {
        let entry = BlockEntry { index: 7, token: "t".to_owned() };
        let error = get_block(&served([answer]).client(), "snap-1", &entry).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
        assert!(error.to_string().contains("GetSnapshotBlock"), "{error}");
    }
    let entry = BlockEntry { index: 7, token: "t".to_owned() };
    let long = block(vec![0; BLOCK + 1], "524288", "SHA256", ZEROS);
    assert!(get_block(&served([long]).client(), "snap-1", &entry).is_err());
}
