use super::super::*;
use super::{answer, aws, done, pairs};
use crate::Error;
use crate::served::{Given, refused};

fn snapshots(content: &str) -> Given {
    answer("DescribeSnapshots", &format!("<snapshotSet>{content}</snapshotSet>"))
}

#[test]
fn snapshots_are_read_as_the_reference_shows_them() {
    let item = |id: &str, status: &str, more: &str| {
        format!(
            "<item><snapshotId>{id}</snapshotId><volumeId>vol-1</volumeId><status>{status}</status>\
             <startTime>2026-01-31T23:59:59.000Z</startTime><progress>30%</progress><ownerId>111122223333</ownerId>\
             <volumeSize>15</volumeSize><description/>{more}</item>"
        )
    };
    let content = [
        item(
            "snap-1",
            "pending",
            "<encrypted>true</encrypted><kmsKeyId>arn:aws:kms:r:1:key/k</kmsKeyId>\
              <tagSet><item><key>a</key><value>b</value></item></tagSet>",
        ),
        item("snap-2", "completed", ""),
        item("snap-3", "error", "<statusMessage>no right to the key</statusMessage>"),
        item("snap-4", "recovering", ""),
        item("snap-5", "failed", ""),
    ];
    let served = aws([snapshots(&content.concat())]);
    let found =
        describe_snapshots(&served.client(), &[], &[("tag:a".to_owned(), vec!["b".to_owned()])]).unwrap();
    let first = Snapshot {
        id: "snap-1".to_owned(),
        state: SnapshotState::Pending,
        progress: "30%".to_owned(),
        message: None,
        owner: "111122223333".to_owned(),
        size: 15,
        encrypted: true,
        kms_key: Some("arn:aws:kms:r:1:key/k".to_owned()),
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(found[0], first);
    let states: Vec<_> = found.iter().skip(1).map(|snapshot| snapshot.state.clone()).collect();
    let other = SnapshotState::Other("recovering".to_owned());
    assert_eq!(states, [SnapshotState::Completed, SnapshotState::Error, other, SnapshotState::Error]);
    assert_eq!(found[2].message.as_deref(), Some("no right to the key"));
    let expected = ["Owner.1=self", "Filter.1.Name=tag:a", "Filter.1.Value.1=b", "MaxResults=1000"];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn snapshots_are_asked_for_by_id_whoever_owns_them() {
    let served = aws([snapshots("")]);
    assert!(describe_snapshots(&served.client(), &["snap-1", "snap-2"], &[]).unwrap().is_empty());
    assert_eq!(served.only().form(), ["SnapshotId.1=snap-1", "SnapshotId.2=snap-2"]);
}

#[test]
fn answers_that_cannot_be_are_refused() {
    for answer in [
        answer("DescribeSnapshots", ""),
        snapshots("<item><status>completed</status></item>"),
        snapshots("<item><snapshotId>snap-1</snapshotId></item>"),
        snapshots(
            "<item><snapshotId>snap-1</snapshotId><status>completed</status><volumeSize>big</volumeSize></item>",
        ),
    ] {
        let error = describe_snapshots(&aws([answer]).client(), &[], &[]).unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{error}");
    }
}

#[test]
fn a_snapshot_is_removed_once() {
    let served =
        aws([done("DeleteSnapshot"), refused("InvalidSnapshot.NotFound"), refused("InvalidSnapshot.InUse")]);
    let client = served.client();
    delete_snapshot(&client, "snap-1").unwrap();
    delete_snapshot(&client, "snap-1").unwrap();
    assert!(delete_snapshot(&client, "snap-1").unwrap_err().is("InvalidSnapshot.InUse"));
    assert_eq!(served.sent()[0].form(), ["SnapshotId=snap-1"]);
}

#[test]
fn a_snapshot_is_copied() {
    let served = aws([
        answer("CopySnapshot", "<snapshotId>snap-2</snapshotId>"),
        answer("CopySnapshot", "<snapshotId/>"),
    ]);
    let client = served.client();
    let request = CopySnapshot {
        snapshot: "snap-1".to_owned(),
        from: "us-east-1".to_owned(),
        description: "d".to_owned(),
        encrypted: true,
        kms_key: Some("k".to_owned()),
        tags: pairs(&[("a", "b")]),
    };
    assert_eq!(copy_snapshot(&client, &request).unwrap(), "snap-2");
    assert!(matches!(copy_snapshot(&client, &request), Err(Error::Answer { .. })));
    let expected = [
        "SourceRegion=us-east-1",
        "SourceSnapshotId=snap-1",
        "Description=d",
        "Encrypted=true",
        "KmsKeyId=k",
        "TagSpecification.1.ResourceType=snapshot",
        "TagSpecification.1.Tag.1.Key=a",
        "TagSpecification.1.Tag.1.Value=b",
    ];
    assert_eq!(served.sent()[0].form(), expected);
}

#[test]
fn a_snapshot_is_shared() {
    let served = aws([done("ModifySnapshotAttribute")]);
    let client = served.client();
    share_snapshot(&client, "snap-1", &["111122223333".to_owned()], true).unwrap();
    share_snapshot(&client, "snap-1", &[], false).unwrap();
    let expected = [
        "SnapshotId=snap-1",
        "CreateVolumePermission.Add.1.Group=all",
        "CreateVolumePermission.Add.2.UserId=111122223333",
    ];
    assert_eq!(served.only().form(), expected);
}

#[test]
fn public_snapshots_and_who_may_use_one() {
    let item = "<item><snapshotId>snap-1</snapshotId><status>completed</status></item>";
    let makers = "<snapshotId>snap-1</snapshotId><createVolumePermission><item><group>all</group></item>\
                  <item><userId>111122223333</userId></item></createVolumePermission>";
    let served = aws([
        snapshots(item),
        answer("DescribeSnapshotAttribute", makers),
        answer("DescribeSnapshotAttribute", "<snapshotId>snap-1</snapshotId><createVolumePermission/>"),
        answer("DescribeSnapshotAttribute", ""),
    ]);
    let client = served.client();
    assert_eq!(public_snapshots(&client).unwrap().len(), 1);
    let expected = VolumeMakers { all: true, accounts: vec!["111122223333".to_owned()] };
    assert_eq!(volume_makers(&client, "snap-1").unwrap(), expected);
    assert_eq!(volume_makers(&client, "snap-1").unwrap(), VolumeMakers::default());
    assert!(matches!(volume_makers(&client, "snap-1"), Err(Error::Answer { .. })));
    assert_eq!(served.sent()[0].form(), ["Owner.1=self", "RestorableBy.1=all", "MaxResults=1000"]);
    assert_eq!(served.sent()[1].form(), ["SnapshotId=snap-1", "Attribute=createVolumePermission"]);
}
