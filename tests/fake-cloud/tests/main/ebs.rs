//! From blocks to an image.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hardtack_fake_cloud::{Cloud, Fault, FaultKind, Service};
use sha2::{Digest as _, Sha256};

use crate::raw::{Answer, ebs, ec2};

const BLOCK: usize = 512 * 1024;

fn start(cloud: &Cloud, input: &str) -> Answer {
    let kind = [("content-type", "application/json".to_owned())];
    ebs(cloud, "POST", "/snapshots", &kind, input.as_bytes())
}

fn id(answer: &Answer) -> String {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    value["SnapshotId"].as_str().unwrap().to_owned()
}

fn put(cloud: &Cloud, id: &str, index: u64, bytes: &[u8], checksum: [u8; 32]) -> Answer {
    let headers = [
        ("x-amz-data-length", bytes.len().to_string()),
        ("x-amz-checksum", STANDARD.encode(checksum)),
        ("x-amz-checksum-algorithm", "SHA256".to_owned()),
    ];
    ebs(cloud, "PUT", &format!("/snapshots/{id}/blocks/{index}"), &headers, bytes)
}

fn complete(cloud: &Cloud, id: &str, count: u64, digest: [u8; 32]) -> Answer {
    let headers = [
        ("x-amz-changedblockscount", count.to_string()),
        ("x-amz-checksum", STANDARD.encode(digest)),
        ("x-amz-checksum-algorithm", "SHA256".to_owned()),
        ("x-amz-checksum-aggregation-method", "LINEAR".to_owned()),
    ];
    ebs(cloud, "POST", &format!("/snapshots/completion/{id}"), &headers, b"")
}

#[test]
fn blocks_become_an_image() {
    let cloud = Cloud::start();
    let input = r#"{"VolumeSize":1,"ClientToken":"one","Tags":[{"Key":"hardtack:journal","Value":"j"}]}"#;
    let answer = start(&cloud, input);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let snapshot = id(&answer);
    assert_eq!(id(&start(&cloud, input)), snapshot, "the same token");
    assert_eq!(start(&cloud, &input.replace(":1,", ":2,")).status, 409);

    let block = vec![7; BLOCK];
    let digest: [u8; 32] = Sha256::digest(&block).into();
    assert_eq!(put(&cloud, &snapshot, 3, &block, digest).status, 201);
    assert_eq!(put(&cloud, &snapshot, 3, &block, digest).status, 201, "a block may come again");
    assert_eq!(put(&cloud, &snapshot, 4, &block, [0; 32]).status, 400, "another checksum");
    assert_eq!(put(&cloud, &snapshot, 2048, &block, digest).status, 400, "beyond the end");
    assert_eq!(put(&cloud, &snapshot, 5, b"abc", digest).status, 400, "too short");
    let all: [u8; 32] = Sha256::digest(digest).into();
    assert_eq!(complete(&cloud, &snapshot, 2, all).status, 400, "another count");
    assert_eq!(complete(&cloud, &snapshot, 1, digest).status, 400, "another checksum");
    assert_eq!(complete(&cloud, &snapshot, 1, all).status, 202);
    assert_eq!(put(&cloud, &snapshot, 4, &block, digest).status, 400, "it is completed");

    let register = format!(
        "Action=RegisterImage&Architecture=x86_64&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda\
         &BlockDeviceMapping.1.Ebs.SnapshotId={snapshot}&EnaSupport=true&Name=one%20image\
         &RootDeviceName=%2Fdev%2Fxvda&VirtualizationType=hvm"
    );
    assert_eq!(ec2(&cloud, &register).element("Code"), "IncorrectState");
    for wanted in ["pending", "completed"] {
        let answer = ec2(&cloud, &format!("Action=DescribeSnapshots&SnapshotId.1={snapshot}"));
        assert_eq!(answer.element("status"), wanted, "{}", answer.text());
    }
    let answer = ec2(&cloud, &register);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let image = answer.element("imageId");
    assert_eq!(ec2(&cloud, &register).element("Code"), "InvalidAMIName.Duplicate");
    assert_eq!(ec2(&cloud, &format!("{register}&ClientToken=x")).element("Code"), "UnknownParameter");
    let delete = format!("Action=DeleteSnapshot&SnapshotId={snapshot}");
    assert_eq!(ec2(&cloud, &delete).element("Code"), "InvalidSnapshot.InUse");
    let answer =
        ec2(&cloud, "Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=one%20%2A&Owner.1=self");
    assert_eq!(answer.element("imageId"), image, "{}", answer.text());

    let reader = cloud.read_snapshot(&snapshot).unwrap();
    assert_eq!((reader.block(3), reader.block(4)), (block, vec![0; BLOCK]));
    assert_eq!(reader.bytes(3 * BLOCK as u64 - 1, 2), [0, 7]);
    let wanted = [format!("us-east-1 image {image}"), format!("us-east-1 snapshot {snapshot}")];
    assert_eq!(cloud.leftovers(), wanted.into());
    assert_eq!(ec2(&cloud, &format!("Action=DeregisterImage&ImageId={image}")).status, 200);
    assert_eq!(ec2(&cloud, &delete).status, 200);
    assert!(cloud.leftovers().is_empty());
}

#[test]
fn faults_come_as_they_were_asked_for() {
    let cloud = Cloud::start();
    let snapshot = id(&start(&cloud, r#"{"VolumeSize":1,"ClientToken":"a"}"#));
    let block = vec![7; BLOCK];
    let digest: [u8; 32] = Sha256::digest(&block).into();
    let kinds = [
        (FaultKind::Status(400), 400, false),
        (FaultKind::Status(402), 402, false),
        (FaultKind::Status(500), 500, false),
        (FaultKind::Reset, 0, false),
        (FaultKind::Html502, 502, false),
        (FaultKind::CloseAfterRequest, 0, true),
        (FaultKind::SlowBody(Duration::from_millis(1)), 201, true),
    ];
    for (index, (kind, status, done)) in (0..).zip(kinds) {
        let text = format!("{kind:?}");
        cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", kind));
        let answer = put(&cloud, &snapshot, index, &block, digest);
        assert_eq!(answer.status, status, "{text}");
        let written = cloud.snapshots()[0].written.contains(&index);
        assert_eq!(written, done, "{text}");
        assert_eq!(put(&cloud, &snapshot, index, &block, digest).status, 201, "{text}");
    }
    cloud.inject(Fault::new(Service::Ebs, "PutSnapshotBlock", FaultKind::Status(503)).after(1).times(2));
    let statuses: Vec<u16> = (0..4).map(|_| put(&cloud, &snapshot, 9, &block, digest).status).collect();
    assert_eq!(statuses, [201, 503, 503, 201]);
}

#[test]
fn an_encrypted_snapshot_reads_as_noise_where_nothing_was_written() {
    let cloud = Cloud::builder().with(|options| options.encryption_by_default = true).start();
    let answer = start(&cloud, r#"{"VolumeSize":1,"ClientToken":"a"}"#);
    assert!(answer.text().contains("KmsKeyArn"), "{}", answer.text());
    let reader = cloud.read_snapshot(&id(&answer)).unwrap();
    assert_ne!(reader.block(0), vec![0; BLOCK]);
}

#[test]
fn a_snapshot_that_was_just_begun_may_not_be_found() {
    let cloud = Cloud::builder().with(|options| options.start_misses = 1).start();
    let snapshot = id(&start(&cloud, r#"{"VolumeSize":1,"ClientToken":"a"}"#));
    let block = vec![7; BLOCK];
    let digest: [u8; 32] = Sha256::digest(&block).into();
    let answer = put(&cloud, &snapshot, 0, &block, digest);
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("SNAPSHOT_NOT_FOUND"), "{}", answer.text());
    assert_eq!(put(&cloud, &snapshot, 0, &block, digest).status, 201);
}
